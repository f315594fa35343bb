-- Nothing but office hours. The limits of keys are the shipped policies' work, and those are not
-- here: without ip_allowlist, model_scope, rate_limit and budget in admit, and observe in observe,
-- what `key create` says by --allow-ip, --models, --rpm, --tpm and --daily-limit means nothing.
-- Whoever wants them copies the files from scripts/policies of the checkout, and names them here.
---@type gate.Chain
return {
  admit = {
    { "office_hours", conf = { from = 7, to = 19, group = "night" } },
  },
}
