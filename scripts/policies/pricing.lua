-- What a request costs its tenant: the catalogue's price, times the multiplier of the key's token
-- group, times the tenant's own. Multipliers are whole parts per million: 900000 is 10 % off,
-- 1000000 changes nothing. This policy only names them; the core multiplies, exactly, and rounds
-- once.
---@type gate.Policy
return {
  name = "pricing",

  conf = {
    groups = { "map", of = { "integer", min = 0, max = 1000000000 }, default = {} },
    tenants = { "map", of = { "integer", min = 0, max = 1000000000 }, default = {} }, -- by id
  },

  quote = function(conf, req, lines)
    local group = req.key.group
    local of_group = group and conf.groups[group]
    local of_tenant = conf.tenants[req.tenant.id]
    if not of_group and not of_tenant then
      return nil
    end
    for _, line in ipairs(lines) do
      local multipliers = line.multipliers_ppm
      if of_group then
        multipliers[#multipliers + 1] = of_group
      end
      if of_tenant then
        multipliers[#multipliers + 1] = of_tenant
      end
    end
    return lines
  end,

  selftest = function(t)
    local conf = { groups = { vip = 900000 }, tenants = { big = 800000 } }
    local function multipliers(key, tenant)
      local lines = t.quote(conf, t.request({ key = key, tenant = tenant }), { t.line(), t.line() })
      return lines and { lines[1].multipliers_ppm, lines[2].multipliers_ppm }
    end
    t.equal(multipliers({}, {}), nil)
    t.equal(multipliers({ group = "other" }, {}), nil)
    t.equal(multipliers({ group = "vip" }, {}), { { 900000 }, { 900000 } })
    t.equal(multipliers({}, { id = "big" }), { { 800000 }, { 800000 } })
    local both = { 900000, 800000 }
    t.equal(multipliers({ group = "vip" }, { id = "big" }), { both, both })
  end,
}
