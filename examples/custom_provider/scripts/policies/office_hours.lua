-- The model answers in office hours (UTC), and keys of one group at any time.
---@type gate.Policy
return {
  name = "office_hours",

  conf = {
    from = { "integer", min = 0, max = 23 },
    to = { "integer", min = 1, max = 24 },
    group = { "string" },
  },

  admit = function(conf, req)
    local hour = math.floor(req.time / 3600) % 24
    local open = hour >= conf.from and hour < conf.to
    if not open and req.key.group ~= conf.group then
      return gate.refuse(429, "rate_limit_exceeded",
        ("this model answers from %d to %d o'clock UTC"):format(conf.from, conf.to))
    end
  end,

  selftest = function(t)
    local conf = { from = 7, to = 19, group = "night" }
    local function at(hour, group)
      return t.admit(conf, t.request({ time = hour * 3600, key = { group = group } }))
    end
    t.equal(at(7), nil)
    t.equal(at(18), nil)
    t.refused(429, "rate_limit_exceeded", at(6))
    t.refused(429, "rate_limit_exceeded", at(19))
    t.equal(at(3, "night"), nil)
  end,
}
