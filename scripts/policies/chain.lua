-- Which policies are asked at each point of a request, in this order. A file beside this one does
-- nothing until it is named here.
--
-- As shipped, the chain limits nothing that an api key, a tenant or an edited conf does not limit.
-- A module's settings go into conf; `moongate policy check` says which there are, and the module's
-- own file says what they mean. A change is live within two seconds of saving, or not at all when
-- something in it is wrong.
---@type gate.Chain
return {
  -- After so many failures in a row a channel gets nothing for open_s seconds; then so many
  -- requests at a time may try whether it is back.
  breaker = { failures = 5, open_s = 30, trials = 1 },
  -- Once per request, before anything is sent. The first refusal ends it.
  admit = {
    { "ip_allowlist" },
    { "model_scope" },
    { "rate_limit" },
    { "budget" },
  },
  -- Once: which channels are tried, and in which order.
  route = {
    { "routing" },
  },
  -- Once, before the hold: what the request costs.
  quote = {
    { "pricing", conf = { groups = {}, tenants = {} } },
  },
  -- After a failed attempt, as long as the client has not seen a byte.
  recover = {
    { "fallback" },
  },
  -- Once, after the answer.
  observe = {
    { "observe" },
  },
}
