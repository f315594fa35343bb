// Policies in a world that a test controls: a clock that stands still, limits of its own, facts
// with something in every field, and ears for what scripts say.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/policies.h"
#include "limit/buckets.h"
#include "script/watchdog.h"

// ThreadSanitizer delivers a signal only when the thread next calls into the C library, so under
// it scripts are stopped by counting their instructions.
#if defined(__SANITIZE_THREAD__)
#define MG_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MG_UNDER_TSAN 1
#endif
#endif

namespace mg::api::test {

class TestClock final : public Clock {
 public:
  int64_t monotonic_ns() override { return now_ns_; }
  int64_t wall_ms() override { return now_ns_ / kNsPerMs; }
  void advance_s(double seconds) { now_ns_ += static_cast<int64_t>(seconds * 1e9); }

 private:
  int64_t now_ns_ = 1'000 * kNsPerS;
};

class Ears final : public Reports {
 public:
  void failed(std::string_view module, Phase phase, std::string_view what) override {
    failures.push_back(std::string(module) + " " + std::string(name(phase)) + ": " +
                       std::string(what));
    if (on_failure) on_failure();
  }
  void said(std::string_view module, LogLevel, std::string_view text) override {
    lines.push_back(std::string(module) + ": " + std::string(text));
  }
  std::vector<std::string> failures;
  std::vector<std::string> lines;
  std::function<void()> on_failure;
};

struct World {
  TestClock clock;
  limit::Buckets buckets{clock, 4096};
  Ears ears;
  script::WatchSlot* slot = nullptr;

  std::vector<std::string> path{"platform", "ten_agent", "ten_company"};
  std::vector<std::string> tags{"prod", "team-a"};
  std::vector<PricePoint> price{{"input", *Rate::picos(2'500'000)},
                                {"cached_input", *Rate::picos(1'250'000)},
                                {"output", *Rate::picos(10'000'000)}};
  RequestFacts request;
  std::vector<CandidateFacts> candidates;
  std::vector<PriceLine> lines;
  AttemptFacts attempt;
  FailureFacts failure;
  ProgressFacts progress;
  std::vector<UsagePoint> usage{{"input", 120}, {"output", 340}};
  RecordFacts record;

  World() {
    request.id = "req_01";
    request.seed = 42;
    request.time_ms = 1'800'000'000'123;
    request.ip = *IpAddress::parse("192.0.2.7");
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.protocol = "openai_chat";
    request.operation = "chat";
    request.model = "gpt-4o";
    request.requested_model = request.model;
    request.bytes = 900;
    request.input_tokens_estimate = 120;
    request.max_output_tokens = 500;
    request.key.id = "key_01";
    request.key.name = "laptop";
    request.key.tags = tags;
    request.tenant.id = "ten_company";
    request.tenant.kind = "company";
    request.tenant.name = "Company";
    request.tenant.path = path;
    request.tenant.available = Money::nanos(5'000'000'001);
    for (const char* channel : {"a", "b", "c"}) {
      CandidateFacts candidate;
      candidate.channel = channel;
      candidate.provider = "openai";
      candidate.protocol = "openai_chat";
      candidate.region = "us";
      candidate.upstream_model = "gpt-4o-2024-11-20";
      candidate.price = price;
      candidates.push_back(candidate);
    }
    for (const PricePoint& point : price) {
      PriceLine line;
      line.model = "gpt-4o";
      line.meter = point.meter;
      line.rate = point.rate;
      lines.push_back(line);
    }
    attempt.channel = "a";
    attempt.provider = "openai";
    attempt.upstream_model = "gpt-4o-2024-11-20";
    attempt.candidates_left = 2;
    record.status = 200;
    record.channel = "a";
    record.provider = "openai";
    record.upstream_model = "gpt-4o-2024-11-20";
    record.usage = usage;
    record.usage_source = "upstream";
    record.tokens = 460;
    record.cost = Money::nanos(3'700'000);
    record.latency_ms = 800;
    record.attempts = 1;
  }

  std::unique_ptr<Policies> open(const script::SourceTree& tree) {
    const script::BuildResult built = build_policies(tree, 1);
    INFO(built.text());
    REQUIRE(built.bundle);
    auto policies = Policies::open(built.bundle, {clock, buckets, ears, slot});
    REQUIRE(policies);
    return std::move(*policies);
  }

  // One module, named in the chain of every phase it has.
  std::unique_ptr<Policies> module(const std::string& text, const std::string& conf = "{}") {
    std::string chain = "return { ";
    for (const std::string_view phase : kPhaseNames)
      if (text.find(std::string(phase) + " = function") != std::string::npos)
        chain += std::string(phase) + " = { { 'm', conf = " + conf + " } }, ";
    return open(tree({{"policies/m.lua", text}}, chain + "}"));
  }

  // A module whose hook of one phase is this function's body, with conf and the phase's arguments.
  std::unique_ptr<Policies> hook(Phase phase, const std::string& body) {
    const char* arguments[] = {"conf, req",           "conf, req, candidates",
                               "conf, req, lines",    "conf, req, attempt, failure",
                               "conf, req, progress", "conf, req, record"};
    return module("return { " + std::string(name(phase)) + " = function(" +
                  arguments[static_cast<size_t>(phase)] + ") " + body + "\nend }");
  }

  static script::SourceTree tree(std::vector<script::File> scripts, const std::string& chain) {
    scripts.push_back({"policies/chain.lua", chain});
    return {std::move(scripts), {}};
  }

  // The scripts folder of this repository, with some files replaced.
  static script::SourceTree shipped(const std::vector<script::File>& replaced = {}) {
    auto tree = script::read_source_tree(std::string(MOONGATE_SOURCE_DIR) + "/scripts", "");
    REQUIRE(tree);
    for (const script::File& file : replaced) {
      bool found = false;
      for (script::File& one : tree->scripts)
        if (one.path == file.path) {
          one.bytes = file.bytes;
          found = true;
        }
      REQUIRE(found);
    }
    return std::move(*tree);
  }

  // The chain as shipped but for one phase.
  std::unique_ptr<Policies> with_chain(const std::string& chain) {
    return open(shipped({{"policies/chain.lua", chain}}));
  }
};

}  // namespace mg::api::test
