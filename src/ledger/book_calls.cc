// Transfers, floors, records of others, and questions.
#include "ledger/book.h"
#include "ledger/rows.h"
#include "ledger/rules.h"
#include "store/codec.h"
#include "store/txn.h"

namespace mg::ledger {
namespace {

// What a reversal of a transfer claims, so that there is one: no caller's id begins so.
std::string reversal_id(Seq reversed) {
  std::string id(1, '\0');
  return id + "reversal " + std::to_string(reversed);
}

TransferOutcome refused(TransferRefusal::Reason reason, Seq seq = 0) {
  return TransferRefusal{reason, Money(), seq};
}

}  // namespace

Result<Seq> Book::seq_of_transfer(std::string_view id) {
  if (const auto recent = recent_transfers_.find(std::string(id));
      recent != recent_transfers_.end())
    return recent->second.seq;
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
  MG_TRY(const auto row, txn.get(env_.table(name(StoreTable::transfers)), id));
  if (!row) return Seq{0};
  return read_transfer(*row);
}

Result<std::optional<Book::PastTransfer>> Book::transfer_at(Seq seq) {
  for (const auto& [id, recent] : recent_transfers_)
    if (recent.seq == seq) return std::optional<PastTransfer>(recent.transfer);
  MG_TRY(const store::ReadTxn txn, store::ReadTxn::begin(env_));
  MG_TRY(const auto bytes, txn.get(env_.table(name(StoreTable::journal)), store::NumberKey(seq)));
  if (!bytes) return std::optional<PastTransfer>();
  EntryScratch scratch;
  MG_TRY(const Entry entry, decode(seq, *bytes, scratch));
  const auto* transferred = std::get_if<Transferred>(&entry.record);
  if (!transferred) return std::optional<PastTransfer>();
  const AccountState* debit = state_.find(transferred->leg.debit);
  const AccountState* credit = state_.find(transferred->leg.credit);
  if (!debit || !credit)
    return fail(Errc::invalid, "record " + std::to_string(seq) + " names an unknown account");
  return std::optional<PastTransfer>(PastTransfer{transferred->kind, debit->account.name,
                                                  credit->account.name, transferred->leg.amount});
}

// The first receipt, or the refusal, of a transfer whose id was used before.
Result<std::optional<TransferOutcome>> Book::repeated(const TransferRequest& request) {
  if (request.id.empty()) return std::optional<TransferOutcome>();
  MG_TRY(const Seq seq, seq_of_transfer(request.id));
  if (seq == 0) return std::optional<TransferOutcome>();
  MG_TRY(const std::optional<PastTransfer> past, transfer_at(seq));
  if (!past) return fail(Errc::invalid, "the id of a transfer names record " + std::to_string(seq));
  const bool same = past->kind == request.kind && past->debit == request.debit &&
                    past->credit == request.credit && past->amount == request.amount;
  if (!same) return std::optional<TransferOutcome>(refused(TransferRefusal::Reason::id_used, seq));
  return std::optional<TransferOutcome>(TransferReceipt{seq, past->amount, true});
}

Result<std::optional<TransferRefusal>> Book::judge_reversal(const TransferRequest& request) {
  using Reason = TransferRefusal::Reason;
  MG_TRY(const std::optional<PastTransfer> past, transfer_at(request.reverses));
  const bool reversible = past && past->kind != TransferKind::reversal &&
                          past->debit == request.credit && past->credit == request.debit &&
                          past->amount >= request.amount;
  if (!reversible)
    return std::optional<TransferRefusal>(TransferRefusal{Reason::not_reversible, Money(), 0});
  MG_TRY(const Seq before, seq_of_transfer(reversal_id(request.reverses)));
  if (before != 0)
    return std::optional<TransferRefusal>(TransferRefusal{Reason::reversed, Money(), before});
  return std::optional<TransferRefusal>();
}

Result<TransferOutcome> Book::transfer(const TransferRequest& request) {
  MG_TRY(std::optional<TransferOutcome> before, repeated(request));
  if (before) return std::move(*before);
  if (request.kind == TransferKind::reversal) {
    MG_TRY(const std::optional<TransferRefusal> no, judge_reversal(request));
    if (no) return TransferOutcome(*no);
  }
  const Account no_debit{request.debit, {}, {}, {}, {}, {}};
  const Account no_credit{request.credit, {}, {}, {}, {}, {}};
  const AccountState* from = state_.find(request.debit);
  const AccountState* to = state_.find(request.credit);
  const Account& debit_account = from ? from->account : no_debit;
  const Account& credit_account = to ? to->account : no_credit;
  if (const Money lacks = missing(debit_account, request.amount); !lacks.is_zero())
    return TransferOutcome(TransferRefusal{TransferRefusal::Reason::wallet_short, lacks, 0});
  if (!has_room(debit_account, credit_account, request.amount))
    return fail(Errc::too_large, "an account would hold more than it may");

  AccountState& debit = account_of(request.debit);
  AccountState& credit = account_of(request.credit);
  Transferred transferred;
  transferred.kind = request.kind;
  transferred.leg = {debit.number, credit.number, request.amount, debit.last_entry,
                     credit.last_entry};
  transferred.reverses = request.reverses;
  transferred.id = request.id;
  transferred.actor = request.actor;
  transferred.memo = request.memo;
  const Seq seq = record(transferred);
  state_.move(seq, debit, credit, request.amount);
  const PastTransfer past{request.kind, request.debit, request.credit, request.amount};
  if (!request.id.empty()) {
    put_transfer(batch_, request.id, seq);
    recent_transfers_[request.id] = {seq, past};
  }
  if (request.reverses != 0) {
    const std::string id = reversal_id(request.reverses);
    put_transfer(batch_, id, seq);
    recent_transfers_[id] = {seq, past};
  }
  return TransferOutcome(TransferReceipt{seq, request.amount, false});
}

Result<Book::FloorAnswer> Book::set_floor(const AccountName& wallet, Money floor) {
  const AccountState* known = state_.find(wallet);
  Account after = known ? known->account : Account{wallet, {}, {}, {}, {}, {}};
  after.floor = floor;
  if (const Money lacks = missing(after, Money()); !lacks.is_zero())
    return fail(Errc::refused, "the wallet would be " + to_text(lacks) + " below that floor");
  AccountState& account = account_of(wallet);
  const FloorSet set{account.number, floor};
  const Seq seq = record(set);
  state_.set_floor(seq, account, floor);
  return FloorAnswer{account.account, seq};
}

Result<Seq> Book::change(const std::vector<RecordChange>& changes) {
  if (buffer_.bytes() > options_.backlog_bytes_max)
    return fail(Errc::overloaded, "too many records wait for the disk");
  for (const RecordChange& change : changes) {
    const std::string key = record_key(change.table, change.key);
    if (change.value) {
      const Seq seq = record(RecordPut{change.table, change.key, *change.value});
      put_record(batch_, key, seq, *change.value);
    } else {
      record(RecordErased{change.table, change.key});
      batch_.erase_row(StoreTable::records, key);
    }
  }
  return last_;
}

Result<HoldCell*> Book::adopt(const Id& request) {
  HoldCell* cell = state_.open_holds().find(request);
  if (!cell || cell->request.kind != HoldKind::task)
    return fail(Errc::not_found, "no open task hold has this request id");
  if (cell->open.is_attached) return fail(Errc::conflict, "somebody has this hold in hand");
  cell->open.is_attached = true;
  return cell;
}

}  // namespace mg::ledger
