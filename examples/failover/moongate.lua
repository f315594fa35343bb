-- Two channels for the same models, a third for when both are down, and a model of one's own.
--   export OPENAI_API_KEY=sk-... OPENAI_API_KEY_2=sk-... OPENROUTER_API_KEY=sk-...
--   moongate --config examples/failover/moongate.lua serve
--
-- Priority 1 is asked first; equal priorities share by weight. A channel that fails five times in
-- a row rests for half a minute (the breaker of scripts/policies/chain.lua). A request that is no
-- stream is tried once more, then the next channel; a stream goes to the next one as long as its
-- client has not seen a byte (scripts/policies/fallback.lua).
return {
  listen = { { address = "127.0.0.1:8080" } },
  state = "state",
  scripts = "../../scripts",
  data = "../../data",
  channels = {
    {
      id = "openai-main",
      provider = "openai",
      credential = required(env("OPENAI_API_KEY")),
      models = { ["*"] = true },
      priority = 1,
      weight = 3, -- three requests of four
      concurrency_max = 200,
      timeouts = { connect_ms = 2000, first_byte_ms = 20000, idle_ms = 30000, total_ms = 300000 },
    },
    {
      id = "openai-second-account",
      provider = "openai",
      credential = required(env("OPENAI_API_KEY_2")),
      models = { ["*"] = true },
      priority = 1,
      weight = 1,
      cost = { multiplier_ppm = 950000 }, -- what this account pays: 5 % less
    },
    {
      id = "openrouter",
      provider = "openrouter",
      credential = required(env("OPENROUTER_API_KEY")),
      priority = 2, -- only when nothing of priority 1 is left
      models = {
        ["gpt-4o"] = "openai/gpt-4o", -- it calls the model by another name
        ["gpt-4o-mini"] = "openai/gpt-4o-mini",
      },
    },
  },
}
