-- OpenRouter, a gateway to many vendors; its names of models are "vendor/model", so a channel maps
-- them one by one. Usage comes in a last chunk (fixture openrouter/chat/cache-usage-stream).
return {
  protocol = "openai_chat",
  base_url = "https://openrouter.ai/api/v1",
  env = "OPENROUTER_API_KEY",
}
