-- Which models a key may call: those it was created with (key create --models), and those its
-- token group may use. A name is a model's id, which stands for all its names, or an alias, which
-- stands for itself; it may hold '*' for any characters: "gpt-4o*".

---@param req gate.Request
---@param names string[]
local function is_among(req, names)
  return gate.text.matches(req.model, names) or gate.text.matches(req.requested_model, names)
end

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
    local allowed = (#of_key == 0 or is_among(req, of_key))
      and (not of_group or is_among(req, of_group))
      and not is_among(req, conf.deny)
    if not allowed then
      return gate.refuse(
        403,
        "model_not_allowed",
        "this key may not use the model " .. req.requested_model
      )
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

    local function by_alias(key)
      return t.request({ model = "gpt-4o-mini", requested_model = "fast", key = key })
    end
    t.equal(t.admit({}, by_alias({ models = { "fast" } })), nil)
    t.equal(t.admit({}, by_alias({ models = { "gpt-4o-mini" } })), nil)
    t.refused(403, "model_not_allowed", t.admit({}, with({ models = { "fast" } })))
    t.refused(403, "model_not_allowed", t.admit({ deny = { "gpt-4o-mini" } }, by_alias({})))
    t.refused(403, "model_not_allowed", t.admit({ deny = { "fast" } }, by_alias({})))
  end,
}
