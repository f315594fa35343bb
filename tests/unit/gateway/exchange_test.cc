// The story of a request, told over the simulated network: what goes upstream, what comes back, and
// what it cost, to the nano-dollar.
#include "gateway/exchange.h"

#include <catch2/catch.hpp>

#include "support/sim_gateway.h"

using namespace mg;
using test::chunk;
using test::json_answer;
using test::SimGateway;
using test::SimUpstream;
using test::sse_chunk;

namespace {

const char* const kAsk = R"({"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]})";
const char* const kAskStream =
    R"({"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hello"}]})";
const char* const kAskUsage =
    R"({"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello"}]})";

std::string completion(int prompt = 9, int completion_tokens = 3) {
  return R"({"id":"c1","object":"chat.completion","model":"up","choices":[{"index":0,"message":{"role":"assistant","content":"Hello world!"},"finish_reason":"stop"}],"usage":{"prompt_tokens":)" +
         std::to_string(prompt) + R"(,"completion_tokens":)" + std::to_string(completion_tokens) +
         R"(,"total_tokens":)" + std::to_string(prompt + completion_tokens) + "}}";
}

std::string delta(const std::string& text) {
  return R"({"id":"c1","choices":[{"index":0,"delta":{"content":")" + text +
         R"("},"finish_reason":null}]})";
}
const char* const kFinish =
    R"({"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
const char* const kUsage =
    R"({"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}})";

struct Fixture {
  SimGateway gate;
  std::unique_ptr<SimUpstream> upstream = gate.add_upstream(9001);
  Fixture() {
    gate.add_channel("one", 9001);
    gate.credit("10.00");
    gate.serve();
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a plain answer is relayed byte for byte and charged to the nano-dollar") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto& guest) { guest.say(json_answer(completion())); };
  const test::Answer answer = f.gate.ask(kAsk);
  CHECK(answer.status == 200);
  CHECK(answer.body == completion());
  CHECK(answer.field("x-moongate-cost") == "0.0000525");  // 9 x 2.5/M + 3 x 10/M
  CHECK(answer.field("x-moongate-channel") == "one");
  CHECK(Id::parse("req", answer.field("x-request-id")));
  REQUIRE(f.upstream->seen.size() == 1);
  CHECK(f.upstream->seen[0].body == kAsk);  // not a byte was touched
  CHECK(f.upstream->seen[0].authorization == "Bearer sk-upstream-one");
  CHECK(f.upstream->seen[0].target == "/v1/chat/completions");
  CHECK(f.gate.wallet()["balance"] == "9.999947500");
  CHECK(f.gate.wallet()["held"] == "0.000000000");
  CHECK(f.gate.open_holds() == 0);
  REQUIRE(f.gate.records.all.size() == 1);
  CHECK(f.gate.records.all[0].outcome == "completed");
}

TEST_CASE("a stream is relayed event by event, and its end waits for the charge") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto& guest) {
    guest.say(test::sse_head() + sse_chunk(delta("Hel")) + sse_chunk(delta("lo")) +
              sse_chunk(kFinish) + sse_chunk(kUsage) + sse_chunk("[DONE]") + test::kLastChunk);
  };
  const test::Answer answer = f.gate.ask(kAskUsage);
  CHECK(answer.status == 200);
  CHECK(answer.complete);
  const std::string priced =
      R"({"id":"c1","choices":[],"usage":{"cost":0.0000525,"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}})";
  CHECK(answer.body == "data: " + delta("Hel") + "\n\ndata: " + delta("lo") +
                           "\n\ndata: " + kFinish + "\n\ndata: " + priced + "\n\ndata: [DONE]\n\n");
  CHECK(f.gate.wallet()["balance"] == "9.999947500");
  CHECK(f.gate.open_holds() == 0);
}

TEST_CASE("a usage chunk that the client did not ask for is asked for, used, and not shown") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto& guest) {
    guest.say(test::sse_head() + sse_chunk(delta("Hello")) + sse_chunk(kFinish) +
              sse_chunk(kUsage) + sse_chunk("[DONE]") + test::kLastChunk);
  };
  const test::Answer answer = f.gate.ask(kAskStream);
  CHECK(contains(f.upstream->seen[0].body, R"("stream_options":{"include_usage":true})"));
  CHECK_FALSE(contains(answer.body, "usage"));
  CHECK(contains(answer.body, "[DONE]"));
  CHECK(f.gate.wallet()["balance"] == "9.999947500");
}

TEST_CASE("the events of a stream go out as they come") {
  Fixture f;
  SimUpstream::Guest* talking = nullptr;
  f.upstream->answer = [&](const auto&, auto& guest) {
    talking = &guest;
    guest.say(test::sse_head() + sse_chunk(delta("first")));
  };
  const auto client = f.gate.connect();
  client->say(f.gate.request(kAskStream));
  f.gate.loop.run_for_ms(100);
  CHECK(contains(client->answer().body, "first"));
  CHECK_FALSE(contains(client->answer().body, "second"));
  CHECK(f.gate.open_holds() == 1);
  talking->say(sse_chunk(delta("second")));
  f.gate.loop.run_for_ms(100);
  CHECK(contains(client->answer().body, "second"));
  talking->say(sse_chunk("[DONE]") + test::kLastChunk);
  f.gate.loop.run_for_ms(100);
  CHECK(client->answer().complete);
  CHECK(f.gate.open_holds() == 0);
}

TEST_CASE("where the provider says nothing of usage, what was relayed is counted") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto& guest) {
    guest.say(test::sse_head() + sse_chunk(delta("The quick brown fox jumps over the lazy dog.")) +
              sse_chunk(kFinish) + sse_chunk("[DONE]") + test::kLastChunk);
  };
  const test::Answer answer = f.gate.ask(kAskUsage);
  REQUIRE(f.gate.records.all.size() == 1);
  const gateway::DecisionRecord& record = f.gate.records.all[0];
  CHECK(record.usage.source == ledger::UsageSource::counted);
  CHECK(record.usage.usage[gateway::Meter::output] >= 8);
  CHECK(record.usage.usage[gateway::Meter::output] <= 14);
  CHECK(record.cost > Money());
  // The client asked to be told: it is, with what was charged.
  CHECK(contains(answer.body, "\"cost\":" + to_short_text(record.cost)));
}

TEST_CASE("a request nobody may pay for is refused before the upstream hears of it") {
  Fixture f;
  SimGateway poor;
  const auto upstream = poor.add_upstream(9001);
  poor.add_channel("one", 9001);
  poor.serve();
  const test::Answer answer = poor.ask(kAsk);
  CHECK(answer.status == 402);
  CHECK(contains(answer.body, "insufficient_quota"));
  CHECK(answer.field("x-should-retry") == "false");
  CHECK(upstream->seen.empty());
}

TEST_CASE("keys are known by their digest alone, wherever they stand in the head") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto& guest) { guest.say(json_answer(completion())); };
  const auto with = [&](const std::string& fields) {
    const auto client = f.gate.connect();
    client->say("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n" + fields +
                "content-type: application/json\r\ncontent-length: " +
                std::to_string(std::string(kAsk).size()) + "\r\n\r\n" + kAsk);
    f.gate.loop.run_for_ms(3000);
    return client->answer();
  };
  const std::string key = f.gate.key;
  CHECK(with("authorization: Bearer " + key + "\r\n").status == 200);
  CHECK(with("authorization: bearer " + key + "\r\n").status == 200);
  CHECK(with("x-api-key: " + key + "\r\n").status == 200);
  CHECK(with("api-key: " + key + "\r\nauthorization: Bearer " + key + "\r\n").status == 200);
  CHECK(with("").status == 401);
  CHECK(with("authorization: Bearer\r\n").status == 401);
  CHECK(with("authorization: Basic " + key + "\r\n").status == 401);
  CHECK(with("authorization: Bearer " + key + "x\r\n").status == 401);
  CHECK(with("x-api-key: other\r\nauthorization: Bearer " + key + "\r\n").status == 401);
  CHECK(f.gate.records.all.size() == 4);  // refusals of nobody are counters
}

TEST_CASE("models that do not exist, have no price or no channel are not found") {
  Fixture f;
  const test::Answer unknown =
      f.gate.ask(R"({"model":"gpt-9","messages":[{"role":"user","content":"x"}]})");
  CHECK(unknown.status == 404);
  CHECK(contains(unknown.body, "model_not_found"));
  const test::Answer image =
      f.gate.ask(R"({"model":"dall-e-3","messages":[{"role":"user","content":"x"}]})");
  CHECK(image.status == 404);
}

TEST_CASE("another channel is tried after a failure, as long as no byte went out") {
  Fixture f;
  const auto second = f.gate.add_upstream(9002);
  f.gate.add_channel("two", 9002, 2);
  f.gate.serve();
  second->answer = [](const auto&, auto& guest) { guest.say(json_answer(completion())); };
  SECTION("a plain request is retried once, then goes to the next") {
    f.upstream->answer = [](const auto&, auto& guest) {
      guest.say(json_answer("{}", "500 Internal Server Error"));
    };
    const test::Answer answer = f.gate.ask(kAsk);
    CHECK(answer.status == 200);
    CHECK(answer.field("x-moongate-channel") == "two");
    CHECK(f.upstream->seen.size() == 2);
    CHECK(second->seen.size() == 1);
    const gateway::DecisionRecord& record = f.gate.records.all[0];
    REQUIRE(record.attempts.size() == 3);
    CHECK(record.attempts[0].failure == "server_error");
    CHECK(record.attempts[0].recovery == "retry");
    CHECK(record.attempts[1].recovery == "next");
  }
  SECTION("a stream that breaks before its first event goes to the next") {
    f.upstream->answer = [](const auto&, auto& guest) {
      guest.say(test::sse_head() + chunk(": keep-alive\n\n"));
      guest.reset();
    };
    second->answer = [](const auto&, auto& guest) {
      guest.say(test::sse_head() + sse_chunk(delta("from two")) + sse_chunk("[DONE]") +
                test::kLastChunk);
    };
    const test::Answer answer = f.gate.ask(kAskStream);
    CHECK(contains(answer.body, "from two"));
    CHECK_FALSE(contains(answer.body, "keep-alive"));
    CHECK(f.upstream->seen.size() == 1);
  }
  SECTION("a stream that breaks after its first event ends in an error, and is paid for") {
    f.upstream->answer = [](const auto&, auto& guest) {
      guest.say(test::sse_head() + sse_chunk(delta("some words")));
      guest.reset();
    };
    const test::Answer answer = f.gate.ask(kAskStream);
    CHECK(contains(answer.body, "some words"));
    CHECK(contains(answer.body, "upstream_error"));
    CHECK_FALSE(answer.complete);
    CHECK(answer.end);
    CHECK(second->seen.empty());
    CHECK(f.gate.wallet()["balance"] != "10.000000000");
    CHECK(f.gate.open_holds() == 0);
  }
}

TEST_CASE("whose fault a refusal of the upstream is decides who hears of it") {
  Fixture f;
  const auto second = f.gate.add_upstream(9002);
  f.gate.add_channel("two", 9002, 2);
  f.gate.serve();
  second->answer = [](const auto&, auto& guest) { guest.say(json_answer(completion())); };
  SECTION("the client's own fault goes back to it in the upstream's words, uncharged") {
    f.upstream->answer = [](const auto&, auto& guest) {
      guest.say(json_answer(R"({"error":{"message":"temperature too high, sk-abc123"}})",
                            "400 Bad Request"));
    };
    const test::Answer answer = f.gate.ask(kAsk);
    CHECK(answer.status == 400);
    CHECK(contains(answer.body, "temperature too high"));
    CHECK_FALSE(contains(answer.body, "abc123"));
    CHECK(second->seen.empty());
    CHECK(f.gate.wallet()["balance"] == "10.000000000");
  }
  SECTION("a credential of ours that is refused is not the client's affair") {
    f.upstream->answer = [](const auto&, auto& guest) {
      guest.say(json_answer(R"({"error":{"message":"bad key sk-abc"}})", "401 Unauthorized"));
    };
    CHECK(f.gate.ask(kAsk).status == 200);
    second->answer = f.upstream->answer;
    const test::Answer answer = f.gate.ask(kAsk);
    CHECK(answer.status == 502);
    CHECK_FALSE(contains(answer.body, "sk-"));
  }
}

TEST_CASE("when everything fails the answer says what kind of failure it was") {
  Fixture f;
  SECTION("nobody listens") {
    f.upstream.reset();
    CHECK(f.gate.ask(kAsk).status == 502);
  }
  SECTION("no answer in time") {
    f.upstream->answer = [](const auto&, auto&) {};
    CHECK(f.gate.ask(kAsk, "", "/v1/chat/completions", 100'000).status == 504);
  }
  SECTION("rate limited") {
    f.upstream->answer = [](const auto&, auto& guest) {
      guest.say(json_answer("{}", "429 Too Many Requests", "retry-after: 7\r\n"));
    };
    const test::Answer answer = f.gate.ask(kAsk);
    CHECK(answer.status == 429);
    CHECK(answer.field("retry-after") == "7");
  }
  SECTION("not JSON") {
    f.upstream->answer = [](const auto&, auto& guest) { guest.say(json_answer("<html>")); };
    CHECK(f.gate.ask(kAsk).status == 502);
  }
  CHECK(f.gate.wallet()["balance"] == "10.000000000");
  CHECK(f.gate.open_holds() == 0);
}

TEST_CASE("a client that leaves is settled by what it got, and its upstream is let go") {
  Fixture f;
  SimUpstream::Guest* talking = nullptr;
  f.upstream->answer = [&](const auto&, auto& guest) {
    talking = &guest;
    guest.say(test::sse_head() + sse_chunk(delta("some words for it")));
  };
  for (const bool orderly : {true, false}) {
    auto client = f.gate.connect();
    client->say(f.gate.request(kAskStream));
    f.gate.loop.run_for_ms(50);
    CHECK(contains(client->answer().body, "some words"));
    if (orderly) {
      client->stream().finish();
    } else {
      client->stream().abort();
    }
    f.gate.loop.run_for_ms(1000);
    CHECK(talking->is_gone());
    CHECK(f.gate.open_holds() == 0);
    CHECK(f.gate.records.all.back().outcome == "client_left");
    CHECK(f.gate.records.all.back().cost > Money());
  }
}

TEST_CASE("a client that leaves before a byte of answer pays nothing") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto&) {};
  auto client = f.gate.connect();
  client->say(f.gate.request(kAsk));
  f.gate.loop.run_for_ms(50);
  CHECK(f.gate.open_holds() == 1);
  client->stream().abort();
  f.gate.loop.run_for_ms(1000);
  CHECK(f.gate.open_holds() == 0);
  CHECK(f.gate.wallet()["balance"] == "10.000000000");
}

TEST_CASE("the breaker opens after five failures in a row, rests, and lets one trial through") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto& guest) {
    guest.say(json_answer("{}", "500 Internal Server Error"));
  };
  for (int i = 0; i < 5; ++i)
    CHECK(f.gate.ask(kAskStream, "", "/v1/chat/completions", 100).status == 502);
  CHECK(f.upstream->seen.size() == 5);
  for (int i = 0; i < 10; ++i)
    CHECK(f.gate.ask(kAskStream, "", "/v1/chat/completions", 100).status == 503);
  CHECK(f.upstream->seen.size() == 5);
  f.gate.loop.run_for_ms(30'000);
  CHECK(f.gate.ask(kAskStream, "", "/v1/chat/completions", 100).status == 502);  // the trial fails
  CHECK(f.upstream->seen.size() == 6);
  CHECK(f.gate.ask(kAskStream, "", "/v1/chat/completions", 100).status == 503);
  f.gate.loop.run_for_ms(30'000);
  f.upstream->answer = [](const auto&, auto& guest) { guest.say(json_answer(completion())); };
  CHECK(f.gate.ask(kAsk).status == 200);  // the trial succeeds, and the breaker closes
  CHECK(f.gate.ask(kAsk).status == 200);
}

TEST_CASE("an Idempotency-Key is answered again, or refused, and charged once") {
  Fixture f;
  SimUpstream::Guest* waiting = nullptr;
  f.upstream->answer = [&](const auto&, auto& guest) { waiting = &guest; };
  const std::string with_key = "idempotency-key: abc\r\n";
  auto first = f.gate.connect();
  first->say(f.gate.request(kAsk, with_key));
  f.gate.loop.run_for_ms(50);
  const test::Answer running = f.gate.ask(kAsk, with_key, "/v1/chat/completions", 100);
  CHECK(running.status == 409);
  CHECK(contains(running.body, "idempotency_in_flight"));
  waiting->say(json_answer(completion()));
  f.gate.loop.run_for_ms(100);
  CHECK(first->answer().status == 200);
  const test::Answer again = f.gate.ask(kAsk, with_key);
  CHECK(again.status == 200);
  CHECK(again.body == completion());
  CHECK(again.field("x-request-id") == first->answer().field("x-request-id"));
  CHECK(f.gate.ask(kAskStream, with_key).status == 409);  // another body
  CHECK(f.upstream->seen.size() == 1);
  CHECK(f.gate.wallet()["balance"] == "9.999947500");
}

TEST_CASE("what came to nothing may be asked again under its Idempotency-Key") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto&) {};
  const std::string with_key = "idempotency-key: abc\r\n";
  auto client = f.gate.connect();
  client->say(f.gate.request(kAsk, with_key));
  f.gate.loop.run_for_ms(50);
  client->stream().abort();
  f.gate.loop.run_for_ms(1000);
  CHECK(f.gate.wallet()["balance"] == "10.000000000");
  f.upstream->answer = [](const auto&, auto& guest) { guest.say(json_answer(completion())); };
  CHECK(f.gate.ask(kAsk, with_key).status == 200);
  CHECK(f.gate.wallet()["balance"] == "9.999947500");
}

TEST_CASE("a client that leaves a stream it paid for cannot have it again under its key") {
  Fixture f;
  f.upstream->answer = [](const auto&, auto& guest) {
    guest.say(test::sse_head() + sse_chunk(delta("some words for it")));
  };
  const std::string with_key = "idempotency-key: abc\r\n";
  auto client = f.gate.connect();
  client->say(f.gate.request(kAskStream, with_key));
  f.gate.loop.run_for_ms(50);
  client->stream().abort();
  f.gate.loop.run_for_ms(1000);
  const test::Answer again = f.gate.ask(kAskStream, with_key);
  CHECK(again.status == 409);
  CHECK(contains(again.body, "idempotency_replayed"));
}

TEST_CASE("a stream that outgrows its hold extends it, or ends as if it had reached its limit") {
  SimGateway gate(
      R"({"models":[{"id":"m","provider":"openai","mode":"chat","price":{"input":"0","output":"1000"}}]})");
  const auto upstream = gate.add_upstream(9001);
  gate.add_channel("one", 9001);
  gate.credit("5.00");  // 5,000 tokens; a hold without any limit is for 4,096
  gate.serve();
  SimUpstream::Guest* talking = nullptr;
  upstream->answer = [&](const auto&, auto& guest) {
    talking = &guest;
    guest.say(test::sse_head());
  };
  auto client = gate.connect();
  client->say(
      gate.request(R"({"model":"m","stream":true,"messages":[{"role":"user","content":"x"}]})"));
  gate.loop.run_for_ms(50);
  REQUIRE(talking);
  std::string words;
  for (int i = 0; i < 100; ++i) words += "word ";
  for (int i = 0; i < 100 && !client->answer().complete; ++i) {
    talking->say(sse_chunk(delta(words)));
    gate.loop.run_for_ms(10);
  }
  CHECK(client->answer().complete);
  CHECK(contains(client->answer().body, R"("finish_reason":"length")"));
  CHECK(contains(client->answer().body, "[DONE]"));
  CHECK(gate.open_holds() == 0);
  const Money left = *parse_money(gate.wallet()["balance"].get<std::string>());
  CHECK(left >= Money());
  INFO(to_text(left));
  CHECK(left < Money::nanos(250'000'000));  // within a fiftieth of what there was
}

TEST_CASE("health, models and what does not exist") {
  Fixture f;
  const auto get = [&](const std::string& path, const std::string& more = "") {
    const auto client = f.gate.connect();
    client->say("GET " + path + " HTTP/1.1\r\nhost: a\r\n" + more + "\r\n");
    f.gate.loop.run_for_ms(100);
    return client->answer();
  };
  const std::string auth = "authorization: Bearer " + f.gate.key + "\r\n";
  CHECK(get("/health/live").status == 200);
  CHECK(contains(get("/health/ready").body, "\"generation\":1"));
  CHECK(get("/v1/models").status == 401);
  CHECK(contains(get("/v1/models", auth).body, "\"gpt-4o\""));
  CHECK(contains(get("/v1/models/gpt-4o", auth).body, "\"input\":\"2.5\""));
  CHECK(get("/v1/models/gpt-9", auth).status == 404);
  CHECK(get("/nothing").status == 404);
  CHECK(get("/v1/chat/completions").status == 405);
}
