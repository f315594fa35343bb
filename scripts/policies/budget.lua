-- Spending limits besides the wallet: of a key by day (key create --daily-limit), and of tenants
-- and token groups as set below. The ledger holds and checks a budget together with the wallet,
-- so that no burst of requests gets past it; this policy only says which budgets there are.
---@type gate.Policy
return {
  name = "budget",

  conf = {
    tenant_day = { "money", optional = true }, -- each tenant
    tenant_month = { "money", optional = true },
    group_day = { "map", of = { "money" }, default = {} }, -- each key of the group
  },

  admit = function(conf, req)
    local key = req.key
    local limit = key.daily_limit
    if limit then
      gate.budget.require("key:" .. key.id, limit, "day")
    end
    local group = key.group
    local group_limit = group and conf.group_day[group]
    if group_limit then
      gate.budget.require("group:" .. group .. ":" .. key.id, group_limit, "day")
    end
    if conf.tenant_day then
      gate.budget.require("tenant:" .. req.tenant.id, conf.tenant_day, "day")
    end
    if conf.tenant_month then
      gate.budget.require("tenant:" .. req.tenant.id, conf.tenant_month, "month")
    end
  end,

  selftest = function(t)
    t.admit({}, t.request())
    t.equal(t.budgets(), {})
    t.admit({}, t.request({ key = { id = "k", daily_limit = "5.00" } }))
    t.equal(t.budgets(), { { "key:k", "5", "day" } })
    t.admit({ tenant_day = "1", tenant_month = "20.5" }, t.request({ tenant = { id = "x" } }))
    t.equal(t.budgets(), { { "tenant:x", "1", "day" }, { "tenant:x", "20.5", "month" } })
    t.admit({ group_day = { trial = "0.10" } }, t.request({ key = { id = "k", group = "trial" } }))
    t.equal(t.budgets(), { { "group:trial:k", "0.1", "day" } })
  end,
}
