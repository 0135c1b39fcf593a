-- What each pair of dialects cannot carry: the names that every dialect file speaks about in `carries`
-- (docs/reference/normal-form.md, "What a dialect carries"), and the table of all pairs made of them, as rows and as
-- Markdown. As JSON: lua/gw/listed.lua.
-- It does not translate. Tests hold the table against what translations do; lua/gw/samples.lua has a body for each
-- name.

local json = gw.json

local M = {}

-- Every name, in the order of the table: { name, what it is }. Of requests, then of answers.
M.request = {
  { "max_tokens", "the most tokens of an answer" },
  { "max_tokens(absent)", "no limit is given" },
  { "temperature", "from 0 to 1" },
  { "temperature(above 1)", "above 1" },
  { "top_p", "nucleus sampling" },
  { "top_k", "sampling among the k likeliest" },
  { "stop", "up to five stop texts" },
  { "stop(more than 5)", "six stop texts" },
  { "seed", "" },
  { "n(above 1)", "several answers to one request" },
  { "frequency_penalty", "" },
  { "presence_penalty", "" },
  { "logit_bias", "" },
  { "logprobs", "probabilities of the likeliest tokens" },
  { "reasoning.effort", "how hard the model thinks, in a word" },
  { "reasoning.budget_tokens", "how hard the model thinks, in tokens" },
  { "reasoning(off)", "thinking is switched off" },
  { "format(json)", "the answer is some JSON" },
  { "format(json_schema)", "the answer is JSON of a schema" },
  { "format.description", "what the schema is for" },
  { "user", "an id of the end user" },
  { "user(e-mail address)", "an id that looks like an address" },
  { "service_tier(default)", "" },
  { "service_tier(flex)", "" },
  { "cache", "a cache marker on the whole request" },
  { "system", "system text before the first turn" },
  { "system(developer)", "text in the role of a developer" },
  { "system(late)", "system text after the first turn" },
  { "message.name", "the name of who speaks" },
  { "tools", "functions" },
  { "tool.strict", "the schema is binding" },
  { "tool.cache", "a cache marker on a tool" },
  { "tool_choice(auto)", "" },
  { "tool_choice(none)", "" },
  { "tool_choice(required)", "some tool must be called" },
  { "tool_choice(tool)", "this tool must be called" },
  { "tool_choice(names)", "only these tools may be called" },
  { "parallel_tools(false)", "one call a turn" },
  { "part.text", "" },
  { "part.cache", "a cache marker on a part" },
  { "part.citations", "citations in an earlier answer" },
  { "part.image(bytes)", "" },
  { "part.image(url)", "" },
  { "part.image.detail", "at which resolution an image is read" },
  { "part.document(bytes)", "a PDF" },
  { "part.document(url)", "a PDF somewhere else" },
  { "part.document(text)", "a document of plain text" },
  { "part.document.title", "" },
  { "part.document.context", "" },
  { "part.document.citations_enabled", "the answer may cite the document" },
  { "part.audio", "" },
  { "part.tool_call", "a call in the history" },
  { "part.tool_call(arguments not an object)", "broken arguments in the history" },
  { "part.tool_result", "" },
  { "part.tool_result(image)", "" },
  { "part.tool_result(document)", "" },
  { "part.tool_result.is_error", "" },
  { "part.thinking", "earlier thinking, unsigned" },
  { "part.thinking(signed by anthropic)", "" },
  { "part.thinking(signed by gemini)", "" },
  { "part.thinking(signed by openai)", "" },
  { "part.thinking(redacted)", "encrypted by Anthropic" },
  { "part.refusal", "an earlier refusal" },
}

M.answer = {
  { "answer.text", "" },
  { "answer.thinking", "without a signature" },
  { "answer.thinking(signed by anthropic)", "" },
  { "answer.thinking(signed by gemini)", "" },
  { "answer.thinking(signed by openai)", "" },
  { "answer.thinking(redacted)", "encrypted by Anthropic" },
  { "answer.tool_call", "" },
  { "answer.refusal", "" },
  { "answer.audio", "" },
  { "answer.citations(url)", "" },
  { "answer.citations(document)", "of a document in the request" },
  { "answer.logprobs", "" },
  { "answer.choices(more than 1)", "" },
  { "answer.service_tier", "" },
  { "finish(stop)", "" },
  { "finish(stop_sequence)", "which stop text was met" },
  { "finish(pause)", "the provider wants to go on later" },
  { "finish(length)", "" },
  { "finish(context_window)", "the context was full" },
  { "finish(tool_calls)", "" },
  { "finish(content_filter)", "" },
  { "finish(error)", "the model failed inside its answer" },
  { "usage.tokens", "input and output" },
  { "usage.cache_read_tokens", "" },
  { "usage.cache_write_tokens", "" },
  { "usage.cache_write_1h_tokens", "" },
  { "usage.reasoning_tokens", "" },
  { "usage.audio_input_tokens", "" },
  { "usage.audio_output_tokens", "" },
  { "usage.server_tools", "requests of tools that the provider runs" },
}

-- What no other dialect takes, whatever it is; not declared by dialect files.
M.foreign = {
  { side = "request", name = "extra", verdict = "lost", note = "fields that only the client's dialect knows" },
  { side = "request", name = "tools(server)", verdict = "lost", note = "tools that the provider itself runs" },
  { side = "request", name = "part.opaque", verdict = "lost", note = "parts that only the client's dialect knows" },
  { side = "request", name = "part.file_id", verdict = "refused", note = "a file belongs to one provider" },
  { side = "answer", name = "answer.opaque", verdict = "lost", note = "parts that only the provider's dialect knows" },
}

-- An entry of `carries` in words: { verdict = "kept" "renamed" "changed" "lost" "refused", note, read, quirk }.
function M.entry(carries, name)
  local entry = (carries or {})[name]
  local read, quirk = nil, nil
  if type(entry) == "table" then
    read, quirk = entry.read, entry.quirk
    if entry.as then return { verdict = "renamed", note = entry.as, read = read ~= false, quirk = quirk } end
    if entry.refused then
      return { verdict = "refused", note = entry.refused, read = read == true, quirk = quirk }
    end
    entry = entry[1]
  end
  if type(entry) == "string" then
    return { verdict = "changed", note = entry, read = read ~= false, quirk = quirk }
  end
  if entry == true then return { verdict = "kept", read = read ~= false, quirk = quirk } end
  if entry == false then return { verdict = "lost", read = read == true, quirk = quirk } end
  return nil
end

local long_keys = { [1] = true, as = true, refused = true, read = true, quirk = true }

-- What is wrong with a dialect's `carries`, as a list of texts; empty when nothing is.
function M.mistakes(dialect)
  if not dialect.carries then return { dialect.name .. ": has no carries" } end
  local carries, known, found = dialect.carries, {}, {}
  local function wrong(name, text) found[#found + 1] = dialect.name .. ": carries[\"" .. name .. "\"] " .. text end
  for _, list in ipairs { M.request, M.answer } do
    for _, row in ipairs(list) do
      known[row[1]] = true
      if carries[row[1]] == nil then
        wrong(row[1], "is missing")
      elseif not M.entry(carries, row[1]) then
        wrong(row[1], "is not true, false, a text, or a table of such")
      end
    end
  end
  for name, entry in pairs(carries) do
    if not known[name] then wrong(name, "is not a name of lua/gw/losses.lua") end
    if type(entry) == "table" then
      for key in pairs(entry) do
        if not long_keys[key] then wrong(name, "has an unknown key " .. tostring(key)) end
      end
    end
  end
  table.sort(found)
  return found
end

local function quirk_note(quirk)
  if not quirk then return nil end
  local names = {}
  for name, value in pairs(quirk) do names[#names + 1] = "quirks." .. name .. " = " .. json.encode(value) end
  table.sort(names)
  return "kept with " .. table.concat(names, ", ")
end

local function add_side(rows, client, provider, side)
  local says, writes = client, provider
  if side == "answer" then says, writes = provider, client end
  for _, row in ipairs(M[side]) do
    local said, written = M.entry(says.carries, row[1]), M.entry(writes.carries, row[1])
    if said and said.read and written then
      rows[#rows + 1] = { client = client.name, provider = provider.name, side = side, name = row[1],
        verdict = written.verdict, note = written.note, quirk = written.quirk,
        with_quirk = quirk_note(written.quirk) }
    end
  end
  for _, row in ipairs(M.foreign) do
    if row.side == side then
      rows[#rows + 1] = { client = client.name, provider = provider.name, side = side, name = row.name,
        verdict = row.verdict, note = row.note }
    end
  end
end

-- One row a pair and name: { client, provider, side, name, verdict, note, quirk, with_quirk }. Pairs of one dialect
-- have none: their bytes are not touched.
function M.rows(dialects)
  local rows = {}
  for _, client in ipairs(dialects) do
    for _, provider in ipairs(dialects) do
      if client.name ~= provider.name then
        add_side(rows, client, provider, "request")
        add_side(rows, client, provider, "answer")
      end
    end
  end
  return rows
end

local intro = [[
<!-- Generated by `moongate reference losses`; change `carries` in adapters/dialects/ instead. -->

# Losses

What each pair of dialects cannot carry, when the provider's adapter has no quirks. `moongate reference losses --json`
prints every row, those that lose nothing included, and the names under which losses are listed (`listed_as`, in the
words of the client's API where it has some). How clients see losses, and how to refuse them: [losses and
strict](../how-to/losses-and-strict.md). What the names mean: [normal form](normal-form.md).

- **lost**: there is no place for it; it is dropped, and listed.
- **changed**: it is carried otherwise than it was said; listed.
- **refused**: status 400 with the field's path; nothing is sent.
- **renamed**: carried under another name or in another place, nothing is lost; not listed.

A hop between equal dialects loses nothing: bytes pass as they are. What names a pair does not mention is carried as it
is, or cannot be said by the client (in requests) or the provider (in answers).

]]

local choices = [[

## Choices

Where translating leaves a choice, this is what is done.

- **late system text**: Anthropic, Bedrock and Gemini get it at the top, which is listed; for others it stays in its
  place.
- **models without system text**: `quirks.system = "user"`: the text goes in front of the first user turn, which is
  listed.
- **Claude Code's billing text**: It stays with Anthropic; no other provider sees it, which is listed.
- **empty turns**: Turns and texts of nothing but blanks are left out where the provider refuses them; no filler is
  made for Anthropic, and a prefill stays the last turn.
- **refusals in the history**: They become text.
- **`tool_choice` none where there is none**: The tools are left out; no tool is forced instead.
- **calls in the history, no tools in the request**: Bedrock, which demands tools then, gets one that is never called;
  the old names are not advertised again.
- **a forced tool beside thinking**: The tool stays forced, thinking is dropped.
- **broken arguments in the history**: They are kept as text under `_raw_arguments`, not refused.
- **`is_error` of a result**: Said in the text where there is no flag; never guessed from a text.
- **images and documents in a result**: Where results are text they follow as parts of the next user turn.
- **custom tools and their calls**: To others they are functions with one text, `input`; for the client the calls are
  free text again. A grammar is dropped, which is listed.
- **addresses of images and documents**: Nothing is fetched. A provider that takes no address is not asked: status
  400.
- **file ids**: They belong to one provider: status 400 for any other.
- **audio**: Refused by who takes none, never dropped.
- **`max_tokens` where it is demanded**: The model's own limit when the client names none, which is listed.
- **`temperature` above 1**: Clamped where 1 is the most, which is listed; `quirks.temperature = "reject"` refuses.
- **several answers**: Refused where one is all there is; not made of several calls.
- **ids of end users that look like addresses**: Given to nobody.
- **fields that only memory can serve**: `previous_response_id` and references to items are answered out of what the
  gateway [keeps](../how-to/remember.md); what it does not keep, `conversation` and `prompt`: status 400 where another
  provider is asked.
- **JSON without a schema**: Asked for in the system prompt where there is no field, which is listed.
- **JSON in quotes or blanks**: Nothing of an answer is trimmed: schemas are asked for natively.
- **efforts and budgets**: One table, a setting of the adapter ([normal form](normal-form.md)); a native effort wins.
- **signatures of thinking**: Go back byte-exact, and only to who made them; clients of other APIs keep them in their
  own place for signatures, the signer before them.
- **thinking in `<think>` tags**: Split only with `quirks.think_tags`.
- **unknown stop reasons**: Taken as the usual end and logged; a filtered answer is a refusal for Anthropic.
- **usage before it is known**: A stream's first event says the estimate of the prompt, or 0; the last one is right.
- **`model` and `id`**: Clients see the name they asked for and the provider's id, or, of an answer that is kept, one
  of its own; the trace has both names.
]]

local verdicts = { "lost", "changed", "refused", "renamed" }

local function cell(row)
  local told = { row.note, row.with_quirk }
  if row.note == nil then told = { row.with_quirk } end
  local name = "`" .. row.name .. "`"
  if #told == 0 then return name end
  return name .. " (" .. table.concat(told, "; ") .. ")"
end

function M.markdown(dialects)
  local out = { intro, "## Names\n\n| name | |\n| --- | --- |\n" }
  for _, side in ipairs { "request", "answer" } do
    for _, row in ipairs(M[side]) do
      out[#out + 1] = string.format("| `%s` | %s |\n", row[1], row[2] == "" and "" or row[2])
    end
  end
  out[#out + 1] = "\n## Of every pair\n\n| name | |\n| --- | --- |\n"
  for _, row in ipairs(M.foreign) do
    out[#out + 1] = string.format("| `%s` | %s: %s |\n", row.name, row.verdict, row.note)
  end
  out[#out + 1] = choices
  local groups = {}
  for _, row in ipairs(M.rows(dialects)) do
    if M.is_declared(row) then
      local key = row.client .. "\0" .. row.provider .. "\0" .. row.side .. "\0" .. row.verdict
      groups[key] = groups[key] or {}
      table.insert(groups[key], cell(row))
    end
  end
  for _, client in ipairs(dialects) do
    for _, provider in ipairs(dialects) do
      if client.name ~= provider.name then
        out[#out + 1] = "\n## " .. client.name .. " client, " .. provider.name .. " provider\n\n"
          .. "| | request | answer |\n| --- | --- | --- |\n"
        for _, verdict in ipairs(verdicts) do
          local pair = client.name .. "\0" .. provider.name .. "\0"
          local asked = groups[pair .. "request\0" .. verdict]
          local told = groups[pair .. "answer\0" .. verdict]
          if asked or told then
            out[#out + 1] = string.format("| **%s** | %s | %s |\n", verdict, table.concat(asked or {}, ", "),
              table.concat(told or {}, ", "))
          end
        end
      end
    end
  end
  return table.concat(out)
end

local foreign_names = {}
for _, row in ipairs(M.foreign) do foreign_names[row.name] = true end

-- Does a dialect file declare this row, or does it hold for every pair?
function M.is_declared(row)
  return not foreign_names[row.name]
end

return M
