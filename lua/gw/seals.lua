-- How a provider's signature on its thinking travels through clients of other dialects. Each dialect has one place for
-- opaque bytes that clients send back unread (Anthropic: signature and data; Chat: the same in thinking_blocks;
-- Responses: encrypted_content; Gemini: thoughtSignature). A signature made by the dialect's own company stands there
-- as it is; any other has its signer before it: "openai:gAAAA…". Signatures are base64, which has no colon.
-- It does not check signatures: only who made one can.

local M = {}

-- The text to put where signatures of `own` ("anthropic", "openai", "gemini") stand.
function M.close(signature, signed_by, own)
  if signed_by == own then return signature end
  return (signed_by or "unknown") .. ":" .. signature
end

-- What stood there: the signature and who made it.
function M.open(text, own)
  local signer, signature = text:match("^(%l[%w_/-]*):(.*)$")
  if signer then return signature, signer end
  return text, own
end

return M
