#include "api/provider.h"

#include <algorithm>

#include "base/text.h"

namespace mg::api {
namespace {

// Reads the fields of one table, noting each it could not use.
class ProviderReader {
 public:
  ProviderReader(const script::Field& table, std::vector<script::Problem>& problems)
      : table_(table), problems_(problems) {}

  std::optional<Provider> read() {
    const size_t before = problems_.size();
    Provider provider;
    provider.name = table_.name;
    refuse_unknown(table_.value, {"protocol", "base_url", "auth", "auth_header", "env", "catalogue",
                                  "model_prefix", "quirks"});
    provider.protocol = text("protocol");
    if (provider.protocol.empty()) problem("protocol is required");
    provider.base_url = text("base_url");
    check_url(provider.base_url);
    read_auth(provider);
    provider.env = text("env");
    provider.catalogue = text("catalogue");
    provider.model_prefix = text("model_prefix");
    read_quirks(table_.value["quirks"], provider);
    if (problems_.size() > before) return std::nullopt;
    return provider;
  }

 private:
  void problem(std::string what) {
    problems_.push_back({"providers/" + table_.name + ".lua", 0, std::move(what)});
  }

  void refuse_unknown(const script::Value& value, std::initializer_list<std::string_view> known) {
    const script::Table* table = value.table();
    if (!table) return;
    if (!table->list.empty()) problem("the table has names, it is no list");
    for (const script::Field& field : table->fields)
      if (std::find(known.begin(), known.end(), field.name) == known.end())
        problem("unknown key '" + field.name + "'");
  }

  std::string text_of(const script::Value& value, const std::string& name) {
    if (value.is_nil()) return {};
    if (value.text()) return *value.text();
    problem(name + " must be text, not a " + std::string(value.type_name()));
    return {};
  }
  std::string text(const std::string& name) { return text_of(table_.value[name], name); }

  void check_url(const std::string& url) {
    if (url.empty()) return;
    if (!url.starts_with("https://") && !url.starts_with("http://"))
      problem("base_url must begin with https:// or http://");
    if (url.ends_with("/")) problem("base_url must not end with '/'");
  }

  void read_auth(Provider& provider) {
    const std::string auth = text("auth");
    provider.auth_header = text("auth_header");
    if (auth.empty() || auth == "bearer") {
      provider.auth = AuthStyle::bearer;
    } else if (auth == "header") {
      provider.auth = AuthStyle::header;
    } else if (auth == "none") {
      provider.auth = AuthStyle::none;
    } else {
      problem("auth must be bearer, header or none");
    }
    if ((provider.auth == AuthStyle::header) == provider.auth_header.empty())
      problem("auth_header names the header of auth = \"header\", and belongs to nothing else");
  }

  void read_quirks(const script::Value& quirks, Provider& provider) {
    if (quirks.is_nil()) return;
    if (!quirks.table()) return problem("quirks must be a table");
    refuse_unknown(quirks, {"takes_stream_usage", "usage_place", "usage_field"});
    if (const script::Value& takes = quirks["takes_stream_usage"]; takes.boolean()) {
      provider.takes_stream_usage = *takes.boolean();
    } else if (!takes.is_nil()) {
      problem("takes_stream_usage must be true or false");
    }
    const std::string place = text_of(quirks["usage_place"], "usage_place");
    if (place == "choice") {
      provider.usage_place = UsagePlace::choice;
    } else if (place == "vendor_field") {
      provider.usage_place = UsagePlace::vendor_field;
    } else if (!place.empty() && place != "top") {
      problem("usage_place must be top, choice or vendor_field");
    }
    provider.usage_field = text_of(quirks["usage_field"], "usage_field");
    if ((provider.usage_place == UsagePlace::vendor_field) == provider.usage_field.empty())
      problem("usage_field names the field of usage_place = \"vendor_field\"");
  }

  const script::Field& table_;
  std::vector<script::Problem>& problems_;
};

}  // namespace

std::optional<Provider> read_provider(const script::Field& table,
                                      std::vector<script::Problem>& problems) {
  return ProviderReader(table, problems).read();
}

std::optional<Provider> provider(const script::Bundle& bundle, std::string_view name) {
  const script::Value* table = bundle.table(name);
  if (!table) return std::nullopt;
  std::vector<script::Problem> none;
  return read_provider({std::string(name), *table}, none);
}

}  // namespace mg::api
