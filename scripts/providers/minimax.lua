-- MiniMax, outside China; inside it a channel sets base_url = "https://api.minimaxi.com/v1".
-- A refusal may come with status 200 and base_resp (fixture minimax/errors/200-base-resp-error).
return {
  protocol = "openai_chat",
  base_url = "https://api.minimax.io/v1",
  env = "MINIMAX_API_KEY",
  catalogue = "minimax",
}
