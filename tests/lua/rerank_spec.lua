-- Rerank between the shapes of providers: names, documents, scores, what is given back, usage, what is refused and what
-- is lost. Recorded exchanges are read at run time from $MOONGATE_SHARED (default ../shared).

local load = dofile("tests/lua/dialects/load.lua")
local json = load.gw.json
local M = load.module("gw.rerank")
local recorded = dofile("tests/lua/recorded.lua")

local jina, cohere, bedrock = "openai.chat", "cohere.chat", "bedrock.converse"

local function decode(body)
  return assert(json.decode(type(body) == "string" and body or json.encode(body), { raw = M.raw_keys }))
end

local function send(client, provider, body, model, quirks)
  local asked, losses = { model = "alias", id = "own" }, {}
  local normal = M.request_to_normal(client, decode(body), losses, asked)
  local sent = M.request_from_normal(provider, normal, { model = model or "m", quirks = quirks }, losses)
  return json.decode(json.encode(sent)), losses, asked
end

local function tell(client, provider, body, asked)
  return json.decode(json.encode(M.response_from_normal(client,
    assert(M.response_to_normal(provider, decode(body))), asked)))
end

local function refusal(...)
  local ok, err = pcall(send, ...)
  if ok then error("was not refused", 2) end
  if type(err) ~= "table" then error(err, 2) end
  return err.field
end

describe("requests to rerank", function()
  local body = { model = "a", query = "q", documents = { "one", { text = "two" } }, top_n = 1, return_documents = true }

  it("have one name for the same in each shape", function()
    local sent, losses = send(jina, cohere, body)
    assert.are.same({ model = "m", query = "q", documents = { "one", "two" }, top_n = 1 }, sent)
    assert.are.same({}, losses)
    assert.are.same({ model = "m", query = "q", documents = { "one", "two" }, top_k = 1 },
      (send(jina, jina, body, "m", { rerank = "voyage" })))
    assert.are.same({ query = "q", documents = { "one", "two" }, top_n = 1, api_version = 2 },
      (send(cohere, bedrock, body, "cohere.rerank-v3-5:0")))
    assert.are.same({ query = "q", documents = { "one", "two" }, top_n = 1 },
      (send(cohere, bedrock, body, "amazon.rerank-v1:0")))
  end)

  it("say what is lost", function()
    local more = { model = "a", query = "q", documents = { { text = "two", title = "T" } }, rank_fields = { "title" },
      max_tokens_per_doc = 99, priority = 1, truncation = false }
    local _, losses = send(cohere, jina, more)
    assert.are.same({ "documents[](fields other than text)", "rank_fields", "max_tokens_per_doc", "truncation",
      "priority" }, losses)
    local sent = send(jina, cohere, { query = "q", documents = { "a" }, max_tokens_per_doc = 99 })
    assert.are.equal(99, sent.max_tokens_per_doc)
  end)

  it("are refused with the field", function()
    assert.are.equal("documents", refusal(jina, cohere, { query = "q" }))
    assert.are.equal("documents", refusal(jina, cohere, { query = "q", documents = json.array({}) }))
    assert.are.equal("documents[0].text", refusal(jina, cohere, { query = "q", documents = { { image = "x" } } }))
    assert.are.equal("query", refusal(jina, cohere, { documents = { "a" } }))
    assert.are.equal("top_n", refusal(jina, cohere, { query = "q", documents = { "a" }, top_n = "all" }))
    assert.are.equal("model", refusal(jina, "gemini", { query = "q", documents = { "a" } }))
    assert.are.equal("model", refusal("gemini", jina, { query = "q", documents = { "a" } }))
    assert.are.equal("model", refusal(jina, bedrock, { query = "q", documents = { "a" } }, "amazon.nova-lite-v1:0"))
  end)
end)

describe("answers of rerank", function()
  local ranked = '{"id":"x","results":[{"index":1,"relevance_score":0.999071},{"index":0,"relevance_score":-4.75}],'
    .. '"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}'

  it("Cohere's to a client of /v1/rerank: both names of usage, the client's own documents", function()
    local _, _, asked = send(jina, cohere, { query = "q", documents = { "one", { text = "two", id = 7 } },
      return_documents = true })
    local told = tell(jina, cohere, ranked, asked)
    assert.are.same({ { index = 1, relevance_score = 0.999071, document = { text = "two", id = 7 } },
      { index = 0, relevance_score = -4.75, document = { text = "one" } } }, told.results)
    assert.are.same({ 1, 1, "alias", "own" }, { told.meta.billed_units.search_units, told.usage.search_units,
      told.model, told.id })
    _, _, asked = send(jina, cohere, { query = "q", documents = { "one", "two" } })
    assert.is_nil(tell(jina, cohere, ranked, asked).results[1].document)
  end)

  it("to a client that asked in Voyage's words", function()
    local _, _, asked = send(jina, cohere, { query = "q", documents = { "one", "two" }, top_k = 2,
      return_documents = true })
    local told = tell(jina, cohere, ranked, asked)
    assert.is_nil(told.results)
    assert.are.same({ index = 1, relevance_score = 0.999071, document = "two" }, told.data[1])
  end)

  it("Jina's and Voyage's to a client of Cohere", function()
    local _, _, asked = send(cohere, jina, { query = "q", documents = { "one", "two" } })
    for _, body in ipairs({ '{"results":[{"index":1,"relevance_score":0.5}],"usage":{"total_tokens":17}}',
      '{"object":"list","data":[{"relevance_score":0.5,"index":1}],"usage":{"total_tokens":17}}' }) do
      local told = tell(cohere, jina, body, asked)
      assert.are.same({ { index = 1, relevance_score = 0.5 } }, told.results)
      assert.are.equal(17, told.meta.tokens.input_tokens)
    end
  end)

  it("an error that came with a good status is an error; odd shapes are refused", function()
    local answer, err = M.response_to_normal(cohere, decode({ message = "no luck" }))
    assert.is_nil(answer)
    assert.are.equal("no luck", err.message)
    assert.is_false(pcall(M.response_to_normal, jina, decode({ results = { { index = "a" } } })))
    assert.is_false(pcall(M.response_to_normal, jina, decode({ results = 3 })))
  end)
end)

describe("recorded reranking", function()
  local dialects = { ["cohere.v2.rerank"] = cohere, ["cohere.v1.rerank"] = jina, ["jina.rerank"] = jina,
    ["voyage.rerank"] = jina }

  local exchanges = recorded.exchanges(function(protocol) return dialects[protocol] end)
  for _, exchange in ipairs(exchanges) do
    local dialect = dialects[exchange.protocol]
    it(exchange.id .. " has the same ranks and scores for each client", function()
      local asked = { model = "alias" }
      local ok, err = pcall(M.request_to_normal, dialect, decode(exchange.request_body), {}, asked)
      if exchange.status >= 400 then
        assert.is_false(ok)
        return assert.are.equal("documents", err.field)
      end
      assert.is_true(ok)
      local body = json.decode(exchange.response_body)
      local want = {}
      for i, result in ipairs(body.results or body.data) do
        want[i] = { result.index, result.relevance_score }
      end
      for _, client in ipairs({ jina, cohere }) do
        local told = tell(client, dialect, exchange.response_body, asked)
        local got = {}
        for i, result in ipairs(told.results or told.data) do got[i] = { result.index, result.relevance_score } end
        assert.are.same(want, got)
      end
    end)
  end

  it("are there, or this checkout stands alone", recorded.counted(#exchanges, 7))
end)
