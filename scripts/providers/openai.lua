-- OpenAI. Usage of a stream comes in a last chunk with empty choices, when asked for with
-- stream_options (fixture openai/chat/text).
return {
  protocol = "openai_chat",
  base_url = "https://api.openai.com/v1",
  env = "OPENAI_API_KEY",
  catalogue = "openai",
}
