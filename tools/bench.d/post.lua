-- For wrk: a chat completion of 1 KB, with the key that the environment holds.
local front = '{"model":"gpt-4o","messages":[{"role":"user","content":"'
local back = '"}],"max_tokens":100,"stream":false}'
local filling = ("some words to fill the prompt "):rep(40)

wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.body = front .. filling:sub(1, 1024 - #front - #back) .. back
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. (os.getenv("BENCH_KEY") or "none")
