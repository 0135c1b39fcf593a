-- A provider is half down: some requests fail, some hang up, the others are slow.
return {
  doc = "four requests in ten fail, the others are slow",
  seconds = 4,
  phases = {
    { from = 0.5, to = 3.5, fault = { latency_ms = 150 } },
    { from = 0.5, to = 3.5, share = 0.3, fault = { status = 529, latency_ms = 50 } },
    { from = 0.5, to = 3.5, share = 0.15, fault = { reset = "head" } },
  },
}
