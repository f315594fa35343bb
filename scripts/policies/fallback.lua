-- What happens after a failed attempt, as long as the client has not seen a byte: the same channel
-- once more, the next one, or the end.
--   A request that is no stream is retried once where the failure looks like bad luck; a stream
-- goes on to the next channel, because its client waits for a first byte. A channel that says
-- "not now" (429, our own limit) or "never" (401, 403, 404) is not asked again.
local BAD_LUCK = {
  connect = true,
  timeout = true,
  reset = true,
  server_error = true,
  garbage = true,
}

---@type gate.Policy
return {
  name = "fallback",

  conf = {
    retries = { "integer", min = 0, max = 1, default = 1 }, -- in a whole request
    delay_ms = { "integer", min = 0, max = 10000, default = 200 }, -- before a retry
    wait_ms_max = { "integer", min = 0, max = 30000, default = 2000 }, -- a longer wait: next
  },

  recover = function(conf, req, attempt, failure)
    local may_move = attempt.candidates_left > 0 and req.constraints.allow_fallbacks
    local may_retry = BAD_LUCK[failure.kind] and not req.stream and attempt.retries < conf.retries
    -- With nowhere else to go, a short "not now" is worth waiting for.
    if not may_move and failure.kind == "rate_limited" and failure.retry_after_ms then
      may_retry = attempt.retries < conf.retries
    end
    if may_retry then
      local delay_ms = math.max(failure.retry_after_ms or 0, conf.delay_ms)
      if delay_ms <= conf.wait_ms_max then
        return "retry", delay_ms
      end
    end
    return may_move and "next" or "stop"
  end,

  selftest = function(t)
    local function after(kind, request, attempt, conf, retry_after_ms)
      attempt = attempt or { candidates_left = 1 }
      local failure = t.failure({ kind = kind, retry_after_ms = retry_after_ms })
      return t.recover(conf or {}, t.request(request), t.attempt(attempt), failure)
    end
    for kind in pairs(BAD_LUCK) do
      local action, delay_ms = after(kind)
      t.equal({ action, delay_ms }, { "retry", 200 })
      t.equal(after(kind, { stream = true }), "next")
      t.equal(after(kind, {}, { retries = 1, candidates_left = 1 }), "next")
    end
    t.equal(after("rate_limited"), "next")
    t.equal(after("denied"), "next")
    t.equal(after("not_found"), "next")
    t.equal(after("busy"), "next")
    local last = { retries = 1, candidates_left = 0 }
    t.equal(after("server_error", {}, last), "stop")
    t.equal(after("connect", { stream = true, constraints = { allow_fallbacks = false } }), "stop")
    local action, delay_ms = after("server_error", {}, nil, nil, 1500)
    t.equal({ action, delay_ms }, { "retry", 1500 })
    t.equal(after("server_error", {}, nil, nil, 60000), "next")
    t.equal(after("rate_limited", {}, { candidates_left = 0 }, nil, 1000), "retry")
    t.equal(after("rate_limited", {}, { candidates_left = 0 }, nil, 60000), "stop")
    t.equal(after("timeout", {}, nil, { retries = 0 }), "next")
  end,
}
