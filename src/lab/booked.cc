#include "lab/booked.h"

#include <algorithm>

#include "gateway/meter.h"
#include "ledger/reader.h"

namespace mg::lab {
namespace {

// A hold is recorded somewhat later than its request began.
constexpr int64_t kSlackMs = 60'000;

bool is_input(std::string_view meter) {
  return std::any_of(gateway::kMeters.begin(), gateway::kMeters.end(), [&](gateway::Meter known) {
    return gateway::is_input(known) && gateway::name(known) == meter;
  });
}

Booked charged(const ledger::HoldPosted& posted) {
  Booked booked;
  booked.request = posted.request;
  booked.state = Booked::State::charged;
  if (!posted.wallets.empty()) booked.charge = posted.wallets[0].paid;
  booked.has_tokens = posted.settlement.source == ledger::UsageSource::reported;
  for (const ledger::PriceLine& line : posted.settlement.lines) {
    if (line.wallet != 0) continue;
    (is_input(line.meter.view()) ? booked.input_tokens : booked.output_tokens) += line.units;
  }
  return booked;
}

}  // namespace

BookedSource journal_source(ledger::JournalReader& reader, int64_t from_ms, std::optional<Id> key) {
  return [&reader, from_ms, key](const BookedVisit& visit) -> Result<> {
    MG_TRY(const ledger::Seq first, reader.first_at(from_ms - kSlackMs));
    const auto is_ours = [&](const Id& request, const Id& of) {
      return request.wall_ms() >= from_ms && (!key || *key == of);
    };
    const auto read = [&](const ledger::Entry& entry) {
      Booked booked;
      if (const auto* opened = std::get_if<ledger::HoldOpened>(&entry.record)) {
        booked.request = opened->request;
        if (is_ours(opened->request, opened->key)) visit(booked);
      } else if (const auto* posted = std::get_if<ledger::HoldPosted>(&entry.record)) {
        if (is_ours(posted->request, posted->key)) visit(charged(*posted));
      } else if (const auto* voided = std::get_if<ledger::HoldVoided>(&entry.record)) {
        // It does not say whose it was; who did not open it does not know it either.
        booked.request = voided->request;
        booked.state = Booked::State::voided;
        visit(booked);
      }
      return true;
    };
    MG_TRY(const ledger::Seq next, reader.each(first, read));
    static_cast<void>(next);
    return {};
  };
}

}  // namespace mg::lab
