-- A provider of one's own, with one's own model, price and policy; nothing of the shipped scripts.
--   export HOUSE_LLM_KEY=...
--   moongate --config examples/custom_provider/moongate.lua serve
--
-- scripts/providers/house_llm.lua says how the provider is spoken to, data/models.json what its
-- model costs, scripts/policies/office_hours.lua who may call it when. As no shipped policy is
-- here, the limits of keys mean nothing: scripts/policies/chain.lua says which ones they need.
return {
  listen = { { address = "127.0.0.1:8080" } },
  state = "state",
  scripts = "scripts",
  data = "data",
  channels = {
    {
      id = "house",
      provider = "house_llm",
      base_url = "http://127.0.0.1:9000/v1",
      allow_private = true, -- the address is this machine's own
      credential = required(env("HOUSE_LLM_KEY")),
      models = { ["house-7b"] = "served-model-7b" }, -- the gateway's name = the provider's
    },
  },
}
