-- After a request: gives back the tokens that its limits were charged for and it did not use, and
-- tags its record, so that `usage` and the console can find it again.
local function with(tags, tag)
  if not tags then
    return { tag }
  end
  tags[#tags + 1] = tag
  return tags
end

---@type gate.Policy
return {
  name = "observe",

  conf = {
    slow_ms = { "integer", min = 1, optional = true }, -- tags slower answers "slow"
    tag_groups = { "boolean", default = false }, -- tags "group:NAME"
  },

  observe = function(conf, req, record)
    local takes = record.token_takes
    if #takes > 0 then
      local used = record.tokens
      for _, take in ipairs(takes) do
        -- More than was taken is taken after the fact.
        gate.limit.give(take.key, take.tokens - used)
      end
    end

    local tags
    if record.attempts > 1 then
      tags = { "retried" }
    end
    if record.client_left then
      tags = with(tags, "client_left")
    end
    if conf.slow_ms and record.latency_ms > conf.slow_ms then
      tags = with(tags, "slow")
    end
    local group = conf.tag_groups and req.key.group
    if group then
      tags = with(tags, "group:" .. group)
    end
    return tags and { tags = tags }
  end,

  selftest = function(t)
    local req = t.request({ key = { group = "vip" } })
    t.equal(t.observe({}, req, t.record()), nil)
    t.equal(t.observe({}, req, t.record({ attempts = 2 })), { tags = { "retried" } })
    local slow = t.record({ latency_ms = 900, client_left = true })
    t.equal(t.observe({ slow_ms = 500 }, req, slow), { tags = { "client_left", "slow" } })
    t.equal(t.observe({ tag_groups = true }, req, t.record()), { tags = { "group:vip" } })
    local takes = { { key = "nobody", tokens = 100 } }
    t.equal(t.observe({}, req, t.record({ tokens = 40, token_takes = takes })), nil)
  end,
}
