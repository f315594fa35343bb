-- The first configuration of an operator: `moongate serve` starts with it as it stands.
-- docs/operators.md describes every key; `moongate check` says what is wrong with a change.

-- A vendor whose key is in the environment becomes a channel for all its models.
local vendors = {
  { "openai", env("OPENAI_API_KEY") },
  { "deepseek", env("DEEPSEEK_API_KEY") },
  { "qwen", env("DASHSCOPE_API_KEY") },
  { "openrouter", env("OPENROUTER_API_KEY") },
}

local channels = {}
for _, vendor in ipairs(vendors) do
  local name, key = vendor[1], vendor[2]
  if key then
    channels[#channels + 1] =
      { id = name, provider = name, credential = key, models = { ["*"] = true } }
  end
end

return {
  listen = {
    { address = "127.0.0.1:8080" }, -- a loopback address, so it serves /metrics too
    -- { address = "0.0.0.0:8443", tls = { cert = "tls/cert.pem", key = "tls/key.pem" } },
  },

  state = "state", -- ledger, records and control socket; nobody else can read it
  scripts = "scripts", -- watched: a change is live within two seconds of saving
  data = "data", -- models and prices, watched too

  workers = 0, -- 0: one per core
  durability = "strict", -- or "relaxed": the end of an answer does not wait for its commit
  master_key = env("MOONGATE_MASTER_KEY"), -- 32 bytes in base 64, for `moongate secret set`

  channels = channels,
}
