#include <cstdio>

#include "cli/cli.h"

namespace mg::cli {
namespace {

// How an attempt ended.
std::string told_of(const Json& attempt) {
  if (attempt.contains("failure")) {
    std::string out = shown(attempt, "failure") + ": " + shown(attempt, "what");
    if (attempt.contains("then")) out += ", then " + shown(attempt, "then");
    return out;
  }
  const int status = attempt.value("status", 0);
  if (status == 0) return "the client left before it answered";
  return status < 300 ? "answered" : "refused the request with " + std::to_string(status);
}

void print_decision(const Json& decision) {
  std::printf("%s  %s  %s%s\n", shown(decision, "time").c_str(), shown(decision, "model").c_str(),
              shown(decision, "operation").c_str(),
              decision.value("stream", false) ? ", streamed" : "");
  std::printf("tenant %s  key %s  from %s  generation %s\n", shown(decision, "tenant").c_str(),
              shown(decision, "key").c_str(), shown(decision, "ip").c_str(),
              shown(decision, "generation").c_str());
  std::printf("status %s  %s", shown(decision, "status").c_str(),
              shown(decision, "outcome").c_str());
  if (decision.contains("code"))
    std::printf("  %s: %s", shown(decision, "code").c_str(), shown(decision, "message").c_str());
  if (decision.contains("module")) std::printf("  (policy %s)", shown(decision, "module").c_str());
  if (decision.contains("tags")) std::printf("\ntags %s", shown(decision, "tags").c_str());
  std::printf("\n\nConsidered\n");
  std::vector<std::vector<std::string>> rows;
  for (const Json& candidate : decision["candidates"])
    rows.push_back({"  " + shown(candidate, "channel"), shown(candidate, "upstream_model"),
                    "priority " + shown(candidate, "priority"),
                    "at most " + shown(candidate, "ceiling"), shown(candidate, "verdict")});
  print_table(rows);
  std::printf("\nTried\n");
  rows.clear();
  for (const Json& attempt : decision["attempts"]) {
    rows.push_back({"  " + shown(attempt, "channel"),
                    "after " + shown(attempt, "started_ms") + " ms",
                    "took " + shown(attempt, "took_ms") + " ms", told_of(attempt)});
  }
  print_table(rows);
  if (decision.value("usage_implausible", false))
    std::printf(
        "The provider reported more than this request can have used: our own count was charged.\n");
  if (decision.contains("damaged_events"))
    std::printf("Events of the provider's stream that were no JSON: %s\n",
                shown(decision, "damaged_events").c_str());
}

void print_journal(const Json& journal) {
  std::printf("\nMoney\n");
  for (const Json& entry : journal) {
    std::printf("  #%s %s\n", shown(entry, "seq").c_str(), shown(entry, "kind").c_str());
    std::vector<std::vector<std::string>> rows;
    if (entry.contains("holds"))
      for (const Json& hold : entry["holds"])
        rows.push_back({"      " + shown(hold, "account"), shown(hold, "amount")});
    if (entry.contains("lines"))
      for (const Json& line : entry["lines"])
        rows.push_back(
            {"      " + shown(line, "meter"), shown(line, "units"),
             "x " + shown(line, "rate_per_million") + "/M",
             line.contains("multipliers_ppm") ? "x " + shown(line, "multipliers_ppm") + " ppm" : "",
             "= " + shown(line, "charge")});
    if (entry.contains("postings"))
      for (const Json& leg : entry["postings"])
        rows.push_back(
            {"      " + shown(leg, "debit"), "->", shown(leg, "credit"), shown(leg, "amount")});
    if (entry.contains("reason")) rows.push_back({"      " + shown(entry, "reason")});
    print_table(rows);
  }
}

void print_story(const Json& story) {
  std::printf("%s\n", shown(story, "id").c_str());
  if (story.contains("decision")) print_decision(story["decision"]);
  print_journal(story["journal"]);
}

}  // namespace

void add_explain(Cli& cli) {
  const auto id = std::make_shared<std::string>();
  CLI::App* explain = cli.command(nullptr, "explain", "Tell the story of one request", [&cli, id] {
    return run_operation(cli, "explain", {{"id", *id}}, print_story);
  });
  explain->add_option("REQUEST_ID", *id, "From the header x-request-id")->required();
}

}  // namespace mg::cli
