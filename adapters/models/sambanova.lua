-- What models of SambaNova can do, take and cost: US dollars per million tokens, list prices. Made by
-- `moongate prices import`; docs/how-to/prices.md says how to bring it up to date.
return {
  date = "2026-11-22",
  source = "BerriAI/litellm model_prices_and_context_window.json, release 1.109.1",
  models = {
    ["sambanova/DeepSeek-R1"] = { context = 32768, max_output = 32768, can = "", input = "5", output = "7" },
    ["sambanova/DeepSeek-V3.1"] = { context = 131072, max_output = 131072, can = "tools thinking", input = "3",
      output = "4.5" },
    ["sambanova/DeepSeek-V3.2"] = { context = 32768, max_output = 32768, can = "tools", input = "3",
      output = "4.5" },
    ["sambanova/Llama-4-Maverick-17B-128E-Instruct"] = { context = 131072, max_output = 131072,
      can = "tools images json_schema", input = "0.63", output = "1.8" },
    ["sambanova/Meta-Llama-3.3-70B-Instruct"] = { context = 131072, max_output = 131072,
      can = "tools json_schema", input = "0.6", output = "1.2" },
    ["sambanova/MiniMax-M2.7"] = { context = 196608, max_output = 131072, can = "tools thinking", input = "0.6",
      output = "2.4" },
    ["sambanova/gemma-4-31B-it"] = { context = 131072, max_output = 131072, can = "images", input = "0.38",
      output = "1.15" },
    ["sambanova/gpt-oss-120b"] = { context = 131072, max_output = 131072, can = "tools thinking",
      input = "0.22", output = "0.59" },
  },
}
