#include "lab/comparison.h"

#include <algorithm>
#include <unordered_map>

#include "base/assert.h"
#include "base/limits.h"

namespace mg::lab {
namespace {

using Kind = Difference::Kind;

// What the ledger has of one told request, by the end of its journal.
struct Entry {
  Booked booked;
  bool is_there = false;
  bool is_charged_twice = false;
};

class Comparing {
 public:
  explicit Comparing(std::span<const Told> told) : told_(told), entries_(told.size()) {
    order_.reserve(told.size());
    for (uint32_t i = 0; i < told.size(); ++i)
      if (!told[i].request.is_nil()) order_.push_back(i);
    std::sort(order_.begin(), order_.end(),
              [&](uint32_t a, uint32_t b) { return told_[a].request < told_[b].request; });
  }

  void take(const Booked& booked) {
    const auto found =
        std::lower_bound(order_.begin(), order_.end(), booked.request,
                         [&](uint32_t i, const Id& request) { return told_[i].request < request; });
    const bool is_told = found != order_.end() && told_[*found].request == booked.request;
    if (!is_told && !unknown_.contains(booked.request)) {
      // The beginning of somebody's request is remembered; the end of what began before this run,
      // or is somebody else's, is not.
      if (booked.state == Booked::State::voided) return;
      too_many_ = too_many_ || unknown_.size() >= size_t{limits::load_requests_max};
      if (too_many_) return;
    }
    Entry& entry = is_told ? entries_[*found] : unknown_[booked.request];
    if (booked.state == Booked::State::charged)
      entry.is_charged_twice |= entry.is_there && entry.booked.state == Booked::State::charged;
    entry.booked = booked;
    entry.is_there = true;
  }

  Result<Comparison> judge() {
    if (too_many_)
      return fail(Errc::too_large, "the ledger has too many requests nobody asked for");
    out_.requests = static_cast<int64_t>(told_.size());
    int64_t nameless = 0;
    for (size_t i = 0; i < told_.size(); ++i) {
      nameless += told_[i].retries + (told_[i].request.is_nil() ? 1 : 0);
      MG_CHECK(judge(told_[i], entries_[i]));
    }
    MG_CHECK(judge_unknown(nameless));
    return std::move(out_);
  }

 private:
  void differ(Kind kind, const Told& told, const Booked& booked) {
    ++out_.differing;
    if (kind == Kind::not_booked) ++out_.told_not_booked;
    if (kind == Kind::not_told || kind == Kind::unknown) ++out_.booked_not_told;
    if (kind == Kind::left_open) ++out_.open_holds;
    if (out_.differences.size() == limits::load_differences_listed_max) return;
    const Id& request = told.request.is_nil() ? booked.request : told.request;
    out_.differences.push_back({kind, request, told, booked});
  }

  static Result<> add(Money& sum, Money amount) {
    MG_TRY(sum, sum.plus(amount));
    return {};
  }

  Result<> judge(const Told& told, const Entry& entry) {
    const Booked& booked = entry.booked;
    const bool is_charged = entry.is_there && booked.state == Booked::State::charged;
    if (told.is_cost_unreadable) differ(Kind::unreadable, told, booked);
    if (entry.is_charged_twice) differ(Kind::charged_twice, told, booked);
    if (entry.is_there && booked.state == Booked::State::open) {
      differ(Kind::left_open, told, booked);
      return {};
    }
    if (told.has_cost()) {
      MG_CHECK(add(out_.told_sum, told.cost()));
      if (is_charged) MG_CHECK(add(out_.booked_sum, booked.charge));
      judge_told(told, entry);
      return {};
    }
    const bool is_good = told.status >= 200 && told.status < 300;
    if (!is_charged) {
      // A good head comes with a hold: it must have left a trace.
      const bool is_lost =
          is_good && !told.request.is_nil() && (!entry.is_there || told.heard == Heard::complete);
      if (is_lost) differ(Kind::not_booked, told, booked);
      if (!is_lost) ++out_.not_charged;
      return {};
    }
    MG_CHECK(add(out_.explained_sum, booked.charge));
    if (told.heard == Heard::refused && !booked.charge.is_zero()) {
      differ(Kind::refusal_charged, told, booked);
    } else if (told.heard == Heard::complete && !told.may_lack_cost && !told.is_cost_unreadable) {
      differ(Kind::not_told, told, booked);
    } else {
      ++out_.explained;
    }
    return {};
  }

  void judge_told(const Told& told, const Entry& entry) {
    const Booked& booked = entry.booked;
    if (!entry.is_there) return differ(Kind::not_booked, told, booked);
    // A hold that was voided has charged nothing, and its charge is zero.
    if (told.cost() != booked.charge) return differ(Kind::cost, told, booked);
    const bool counts_differ = told.has_tokens() && booked.has_tokens &&
                               (told.prompt_tokens != booked.input_tokens ||
                                told.completion_tokens != booked.output_tokens);
    if (counts_differ) return differ(Kind::tokens, told, booked);
    ++out_.matched;
  }

  // Clients that left before they were told a name explain as many requests that nobody knows.
  Result<> judge_unknown(int64_t nameless) {
    std::vector<const Entry*> charged;
    for (const auto& [request, entry] : unknown_) {
      if (entry.is_charged_twice) differ(Kind::charged_twice, {}, entry.booked);
      if (entry.booked.state == Booked::State::open) differ(Kind::left_open, {}, entry.booked);
      if (entry.booked.state == Booked::State::charged) charged.push_back(&entry);
    }
    std::sort(charged.begin(), charged.end(),
              [](const Entry* a, const Entry* b) { return a->booked.request < b->booked.request; });
    for (const Entry* entry : charged) {
      if (nameless-- > 0) {
        ++out_.explained;
        MG_CHECK(add(out_.explained_sum, entry->booked.charge));
      } else {
        differ(Kind::unknown, {}, entry->booked);
      }
    }
    return {};
  }

  std::span<const Told> told_;
  std::vector<uint32_t> order_;  // of told_, by request id
  std::vector<Entry> entries_;   // one for each told request
  std::unordered_map<Id, Entry> unknown_;
  bool too_many_ = false;
  Comparison out_;
};

}  // namespace

std::string_view name(Difference::Kind kind) {
  switch (kind) {
    case Kind::cost:
      return "cost";
    case Kind::tokens:
      return "tokens";
    case Kind::unreadable:
      return "unreadable";
    case Kind::not_told:
      return "not_told";
    case Kind::not_booked:
      return "not_booked";
    case Kind::charged_twice:
      return "charged_twice";
    case Kind::refusal_charged:
      return "refusal_charged";
    case Kind::left_open:
      return "left_open";
    case Kind::unknown:
      return "unknown";
  }
  MG_ASSERT(!"kind out of range");
}

Result<Comparison> compare(std::span<const Told> told, const BookedSource& source) {
  Comparing comparing(told);
  MG_CHECK(source([&](const Booked& booked) { comparing.take(booked); }));
  return comparing.judge();
}

}  // namespace mg::lab
