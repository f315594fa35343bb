-- Lets a key be used only from where it may be used: the networks it was created with
-- (key create --allow-ip), and those allowed or denied for everybody below.
---@type gate.Policy
return {
  name = "ip_allowlist",

  conf = {
    allow = { "list", of = { "network" }, default = {} }, -- empty: everybody
    deny = { "list", of = { "network" }, default = {} }, -- beats both allow lists
  },

  admit = function(conf, req)
    local of_key = req.key.allow_ip
    if #of_key == 0 and #conf.allow == 0 and #conf.deny == 0 then
      return nil
    end
    local ip = req.ip
    local allowed = (#of_key == 0 or gate.ip.matches(ip, of_key))
      and (#conf.allow == 0 or gate.ip.matches(ip, conf.allow))
      and not gate.ip.matches(ip, conf.deny)
    if not allowed then
      return gate.refuse(403, "ip_not_allowed", "this key may not be used from " .. ip)
    end
  end,

  selftest = function(t)
    local inside, outside = { ip = "10.1.2.3" }, { ip = "192.0.2.9" }
    t.equal(t.admit({}, t.request(outside)), nil)
    local with_key = { ip = "192.0.2.9", key = { allow_ip = { "10.0.0.0/8", "2001:db8::/32" } } }
    t.refused(403, "ip_not_allowed", t.admit({}, t.request(with_key)))
    with_key.ip = "2001:db8::7"
    t.equal(t.admit({}, t.request(with_key)), nil)
    t.equal(t.admit({ allow = { "10.0.0.0/8" } }, t.request(inside)), nil)
    t.refused(403, "ip_not_allowed", t.admit({ allow = { "10.0.0.0/8" } }, t.request(outside)))
    t.refused(403, "ip_not_allowed", t.admit({ deny = { "10.1.0.0/16" } }, t.request(inside)))
  end,
}
