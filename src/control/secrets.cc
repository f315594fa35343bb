#include "base/calendar.h"
#include "base/label.h"
#include "control/operations.h"

namespace mg::control {
namespace {

constexpr size_t kSecretNameBytesMax = 100;
constexpr size_t kSecretBytesMax = 16 * 1024;

bool is_secret_name(std::string_view name) {
  return !name.empty() && name.size() <= kSecretNameBytesMax &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
             std::string_view::npos;
}

Json to_json(const directory::SealedSecret& secret) {
  return {{"name", secret.name},
          {"master_key", secret.master_key_id},
          {"set", format_time_ms(secret.created_ms)}};
}

}  // namespace

event::Task<Result<Json>> Operations::secret_set(Args args) {
  std::string name = args.text("name");
  const std::string value = args.text("value");
  MG_CO_CHECK(args.ok());
  if (!is_secret_name(name))
    co_return fail(Errc::invalid, "a secret's name has letters, digits and _ - . only");
  // It will stand in a header field.
  if (!is_label(value, kSecretBytesMax))
    co_return fail(Errc::invalid,
                   "a secret is one line of at most 16 KiB without control characters");
  MG_CO_TRY(const directory::SealedSecret sealed,
            r_.vault.seal(std::move(name), value, now_ms(), r_.rng));
  MG_CO_CHECK(co_await r_.writing->editor.put(sealed));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  co_return to_json(sealed);
}

event::Task<Result<Json>> Operations::secret_list(Args args) {
  MG_CO_CHECK(args.ok());
  Json list = Json::array();
  for (const auto& [name, secret] : directory()->secrets()) list.push_back(to_json(secret));
  co_return list;
}

// Every secret is opened and sealed anew, in one commit; the old key is of no use afterwards.
event::Task<Result<Json>> Operations::secret_rotate_master(Args args) {
  const std::string new_key = args.text("value");
  MG_CO_CHECK(args.ok());
  std::vector<std::pair<std::string, std::string>> plain;
  for (const auto& [name, secret] : directory()->secrets()) {
    MG_CO_TRY(std::string value, r_.vault.unseal(secret));
    plain.emplace_back(name, std::move(value));
  }
  MG_CO_CHECK(r_.vault.use_new_key(new_key));
  std::vector<directory::SealedSecret> sealed;
  for (auto& [name, value] : plain) {
    MG_CO_TRY(directory::SealedSecret again, r_.vault.seal(name, value, now_ms(), r_.rng));
    sealed.push_back(std::move(again));
  }
  const size_t count = sealed.size();
  if (count > 0) MG_CO_CHECK(co_await r_.writing->editor.put_all(std::move(sealed)));
  MG_CO_CHECK(co_await r_.site.publish_directory());
  co_return Json{{"secrets", count},
                 {"next", "put the new key into the configuration's master_key before a restart"}};
}

}  // namespace mg::control
