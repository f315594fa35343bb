-- Any server that speaks OpenAI's chat protocol: vLLM, Ollama, SGLang, LM Studio, another gateway.
-- A channel of it names its own base_url; its models come from the whole catalogue.
return {
  protocol = "openai_chat",
}
