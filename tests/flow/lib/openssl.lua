-- openssl: hashes, HMACs and RSA by the openssl command, so that signatures are checked by other code than the
-- gateway's. Files and processes are the case's (dir).
local proc = require "proc"

local M = {}

local count = 0

-- Runs a shell script with these variables; its output without the last line end.
local function shell(dir, script, variables)
  count = count + 1
  local status, out, err = proc.run(dir, "openssl" .. count, { "sh", "-c", script }, variables, 20)
  if status ~= 0 then error("openssl: " .. tostring(err), 0) end
  return (out:gsub("\n$", ""))
end

local function file(dir, bytes)
  count = count + 1
  local path = dir .. "/openssl" .. count .. ".bytes"
  proc.write_file(path, bytes)
  return path
end

function M.sha256(dir, bytes)
  return shell(dir, [[openssl dgst -sha256 -r < "$IN" | cut -c1-64]], { IN = file(dir, bytes) })
end

-- An AWS signature: the chain of four keys over date, region, service, and the text to sign.
function M.aws_signature(dir, secret, date, region, service, text)
  return shell(dir, [[
    hmac() { printf %s "$2" | openssl dgst -sha256 -mac HMAC -macopt "$1" | sed 's/.* //'; }
    k=$(hmac "key:AWS4$SECRET" "$DATE")
    k=$(hmac "hexkey:$k" "$REGION")
    k=$(hmac "hexkey:$k" "$SERVICE")
    k=$(hmac "hexkey:$k" aws4_request)
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$k" < "$IN" | sed 's/.* //']],
    { SECRET = secret, DATE = date, REGION = region, SERVICE = service, IN = file(dir, text) })
end

-- HMAC-SHA-256 in base64, or in base32 when `digits` is 32.
function M.hmac(dir, key, text, digits)
  return shell(dir, [[printf %s "$TEXT" | openssl dgst -sha256 -mac HMAC -macopt "key:$KEY" -binary | ]]
    .. (digits == 32 and "base32" or "base64") .. " -w0", { KEY = key, TEXT = text })
end

-- A new RSA key: PEM of the private key, path of the public one.
function M.rsa_key(dir)
  local pem = shell(dir, [[openssl genrsa -out "$OUT.key" 2048 2>/dev/null && openssl rsa -in "$OUT.key" -pubout ]]
    .. [[-out "$OUT.pub" 2>/dev/null && cat "$OUT.key"]], { OUT = dir .. "/rsa" })
  return pem .. "\n", dir .. "/rsa.pub"
end

function M.rs256_holds(dir, public, text, signature)
  return shell(dir, [[openssl dgst -sha256 -verify "$PUBLIC" -signature "$SIGNATURE" "$IN" || true]],
    { PUBLIC = public, SIGNATURE = file(dir, signature), IN = file(dir, text) }) == "Verified OK"
end

return M
