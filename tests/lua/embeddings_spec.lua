-- Embeddings between the shapes of providers, every pair: inputs, settings, vectors bit by bit, usage, what is refused
-- and what is lost. Recorded answers are read at run time from $MOONGATE_SHARED (default ../shared).

local load = dofile("tests/lua/dialects/load.lua")
local json, gw = load.gw.json, load.gw
local M = load.module("gw.embeddings")
local recorded = dofile("tests/lua/recorded.lua")

local function decode(body)
  return assert(json.decode(type(body) == "string" and body or json.encode(body), { raw = M.raw_keys }))
end

-- What a provider gets for a client's body; the losses; asked.
local function send(client, provider, body, model, quirks)
  local asked, losses = { model = "alias" }, {}
  local target = { model = model or "m", quirks = quirks }
  local normal = M.request_to_normal(client, decode(body), losses, asked)
  local sent = M.request_from_normal(provider, normal, target, losses)
  return json.decode(json.encode(sent)), losses, asked, target
end

local function tell(client, provider, body, asked, target)
  local answer = assert(M.response_to_normal(provider, decode(body), target))
  return json.decode(json.encode(M.response_from_normal(client, answer, asked)))
end

local function refusal(...)
  local ok, err = pcall(send, ...)
  if ok then error("was not refused", 2) end
  if type(err) ~= "table" then error(err, 2) end
  return err.field, err.message
end

local openai = "openai.chat"
local cohere = "cohere.chat"
local bedrock = "bedrock.converse"
local titan, cohere_on_aws = "amazon.titan-embed-text-v2:0", "cohere.embed-v4:0"

describe("requests of embeddings", function()
  it("TR-94 OpenAI's to each provider", function()
    local body = { model = "a", input = { "one", "two" }, dimensions = 256, input_type = "query" }
    assert.are.same({ model = "m", texts = { "one", "two" }, output_dimension = 256, embedding_types = { "float" },
      input_type = "search_query" }, (send(openai, cohere, body)))
    assert.are.same({ requests = {
      { model = "models/m", content = { parts = { { text = "one" } } }, taskType = "RETRIEVAL_QUERY",
        outputDimensionality = 256 },
      { model = "models/m", content = { parts = { { text = "two" } } }, taskType = "RETRIEVAL_QUERY",
        outputDimensionality = 256 } } }, (send(openai, "gemini", body)))
    assert.are.same({ texts = { "one", "two" }, output_dimension = 256, embedding_types = { "float" },
      input_type = "search_query" }, (send(openai, bedrock, body, cohere_on_aws)))
    assert.are.same({ instances = { { content = "one", task_type = "RETRIEVAL_QUERY" },
      { content = "two", task_type = "RETRIEVAL_QUERY" } }, parameters = { outputDimensionality = 256 } },
      (send(openai, "gemini", body, "m", { embeddings = "predict" })))
    local sent, losses = send(openai, openai, body, "m", { embeddings = "voyage" })
    assert.are.same({ model = "m", input = { "one", "two" }, output_dimension = 256, input_type = "query" }, sent)
    assert.are.same({}, losses)
    sent, losses = send(openai, openai, body, "m", { embeddings = "mistral" })
    assert.are.same({ model = "m", input = { "one", "two" }, output_dimension = 256 }, sent)
    assert.are.same({ "input_type" }, losses)
  end)

  it("TR-94 Titan takes one text a request; more are refused with their place", function()
    local sent, losses = send(openai, bedrock, { input = "one", dimensions = 512, user = "u" }, titan)
    assert.are.same({ inputText = "one", dimensions = 512 }, sent)
    assert.are.same({ "user" }, losses)
    assert.are.equal("input[1]", refusal(openai, bedrock, { input = { "one", "two" } }, titan))
    local _, first = send(openai, bedrock, { input = "one", dimensions = 512 }, "amazon.titan-embed-text-v1")
    assert.are.same({ "dimensions" }, first)
    assert.are.equal("model", refusal(openai, bedrock, { input = "one" }, "amazon.nova-lite-v1:0"))
  end)

  it("TR-94 token ids go only where they are known", function()
    for _, input in ipairs({ { 791, 6864 }, { { 791 }, { 6864 } } }) do
      assert.are.same(input[1] == 791 and { input } or input, send(openai, openai, { input = input }).input)
      for _, provider in ipairs({ cohere, "gemini" }) do
        local field, message = refusal(openai, provider, { input = input })
        assert.are.equal(type(input[1]) == "table" and "input[0]" or "input", field)
        assert.is_truthy(message:find("token ids", 1, true))
      end
    end
  end)

  it("Cohere needs an input type; the default is reported, an adapter may name another", function()
    local sent, losses = send(openai, cohere, { input = "a" })
    assert.are.equal("search_document", sent.input_type)
    assert.are.same({ "input_type(default search_document)" }, losses)
    assert.are.equal("clustering",
      send(openai, cohere, { input = "a" }, "m", { embedding_input_type = "clustering" }).input_type)
  end)

  it("Cohere's to each provider, and what is lost", function()
    local body = { model = "a", texts = { "one" }, input_type = "search_query", embedding_types = { "float" },
      output_dimension = 512, truncate = "START", max_tokens = 9, priority = 2 }
    local sent, losses = send(cohere, openai, body)
    assert.are.same({ model = "m", input = { "one" }, dimensions = 512 }, sent)
    assert.are.same({ "max_tokens", "input_type", "truncate", "priority" }, losses)
    sent, losses = send(cohere, openai, body, "m", { embeddings = "voyage" })
    assert.are.same({ model = "m", input = { "one" }, output_dimension = 512, input_type = "query", truncation = true },
      sent)
    assert.are.same({ "truncate(start sent as end)", "max_tokens", "priority" }, losses)
    sent = send(cohere, "gemini", body)
    assert.are.equal("RETRIEVAL_QUERY", sent.requests[1].taskType)
    sent = send(cohere, bedrock, body, cohere_on_aws)
    assert.are.same({ "START", 9, 512 }, { sent.truncate, sent.max_tokens, sent.output_dimension })
  end)

  it("Gemini's, one or many, in both styles of names", function()
    local one = { content = { parts = { { text = "one" } } }, taskType = "CLUSTERING", outputDimensionality = 64 }
    assert.are.same({ model = "m", texts = { "one" }, input_type = "clustering", output_dimension = 64,
      embedding_types = { "float" } }, (send("gemini", cohere, one)))
    local many = { requests = { { model = "models/a", content = { parts = { { text = "x" } } },
      output_dimensionality = 8, task_type = "RETRIEVAL_DOCUMENT", title = "T" },
      { model = "models/a", content = { parts = { { text = "y" } } }, output_dimensionality = 8,
        task_type = "RETRIEVAL_DOCUMENT" } } }
    local sent, losses = send("gemini", openai, many)
    assert.are.same({ model = "m", input = { "x", "y" }, dimensions = 8 }, sent)
    assert.are.same({ "input_type", "title" }, losses)
    many.requests[2].output_dimensionality = 9
    assert.are.equal("requests[1]", refusal("gemini", openai, many))
    local _, narrowed = send("gemini", cohere, { content = { parts = { { text = "x" } } },
      taskType = "FACT_VERIFICATION" })
    assert.are.same({ "input_type(fact sent as search_query)" }, narrowed)
    local _, joined = send("gemini", openai, { content = { parts = { { text = "x" }, { text = "y" } } } })
    assert.are.same({ "content.parts(joined)" }, joined)
  end)

  it("images travel between those that take them and are refused by the others", function()
    local url = "data:image/png;base64,AAAA"
    local sent = send(cohere, "gemini", { images = { url }, input_type = "image" })
    assert.are.same({ { inlineData = { mimeType = "image/png", data = "AAAA" } } }, sent.requests[1].content.parts)
    local mixed = { inputs = { { content = { { type = "text", text = "a" },
      { type = "image_url", image_url = { url = url } } } } }, input_type = "search_document" }
    sent = send(cohere, bedrock, mixed, cohere_on_aws)
    assert.are.same(mixed.inputs, sent.inputs)
    assert.are.same({ inputText = "a", inputImage = "AAAA" },
      (send(cohere, bedrock, mixed, "amazon.titan-embed-image-v1")))
    assert.are.equal("inputs[0]", refusal(cohere, openai, mixed))
    assert.are.equal("images[0]", refusal(cohere, bedrock, { images = { url } }, titan))
    local inline = { inlineData = { mimeType = "image/png", data = "AAAA" } }
    sent = send("gemini", cohere, { content = { parts = { inline } } })
    assert.are.same({ { url }, "image" }, { sent.images, sent.input_type })
  end)

  it("too many inputs, odd words and wrong kinds are refused with their field", function()
    local texts = {}
    for i = 1, 97 do texts[i] = "t" end
    assert.are.equal("input[96]", refusal(openai, cohere, { input = texts }))
    assert.are.equal("input", refusal(openai, cohere, { input = json.array({}) }))
    assert.are.equal("input", refusal(openai, cohere, { model = "a" }))
    assert.are.equal("input[1]", refusal(openai, cohere, { input = { "a", 3 } }))
    assert.are.equal("encoding_format", refusal(openai, cohere, { input = "a", encoding_format = "hex" }))
    assert.are.equal("input_type", refusal(cohere, openai, { texts = { "a" }, input_type = "poem" }))
    assert.are.equal("embedding_types", refusal(cohere, openai, { texts = { "a" }, embedding_types = { "int8" } }))
    assert.are.equal("inputs", refusal(cohere, openai, { model = "a" }))
    assert.are.equal("body.content", refusal("gemini", openai, { model = "a" }))
    assert.are.equal("model", refusal(bedrock, openai, { inputText = "a" }))
    assert.are.equal("model", refusal(openai, "anthropic.messages", { input = "a" }))
    assert.are.equal("model", refusal(cohere, openai, { texts = { "a" } }, "m", { embeddings = "bytes" }))
  end)
end)

describe("answers of embeddings", function()
  -- 1, -2 and 0.1 as 32-bit floats.
  local floats, base64 = "[1,-2,0.10000000149011612]", "AACAPwAAAMDNzMw9"

  local answers = {
    [openai] = '{"object":"list","data":[{"index":0,"embedding":' .. floats .. '}],"usage":{"prompt_tokens":7}}',
    gemini = '{"embeddings":[{"values":' .. floats .. '}],"usageMetadata":{"promptTokenCount":7}}',
    [cohere] = '{"id":"x","embeddings":{"float":[' .. floats .. ']},"texts":["a"],"meta":{"billed_units":'
      .. '{"input_tokens":7}}}',
    [bedrock] = '{"embedding":' .. floats .. ',"inputTextTokenCount":7}',
  }
  local requests = { [openai] = { input = "a" }, gemini = { content = { parts = { { text = "a" } } } },
    [cohere] = { texts = { "a" } } }

  local function vector_of(client, body)
    if client == openai then return body.data[1].embedding end
    if client == "gemini" then return body.embedding.values end
    return body.embeddings.float[1]
  end

  local function tokens_of(client, body)
    if client == openai then return body.usage.total_tokens end
    if client == "gemini" then return body.usageMetadata.promptTokenCount end
    return body.meta.billed_units.input_tokens
  end

  for client, request in pairs(requests) do
    for provider, answer in pairs(answers) do
      it("from " .. provider .. " to " .. client .. ": the very numbers and the tokens", function()
        local _, _, asked, target = send(client, provider, request, provider == bedrock and titan or "m")
        local told = tell(client, provider, answer, asked, target)
        assert.are.equal(floats, json.encode(vector_of(client, told)))
        assert.are.equal(7, tokens_of(client, told))
      end)
    end
  end

  it("raw numbers are not touched, however they are written", function()
    local odd = "[1.50,\n -2.0e-3, 12345678901234567890.1]"
    local _, _, asked = send("gemini", openai, requests.gemini)
    local answer = M.response_to_normal(openai, decode('{"data":[{"index":0,"embedding":' .. odd .. "}]}"))
    assert.is_truthy(json.encode(M.response_from_normal("gemini", answer, asked)):find(odd, 1, true))
  end)

  it("TR-94 base64 and numbers are turned into each other bit by bit", function()
    local _, _, asked = send(openai, cohere, { input = "a", encoding_format = "base64" })
    assert.are.equal(base64, tell(openai, cohere, answers[cohere], asked).data[1].embedding)
    local sent
    sent, _, asked = send(openai, openai, { input = "a", encoding_format = "base64" }, "m", { embeddings = "voyage" })
    assert.are.equal("base64", sent.encoding_format)
    local coded = '{"data":[{"index":0,"embedding":"' .. base64 .. '"}],"usage":{"total_tokens":3}}'
    assert.are.equal(base64, tell(openai, openai, coded, asked).data[1].embedding)
    _, _, asked = send("gemini", openai, requests.gemini)
    assert.are.equal(floats, json.encode(tell("gemini", openai, coded, asked).embedding.values))
    _, _, asked = send(cohere, openai, { texts = { "a" }, embedding_types = { "float", "base64" } })
    local told = tell(cohere, openai, answers[openai], asked)
    assert.are.same({ base64 }, told.embeddings.base64)
    assert.are.equal(floats, json.encode(told.embeddings.float[1]))
  end)

  it("quantised vectors stay under their name", function()
    local _, _, asked, target = send(cohere, openai, { texts = { "a" }, embedding_types = { "int8" } }, "m",
      { embeddings = "voyage" })
    assert.are.same({ { 1, -2 } },
      tell(cohere, openai, '{"data":[{"index":0,"embedding":[1,-2]}]}', asked, target).embeddings.int8)
    _, _, asked = send(openai, cohere, { input = "a", output_dtype = "ubinary" })
    assert.are.same({ 3, 4 },
      tell(openai, cohere, '{"embeddings":{"ubinary":[[3,4]]}}', asked).data[1].embedding)
  end)

  it("order is by index, many stay many, and an estimate stands in where nothing is counted", function()
    local _, _, asked = send("gemini", openai, { requests = { requests.gemini, requests.gemini } })
    local told = tell("gemini", openai, '{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}', asked)
    assert.are.same({ { values = { 1 } }, { values = { 2 } } }, told.embeddings)
    _, _, asked = send(openai, "gemini", { input = "a" })
    asked.prompt_tokens = 5
    assert.are.equal(5, tell(openai, "gemini", '{"embeddings":[{"values":[1]}]}', asked).usage.prompt_tokens)
  end)

  it("an error that came with a good status is an error; odd shapes are refused", function()
    for _, provider in ipairs({ openai, cohere, "gemini", bedrock }) do
      local answer, err = M.response_to_normal(provider, decode({ message = "no luck" }))
      assert.is_nil(answer)
      assert.are.equal("no luck", err.message)
    end
    assert.is_false(pcall(M.response_to_normal, openai, decode({ data = { { embedding = 3 } } })))
    assert.is_false(pcall(M.response_to_normal, cohere, decode({ embeddings = 3 })))
  end)
end)

describe("recorded embeddings", function()
  local dialects = { ["openai.embeddings"] = openai, ["cohere.v2.embed"] = cohere, ["cohere.v1.embed"] = cohere,
    ["gemini.batchEmbedContents"] = "gemini", ["gemini.embedContent"] = "gemini", ["vertex.predict"] = "gemini" }

  local exchanges = recorded.exchanges(function(protocol) return dialects[protocol] end)
  for _, exchange in ipairs(exchanges) do
    local dialect = dialects[exchange.protocol]
    if exchange.status < 400 then
      it("of " .. exchange.id .. " reach every client with their numbers", function()
        local answer = M.response_to_normal(dialect, decode(exchange.response_body))
        assert.is_true(#answer.vectors > 0)
        local how = { model = "alias", embeddings = { encoding = "float", types = { "float" }, is_batch = true } }
        local texts = json.encode(json.decode(exchange.response_body))
        local one = answer.vectors[#answer.vectors]
        if one.base64 and not gw.floats.from_base64(one.base64) then
          -- Perplexity's base64 holds bytes; only a client of the same dialect can read it.
          assert.is_false(pcall(M.response_from_normal, "gemini", answer, how))
          return
        end
        for client in pairs({ [openai] = true, gemini = true, [cohere] = true }) do
          local told = json.decode(json.encode(M.response_from_normal(client, answer, how)))
          local list = told.data or told.embeddings.float or told.embeddings
          assert.are.equal(#answer.vectors, #list)
          local vector = list[#list].embedding or list[#list].values or list[#list]
          if one.float then
            assert.is_truthy(texts:find(json.encode(vector), 1, true))
          else
            assert.are.equal(one.base64, gw.floats.to_base64(vector))
          end
        end
      end)
    end
    if exchange.request_body.input ~= nil or exchange.request_body.texts or exchange.request_body.requests
      or exchange.request_body.content then
      it("request " .. exchange.id .. " is read and sent to its own kind of provider again", function()
        local normal = M.request_to_normal(dialect, decode(exchange.request_body), {}, { model = "m" })
        assert.is_true(#normal.inputs > 0)
        local sent = M.request_from_normal(dialect, normal, { model = "m" }, {})
        local again = M.request_to_normal(dialect, decode(sent), {}, { model = "m" })
        assert.are.same(#normal.inputs, #again.inputs)
        for i, input in ipairs(normal.inputs) do
          assert.are.same({ input.text, input.tokens }, { again.inputs[i].text, again.inputs[i].tokens })
        end
        assert.are.same(normal.dimensions, again.dimensions)
      end)
    end
  end

  it("are there, or this checkout stands alone", recorded.counted(#exchanges, 26))
end)
