-- The manual of the script API as Markdown, out of lua/gw/api.lua: docs/reference/script-api.md.
-- It does not describe limits that are not in that table (memory, sizes of texts).
local M = {}

local intro = [[
# Script API, version %d

A script is a Lua 5.4 file that returns a table with `api = 1`. Which keys the table may have depends on what the file
is; an unknown one is an error at load. Hooks are optional: an absent one costs nothing.

```lua
-- A policy: short prompts go to the cheap target, the rest to the strong one.
local P = { api = 1 }

P.options = { limit = { type = "integer", default = 2000, doc = "prompts under this many tokens are short" } }

function P.setup(opts)
  return { limit = opts.limit, small = gw.pool "small", large = gw.pool "large" }
end

function P:route(req)
  if req.prompt_tokens < self.limit then return self.small, self.large end
  return self.large
end

P.examples = { { req = { prompt_tokens = 10 }, gives = { "small", "large" } } }

return P
```

- `setup(opts)` gets the options of the config, checked against `options`, and returns `self` for the other hooks.
  Without a `setup`, `self` is the options.
- `route(self, req)` returns targets, or lists of them, in the order to try; nothing for the order of the config; or
  `gw.refuse(…)`. When it fails, the order of the config is taken, or the request is refused, as the route says.
- `retry(self, req, attempt)` runs after an attempt failed before its first content. Targets replace the rest of the
  plan; nothing goes on with it; an empty list ends it.
- `examples` run in a fresh VM while scripts are loaded; one that comes out otherwise refuses the load.
  `{ req = { fields }, gives = { pool or target names } }` or `{ req = …, refuses = status }`.
- `request(self, req, body)`, `response(self, req, body)` and `event(self, req, event)` of an adapter get decoded bodies
  in the provider's dialect, and may change them or return others. They cost a decode and an encode.
- `error({ field = "messages[2].content", message = "…" })` in `request` answers the client with 400.

Scripts have no globals, no `os`, `io`, `debug`, `coroutine`; `require` finds modules beside the config file and `gw.*`.
]]

local function cell(text)
  return (tostring(text):gsub("|", "\\|"))
end

local function names_of(hooks)
  if type(hooks) == "string" then return hooks end
  return table.concat(hooks, ", ")
end

local function hooks(api, out)
  out[#out + 1] = "\n## Hooks\n\n| hook | in | when | Lua may compute | may wait in all |\n|---|---|---|---|---|\n"
  for _, hook in ipairs(api.hooks) do
    out[#out + 1] = string.format("| `%s` | %s | %s | %d ms | %s |\n", hook.name, cell(hook.files), cell(hook.doc),
      hook.cpu_ms, hook.wait_ms > 0 and hook.wait_ms .. " ms" or "no")
  end
end

local function signature(f)
  local names = {}
  for i, argument in ipairs(f.args) do names[i] = argument[1] end
  local text = f.name .. "(" .. table.concat(names, ", ") .. ")"
  return f.returns ~= "" and text .. " → " .. f.returns or text
end

local function functions(api, out)
  out[#out + 1] = "\n## Functions\n"
  for _, f in ipairs(api.functions) do
    out[#out + 1] = "\n### `" .. signature(f) .. "`\n\n" .. f.doc .. "\n"
    local told = {}
    for _, argument in ipairs(f.args) do
      local text = "`" .. argument[1] .. "` (" .. argument[2] .. ")"
      told[#told + 1] = argument[3] ~= "" and text .. ": " .. argument[3] or text
    end
    if #told > 0 then out[#out + 1] = "\n- " .. table.concat(told, "\n- ") .. "\n" end
    out[#out + 1] = "\nIn: " .. names_of(f.hooks) .. "." .. (f.may_wait and " Waits." or "") .. " Since "
      .. f.since .. "." .. (f.way_out and " Elsewhere: " .. f.way_out .. "." or "") .. "\n"
  end
end

local function objects(api, out)
  for _, object in ipairs(api.objects) do
    out[#out + 1] = "\n## `" .. object.name .. "`\n\n" .. object.doc:gsub("^%l", string.upper) .. ". In: "
      .. names_of(object.hooks) .. ".\n\n| field | type | |\n|---|---|---|\n"
    for _, field in ipairs(api.fields) do
      if field.object == object.name then
        out[#out + 1] = string.format("| `%s` | %s | %s |\n", field.name, cell(field.type), cell(field.doc))
      end
    end
  end
end

function M.text(api)
  local out = { "<!-- Made by `moongate reference script`; do not edit. -->\n", string.format(intro, api.version) }
  hooks(api, out)
  functions(api, out)
  objects(api, out)
  return table.concat(out)
end

return M
