-- Groq, a host of open models. Usage of a stream stands in x_groq of the finish chunk (fixture
-- groq/chat/text-stream), and in a chunk of its own when asked for.
return {
  protocol = "openai_chat",
  base_url = "https://api.groq.com/openai/v1",
  env = "GROQ_API_KEY",
  catalogue = "meta",
  quirks = { usage_place = "vendor_field", usage_field = "x_groq.usage" },
}
