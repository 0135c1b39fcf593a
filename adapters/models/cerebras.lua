-- What models of Cerebras can do, take and cost: US dollars per million tokens, list prices. Made by
-- `moongate prices import`; docs/how-to/prices.md says how to bring it up to date.
return {
  date = "2026-11-22",
  source = "BerriAI/litellm model_prices_and_context_window.json, release 1.109.1",
  models = {
    ["cerebras/gemma-4-31b"] = { context = 131072, max_output = 40960,
      can = "tools parallel_tools images thinking json_schema", input = "0.99", output = "1.49" },
    ["cerebras/gpt-oss-120b"] = { context = 131072, max_output = 32768,
      can = "tools parallel_tools thinking json_schema", input = "0.35", output = "0.75" },
    ["cerebras/llama-3.1-70b"] = { context = 128000, max_output = 128000, can = "tools", input = "0.6",
      output = "0.6" },
    ["cerebras/llama-3.1-8b"] = { context = 128000, max_output = 128000, can = "tools", input = "0.1",
      output = "0.1" },
    ["cerebras/qwen-3.8-27b"] = { context = 65536, max_output = 32768,
      can = "tools parallel_tools images thinking json_schema", input = "0.99", output = "1.49" },
  },
}
