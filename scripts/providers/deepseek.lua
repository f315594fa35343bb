-- DeepSeek. Usage comes on the finish chunk (fixture deepseek/chat/text-stream-usage).
return {
  protocol = "openai_chat",
  base_url = "https://api.deepseek.com",
  env = "DEEPSEEK_API_KEY",
  catalogue = "deepseek",
}
