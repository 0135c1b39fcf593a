-- What models of xAI can do, take and cost: US dollars per million tokens, list prices. Made by
-- `moongate prices import`; docs/how-to/prices.md says how to bring it up to date.
return {
  date = "2026-11-22",
  source = "BerriAI/litellm model_prices_and_context_window.json, release 1.109.1",
  models = {
    ["xai/grok-3-mini"] = { context = 131072, input = "0.3", output = "0.5", cache_read = "0.075",
      date = "2026-11-22", source = "pydantic/genai-prices, release 0.2.3" },
    ["xai/grok-4-0709"] = { context = 256000, input = "3", output = "15", cache_read = "0.75",
      date = "2026-11-22", source = "pydantic/genai-prices, release 0.2.3" },
    ["xai/grok-4.20"] = { context = 1000000, max_output = 1000000, can = "tools images thinking json_schema",
      input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-0309"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-0309-non-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-0309-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-beta"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-0309"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-0309-non-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-0309-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-latest"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-latest-non-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-latest-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-non-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-beta-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-experimental-beta-0304"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-experimental-beta-0304-non-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-experimental-beta-0304-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-experimental-beta-latest"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-experimental-beta-non-reasoning-latest"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-experimental-beta-reasoning-latest"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-multi-agent"] = { context = 1000000, max_output = 1000000,
      can = "images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-multi-agent-0309"] = { context = 1000000, max_output = 1000000,
      can = "images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-multi-agent-beta-0309"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-multi-agent-beta-latest"] = { context = 1000000, max_output = 1000000,
      can = "images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-multi-agent-experimental-beta-0304"] = { context = 1000000, max_output = 1000000,
      can = "images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-multi-agent-experimental-beta-latest"] = { context = 1000000, max_output = 1000000,
      can = "images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-multi-agent-latest"] = { context = 1000000, max_output = 1000000,
      can = "images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-non-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-non-reasoning-gv2"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-non-reasoning-latest"] = { context = 1000000, max_output = 1000000,
      can = "tools images json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-reasoning"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.20-reasoning-gv2"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } } },
    ["xai/grok-4.20-reasoning-latest"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.3"] = { context = 1000000, max_output = 1000000, can = "tools images thinking json_schema",
      input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.3-latest"] = { context = 1000000, max_output = 1000000,
      can = "tools images thinking json_schema", input = "1.25", output = "2.5", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2.5", output = "5", cache_read = "0.4" } },
      batch = { input = "1", output = "2", cache_read = "0.16",
        above = {
          { tokens = 200000, input = "2", output = "4", cache_read = "0.32" } } } },
    ["xai/grok-4.5"] = { context = 500000, max_output = 500000, can = "tools images thinking json_schema",
      input = "2", output = "6", cache_read = "0.3",
      above = {
        { tokens = 200000, input = "4", output = "12", cache_read = "0.6" } } },
    ["xai/grok-4.5-latest"] = { context = 500000, max_output = 500000,
      can = "tools images thinking json_schema", input = "2", output = "6", cache_read = "0.3",
      above = {
        { tokens = 200000, input = "4", output = "12", cache_read = "0.6" } } },
    ["xai/grok-4.6"] = { context = 500000, max_output = 500000, can = "tools images thinking json_schema",
      input = "2", output = "6", cache_read = "0.5",
      above = {
        { tokens = 200000, input = "4", output = "12", cache_read = "1" } } },
    ["xai/grok-4.7"] = { context = 500000, max_output = 500000, can = "tools images thinking json_schema",
      input = "2", output = "6", cache_read = "0.5",
      above = {
        { tokens = 200000, input = "4", output = "12", cache_read = "1" } },
      batch = { input = "1.6", output = "4.8", cache_read = "0.4",
        above = {
          { tokens = 200000, input = "3.2", output = "9.6", cache_read = "0.8" } } } },
    ["xai/grok-build-0.1"] = { context = 256000, max_output = 256000, can = "tools images thinking json_schema",
      input = "1", output = "2", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2", output = "4", cache_read = "0.4" } } },
    ["xai/grok-build-latest"] = { context = 500000, max_output = 500000,
      can = "tools images thinking json_schema", input = "2", output = "6", cache_read = "0.3",
      above = {
        { tokens = 200000, input = "4", output = "12", cache_read = "0.6" } } },
    ["xai/grok-code-fast"] = { context = 256000, max_output = 256000, can = "tools images thinking json_schema",
      input = "1", output = "2", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2", output = "4", cache_read = "0.4" } } },
    ["xai/grok-code-fast-1"] = { context = 256000, max_output = 256000,
      can = "tools images thinking json_schema", input = "1", output = "2", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2", output = "4", cache_read = "0.4" } } },
    ["xai/grok-code-fast-1-0825"] = { context = 256000, max_output = 256000,
      can = "tools images thinking json_schema", input = "1", output = "2", cache_read = "0.2",
      above = {
        { tokens = 200000, input = "2", output = "4", cache_read = "0.4" } } },
    ["xai/grok-imagine-image"] = { per_image = "0.02" },
    ["xai/grok-imagine-image-2.0"] = { per_image = "0.06" },
    ["xai/grok-voice-transcribe-2.0"] = { per_second = "0.00002778" },
    ["xai/low/1024-x-1024/grok-imagine-image-2.0"] = { per_image = "0.04" },
  },
}
