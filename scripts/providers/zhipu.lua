-- Zhipu (GLM), in China; outside it (Z.ai) a channel sets
-- base_url = "https://api.z.ai/api/paas/v4". Usage comes on the finish chunk (fixture
-- zhipu/chat/reasoning-stream).
return {
  protocol = "openai_chat",
  base_url = "https://open.bigmodel.cn/api/paas/v4",
  env = "ZHIPU_API_KEY",
  catalogue = "zhipu",
}
