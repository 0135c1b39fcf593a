-- classifier: a service of your own says for each prompt whether it is hard; while it does not answer, it is easy.
-- Route: { policy = "classifier.lua", pools = { easy = {…}, hard = {…} } }; config: upstreams = { classifier = {…} }.
-- The service gets {"prompt_tokens":N,"tools":N} and answers {"hard":true}.
local P = { api = 1 }

function P.setup()
  return { easy = gw.pool("easy"), hard = gw.pool("hard") }
end

function P:route(req)
  local answer = gw.fetch("classifier", {
    method = "POST", path = "/classify", timeout_ms = 80, headers = { ["content-type"] = "application/json" },
    body = gw.json.encode { prompt_tokens = req.prompt_tokens, tools = req.tool_count },
  })
  if not answer then
    gw.count("classifier_failures")
    return self.easy, self.hard
  end
  local verdict = answer.status == 200 and gw.json.decode(answer.body)
  if type(verdict) == "table" and verdict.hard == true then return self.hard, self.easy end
  return self.easy, self.hard
end

-- Nothing is fetched while examples run: this is what happens without an answer.
P.examples = {
  { req = { prompt_tokens = 10 }, gives = { "easy", "hard" } },
}

return P
