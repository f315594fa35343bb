#include "gateway/catalogue.h"

#include <simdjson.h>

#include <algorithm>

#include "base/assert.h"
#include "base/label.h"
#include "base/limits.h"
#include "base/text.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

// Rates as the file gives them; what is missing is filled in by `complete`.
using GivenRates = std::array<std::optional<Rate>, kMeterCount>;

struct NamedMode {
  std::string_view name;
  Mode mode;
};
constexpr NamedMode kModes[] = {{"chat", Mode::chat},        {"embedding", Mode::embedding},
                                {"audio", Mode::other},      {"image", Mode::other},
                                {"video", Mode::other},      {"rerank", Mode::other},
                                {"moderation", Mode::other}, {"ocr", Mode::other}};

bool is_meter(std::string_view member) {
  return std::any_of(kMeters.begin(), kMeters.end(),
                     [member](Meter meter) { return name(meter) == member; });
}

// What may stand beside the meters in a table of prices. A member that nobody reads is a price that
// nobody is charged, so every other name is a mistake.
enum class Beside : uint8_t { nothing, currency, threshold };

bool may_stand(Beside beside, std::string_view member) {
  switch (beside) {
    case Beside::nothing:
      return false;
    case Beside::currency:  // units that are not tokens are facts for people: nothing is charged
      return member == "currency" || member.starts_with("per_");
    case Beside::threshold:
      return member == "above_input_tokens";
  }
  return false;
}

// Members of a model that change what it costs or may do. One of these misspelt would be silently
// without effect; any other name is the operator's own note.
constexpr const char* kTelling[] = {"price",   "native_price",   "tiers",     "service_modes",
                                    "aliases", "context_window", "max_output"};

// Reads models one by one and gathers what is wrong with them.
class Reader {
 public:
  void read(dom::object document, std::vector<Model>& models) {
    dom::object rates;
    const auto error = document["rates"].get(rates);
    if (error == simdjson::SUCCESS) {
      read_rates(rates);
    } else if (error != simdjson::NO_SUCH_FIELD) {
      problem("", "\"rates\" must be an object");
    }
    dom::array list;
    if (document["models"].get(list) != simdjson::SUCCESS) {
      problem("", "\"models\" must be a list");
      return;
    }
    for (dom::element entry : list) read_model(entry, models);
  }

  const std::string& problems() const { return problems_; }
  void problem(std::string_view model, std::string_view what) {
    if (!problems_.empty()) problems_ += '\n';
    problems_.append("models.json: ");
    if (!model.empty()) problems_.append(model).append(": ");
    problems_.append(what);
  }

 private:
  // USD for one unit of another currency, as parts per million.
  void read_rates(dom::object rates) {
    for (const auto& [currency, value] : rates) {
      std::string_view text;
      const Result<Rate> rate = value.get(text) == simdjson::SUCCESS
                                    ? parse_rate_per_million(text)
                                    : fail(Errc::invalid, "must be a decimal string");
      if (!rate) {
        problem("rates." + std::string(currency), rate.error().what);
      } else if (rate->picos() == 0) {
        problem("rates." + std::string(currency), "must be above 0");
      } else {
        usd_per_unit_ppm_[std::string(currency)] = rate->picos();
      }
    }
  }

  void read_model(dom::element entry, std::vector<Model>& models) {
    dom::object object;
    Model model;
    if (entry.get(object) != simdjson::SUCCESS || !text(object, "id", model.id) ||
        !text(object, "provider", model.provider)) {
      problem("entry " + std::to_string(models.size() + 1), "needs \"id\" and \"provider\"");
      return;
    }
    if (model.id.empty() || model.id.size() > limits::model_name_bytes_max)
      problem(model.id.substr(0, 64),
              "id must have 1 to " + std::to_string(limits::model_name_bytes_max) + " bytes");
    if (!text(object, "name", model.name)) model.name = model.id;
    check_names(object, model);
    read_aliases(object, model);
    read_mode(object, model);
    model.context_window = count(object, model.id, "context_window");
    model.max_output = count(object, model.id, "max_output");
    read_prices(object, model);
    models.push_back(std::move(model));
  }

  void check_names(dom::object object, const Model& model) {
    std::vector<std::string_view> seen;
    for (const auto& [member, value] : object) {
      const std::string_view key = member;
      const std::string quoted = "\"" + std::string(key) + "\"";
      if (std::find(seen.begin(), seen.end(), key) != seen.end())
        problem(model.id, "has " + quoted + " twice");
      seen.push_back(key);
      const auto meant =
          std::find_if(std::begin(kTelling), std::end(kTelling),
                       [key](std::string_view name) { return is_nearly(key, name); });
      if (meant != std::end(kTelling) && key != *meant)
        problem(model.id, "unknown member " + quoted + ": is \"" + *meant + "\" meant?");
      if (is_meter(key) || key == "currency")
        problem(model.id, std::string(key) + " has no effect here: it belongs into " +
                              (key == "currency" ? "native_price" : "price"));
    }
  }

  void read_aliases(dom::object object, Model& model) {
    dom::array aliases;
    if (object["aliases"].get(aliases) != simdjson::SUCCESS) return;
    for (dom::element alias : aliases) {
      std::string_view name;
      if (alias.get(name) == simdjson::SUCCESS) {
        model.aliases.emplace_back(name);
      } else {
        problem(model.id, "aliases must be strings");
      }
    }
  }

  void read_mode(dom::object object, Model& model) {
    dom::element value;
    if (object["mode"].get(value) != simdjson::SUCCESS) return;
    std::string_view given;
    std::string known;
    const bool is_text = value.get(given) == simdjson::SUCCESS;
    for (const NamedMode& mode : kModes) {
      if (is_text && mode.name == given) {
        model.mode = mode.mode;
        return;
      }
      known.append(known.empty() ? "" : ", ").append(mode.name);
    }
    problem(model.id, "mode must be one of " + known);
  }

  void read_prices(dom::object object, Model& model) {
    dom::object price, native;
    const bool has_price = member(object, model, "price", price);
    const bool has_native = member(object, model, "native_price", native);
    if (has_native) check_members(native, model, "native_price", Beside::currency);
    if (has_price) {
      check_members(price, model, "price", Beside::nothing);
    } else if (!has_native) {
      return;
    }
    const bool is_known = has_price || read_currency(native, model);
    read_token_prices(object, has_price ? price : native, has_price ? "price" : "native_price",
                      model);
    // Not callable until the rate is set; what else is wrong with it was said before that.
    if (is_known) return;
    model.tiers.clear();
    model.service_modes.clear();
  }

  // Whether there is a rate for the currency of a native price.
  bool read_currency(dom::object native, Model& model) {
    if (!text(native, "currency", model.currency)) {
      problem(model.id, "native_price needs a currency");
      return false;
    }
    const auto rate = usd_per_unit_ppm_.find(model.currency);
    if (rate == usd_per_unit_ppm_.end()) return false;
    model.usd_per_unit_ppm = rate->second;
    return true;
  }

  void read_token_prices(dom::object object, dom::object price, const std::string& where,
                         Model& model) {
    // An embedding has no output. Models of the other modes have prices per image, second and the
    // like beside those of tokens, or instead: they are not callable unless both are given, as a
    // chat with one of them would have free output.
    const bool has_output = has(price, "output") || model.mode == Mode::embedding;
    if (model.mode == Mode::chat || !has(object, "mode")) {
      if (!has(price, "input")) problem(model.id, where + " needs input");
      if (!has_output) problem(model.id, where + " needs output; free is an explicit \"0\"");
    }
    const GivenRates base = given_rates(price, model);
    if (!base[static_cast<size_t>(Meter::input)] || !has_output) return;
    model.tiers = {complete(0, base, nullptr)};
    read_tiers(object, model);
    dom::object modes;
    if (!member(object, model, "service_modes", modes)) return;
    for (const auto& [mode, rates] : modes) {
      const std::string at = "service_modes." + std::string(mode);
      dom::object mode_price;
      if (rates.get(mode_price) != simdjson::SUCCESS) {
        problem(model.id, at + " must be an object");
        continue;
      }
      check_members(mode_price, model, at, Beside::nothing);
      model.service_modes[std::string(mode)] = {
          complete(0, given_rates(mode_price, model), &model.tiers.front())};
    }
  }

  void read_tiers(dom::object object, Model& model) {
    dom::array tiers;
    const auto error = object["tiers"].get(tiers);
    if (error == simdjson::NO_SUCH_FIELD) return;
    if (error != simdjson::SUCCESS) return problem(model.id, "tiers must be a list");
    for (dom::element entry : tiers) {
      dom::object tier;
      int64_t above = 0;
      if (entry.get(tier) != simdjson::SUCCESS ||
          tier["above_input_tokens"].get(above) != simdjson::SUCCESS || above <= 0) {
        problem(model.id, "a tier needs above_input_tokens, a positive number");
        continue;
      }
      check_members(tier, model, "a tier", Beside::threshold);
      const bool is_there =
          std::any_of(model.tiers.begin(), model.tiers.end(),
                      [above](const PriceTier& at) { return at.above_input_tokens == above; });
      if (is_there) problem(model.id, "two tiers have above_input_tokens " + std::to_string(above));
      model.tiers.push_back(complete(above, given_rates(tier, model), &model.tiers.front()));
    }
    std::sort(model.tiers.begin(), model.tiers.end(), [](const PriceTier& a, const PriceTier& b) {
      return a.above_input_tokens < b.above_input_tokens;
    });
  }

  // Says which members of a table of prices nobody would read.
  void check_members(dom::object prices, const Model& model, const std::string& where,
                     Beside beside) {
    std::vector<std::string_view> seen;
    for (const auto& [member, value] : prices) {
      const std::string_view key = member;
      if (!is_meter(key) && !may_stand(beside, key))
        problem(model.id, where + " has an unknown member \"" + std::string(key) + "\"" +
                              (key == "currency" ? ": it belongs into native_price" : ""));
      if (std::find(seen.begin(), seen.end(), key) != seen.end())
        problem(model.id, where + " has \"" + std::string(key) + "\" twice");
      seen.push_back(key);
    }
  }

  GivenRates given_rates(dom::object price, const Model& model) {
    GivenRates given;
    for (Meter meter : kMeters) {
      dom::element value;
      if (price[name(meter)].get(value) != simdjson::SUCCESS) continue;
      std::string_view text;
      Result<Rate> rate = value.get(text) == simdjson::SUCCESS
                              ? parse_rate_per_million(text)
                              : fail(Errc::invalid, "must be a decimal string");
      if (rate && model.usd_per_unit_ppm != kPpmOne)
        rate = converted(*rate, model.usd_per_unit_ppm);
      if (!rate) {
        problem(model.id, std::string(name(meter)) + ": " + rate.error().what);
      } else {
        given[static_cast<size_t>(meter)] = *rate;
      }
    }
    return given;
  }

  // A missing meter costs what its parent costs; in a tier or a mode never less than at the base.
  static PriceTier complete(int64_t above, const GivenRates& given, const PriceTier* base) {
    PriceTier tier;
    tier.above_input_tokens = above;
    for (Meter meter : kMeters) {  // parents stand before their children
      const auto at = static_cast<size_t>(meter);
      tier.own[at] = given[at].has_value() || (base && base->own[at]);
      if (given[at]) {
        tier.rates[at] = *given[at];
        continue;
      }
      const Rate from_parent = tier.rate(parent(meter));
      tier.rates[at] = base ? std::max(from_parent, base->rates[at]) : from_parent;
    }
    return tier;
  }

  static bool has(dom::object object, const char* field) {
    return object[field].error() == simdjson::SUCCESS;
  }

  // False where there is none, and where it is no object, which is a problem.
  bool member(dom::object object, const Model& model, const char* field, dom::object& out) {
    const auto error = object[field].get(out);
    if (error != simdjson::SUCCESS && error != simdjson::NO_SUCH_FIELD)
      problem(model.id, std::string(field) + " must be an object");
    return error == simdjson::SUCCESS;
  }

  static bool text(dom::object object, const char* field, std::string& out) {
    std::string_view value;
    if (object[field].get(value) != simdjson::SUCCESS) return false;
    out = value;
    return true;
  }

  int64_t count(dom::object object, std::string_view model, const char* field) {
    dom::element value;
    if (object[field].get(value) != simdjson::SUCCESS) return 0;
    int64_t number = 0;
    if (value.get(number) == simdjson::SUCCESS && number > 0 && number <= limits::usage_tokens_max)
      return number;
    problem(model, std::string(field) + " must be a positive whole number");
    return 0;
  }

  std::map<std::string, int64_t> usd_per_unit_ppm_;
  std::string problems_;
};

}  // namespace

const PriceTiers* Model::mode_tiers(std::string_view service_mode) const {
  const auto found = service_modes.find(service_mode);
  return found == service_modes.end() ? nullptr : &found->second;
}

const PriceTier& tier_for(const PriceTiers& tiers, int64_t input_tokens) {
  MG_ASSERT(!tiers.empty());
  const PriceTier* chosen = &tiers.front();
  for (const PriceTier& tier : tiers)
    if (input_tokens > tier.above_input_tokens) chosen = &tier;
  return *chosen;
}

Result<std::shared_ptr<const Catalogue>> Catalogue::parse(std::string_view models_json,
                                                          std::string_view aliases_json) {
  auto catalogue = std::make_shared<Catalogue>();
  dom::parser parser;
  dom::object document;
  Reader reader;
  if (const auto error = parser.parse(models_json.data(), models_json.size()).get(document))
    return fail(Errc::invalid, std::string("models.json: ") + simdjson::error_message(error));
  reader.read(document, catalogue->models_);
  const auto add_name = [&](std::string_view name, size_t at) {
    if (!is_label(name, limits::model_name_bytes_max))
      reader.problem(name, "a name must have from 1 to " +
                               std::to_string(limits::model_name_bytes_max) +
                               " bytes and no control characters");
    if (!catalogue->by_name_.emplace(name, at).second)
      reader.problem(name, "the name is used twice");
  };
  for (size_t at = 0; at < catalogue->models_.size(); ++at) {
    add_name(catalogue->models_[at].id, at);
    for (const std::string& alias : catalogue->models_[at].aliases) add_name(alias, at);
  }
  dom::object aliases;
  dom::parser alias_parser;
  if (const auto error = alias_parser.parse(aliases_json.data(), aliases_json.size()).get(aliases))
    return fail(Errc::invalid, std::string("aliases.json: ") + simdjson::error_message(error));
  for (const auto& [alias, target] : aliases) {
    std::string_view id;
    const Model* model = target.get(id) == simdjson::SUCCESS ? catalogue->find(id) : nullptr;
    if (!model) {
      reader.problem(alias, "the alias (aliases.json) names no model of the catalogue");
    } else {
      const auto at = static_cast<size_t>(model - catalogue->models_.data());
      add_name(alias, at);
      catalogue->models_[at].aliases.emplace_back(alias);
    }
  }
  if (!reader.problems().empty()) return fail(Errc::invalid, reader.problems());
  return std::shared_ptr<const Catalogue>(std::move(catalogue));
}

const Model* Catalogue::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &models_[found->second];
}

}  // namespace mg::gateway
