-- Which models a key may call: those it was created with (key create --models), and those its
-- token group may use. A model's id allows it by all its names, an alias by that name alone; denied
-- by any of its names, it is denied. A name may hold '*' for any characters: "gpt-4o*".

---@param req gate.Request
---@param names string[]
local function is_among(req, names)
  return gate.text.matches(req.model, names) or gate.text.matches(req.requested_model, names)
end

---@param req gate.Request
---@param names string[]
local function is_denied(req, names)
  if #names == 0 then
    return false
  end
  local aliases = req.aliases
  for i = 1, #aliases do
    if gate.text.matches(aliases[i], names) then
      return true
    end
  end
  return gate.text.matches(req.model, names)
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
      and not is_denied(req, conf.deny)
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
      return t.request({
        model = "gpt-4o-mini",
        aliases = { "mini", "fast" },
        requested_model = "fast",
        key = key,
      })
    end
    t.equal(t.admit({}, by_alias({ models = { "fast" } })), nil)
    t.equal(t.admit({}, by_alias({ models = { "gpt-4o-mini" } })), nil)
    t.refused(403, "model_not_allowed", t.admit({}, with({ models = { "fast" } })))
    t.refused(403, "model_not_allowed", t.admit({ deny = { "gpt-4o-mini" } }, by_alias({})))
    t.refused(403, "model_not_allowed", t.admit({ deny = { "fast" } }, by_alias({})))
    t.refused(403, "model_not_allowed", t.admit({ deny = { "mini" } }, by_alias({})))
    t.equal(t.admit({ deny = { "gpt-4o", "faster" } }, by_alias({})), nil)
  end,
}
