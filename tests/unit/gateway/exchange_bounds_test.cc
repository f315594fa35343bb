// Bounds of a whole request, at their edge and one past it: its key, its hold, its attempts, and
// what is read and kept of its answer.
#include <catch2/catch.hpp>

#include "support/sim_gateway.h"

using namespace mg;
using test::chunk;
using test::json_answer;
using test::SimGateway;
using test::SimUpstream;

namespace {

std::string ask(const std::string& more = "", const std::string& model = "gpt-4o") {
  return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hello"}])" + more +
         "}";
}

const char* const kGood =
    R"({"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}})";

const std::string kChunkedFields =
    "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
const std::string kChunkedHead = "HTTP/1.1 200 OK\r\n" + kChunkedFields;

struct Fixture {
  explicit Fixture(const std::string& models = {}, const char* credit = "10.00") : gate(models) {
    gate.add_channel("one", 9001);
    gate.credit(credit);
    gate.serve();
    upstream->answer = [](const auto&, auto& guest) { guest.say(json_answer(kGood)); };
  }
  SimGateway gate;
  std::unique_ptr<SimUpstream> upstream = gate.add_upstream(9001);
};

// Channels that fail, asked in order, and a policy that says what to do then.
struct Row {
  Row(int channels, const std::string& recover, const std::string& observe = "") {
    gate.edit_sources = [recover, observe](script::SourceTree& tree) {
      tree.scripts.push_back(
          {"policies/stubborn.lua", "return { recover = function() " + recover + " end, " +
                                        "observe = function(_, _, record) " + observe + " end }"});
      for (script::File& file : tree.scripts)
        if (file.path == "policies/chain.lua")
          for (const std::string place : {R"({ "fallback" })", R"({ "observe" })"})
            file.bytes.replace(file.bytes.find(place), place.size(), R"({ "stubborn" })");
    };
    for (int i = 0; i < channels; ++i) {
      const auto port = static_cast<uint16_t>(9001 + i);
      upstreams.push_back(gate.add_upstream(port));
      upstreams.back()->answer = [](const auto&, auto& guest) {
        guest.say(json_answer("{}", "500 Internal Server Error"));
      };
      gate.add_channel("channel-" + std::to_string(i), port, i)->provider.name =
          "of-" + std::to_string(i);
    }
    gate.credit("10.00");
    gate.serve();
  }
  // How often each was asked.
  std::vector<size_t> asked() const {
    std::vector<size_t> out;
    for (const auto& upstream : upstreams) out.push_back(upstream->seen.size());
    return out;
  }
  SimGateway gate;
  std::vector<std::unique_ptr<SimUpstream>> upstreams;
};

}  // namespace

TEST_CASE("an Idempotency-Key is taken as long as it may be, and no longer") {
  Fixture f;
  const auto status = [&](size_t bytes) {
    const test::Answer answer =
        f.gate.ask(ask(), "idempotency-key: " + std::string(bytes, 'k') + "\r\n");
    if (answer.status != 200)
      CHECK(answer.body.find(R"("code":"invalid_value")") != std::string::npos);
    return answer.status;
  };
  CHECK(status(limits::idempotency_key_bytes_max + 1) == 400);
  CHECK(f.upstream->seen.empty());
  CHECK(status(limits::idempotency_key_bytes_max) == 200);
  CHECK(f.upstream->seen.size() == 1);
  CHECK(status(limits::idempotency_key_bytes_max) == 200);  // it is a key like any other
  CHECK(f.upstream->seen.size() == 1);
}

TEST_CASE("where nothing says how long an answer may be, so many tokens are held for") {
  // A tenth of a cent a token of output, nothing for input.
  const std::string models =
      R"({"models":[{"id":"m","provider":"openai","mode":"chat","price":{"input":"0","output":"1000"}},
         {"id":"small","provider":"openai","mode":"chat","context_window":1000,
          "price":{"input":"0","output":"1000"}}]})";
  const Money each = Money::nanos(1'000'000);
  // A nano-dollar for the rounding of each meter is held as well.
  const Money needed =
      Money::nanos(each.nanos() * limits::output_default_max + int64_t{gateway::kMeterCount});
  {
    Fixture f(models, to_text(needed).c_str());
    CHECK(f.gate.ask(ask("", "m")).status == 200);
    CHECK(f.gate.records.all.back().held == needed);
  }
  {
    Fixture f(models, to_text(needed - Money::nanos(1)).c_str());
    CHECK(f.gate.ask(ask("", "m")).status == 402);
    CHECK(f.upstream->seen.empty());
  }
  Fixture f(models, "100.00");
  const auto held = [&](const std::string& more, const std::string& model = "m") {
    CHECK(f.gate.ask(ask(more, model)).status == 200);
    return f.gate.records.all.back().held.nanos() / each.nanos();
  };
  CHECK(held(R"(,"n":3)") == 3 * limits::output_default_max);
  // A limit of the client's own is what is held for, also one past the default.
  const int64_t more = limits::output_default_max + 1;
  CHECK(held(",\"max_tokens\":" + std::to_string(more)) == more);
  // Nor more than a window has room for beside the input.
  CHECK(held("", "small") > 900);
  CHECK(held("", "small") < 1000);
}

TEST_CASE("so many attempts are made for a request, and not one more") {
  Row row(limits::attempts_max + 1, "return 'next'");
  CHECK(row.gate.ask(ask()).status == 502);
  std::vector<size_t> expected(limits::attempts_max, 1);
  expected.push_back(0);
  CHECK(row.asked() == expected);
  CHECK(row.gate.records.all.back().attempts.size() == size_t{limits::attempts_max});
  // The last of them is as good as any.
  row.upstreams[limits::attempts_max - 1]->answer = [](const auto&, auto& guest) {
    guest.say(json_answer(kGood));
  };
  CHECK(row.gate.ask(ask()).status == 200);
  CHECK(row.asked().back() == 0);
}

TEST_CASE("who observes is told the provider of the channel that was asked last, or of none") {
  Row row(limits::attempts_max + 1, "return 'next'",
          "return { tags = { record.provider or 'none' } }");
  const auto told = [&] { return row.gate.records.all.back().tags; };
  CHECK(row.gate.ask(ask()).status == 502);
  CHECK(told() == std::vector<std::string>{"of-" + std::to_string(limits::attempts_max - 1)});
  while (row.gate.channels.size() > 2) row.gate.channels.pop_back();
  row.gate.serve();
  CHECK(row.gate.ask(ask()).status == 502);
  CHECK(told() == std::vector<std::string>{"of-1"});  // the plan is at its end
  row.gate.key = row.gate.run(
      "key.create", {{"tenant", row.gate.run("tenant.create", {{"name", "Poor"}})["id"]}})["key"];
  row.gate.serve();
  CHECK(row.gate.ask(ask()).status == 402);
  CHECK(told() == std::vector<std::string>{"none"});
}

TEST_CASE("channels that are not asked because they are full are no attempts") {
  Row row(limits::attempts_max + 1, "return 'next'");
  auto full = std::make_shared<gateway::Channel>(*row.gate.channels[0]);
  full->concurrency_max = 1;
  row.gate.channels[0] = full;
  row.gate.serve();
  row.upstreams[0]->answer = [](const auto&, auto&) {};  // keeps its only place taken
  const auto waiting = row.gate.connect();
  waiting->say(row.gate.request(ask()));
  row.gate.loop.run_for_ms(10);
  row.upstreams.back()->answer = [](const auto&, auto& guest) { guest.say(json_answer(kGood)); };
  CHECK(row.gate.ask(ask()).field("x-moongate-channel") ==
        "channel-" + std::to_string(limits::attempts_max));
}

TEST_CASE("a request is retried so often, whatever a policy says") {
  Row row(2, "return 'retry'");
  CHECK(row.gate.ask(ask()).status == 502);
  CHECK(row.asked() == std::vector<size_t>{1 + limits::retries_max, 1});
  const auto& attempts = row.gate.records.all.back().attempts;
  REQUIRE(attempts.size() == 2 + limits::retries_max);
  for (int i = 0; i < limits::retries_max; ++i)
    CHECK(attempts[static_cast<size_t>(i)].recovery == "retry");
  CHECK(attempts[limits::retries_max].recovery == "next");
}

TEST_CASE("nobody waits before an attempt that is not made") {
  const int64_t delay_ms = limits::recover_delay_ms_max;
  const std::string next = "return 'next', " + std::to_string(delay_ms);
  for (const int channels : {1, limits::attempts_max, limits::attempts_max + 1}) {
    Row row(channels, next);
    const int64_t delays_ms = (std::min(channels, limits::attempts_max) - 1) * delay_ms;
    const auto client = row.gate.connect();
    client->say(row.gate.request(ask()));
    row.gate.loop.run_for_ms(delays_ms - 10);
    if (delays_ms > 0) CHECK(client->answer().status == 0);
    row.gate.loop.run_for_ms(20);
    CHECK(client->answer().status == 502);
  }
}

TEST_CASE("of an upstream's refusal so much is read, and given to the client") {
  Fixture f;
  const auto relayed = [&](size_t bytes) {
    const std::string said = "{" + std::string(bytes - 2, ' ') + "}";
    f.upstream->answer = [said](const auto&, auto& guest) {
      guest.say(json_answer(said, "400 Bad Request"));
    };
    const test::Answer answer = f.gate.ask(ask());
    CHECK(answer.status == 400);
    CHECK(answer.complete);
    return answer.body == said;
  };
  CHECK(relayed(limits::error_answer_bytes_max - 1));
  CHECK(relayed(limits::error_answer_bytes_max));
  CHECK_FALSE(relayed(limits::error_answer_bytes_max + 1));  // cut, and no JSON any more
}

TEST_CASE("an upstream's refusal that never ends is waited for until so much of it is there") {
  Fixture f;
  const auto status_at_once = [&](size_t bytes) {
    const std::string said =
        "HTTP/1.1 400 Bad Request\r\n" + kChunkedFields + chunk(std::string(bytes, ' '));
    f.upstream->answer = [said](const auto&, auto& guest) { guest.say(said); };
    return f.gate.ask(ask(), "", "/v1/chat/completions", 1000).status;
  };
  CHECK(status_at_once(limits::error_answer_bytes_max - 1) == 0);
  CHECK(status_at_once(limits::error_answer_bytes_max) == 400);
  CHECK(f.upstream->guests.back()->is_gone());  // what may still come is not read
}

TEST_CASE("a refusal that blames our key is known by what is read of it") {
  Fixture f;
  const auto status = [&](size_t bytes) {
    const std::string words = "invalid api key";
    const std::string said = std::string(bytes - words.size(), ' ') + words;
    f.upstream->answer = [said](const auto&, auto& guest) {
      guest.say(json_answer(said, "400 Bad Request"));
    };
    return f.gate.ask(ask()).status;
  };
  CHECK(status(limits::error_answer_bytes_max) == 502);
  CHECK(status(limits::error_answer_bytes_max + 1) == 400);
}

TEST_CASE("of a long plain answer all is passed on but its last part") {
  Fixture f;
  const std::string begun = R"({"choices":[{"index":0,"message":{"content":")";
  SimUpstream::Guest* talking = nullptr;
  const auto begin = [&](size_t bytes) {
    const std::string sent = begun + std::string(bytes - begun.size(), 'w');
    f.upstream->answer = [&talking, sent](const auto&, auto& guest) {
      talking = &guest;
      guest.say(kChunkedHead + chunk(sent));
    };
    auto client = f.gate.connect();
    client->say(f.gate.request(ask()));
    f.gate.loop.run_for_ms(100);
    return client;
  };
  // Held whole up to here, and nothing is said yet ...
  const auto whole = begin(limits::plain_answer_bytes_max);
  CHECK(whole->answer().status == 0);
  // ... and from one byte more on, all of it goes out but the last so many.
  talking->say(chunk("w"));
  f.gate.loop.run_for_ms(100);
  CHECK(whole->answer().status == 200);
  const size_t out = limits::plain_answer_bytes_max + 1 - limits::plain_answer_tail_bytes;
  CHECK(whole->answer().body.size() == out);
  talking->say(chunk("w"));
  f.gate.loop.run_for_ms(100);
  CHECK(whole->answer().body.size() == out + 1);
  CHECK_FALSE(whole->answer().complete);
  talking->say(chunk(R"("},"finish_reason":"stop"}]})") + test::kLastChunk);
  f.gate.loop.run_for_ms(100);
  CHECK(whole->answer().complete);
  CHECK(whole->answer().body.ends_with(R"("stop"}]})"));
}

TEST_CASE("a report of usage is found in a long plain answer while it lies in what is kept back") {
  Fixture f;
  const std::string text = R"({"choices":[{"index":0,"message":{"content":")" +
                           std::string(limits::plain_answer_bytes_max, 'w') +
                           R"("},"finish_reason":"stop"}],)";
  const std::string usage =
      R"("usage":{"prompt_tokens":9,"completion_tokens":300,"total_tokens":309})";
  // It may be cut anywhere by the arrival of the rest.
  for (const size_t cut :
       {size_t{0}, size_t{1}, usage.size() / 2, usage.size() - 1, usage.size()}) {
    const std::string begun = kChunkedHead + chunk(text + usage.substr(0, cut));
    SimUpstream::Guest* talking = nullptr;
    f.upstream->answer = [&](const auto&, auto& guest) {
      talking = &guest;
      guest.say(begun);
    };
    const auto client = f.gate.connect();
    client->say(f.gate.request(ask()));
    f.gate.loop.run_for_ms(100);
    CHECK(client->answer().status == 200);
    talking->say(chunk(usage.substr(cut) + "} ") + test::kLastChunk);
    f.gate.loop.run_for_ms(100);
    CHECK(client->answer().complete);
    const auto& record = f.gate.records.all.back();
    CHECK(record.usage.source == ledger::UsageSource::reported);
    CHECK(record.cost == Money::nanos(9 * 2500 + 300 * 10'000));
  }
}
