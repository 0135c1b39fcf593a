-- What Google's models take, whoever serves them (Gemini API, Vertex AI): quirks by model name, as
-- adapters/dialects/gemini.lua reads them. Facts, from stored public copies to 2026-11: "Thinking" of the Gemini API
-- and of the Gemini Enterprise Agent Platform (levels by model, budgets of the 2.5 series), "Thought signatures" (which
-- models refuse a call without one, and the word that stands in for it), "Structured outputs" and "Function calling",
-- the developer guide for Gemini 4 Argon (levels; sampling parameters are ignored), OpenAI compatibility (budgets that
-- stand for efforts). Recorded exchanges: calls with ids, functionResponse.parts of gemini-3-flash-preview, an image by
-- URL, JSON Schema (parametersJsonSchema, responseJsonSchema) from gemini-2.5 on.
-- Not verified, and so on the careful side: that the 2.0 and 1.5 series and Gemma take no JSON Schema, and that the 2.5
-- series refuses a JSON format beside tools, which rests on users' reports of the provider's answer.
-- It does not list prices or limits; those are in adapters/models/.

local M = {}

local to_high = { low = true, medium = true, high = true }
local from_minimal = { minimal = true, low = true, medium = true, high = true }

local function leveled(prefix, efforts, more)
  local rule = { prefix = prefix, thinking = "level", thinking_off = false, efforts = efforts, result_parts = true,
    media_resolution = true, signature_filler = "skip_thought_signature_validator" }
  for name, value in pairs(more or {}) do rule[name] = value end
  return rule
end

-- The first prefix that a model's name has decides; the most exact ones stand first.
M.models = {
  leveled("gemini-4", to_high, { sampling = "none" }),
  leveled("gemini-3.8", to_high),
  leveled("gemini-3.7", to_high),
  leveled("gemini-3.1-pro", to_high),
  leveled("gemini-3-pro", { low = true, high = true }),
  leveled("gemini-3", from_minimal),
  { prefix = "gemini-2.5-pro", thinking_off = false, thinking_min = 128, thinking_max = 32768,
    format_with_tools = false },
  { prefix = "gemini-2.5-flash-lite", thinking_min = 512, thinking_max = 24576, format_with_tools = false },
  { prefix = "gemini-2.5-flash-image", thinking = "none", format_with_tools = false },
  { prefix = "gemini-2.5-flash-preview-tts", thinking = "none" },
  { prefix = "gemini-2.5", thinking_max = 24576, format_with_tools = false },
  { prefix = "gemini-2.0", thinking = "none", json_schema = false, format_with_tools = false },
  { prefix = "gemini-1.5", thinking = "none", json_schema = false, format_with_tools = false },
  { prefix = "gemma-3", thinking = "none", json_schema = false, system = false },
  { prefix = "gemma", thinking = "none", json_schema = false },
  -- Names without a number (gemini-flash-latest) stand for the newest.
  leveled("", to_high),
}

M.effort_budgets = { minimal = 1024, low = 1024, medium = 8192, high = 24576, xhigh = 24576, max = 24576 }

return M
