-- Together, a host of open models.
return {
  protocol = "openai_chat",
  base_url = "https://api.together.xyz/v1",
  env = "TOGETHER_API_KEY",
  catalogue = "meta",
}
