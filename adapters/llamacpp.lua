-- llama.cpp's server, on your own machine. Facts from recorded traffic (2025-2026): URL, reasoning_content in both
-- directions, top_k, json_schema, grammar, timings; errors of the request that come with status 500 and 501, with a
-- number as code.
return {
  api = 1,
  doc = "llama.cpp (127.0.0.1:8080), Chat Completions",
  dialect = "openai.chat",
  base_url = "http://127.0.0.1:8080/v1",
  auth = "bearer",
  quirks = { top_k = true, efforts = { low = true, medium = true, high = true } },
  errors = {
    { status = 400, match = "exceeds the available context", class = "context_length" },
    { status = 500, match = "is not supported", class = "invalid" },
    { status = 500, match = "Cannot use both", class = "invalid" },
    { status = 501, type = "not_supported_error", class = "invalid" },
  },
}
