-- Answers begin well and break off: half by a closed connection, some by an error in the stream.
return {
  doc = "half of the answers break off in the middle",
  seconds = 4,
  phases = {
    { from = 0.5, to = 3.5, share = 0.5, fault = { close = "middle" } },
    { from = 0.5, to = 3.5, share = 0.2, fault = { error_event = "middle" } },
  },
}
