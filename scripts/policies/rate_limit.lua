-- Requests and tokens per minute: of a key (key create --rpm, --tpm), and of a tenant or a model
-- as set below. A bucket holds one minute's worth, so a quiet client may burst.
--
-- How many tokens a request will use is not known yet. What it may use at most is taken now, and
-- the policy `observe` gives back the rest. A request larger than the whole bucket takes all of
-- it, rather than never getting through.
local function take_requests(key, per_minute)
  return gate.limit.take(key, { rate = per_minute / 60, burst = per_minute, unit = "requests" })
end

local function take_tokens(key, per_minute, tokens)
  local cost = math.min(tokens, per_minute)
  local terms = { rate = per_minute / 60, burst = per_minute, cost = cost, unit = "tokens" }
  return gate.limit.take(key, terms)
end

local function too_many(what)
  return gate.refuse(429, "rate_limit_exceeded", "too many " .. what .. ": try again later")
end

---@type gate.Policy
return {
  name = "rate_limit",

  conf = {
    tenant_rpm = { "integer", min = 1, optional = true }, -- each tenant, all its keys together
    tenant_tpm = { "integer", min = 1, optional = true },
    model_rpm = { "map", of = { "integer", min = 1 }, default = {} }, -- each key, by model
    output_tokens = { "integer", min = 0, default = 1024 }, -- for a request that names no maximum
  },

  admit = function(conf, req)
    local key = req.key
    local rpm, tpm = key.rpm, key.tpm
    local model_rpm = conf.model_rpm[req.model]
    if rpm and not take_requests("rpm:key:" .. key.id, rpm) then
      return too_many("requests with this key")
    end
    if model_rpm and not take_requests("rpm:key:" .. key.id .. ":" .. req.model, model_rpm) then
      return too_many("requests for this model")
    end
    if conf.tenant_rpm and not take_requests("rpm:tenant:" .. req.tenant.id, conf.tenant_rpm) then
      return too_many("requests")
    end
    if not tpm and not conf.tenant_tpm then
      return nil
    end
    local tokens = req.input_tokens_estimate + (req.max_output_tokens or conf.output_tokens)
    if tpm and not take_tokens("tpm:key:" .. key.id, tpm, tokens) then
      return too_many("tokens with this key")
    end
    local tenant_tpm = conf.tenant_tpm
    if tenant_tpm and not take_tokens("tpm:tenant:" .. req.tenant.id, tenant_tpm, tokens) then
      return too_many("tokens")
    end
  end,

  selftest = function(t)
    local free = t.request({ key = { id = "free" } })
    for _ = 1, 10 do
      t.equal(t.admit({}, free), nil)
    end
    local two = t.request({ key = { id = "two", rpm = 2 } })
    t.equal(t.admit({}, two), nil)
    t.equal(t.admit({}, two), nil)
    local refusal = t.admit({}, two)
    t.refused(429, "rate_limit_exceeded", refusal)
    t.equal(refusal.retry_after_s, 30)
    t.advance(30)
    t.equal(t.admit({}, two), nil)

    local tokens = { id = "tokens", tpm = 1000 }
    local small = t.request({ key = tokens, input_tokens_estimate = 100, max_output_tokens = 500 })
    t.equal(t.admit({}, small), nil)
    t.refused(429, "rate_limit_exceeded", t.admit({}, small))
    t.advance(60)
    local large = t.request({ key = tokens, input_tokens_estimate = 5000 })
    t.equal(t.admit({}, large), nil)

    local tenant = t.request({ tenant = { id = "shared" } })
    t.equal(t.admit({ tenant_rpm = 1 }, tenant), nil)
    t.refused(429, "rate_limit_exceeded", t.admit({ tenant_rpm = 1 }, tenant))
    t.equal(t.admit({ tenant_tpm = 2000 }, tenant), nil)
    t.refused(429, "rate_limit_exceeded", t.admit({ tenant_tpm = 2000 }, tenant))
    local by_model = { model_rpm = { ["model-test"] = 1 } }
    t.equal(t.admit(by_model, free), nil)
    t.refused(429, "rate_limit_exceeded", t.admit(by_model, free))
  end,
}
