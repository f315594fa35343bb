-- Moonshot (Kimi), outside China; inside it a channel sets
-- base_url = "https://api.moonshot.cn/v1". Usage of a stream stands in the choice of the finish
-- chunk (fixture moonshot/chat/text-stream-usage-in-choice).
return {
  protocol = "openai_chat",
  base_url = "https://api.moonshot.ai/v1",
  env = "MOONSHOT_API_KEY",
  catalogue = "moonshot",
  quirks = { usage_place = "choice" },
}
