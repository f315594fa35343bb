#include "gateway/token_estimate.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <ctime>
#include <map>

#include "base/rng.h"
#include "counted_texts.h"
#include "gateway/token_profile.h"
#include "recorded.h"
#include "support/corpus.h"

using namespace mg;
using gateway::TokenCounter;
using gateway::Tokenizer;

namespace {

constexpr int kMeaningful = 25;  // tokens: below, one word more or less is 10 % already

int64_t count(std::string_view text, Tokenizer tokenizer = Tokenizer::o200k) {
  TokenCounter counter(tokenizer);
  counter.add(text);
  return counter.tokens();
}

double percent_off(int64_t estimate, int64_t actual) {
  return 100.0 * static_cast<double>(estimate - actual) / static_cast<double>(actual);
}

size_t han_characters(std::string_view text) {
  size_t found = 0;
  for (size_t i = 0; i + 2 < text.size(); ++i)
    found += static_cast<uint8_t>(text[i]) >= 0xE4 && static_cast<uint8_t>(text[i]) <= 0xE9;
  return found;
}

// Prints a table by group and holds each meaningful text to ten per cent, their sum to eight.
class Table {
 public:
  explicit Table(const char* title) {
    std::printf("\n%s\n%-8s %7s %8s %7s  %s\n", title, "group", "actual", "estimate", "error",
                "text");
  }

  void add(const std::string& group, const std::string& name, int64_t actual, int64_t estimate) {
    // The frame of a tool call is the vendor's secret and half of such an answer: it is shown, and
    // held to nothing but the sum.
    const bool judged = actual >= kMeaningful;
    std::printf("%-8s %7lld %8lld %+6.1f%%  %s%s\n", group.c_str(), static_cast<long long>(actual),
                static_cast<long long>(estimate), percent_off(estimate, actual), name.c_str(),
                judged ? "" : " (too short to judge)");
    if (!judged) return;
    INFO(name);
    if (group != "calls") CHECK(std::abs(percent_off(estimate, actual)) <= 10.0);
    Sum& sum = sums_[group];
    ++sum.texts;
    sum.actual += actual;
    sum.estimate += estimate;
    sum.worst = std::max(sum.worst, std::abs(percent_off(estimate, actual)));
  }

  void finish(std::initializer_list<const char*> groups) {
    for (const char* group : groups) {
      const Sum& sum = sums_[group];
      INFO(group);
      REQUIRE(sum.texts > 0);
      std::printf("%-8s %7lld %8lld %+6.1f%%  all %d texts, the worst %.1f%%\n", group,
                  static_cast<long long>(sum.actual), static_cast<long long>(sum.estimate),
                  percent_off(sum.estimate, sum.actual), sum.texts, sum.worst);
      CHECK(std::abs(percent_off(sum.estimate, sum.actual)) <= 8.0);
    }
  }

 private:
  struct Sum {
    int texts = 0;
    int64_t actual = 0;
    int64_t estimate = 0;
    double worst = 0;
  };
  std::map<std::string, Sum> sums_;
};

// Answers whose figure is not a count of the texts that were recorded.
const std::map<std::string, const char*> kNotComparable = {
    {"anthropic/messages/duplicate-message-start-stream", "the source kept two words of the text"},
    {"anthropic/messages/redacted-thinking-stream", "counts thinking that is not shown"},
    {"anthropic/messages/citations-stream", "counts citations"},
    {"anthropic/messages/web-search-stream", "counts citations"},
    {"dashscope/generation/stream-cumulative", "each event repeats the text so far"},
    {"gemini/generate/two-finish-reasons-stream", "counts code that it ran, which is no text"},
    {"openai/chat/audio-output", "counts audio"},
    {"openrouter/chat/comment-keepalive-stream", "another model's answer under this model's name"},
    {"translation/multimodal:openai_responses:followup",
     "42 tokens more than the vendor's own tokenizer gives for the text"},
    {"translation/parallel-tool-calls:openai_responses",
     "reasoning is reported in steps of 64 tokens: 55 more than the vendor's tokenizer gives"},
};

const std::map<std::string, const char*> kCode = {
    {"openai/completions/text-stream-usage", "Python"},
    {"anthropic/messages/stop-sequence-stream", "Python"},
    {"openai/chat/legacy-function-call", "JSON"},
    {"openai/chat/tool-args-truncated", "JSON"},
};

}  // namespace

TEST_CASE("recorded answers are estimated within ten per cent of the provider's figure") {
  CORPUS_OR_SKIP(root);
  Table table("Answers with the provider's own figure");
  for (const test::Recording& r : test::recordings(root)) {
    const test::RecordedAnswer& a = r.answer;
    const int64_t actual = a.output - a.hidden_reasoning;
    if (actual <= 0 || (a.texts.empty() && a.calls.empty())) continue;
    if (kNotComparable.contains(r.name) || r.fidelity.find("ABRIDGED") != std::string::npos) {
      const auto why = kNotComparable.find(r.name);
      std::printf("left out %s: %s\n", r.name.c_str(),
                  why == kNotComparable.end() ? "abridged" : why->second);
      continue;
    }
    const gateway::TokenProfile profile = gateway::token_profile(r.vendor, r.model);
    std::string all = a.reasoning;
    int64_t estimate = gateway::answer_overhead(profile, static_cast<int64_t>(a.calls.size())) +
                       count(a.reasoning, profile.tokenizer);
    for (const std::string& text : a.texts) {
      estimate += count(text, profile.tokenizer);
      all += text;
    }
    for (const test::ToolCall& call : a.calls)
      estimate += count(call.name, profile.tokenizer) + count(call.arguments, profile.tokenizer);
    if (all.empty() && a.calls.empty()) continue;
    const char* group = kCode.contains(r.name)     ? "code"
                        : han_characters(all) > 10 ? "chinese"
                        : a.calls.empty()          ? "english"
                                                   : "calls";
    table.add(group, r.name + " (" + r.model + ")", actual, estimate);
  }
  table.finish({"english", "code"});
}

TEST_CASE("recorded texts are estimated within ten per cent of the vendor's own tokenizer") {
  CORPUS_OR_SKIP(root);
  Table table("Texts without a figure, counted by tokenizers (counted_texts.h)");
  const auto fixtures = root / "fixtures";
  for (const auto& row : gateway::counted::kRecorded) {
    const std::string name = row.name;
    const std::string part = row.part;
    std::string text;
    if (part != "tools") {
      for (const Json& e : test::events_of(test::read_file(fixtures / (name + ".response.sse")))) {
        const Json flat = e.flatten();
        for (const auto& [path, value] : flat.items())
          if (path.ends_with("/" + part) && value.is_string()) text += value.get<std::string>();
      }
    } else if (name.starts_with("translation/")) {
      text = Json::parse(test::read_file(
          fixtures / (name + ".json")))["dialects"][row.dialect]["request"]["tools"]
                 .dump();
    } else {
      text = Json::parse(test::read_file(fixtures / (name + ".request.json")))["tools"].dump();
    }
    table.add(part == "tools" ? "code" : "chinese", name + " " + row.dialect, row.tokens,
              count(text, row.tokenizer));
  }
  // One event a token: the recording itself tells how many the model made.
  const std::string stream = "bytedance/chat/tool-calls-stream";
  std::string text;
  int64_t events = 0;
  for (const Json& e : test::events_of(test::read_file(fixtures / (stream + ".response.sse")))) {
    const std::string delta = e["choices"][0]["delta"].value("reasoning_content", std::string());
    events += !delta.empty();
    text += delta;
  }
  table.add("chinese", stream + " (one event a token)", events,
            count(text, gateway::token_profile("bytedance", "doubao").tokenizer));
  table.finish({"chinese", "code"});
}

TEST_CASE("the count does not depend on where the text is cut") {
  SeededRng rng(17);
  std::vector<std::string> texts = {
      "Hello, wörld! 你好，世界。 def f(x):\n\treturn x*2  # 😀👩‍👩‍👧 3.14159 "
      "__init__ "
      "HTTPServer "
      "antidisestablishmentarianismistically Привет שלום",
      "broken \xE4\xBD then \xF0\x9F\x98 and \xC3 and \x80\x80 \xFF\xFE end\xE4",
  };
  for (int i = 0; i < 40; ++i) {
    std::string bytes(200, '\0');
    rng.fill(std::as_writable_bytes(std::span(bytes)));
    if (i % 2)
      std::transform(bytes.begin(), bytes.end(), bytes.begin(),
                     [](char c) { return static_cast<char>(c & 0x7F); });
    texts.push_back(bytes);
  }
  for (const std::string& text : texts) {
    for (int t = 0; t < gateway::kTokenizers; ++t) {
      const auto tokenizer = static_cast<Tokenizer>(t);
      const int64_t whole = count(text, tokenizer);
      TokenCounter bytewise(tokenizer);
      for (const char c : text) bytewise.add(std::string_view(&c, 1));
      CHECK(bytewise.tokens() == whole);
      TokenCounter pieces(tokenizer);
      for (size_t at = 0; at < text.size();) {
        const size_t size = rng.draw() % 9;
        pieces.add(std::string_view(text).substr(at, size));
        at += size;
      }
      CHECK(pieces.tokens() == whole);
    }
  }
}

TEST_CASE("the count never falls while text arrives") {
  SeededRng rng(23);
  std::string text =
      "The photographer's internationalization of 人工智能 systems, 1234567 ---- ====";
  for (int i = 0; i < 4000; ++i) {
    const uint64_t r = rng.draw();
    text += r % 7 == 0   ? "é"
            : r % 7 == 1 ? "的"
                         : std::string(1, static_cast<char>(32 + r / 7 % 95));
  }
  for (int t = 0; t < gateway::kTokenizers; ++t) {
    TokenCounter counter(static_cast<Tokenizer>(t));
    int64_t before = 0;
    for (const char c : text) {
      counter.add(std::string_view(&c, 1));
      REQUIRE(counter.tokens() >= before);
      before = counter.tokens();
    }
  }
}

TEST_CASE("what is not UTF-8 is counted as replacement characters") {
  CHECK(count("") == 0);
  CHECK(count("\xC3") == 0);  // the rest may still come
  CHECK(count("\xC3\xA9t\xC3\xA9") == count("été"));
  for (const char* bad : {"a\xFFz", "a\x80z", "a\xE4\xBDz", "a\xF0\x9F\x98z", "a\xC1z"})
    CHECK(count(bad) == count("a\uFFFDz"));
  CHECK(count(std::string(3, '\0')) >= 1);
}

TEST_CASE("runs of any length are counted, and end nowhere") {
  for (int t = 0; t < gateway::kTokenizers; ++t) {
    const auto tokenizer = static_cast<Tokenizer>(t);
    for (const char* unit : {"qjxk", "1234", "    ", "=-=-", "é", "的是", "Жщ", "😀", "\n\n"}) {
      std::string text;
      for (int i = 0; i < 1000; ++i) text += unit;
      INFO(unit);
      CHECK(count(text, tokenizer) >= 4);
      CHECK(count(text, tokenizer) <= static_cast<int64_t>(text.size()) * 3 / 2);
    }
    // A word too long to be known is charged while it runs.
    CHECK(count(std::string(1000, 'q'), tokenizer) > 50);
  }
}

TEST_CASE("the time is linear in the text") {
  const std::string sentence = "The quick brown fox, 42 of them, jumps over 懒狗 and `code()`.\n";
  std::string megabytes;
  while (megabytes.size() < 10'000'000) megabytes += sentence;
  const auto seconds_for = [&](size_t size) {
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
      const std::clock_t begin = std::clock();
      TokenCounter counter(Tokenizer::claude);
      counter.add(std::string_view(megabytes).substr(0, size));
      REQUIRE(counter.tokens() > 0);
      best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    return best;
  };
  const double small = seconds_for(1'000'000);
  const double large = seconds_for(10'000'000);
  std::printf("\ncounting 10 MB takes %.1f ns a byte\n", large * 1e9 / 1e7);
  CHECK(large < small * 30);
  const auto lines = static_cast<int64_t>(megabytes.size() / sentence.size());
  CHECK(count(megabytes) == Approx(static_cast<double>(lines * count(sentence))).epsilon(0.05));
}
