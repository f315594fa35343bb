// What the ledger and the decision records tell: usage, the story of a request, settlements.
#include <algorithm>
#include <map>

#include "base/calendar.h"
#include "base/clock.h"
#include "control/operations.h"
#include "gateway/recorder.h"

namespace mg::control {
namespace {

struct UsageRow {
  uint64_t requests = 0;
  std::map<std::string, int64_t> units;  // by meter
  Money charge;
  Money cost;
  uint64_t counted = 0;  // settled by our own count
};

// What a settlement is counted under, for `usage --by`.
std::string group_of(std::string_view by, const ledger::Entry& entry,
                     const ledger::HoldPosted& posted) {
  if (by == "tenant") return directory::tenant_text(posted.tenant);
  if (by == "key") return posted.key.text(kKeyPrefix);
  if (by == "channel") return std::string(posted.settlement.channel);
  if (by == "hour") return format_time_ms(entry.time_ms).substr(0, 13) + ":00Z";
  return std::string(posted.settlement.model);
}

void count(UsageRow& row, const ledger::HoldPosted& posted) {
  ++row.requests;
  for (const ledger::PriceLine& line : posted.settlement.lines)
    if (line.wallet == 0) row.units[line.meter.str()] += line.units;
  if (!posted.wallets.empty()) row.charge += posted.wallets[0].paid;
  row.cost += posted.settlement.cost;
  if (posted.settlement.source == ledger::UsageSource::counted) ++row.counted;
}

Json row_json(const std::string& name, const UsageRow& row) {
  Json units = Json::object();
  for (const auto& [meter, n] : row.units) units[meter] = n;
  return {{"name", name},
          {"requests", row.requests},
          {"units", std::move(units)},
          {"charge", to_text(row.charge)},
          {"cost", to_text(row.cost)},
          {"counted", row.counted}};
}

Json line_json(const ledger::PriceLine& line) {
  Json json = {{"meter", line.meter.str()},
               {"units", line.units},
               {"rate_per_million", to_text_per_million(line.rate)}};
  if (!line.multipliers_ppm.empty()) {
    json["multipliers_ppm"] = Json::array();
    for (int64_t ppm : line.multipliers_ppm) json["multipliers_ppm"].push_back(ppm);
  }
  json["charge"] = to_text(line.charge);
  if (line.wallet > 0) json["wholesale"] = true;
  return json;
}

std::string account_text(ledger::JournalReader& journal, ledger::AccountNumber number) {
  const Result<ledger::AccountName> account = journal.account_name(number);
  if (!account) return "account " + std::to_string(number);
  std::string text(ledger::name(account->kind));
  if (!account->owner.empty()) text += " " + account->owner.str();
  return text;
}

Json settlement_json(const ledger::Entry& entry, const ledger::HoldPosted& posted) {
  const ledger::Settlement& terms = posted.settlement;
  Json lines = Json::array();
  for (const ledger::PriceLine& line : terms.lines) lines.push_back(line_json(line));
  return {{"seq", entry.seq},
          {"time", format_time_ms(entry.time_ms)},
          {"request", posted.request.text(kRequestPrefix)},
          {"charge", posted.wallets.empty() ? "" : to_text(posted.wallets[0].price)},
          {"paid", posted.wallets.empty() ? "" : to_text(posted.wallets[0].paid)},
          {"cost", to_text(terms.cost)},
          {"source", ledger::name(terms.source)},
          {"outcome", ledger::name(terms.outcome)},
          {"lines", std::move(lines)}};
}

// The records of one request in the journal, in the words of `explain`.
Json journal_json(ledger::JournalReader journal, const Id& request) {
  Json out = Json::array();
  const Result<bool> found = journal.each_of_request(request, [&](const ledger::Entry& entry) {
    Json json = {{"seq", entry.seq}, {"time", format_time_ms(entry.time_ms)}};
    if (const auto* hold = std::get_if<ledger::HoldOpened>(&entry.record)) {
      json["kind"] = "hold";
      for (const ledger::WalletShare& share : hold->wallets)
        json["holds"].push_back(
            {{"account", account_text(journal, share.account)}, {"amount", to_text(share.amount)}});
    } else if (const auto* more = std::get_if<ledger::HoldExtended>(&entry.record)) {
      json["kind"] = "extend";
      for (const ledger::WalletShare& share : more->wallets)
        json["holds"].push_back(
            {{"account", account_text(journal, share.account)}, {"amount", to_text(share.amount)}});
    } else if (const auto* mark = std::get_if<ledger::HoldMarked>(&entry.record)) {
      json["kind"] = "mark";
      json["metered"] = mark->mark.metered.empty() ? "" : to_text(mark->mark.metered[0]);
    } else if (const auto* posted = std::get_if<ledger::HoldPosted>(&entry.record)) {
      json = settlement_json(entry, *posted);
      json["kind"] = "post";
      for (const ledger::Leg& leg : posted->legs)
        json["postings"].push_back({{"debit", account_text(journal, leg.debit)},
                                    {"credit", account_text(journal, leg.credit)},
                                    {"amount", to_text(leg.amount)}});
    } else if (const auto* voided = std::get_if<ledger::HoldVoided>(&entry.record)) {
      json["kind"] = "void";
      json["reason"] = ledger::name(voided->reason);
    }
    out.push_back(std::move(json));
    return true;
  });
  if (!found) out.push_back({{"error", found.error().what}});
  return out;
}

}  // namespace

event::Task<Result<Json>> Operations::usage(Args args) {
  const std::string by = args.text_or("by", "model");
  const int64_t since = args.since_ms("since", now_ms(), now_ms() - kMsPerDay);
  MG_CO_CHECK(args.ok());
  static constexpr std::string_view kKnown[] = {"model", "tenant", "key", "channel", "hour"};
  if (std::find(std::begin(kKnown), std::end(kKnown), by) == std::end(kKnown))
    co_return fail(Errc::invalid, "--by must be model, tenant, key, channel or hour");
  struct Table {
    std::map<std::string, UsageRow> rows;
    UsageRow all;
    std::optional<Error> error;
  };
  Books& books = r_.books;
  const auto read_table = [&books, since, by] {
    Table read;
    ledger::JournalReader journal = books.journal();
    const Result<ledger::Seq> from = journal.first_at(since);
    const Result<ledger::Seq> done =
        from ? journal.each(
                   *from,
                   [&](const ledger::Entry& entry) {
                     if (const auto* posted = std::get_if<ledger::HoldPosted>(&entry.record)) {
                       count(read.rows[group_of(by, entry, *posted)], *posted);
                       count(read.all, *posted);
                     }
                     return true;
                   })
             : from;
    if (!done) read.error = done.error();
    return read;
  };
  co_await books.caught_up();
  const Table table = co_await event::offloaded(r_.loop, read_table);
  if (table.error) co_return tl::unexpected(*table.error);
  Json rows = Json::array();
  for (const auto& [name, row] : table.rows) rows.push_back(row_json(name, row));
  co_return Json{{"since", format_time_ms(since)},
                 {"by", by},
                 {"rows", std::move(rows)},
                 {"total", row_json("all", table.all)}};
}

event::Task<Result<Json>> Operations::explain(Args args) {
  const Id request = args.request("id");
  MG_CO_CHECK(args.ok());
  struct Story {
    Result<std::string> decision = fail(Errc::not_found, "");
    Json journal;
  };
  Books& books = r_.books;
  const std::string records = r_.records;
  const auto read_story = [&books, records, request] {
    Story read;
    read.decision = gateway::find_record(records, request);
    read.journal = journal_json(books.journal(), request);
    return read;
  };
  co_await books.caught_up();
  Story story = co_await event::offloaded(r_.loop, read_story);
  Json json = {{"id", request.text(kRequestPrefix)}};
  if (story.decision) {
    MG_CO_TRY(json["decision"], parse_json(*story.decision));
  } else if (story.journal.empty()) {
    co_return tl::unexpected(story.decision.error());
  }
  json["journal"] = std::move(story.journal);
  co_return json;
}

event::Task<Result<Json>> Operations::ledger_backup(Args args) {
  const std::string directory = args.text("directory");
  MG_CO_CHECK(args.ok());
  Books& books = r_.books;
  const auto copy = [&books, directory] { return books.backup(directory); };
  const Result<> done = co_await event::offloaded(r_.loop, copy);
  if (!done) co_return tl::unexpected(done.error());
  co_return Json{{"directory", directory}};
}

}  // namespace mg::control
