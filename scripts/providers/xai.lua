-- xAI (Grok).
return {
  protocol = "openai_chat",
  base_url = "https://api.x.ai/v1",
  env = "XAI_API_KEY",
  catalogue = "xai",
}
