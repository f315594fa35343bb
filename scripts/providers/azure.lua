-- Azure OpenAI by its v1 path. A channel names its own
-- base_url = "https://RESOURCE.openai.azure.com/openai/v1"; its models are deployment names.
return {
  protocol = "openai_chat",
  auth = "header",
  auth_header = "api-key",
  env = "AZURE_OPENAI_API_KEY",
  catalogue = "openai",
}
