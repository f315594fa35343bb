-- Mistral. Fields that it does not know are refused with 422, stream_options among them; usage
-- comes on the finish chunk unasked (fixture mistral/chat/text-stream).
return {
  protocol = "openai_chat",
  base_url = "https://api.mistral.ai/v1",
  env = "MISTRAL_API_KEY",
  catalogue = "mistral",
  quirks = { takes_stream_usage = false },
}
