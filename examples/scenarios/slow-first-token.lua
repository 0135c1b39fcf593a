-- A provider takes requests, sends heads and nothing else: what `first_token` is for, and `between_bytes` for whole
-- answers. A drill waits for a request as long as its clients would (--patience).
return {
  doc = "heads come, pings come, content does not",
  seconds = 4,
  phases = {
    { from = 1, to = 3, fault = { stall = "first_event", ping_ms = 200 } },
  },
}
