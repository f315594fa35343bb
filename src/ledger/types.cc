#include "ledger/types.h"

#include "ledger/wallet_view.h"

namespace mg::ledger {

std::string_view name(AccountKind kind) {
  switch (kind) {
    case AccountKind::wallet:
      return "wallet";
    case AccountKind::sales:
      return "sales";
    case AccountKind::cost:
      return "cost";
    case AccountKind::payable:
      return "payable";
    case AccountKind::funding:
      return "funding";
    case AccountKind::shortfall:
      return "shortfall";
  }
  return "unknown";
}

std::string_view name(UsageSource source) {
  switch (source) {
    case UsageSource::reported:
      return "reported";
    case UsageSource::counted:
      return "counted";
    case UsageSource::marked:
      return "marked";
  }
  return "unknown";
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::completed:
      return "completed";
    case Outcome::client_left:
      return "client_left";
    case Outcome::upstream_failed:
      return "upstream_failed";
    case Outcome::cut:
      return "cut";
    case Outcome::dropped:
      return "dropped";
    case Outcome::recovered:
      return "recovered";
  }
  return "unknown";
}

std::string_view name(VoidReason reason) {
  switch (reason) {
    case VoidReason::upstream_failed:
      return "upstream_failed";
    case VoidReason::refused:
      return "refused";
    case VoidReason::client_left:
      return "client_left";
    case VoidReason::no_candidate:
      return "no_candidate";
    case VoidReason::dropped:
      return "dropped";
    case VoidReason::recovered:
      return "recovered";
    case VoidReason::withdrawn:
      return "withdrawn";
  }
  return "unknown";
}

std::string_view name(TransferKind kind) {
  switch (kind) {
    case TransferKind::credit:
      return "credit";
    case TransferKind::adjustment:
      return "adjustment";
    case TransferKind::reversal:
      return "reversal";
  }
  return "unknown";
}

std::shared_ptr<WalletView> WalletViews::of(const AccountName& wallet) {
  std::string key(wallet.seller.bytes());
  key.push_back(static_cast<char>(wallet.kind));
  key.append(wallet.owner.view());
  std::lock_guard lock(mutex_);
  std::shared_ptr<WalletView>& view = views_[key];
  if (!view) view = std::make_shared<WalletView>();
  return view;
}

}  // namespace mg::ledger
