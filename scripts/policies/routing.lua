-- Which channels are tried, and in which order. What counts first comes first:
--   1. what the client asked for (only, ignore, order, highest price), if it asked
--   2. health: channels whose breaker is open come last, or not at all
--   3. priority: 1 before 2
--   4. region
--   5. `prefer`: the cheapest, or the quickest, or neither
--   6. among equals: by session, so that a conversation finds its prompt cache again, else by
--      chance; both give each channel its share by weight
-- A session is a preference, never a pin: everything above it comes first.
local SPREAD = 4294967296 -- 2^32
local log, huge, hash, random = math.log, math.huge, gate.hash, gate.random

-- Smaller comes first. Over many draws a channel is first in proportion to its weight, and so on
-- down the list (Efraimidis and Spirakis 2006).
local function chance(conf, session, candidate)
  local draw
  if conf.affinity and session then
    draw = (hash(session .. "\n" .. candidate.channel, SPREAD) - 0.5) / SPREAD
  else
    draw = random()
  end
  local weight = conf.weights and candidate.weight or 1
  return weight > 0 and -log(draw) / weight or huge
end

local function position(list, candidate)
  local channel, provider = candidate.channel, candidate.provider
  for i, name in ipairs(list) do
    if name == channel or name == provider then
      return i
    end
  end
  return nil
end

local function dearer(rate, most)
  return most and rate and rate > most
end

-- What the client's wishes leave of a candidate: nothing, or its place in the client's order.
local function wished(asked, candidate)
  local only, order = asked.only, asked.order
  if #only > 0 and not position(only, candidate) or position(asked.ignore, candidate) then
    return nil
  end
  local price = candidate.price
  if dearer(price.input, asked.input_rate_max) or dearer(price.output, asked.output_rate_max) then
    return nil
  end
  return position(order, candidate) or #order + 1
end

local function metric(prefer, candidate)
  if prefer == "price" then
    return candidate.cost_estimate
  elseif prefer == "latency" then
    return candidate.first_token_ms or candidate.latency_ms or 0 -- unknown: find out
  end
  return 0
end

-- One number from the wishes (at most 64), health, priority and region, in this order.
local function level(conf, wish, candidate)
  local late = conf.health ~= "ignore" and candidate.breaker == "open" and 1 or 0
  local far = conf.region and candidate.region ~= conf.region and 1 or 0
  return ((wish * 2 + late) * 100000 + candidate.priority) * 2 + far
end

---@type gate.Policy
return {
  name = "routing",

  conf = {
    weights = { "boolean", default = true }, -- false: equal shares
    health = { "string", one_of = { "last", "out", "ignore" }, default = "last" },
    affinity = { "boolean", default = true },
    region = { "string", optional = true }, -- preferred
    prefer = { "string", one_of = { "none", "price", "latency" }, default = "none" },
    client_wishes = { "boolean", default = true },
  },

  route = function(conf, req, candidates)
    local asked = conf.client_wishes and req.constraints.given and req.constraints
    if #candidates == 1 and not asked and conf.health ~= "out" then
      return nil -- nothing to choose
    end
    local session = req.session
    local prefer = conf.prefer
    local order, levels, metrics, chances = {}, { 0, 0, 0 }, { 0, 0, 0 }, { 0, 0, 0 }
    local n = 0
    for _, candidate in ipairs(candidates) do
      local wish = asked and wished(asked, candidate) or not asked and 0
      if wish and not (conf.health == "out" and candidate.breaker == "open") then
        local l, m = level(conf, wish, candidate), metric(prefer, candidate)
        local c = chance(conf, session, candidate)
        -- Insert behind everything that comes before it.
        local at = n
        while at > 0 and (l < levels[at] or l == levels[at]
            and (m < metrics[at] or m == metrics[at] and c < chances[at])) do
          order[at + 1], levels[at + 1] = order[at], levels[at]
          metrics[at + 1], chances[at + 1] = metrics[at], chances[at]
          at = at - 1
        end
        order[at + 1], levels[at + 1], metrics[at + 1], chances[at + 1] = candidate, l, m, c
        n = n + 1
      end
    end
    return order
  end,

  selftest = function(t)
    local a = t.candidate({ channel = "a", provider = "x", region = "us", weight = 3 })
    local b = t.candidate({ channel = "b", provider = "y", region = "eu", weight = 1 })
    local req = t.request()
    local function first(conf, request)
      local order = t.route(conf, request or req, { a, b })
      return order[1] and order[1].channel
    end
    t.equal(t.route({}, req, { a }), nil)
    local firsts = { a = 0, b = 0 }
    for _ = 1, 200 do
      local channel = first({})
      firsts[channel] = firsts[channel] + 1
    end
    assert(firsts.a > 120 and firsts.b > 20, "shares follow the weights")
    t.equal(first({ region = "eu" }), "b")
    a.priority = 2
    t.equal(first({}), "b")
    b.breaker = "open"
    t.equal(first({}), "a")
    t.equal(first({ health = "ignore" }), "b")
    t.equal(#t.route({ health = "out" }, req, { a, b }), 1)
    t.equal(t.route({ health = "out" }, req, { b }), {})
    a.priority, b.breaker = 1, "closed"
    a.cost_estimate, b.cost_estimate = 20, 10
    t.equal(first({ prefer = "price" }), "b")
    a.first_token_ms, b.first_token_ms = 100, 300
    t.equal(first({ prefer = "latency" }), "a")
    t.equal(first({}, t.request({ constraints = { given = true, order = { "b" } } })), "b")
    t.equal(first({}, t.request({ constraints = { given = true, only = { "y" } } })), "b")
    t.equal(first({}, t.request({ constraints = { given = true, ignore = { "x", "b" } } })), nil)
    local talk = t.request({ session = "talk" })
    local kept = first({}, talk)
    for _ = 1, 20 do
      t.equal(first({}, talk), kept)
    end
  end,
}
