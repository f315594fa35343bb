-- One provider, one listener: the smallest gateway that is of use.
--   export OPENAI_API_KEY=sk-...
--   moongate --config examples/quickstart/moongate.lua serve
return {
  listen = { { address = "127.0.0.1:8080" } },
  state = "state",
  scripts = "../../scripts",
  data = "../../data",
  channels = {
    {
      id = "openai",
      provider = "openai",
      credential = required(env("OPENAI_API_KEY")),
      models = { ["*"] = true }, -- every model of the vendor that data/models.json prices
    },
  },
}
