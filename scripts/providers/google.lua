-- Google Gemini by its OpenAI-compatible endpoint (fixtures gemini/openai-compat).
return {
  protocol = "openai_chat",
  base_url = "https://generativelanguage.googleapis.com/v1beta/openai",
  env = "GEMINI_API_KEY",
  catalogue = "google",
}
