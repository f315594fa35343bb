-- Which models a key may call: those it was created with (key create --models), and those its
-- token group may use. A name may hold '*' for any characters: "gpt-4o*".
---@type gate.Policy
return {
  name = "model_scope",

  conf = {
    deny = { "list", of = { "string" }, default = {} }, -- for everybody
    groups = { "map", of = { "list", of = { "string" } }, default = {} }, -- absent group: all
  },

  admit = function(conf, req)
    local of_key = req.key.models
    local group = req.key.group
    local of_group = group and conf.groups[group]
    if #of_key == 0 and not of_group and #conf.deny == 0 then
      return nil
    end
    local model = req.model
    local allowed = (#of_key == 0 or gate.text.matches(model, of_key))
      and (not of_group or gate.text.matches(model, of_group))
      and not gate.text.matches(model, conf.deny)
    if not allowed then
      return gate.refuse(403, "model_not_allowed", "this key may not use the model " .. model)
    end
  end,

  selftest = function(t)
    local function with(key)
      return t.request({ model = "gpt-4o-mini", key = key })
    end
    t.equal(t.admit({}, with({})), nil)
    t.equal(t.admit({}, with({ models = { "o3", "gpt-4o*" } })), nil)
    t.refused(403, "model_not_allowed", t.admit({}, with({ models = { "gpt-4o" } })))
    local groups = { free = { "*-mini" }, none = {} }
    t.equal(t.admit({ groups = groups }, with({ group = "free" })), nil)
    t.equal(t.admit({ groups = groups }, with({ group = "other" })), nil)
    t.refused(403, "model_not_allowed", t.admit({ groups = groups }, with({ group = "none" })))
    t.refused(403, "model_not_allowed", t.admit({ deny = { "gpt-*" } }, with({})))
  end,
}
