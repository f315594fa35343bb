// Who pays for what when an answer is not what was asked for: longer, cut, told twice, or given to
// somebody who has left.
#include <catch2/catch.hpp>

#include "support/sim_gateway.h"

using namespace mg;
using gateway::Meter;
using ledger::UsageSource;
using test::chunk;
using test::json_answer;
using test::SimGateway;
using test::SimUpstream;
using test::sse_chunk;

namespace {

std::string words(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += "word ";
  return out;
}

std::string ask(const std::string& more = "", const std::string& model = "gpt-4o") {
  return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hello"}])" + more +
         "}";
}
const char* const kStream = R"(,"stream":true,"stream_options":{"include_usage":true})";

std::string usage(int prompt, int completion, int reasoning = 0) {
  return R"("usage":{"prompt_tokens":)" + std::to_string(prompt) + R"(,"completion_tokens":)" +
         std::to_string(completion) + R"(,"total_tokens":)" + std::to_string(prompt + completion) +
         R"(,"completion_tokens_details":{"reasoning_tokens":)" + std::to_string(reasoning) + "}}";
}

std::string completion(const std::string& text, const std::string& used) {
  return R"({"choices":[{"index":0,"message":{"content":")" + text +
         R"("},"finish_reason":"stop"}],)" + used + "}";
}

std::string delta(const std::string& text, int index = 0) {
  return R"({"choices":[{"index":)" + std::to_string(index) + R"(,"delta":{"content":")" + text +
         R"("},"finish_reason":null}]})";
}
std::string finish(int index = 0) {
  return R"({"choices":[{"index":)" + std::to_string(index) +
         R"(,"delta":{},"finish_reason":"stop"}]})";
}
std::string usage_event(int prompt, int completion) {
  return R"({"choices":[],)" + usage(prompt, completion) + "}";
}

struct Fixture {
  explicit Fixture(const std::string& models = {}, const char* credit = "10.00") : gate(models) {
    gate.add_channel("one", 9001);
    if (credit) gate.credit(credit);
    gate.serve();
  }
  // What comes of one request that the upstream answers with these bytes.
  const gateway::DecisionRecord& after(const std::string& body, const std::string& bytes,
                                       const std::string& path = "/v1/chat/completions") {
    upstream->answer = [bytes](const auto&, auto& guest) { guest.say(bytes); };
    answer = gate.ask(body, "", path);
    CHECK(gate.open_holds() == 0);
    return gate.records.all.back();
  }
  // The same of a client that leaves after these bytes, which are not the end.
  const gateway::DecisionRecord& after_leaving(const std::string& body, const std::string& bytes,
                                               const std::string& path = "/v1/chat/completions") {
    upstream->answer = [bytes](const auto&, auto& guest) { guest.say(bytes); };
    const auto client = gate.connect();
    client->say(gate.request(body, "", path));
    gate.loop.run_for_ms(100);
    client->stream().abort();
    gate.loop.run_for_ms(1000);
    CHECK(gate.open_holds() == 0);
    CHECK(gate.records.all.back().outcome == "client_left");
    return gate.records.all.back();
  }
  Money balance() { return *parse_money(gate.wallet()["balance"].get<std::string>()); }

  SimGateway gate;
  std::unique_ptr<SimUpstream> upstream = gate.add_upstream(9001);
  test::Answer answer;
};

}  // namespace

TEST_CASE("a limit that its vendor did not heed makes nothing cheaper") {
  Fixture f;
  const std::string one = R"(,"max_tokens":1,"max_completion_tokens":16000)";
  const auto& plain = f.after(ask(one), json_answer(completion(words(300), usage(9, 300))));
  CHECK(plain.usage.source == UsageSource::reported);
  CHECK(plain.cost == Money::nanos(9 * 2500 + 300 * 10'000));

  const auto& hidden = f.after(ask(one), json_answer(completion("hi", usage(9, 5000, 4999))));
  CHECK(hidden.cost == Money::nanos(9 * 2500 + 5000 * 10'000));

  const auto& streamed =
      f.after(ask(one + kStream), test::sse_head() + sse_chunk(delta(words(300))) +
                                      sse_chunk(finish()) + sse_chunk("[DONE]") + test::kLastChunk);
  CHECK(streamed.usage.source == UsageSource::counted);
  CHECK(streamed.usage.usage[Meter::output] > 250);
}

TEST_CASE("more than was allowed is not believed of an answer that does not show it") {
  Fixture f;
  const auto& record =
      f.after(ask(R"(,"max_tokens":1)"), json_answer(completion("hi", usage(9, 5000))));
  CHECK(record.usage.source == UsageSource::counted);
  CHECK(record.usage.was_implausible);
  CHECK(record.usage.usage[Meter::output] <= 4);
  // Nor is what no model can write.
  const auto& beyond =
      f.after(ask(), json_answer(completion(words(10), usage(9, 200'000, 199'990))));
  CHECK(beyond.usage.source == UsageSource::counted);
}

TEST_CASE("images and files of unknown size neither refuse a request nor bend its price") {
  Fixture f;
  std::string parts;
  for (int i = 0; i < 11; ++i)
    parts += R"({"type":"image_url","image_url":{"url":"https://a.example/p.png"}},)";
  const std::string body = R"({"model":"gpt-4o","messages":[{"role":"user","content":[)" + parts +
                           R"({"type":"text","text":"which one?"}]}]})";
  const auto& record = f.after(body, json_answer(completion(words(700), usage(9350, 700))));
  CHECK(f.answer.status == 200);
  CHECK(record.usage.source == UsageSource::reported);
  CHECK(record.cost == Money::nanos(9350 * 2500 + 700 * 10'000));
}

TEST_CASE("text behind the last report of usage is counted on top of it") {
  Fixture f;
  const std::string early =
      test::sse_head() + sse_chunk(usage_event(9, 0)) + sse_chunk(delta(words(100)));
  const auto& ended =
      f.after(ask(kStream), early + sse_chunk(finish()) + sse_chunk("[DONE]") + test::kLastChunk);
  CHECK(ended.usage.source == UsageSource::counted);
  CHECK(ended.usage.usage[Meter::input] == 9);
  CHECK(ended.usage.usage[Meter::output] > 80);
  const auto& left = f.after_leaving(ask(kStream), early);
  CHECK(left.usage.usage[Meter::output] > 80);
  // The last of several reports says it all.
  const auto& running =
      f.after(ask(kStream), early + sse_chunk(finish()) + sse_chunk(usage_event(9, 101)) +
                                sse_chunk("[DONE]") + test::kLastChunk);
  CHECK(running.usage.source == UsageSource::reported);
  CHECK(running.cost == Money::nanos(9 * 2500 + 101 * 10'000));
}

TEST_CASE("who leaves once an answer began pays for the input, whatever the answer said") {
  Fixture f;
  const std::string role =
      R"({"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]})";
  const auto& record = f.after_leaving(ask(kStream), test::sse_head() + sse_chunk(role));
  CHECK(record.usage.usage[Meter::input] > 0);
  CHECK(record.usage.usage[Meter::output] == 0);
  CHECK(record.cost > Money());
  CHECK(f.balance() == *parse_money("10.00") - record.cost);
}

TEST_CASE("embeddings that were sent are paid for, though their client leaves before the end") {
  Fixture f(
      R"({"models":[{"id":"e","provider":"openai","mode":"embedding","price":{"input":"100"}}]})");
  const std::string body = R"({"model":"e","input":"some words to embed"})";
  const std::string head =
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
  const std::string numbers(limits::plain_answer_bytes_max + limits::plain_answer_tail_bytes, '7');
  const auto& record =
      f.after_leaving(body, head + chunk(R"({"data":[)" + numbers), "/v1/embeddings");
  CHECK(record.usage.usage[Meter::input] > 0);
  CHECK(record.cost > Money());
}

TEST_CASE("a long plain answer is not cut for what its bytes look like, and charged as reported") {
  const char* const model =
      R"({"models":[{"id":"m","provider":"openai","mode":"chat","price":{"input":"0","output":"100"}}]})";
  Fixture f(model, "1.00");  // 10,000 tokens, and a hold for 4,096 of them
  const std::string sound(limits::plain_answer_bytes_max + 4 * limits::plain_answer_tail_bytes,
                          'Q');
  const auto& record = f.after(ask("", "m"), json_answer(completion(sound, usage(9, 3000))));
  CHECK(f.answer.complete);
  CHECK(record.outcome == "completed");
  CHECK(record.usage.source == UsageSource::reported);
  CHECK(record.cost == *parse_money("0.30"));
}

TEST_CASE("a stream is whole when every choice is, not when the first one is") {
  Fixture f;
  const std::string begun = test::sse_head() + sse_chunk(delta("left")) +
                            sse_chunk(delta("right", 1)) + sse_chunk(finish());
  const auto reset_after = [&](const std::string& bytes) {
    f.upstream->answer = [bytes](const auto&, auto& guest) {
      guest.say(bytes);
      guest.close();
    };
    f.answer = f.gate.ask(ask(std::string(R"(,"n":2)") + kStream));
    return f.gate.records.all.back().outcome;
  };
  CHECK(reset_after(begun) == "broken");
  CHECK_FALSE(f.answer.complete);
  CHECK(reset_after(begun + sse_chunk(finish(1))) == "completed");
  CHECK(f.answer.complete);
}

TEST_CASE("what is free needs no money") {
  const char* const model =
      R"({"models":[{"id":"m","provider":"openai","mode":"chat","price":{"input":"0","output":"0"}}]})";
  Fixture f(model, nullptr);
  const auto& record = f.after(ask("", "m"), json_answer(completion("hi", usage(9, 1))));
  CHECK(f.answer.status == 200);
  CHECK(record.cost == Money());
}

TEST_CASE("an end that never ends is kept back up to a bound") {
  const auto outcome_of = [](size_t events) {
    Fixture f;
    std::string bytes = test::sse_head() + sse_chunk(delta("hi")) + sse_chunk(finish());
    for (size_t i = 0; i < events; ++i) bytes += sse_chunk(usage_event(9, 1));
    const auto& record = f.after(ask(kStream), bytes + sse_chunk("[DONE]") + test::kLastChunk);
    return record.outcome;
  };
  const size_t each = ("data: " + usage_event(9, 1) + "\n\n").size();
  const size_t most = limits::stream_end_bytes_max / each;
  CHECK(outcome_of(most) == "completed");
  CHECK(outcome_of(most + 1) == "broken");
}

TEST_CASE("a stream outgrows its hold with every wallet on the way") {
  SimGateway gate(
      R"({"models":[{"id":"m","provider":"openai","mode":"chat","price":{"input":"0","output":"1000"}}]})");
  const auto upstream = gate.add_upstream(9001);
  gate.add_channel("one", 9001);
  const std::string agent = gate.run("tenant.create", {{"name", "Agent"}, {"kind", "agent"}})["id"];
  gate.tenant = gate.run("tenant.create", {{"name", "Firm"}, {"parent", agent}})["id"];
  gate.key = gate.run("key.create", {{"tenant", gate.tenant}})["key"];
  gate.run("wallet.credit", {{"tenant", agent}, {"amount", "5.00"}});  // 5,000 tokens
  gate.credit("100.00");
  gate.serve();
  SimUpstream::Guest* talking = nullptr;
  upstream->answer = [&](const auto&, auto& guest) {
    talking = &guest;
    guest.say(test::sse_head());
  };
  const auto client = gate.connect();
  client->say(gate.request(ask(R"(,"stream":true)", "m")));
  gate.loop.run_for_ms(50);
  REQUIRE(talking);
  for (int i = 0; i < 100 && !client->answer().complete; ++i) {
    talking->say(sse_chunk(delta(words(100))));
    gate.loop.run_for_ms(10);
  }
  // The agent's money ends the stream, and covers all of it.
  CHECK(client->answer().complete);
  CHECK(client->answer().body.find(R"("finish_reason":"length")") != std::string::npos);
  const auto& record = gate.records.all.back();
  CHECK(record.shortfall == Money());
  const Json agents = gate.run("wallet.show", {{"tenant", agent}});
  CHECK(*parse_money(agents["balance"].get<std::string>()) == *parse_money("5.00") - record.cost);
  CHECK(*parse_money(gate.wallet()["balance"].get<std::string>()) ==
        *parse_money("100.00") - record.cost);
  CHECK(record.cost > *parse_money("4.50"));
}

TEST_CASE(
    "an answer under an Idempotency-Key is given again to those alone who would be admitted") {
  Fixture f;
  f.gate.key = f.gate.run("key.create", {{"tenant", f.gate.tenant}, {"rpm", 2}})["key"];
  f.gate.serve();
  f.upstream->answer = [](const auto&, auto& guest) {
    guest.say(json_answer(completion("hi", usage(9, 1))));
  };
  const std::string with_key = "idempotency-key: abc\r\n";
  CHECK(f.gate.ask(ask(), with_key).status == 200);
  const test::Answer again = f.gate.ask(ask(), with_key);
  CHECK(again.status == 200);
  CHECK(again.field("idempotency-replayed") == "true");
  CHECK(f.gate.records.all.back().outcome == "replayed");
  CHECK(f.gate.ask(ask(), with_key).status == 429);
  CHECK(f.upstream->seen.size() == 1);
}

TEST_CASE("an upstream that says nothing is waited for no longer than the whole may take") {
  Fixture f;
  const auto slow = f.gate.add_channel("slow", 9002, 0);
  const auto silent = f.gate.add_upstream(9002);
  silent->answer = [](const auto&, auto&) {};
  slow->timeouts = {3000, 30'000, 60'000, 1000};  // connect, first byte, idle, total
  f.gate.channels = {slow};
  f.gate.serve();
  const auto client = f.gate.connect();
  client->say(f.gate.request(ask()));
  f.gate.loop.run_for_ms(950);
  CHECK(client->answer().status == 0);
  f.gate.loop.run_for_ms(3000);  // with its one retry
  CHECK(client->answer().status == 504);
  CHECK(f.gate.open_holds() == 0);
}

TEST_CASE("who asks again and again without reading is not answered into memory") {
  Fixture f;
  const auto client = f.gate.connect();
  client->stream().read_stop();
  std::string requests;
  constexpr int count = 20'000;
  for (int i = 0; i < count; ++i) requests += "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
  client->say(requests);
  f.gate.loop.run_for_ms(1000);
  const auto& pipe = dynamic_cast<const test::SimStream&>(client->stream());
  const size_t held = pipe.unread_bytes();
  CHECK(held > pipe.window_bytes);
  CHECK(held < pipe.window_bytes + limits::queue_bytes_high + 64 * limits::KiB);
  client->stream().read_start(*client);
  f.gate.loop.run_for_ms(1000);
  CHECK(client->answer().raw.size() > 4 * held);  // and goes on once it reads
}

TEST_CASE("a policy may have the rest of an answer read for a client that left, up to a cost") {
  SimGateway gate;
  gate.edit_sources = [](script::SourceTree& tree) {
    tree.scripts.push_back({"policies/patient.lua", R"(
      return { disconnect = function() return { drain_cost_max = "0.005" } end })"});
    for (script::File& file : tree.scripts)
      if (file.path == "policies/chain.lua")
        file.bytes.insert(file.bytes.rfind('}'), "disconnect = { { \"patient\" } },\n");
  };
  const auto upstream = gate.add_upstream(9001);
  gate.add_channel("one", 9001);
  gate.credit("10.00");
  gate.serve();
  SimUpstream::Guest* talking = nullptr;
  upstream->answer = [&](const auto&, auto& guest) {
    talking = &guest;
    guest.say(test::sse_head() + sse_chunk(delta(words(10))));
  };
  const auto leave = [&](int sent_after) {
    const auto client = gate.connect();
    client->say(gate.request(ask(kStream)));
    gate.loop.run_for_ms(50);
    client->stream().abort();
    gate.loop.run_for_ms(50);
    for (int i = 0; i < sent_after && !talking->is_gone(); ++i) {
      talking->say(sse_chunk(delta(words(10))));
      gate.loop.run_for_ms(10);
    }
  };
  // It ends below the cost: the provider's own word is charged.
  leave(10);
  CHECK_FALSE(talking->is_gone());
  CHECK(gate.open_holds() == 1);
  talking->say(sse_chunk(finish()) + sse_chunk(usage_event(9, 111)) + sse_chunk("[DONE]") +
               test::kLastChunk);
  gate.loop.run_for_ms(50);
  CHECK(gate.open_holds() == 0);
  CHECK(gate.records.all.back().usage.source == UsageSource::reported);
  CHECK(gate.records.all.back().cost == Money::nanos(9 * 2500 + 111 * 10'000));
  // It goes on past the cost, 500 words or so: then it is let go, and what came is charged.
  leave(1000);
  CHECK(talking->is_gone());
  CHECK(gate.open_holds() == 0);
  CHECK(gate.records.all.back().outcome == "client_left");
  CHECK(gate.records.all.back().cost >= *parse_money("0.005"));
  CHECK(gate.records.all.back().cost < *parse_money("0.0055"));
}
