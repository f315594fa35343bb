-- Fireworks, a host of open models. Its names of models have its own path in front.
return {
  protocol = "openai_chat",
  base_url = "https://api.fireworks.ai/inference/v1",
  env = "FIREWORKS_API_KEY",
  catalogue = "meta",
  model_prefix = "accounts/fireworks/models/",
}
