-- llama.cpp runs on your own machine: nobody sends a bill, so every model is priced at nothing. Give it prices in
-- the config when its time is worth money to you.
return {
  date = "2026-11-22",
  source = "it runs on hardware of one's own",
  models = {
    ["llamacpp/*"] = { input = "0", output = "0" },
  },
}
