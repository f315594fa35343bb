-- Alibaba Qwen (DashScope) in its OpenAI-compatible mode, in China; outside it a channel sets
-- base_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1". Usage comes in a last chunk
-- when asked for (fixture qwen/compat/text-stream).
return {
  protocol = "openai_chat",
  base_url = "https://dashscope.aliyuncs.com/compatible-mode/v1",
  env = "DASHSCOPE_API_KEY",
  catalogue = "qwen",
}
