-- What models of NVIDIA can do, take and cost: US dollars per million tokens, list prices. Made by
-- `moongate prices import`; docs/how-to/prices.md says how to bring it up to date.
return {
  date = "2026-11-22",
  source = "BerriAI/litellm model_prices_and_context_window.json, release 1.109.1",
  models = {
    ["nvidia/nvidia/llama-3_2-nv-rerankqa-1b-v2"] = { input = "0", output = "0", per_search = "0" },
    ["nvidia/nvidia/nv-rerankqa-mistral-4b-v3"] = { input = "0", output = "0", per_search = "0" },
    ["nvidia/ranking/nvidia/llama-3.2-nv-rerankqa-1b-v2"] = { input = "0", output = "0", per_search = "0" },
  },
}
