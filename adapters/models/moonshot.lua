-- What models of Moonshot can do, take and cost: US dollars per million tokens, list prices. Made by
-- `moongate prices import`; docs/how-to/prices.md says how to bring it up to date.
return {
  date = "2026-11-22",
  source = "BerriAI/litellm model_prices_and_context_window.json, release 1.109.1",
  models = {
    ["moonshot/kimi-k2.6"] = { context = 262144, max_output = 262144,
      can = "tools images video thinking json_schema", input = "0.95", output = "4", cache_read = "0.16" },
    ["moonshot/kimi-k2.7-code"] = { context = 262144, max_output = 262144,
      can = "tools images video thinking json_schema", input = "0.95", output = "4", cache_read = "0.19" },
    ["moonshot/kimi-k3"] = { context = 1048576, max_output = 1048576,
      can = "tools images video thinking json_schema", input = "3", output = "15", cache_read = "0.3",
      cache_write = "3", cache_write_1h = "6" },
    ["moonshot/kimi-k3.1-pro"] = { context = 1048576, max_output = 1048576,
      can = "tools images thinking json_schema", input = "2", output = "10", cache_read = "0.2",
      cache_write = "2", cache_write_1h = "4" },
  },
}
