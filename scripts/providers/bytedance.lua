-- ByteDance Doubao on Volcano Ark, in China; outside it (BytePlus) a channel sets
-- base_url = "https://ark.ap-southeast.bytepluses.com/api/v3".
return {
  protocol = "openai_chat",
  base_url = "https://ark.cn-beijing.volces.com/api/v3",
  env = "ARK_API_KEY",
  catalogue = "bytedance",
}
