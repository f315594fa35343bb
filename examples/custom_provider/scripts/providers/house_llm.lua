-- The language model in our own rack. It speaks the chat protocol of OpenAI, takes its key in a
-- header of its own, and does not know stream_options.
return {
  protocol = "openai_chat",
  auth = "header",
  auth_header = "x-house-key",
  env = "HOUSE_LLM_KEY",
  catalogue = "house",
  quirks = { takes_stream_usage = false },
}
