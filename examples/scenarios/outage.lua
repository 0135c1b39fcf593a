-- A provider is down: it refuses every request at once, for half of the time.
return {
  doc = "the provider answers 503 to everything",
  seconds = 4,
  phases = {
    { from = 1, to = 3, fault = { status = 503 } },
  },
}
