---@type gate.Chain
return {
  admit = {
    { "office_hours", conf = { from = 7, to = 19, group = "night" } },
  },
}
