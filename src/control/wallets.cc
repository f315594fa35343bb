#include "base/calendar.h"
#include "base/limits.h"
#include "control/operations.h"

namespace mg::control {
namespace {

constexpr int64_t kHistoryDefault = 50;
constexpr int64_t kHistoryMax = 10'000;

std::string_view describe(const ledger::Record& record) {
  if (const auto* moved = std::get_if<ledger::Transferred>(&record))
    return ledger::name(moved->kind);
  if (std::holds_alternative<ledger::HoldPosted>(record)) return "request";
  return "other";
}

Json item_json(const ledger::Entry& entry, Money change) {
  Json json = {{"seq", entry.seq},
               {"time", format_time_ms(entry.time_ms)},
               {"kind", describe(entry.record)},
               {"change", to_text(change)}};
  if (const auto* moved = std::get_if<ledger::Transferred>(&entry.record)) {
    if (!moved->memo.empty()) json["memo"] = moved->memo;
    if (!moved->actor.empty()) json["actor"] = moved->actor;
  }
  if (const auto* posted = std::get_if<ledger::HoldPosted>(&entry.record)) {
    json["request"] = posted->request.text(kRequestPrefix);
    json["model"] = posted->settlement.model;
  }
  return json;
}

}  // namespace

Result<ledger::AccountName> Operations::wallet_of(const Id& tenant) const {
  const auto entry = find_tenant(tenant);
  if (!entry) return fail(Errc::not_found, "there is no tenant " + directory::tenant_text(tenant));
  switch (entry->tenant.kind) {
    case directory::TenantKind::platform:
      return fail(Errc::invalid, "the platform has no wallet: it is the one who sells");
    case directory::TenantKind::employee:
      return fail(Errc::invalid, "an employee spends the wallet of the company " +
                                     directory::tenant_text(entry->payer));
    case directory::TenantKind::agent:
    case directory::TenantKind::company:
      break;
  }
  return ledger::AccountName::wallet_of(entry->tenant.parent, tenant);
}

event::Task<Result<Json>> Operations::wallet_json(Id tenant) {
  MG_CO_TRY(const ledger::AccountName name, wallet_of(tenant));
  Result<ledger::Account> account = co_await r_.books.account(name);
  if (!account && account.error().code != Errc::not_found)
    co_return tl::unexpected(account.error());
  const ledger::Account wallet =
      account ? *account : ledger::Account();  // nothing was ever paid in
  co_return Json{{"tenant", directory::tenant_text(tenant)},
                 {"currency", ledger::Account::currency},
                 {"balance", to_text(wallet.posted)},
                 {"held", to_text(wallet.held)},
                 {"available", to_text(wallet.available())}};
}

event::Task<Result<Json>> Operations::wallet_credit(Args args) {
  const Id tenant = args.tenant("tenant");
  ledger::TransferRequest request;
  request.amount = args.money("amount");
  request.memo = args.label_or_none("memo", limits::memo_bytes_max);
  request.id = args.label_or_none("id", limits::transfer_id_bytes_max);
  request.actor = "operator";
  MG_CO_CHECK(args.ok());
  MG_CO_TRY(request.credit, wallet_of(tenant));
  request.debit = ledger::AccountName::funding_from(request.credit.seller, "operator");
  Result<ledger::TransferOutcome> outcome =
      co_await r_.writing->client.transfer(std::move(request));
  if (!outcome) co_return tl::unexpected(outcome.error());
  if (const auto* no = std::get_if<ledger::TransferRefusal>(&*outcome))
    co_return fail(Errc::conflict,
                   "the id was used for another transfer (record " + std::to_string(no->seq) + ")");
  const auto& receipt = std::get<ledger::TransferReceipt>(*outcome);
  MG_CO_TRY(Json json, co_await wallet_json(tenant));
  json["credited"] = to_text(receipt.amount);
  json["seq"] = receipt.seq;
  json["repeated"] = receipt.repeated;
  co_return json;
}

event::Task<Result<Json>> Operations::wallet_show(Args args) {
  const Id tenant = args.tenant("tenant");
  MG_CO_CHECK(args.ok());
  Result<Json> json = co_await wallet_json(tenant);
  co_return json;
}

event::Task<Result<Json>> Operations::wallet_history(Args args) {
  const Id tenant = args.tenant("tenant");
  const int64_t count = std::min(args.count_or("count", kHistoryDefault), kHistoryMax);
  const int64_t before = args.count_or("before", 0);
  MG_CO_CHECK(args.ok());
  MG_CO_TRY(const ledger::AccountName name, wallet_of(tenant));
  struct Page {
    Json items = Json::array();
    Result<ledger::Seq> next = ledger::Seq{0};
  };
  Books& books = r_.books;
  const auto read_page = [&books, name, before, count] {
    Page read;
    read.next =
        books.journal().history(name, static_cast<ledger::Seq>(before), static_cast<size_t>(count),
                                [&](const ledger::Entry& entry, Money change) {
                                  read.items.push_back(item_json(entry, change));
                                });
    return read;
  };
  co_await books.caught_up();
  Page page = co_await event::offloaded(r_.loop, read_page);
  if (!page.next && page.next.error().code != Errc::not_found)
    co_return tl::unexpected(page.next.error());
  co_return Json{{"tenant", directory::tenant_text(tenant)},
                 {"items", std::move(page.items)},
                 {"next", page.next.value_or(0)}};
}

}  // namespace mg::control
