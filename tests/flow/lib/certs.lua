-- certs: a certificate authority and server certificates for one case, made by the openssl command.
local proc = require "proc"

local M = {}

local function openssl(dir, text)
  local status, output, errors = proc.run(dir, "openssl", { "sh", "-c", "cd " .. proc.quote(dir) .. " && " .. text })
  assert(status == 0, "openssl: " .. output .. errors)
end

-- dir/NAME-ca.pem signs what M.server makes with the same name.
function M.authority(dir, name)
  openssl(dir, ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj '/CN=%s ca' "
    .. "-keyout %s-ca.key -out %s-ca.pem"):format(name, name, name))
  return dir .. "/" .. name .. "-ca.pem"
end

-- { cert =, key = } for host (default localhost, with 127.0.0.1), signed by authority `ca`.
function M.server(dir, ca, name, host, expired)
  local names = host and "DNS:" .. host or "DNS:localhost,IP:127.0.0.1"
  openssl(dir,
    ("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=%s' -keyout %s.key "
    .. "-out %s.csr && printf 'subjectAltName=%s\\n' >%s.ext && "):format(name, name, name, names, name)
    .. ("openssl x509 -req -in %s.csr -CA %s-ca.pem -CAkey %s-ca.key -set_serial %d -days %d -extfile %s.ext "
      .. "-out %s.pem"):format(name, ca, ca, os.time(), expired and 0 or 30, name, name)
    .. (expired and " && sleep 1.1" or ""))
  return { cert = dir .. "/" .. name .. ".pem", key = dir .. "/" .. name .. ".key" }
end

-- luasec parameters of a server with that pair.
function M.serve(pair, options)
  return { mode = "server", protocol = options and options.protocol or "any", key = pair.key, certificate = pair.cert,
    options = { "all" } }
end

return M
