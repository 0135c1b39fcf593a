-- The account's rate limit is reached, and then its money is gone. Waiting helps against the first only.
return {
  doc = "rate limited with retry-after, then out of quota",
  seconds = 4,
  phases = {
    { from = 0.5, to = 2, fault = { status = 429, retry_after = 2 } },
    { from = 2, to = 3.5,
      fault = { status = 429, type = "insufficient_quota", text = "You exceeded your current quota" } },
  },
}
