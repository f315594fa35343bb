-- Cohere by its OpenAI-compatible endpoint, which refuses stream_options.
return {
  protocol = "openai_chat",
  base_url = "https://api.cohere.ai/compatibility/v1",
  env = "COHERE_API_KEY",
  catalogue = "cohere",
  quirks = { takes_stream_usage = false },
}
