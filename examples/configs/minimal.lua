-- The least there is: one account, on loopback, without keys. `model` is any model of OpenAI.
return {
  providers = { openai = { keys = { env "OPENAI_API_KEY" } } },
}
