#include "gateway/catalogue.h"

#include <simdjson.h>

#include <algorithm>

#include "base/assert.h"
#include "base/label.h"
#include "base/limits.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

// Rates as the file gives them; what is missing is filled in by `complete`.
using GivenRates = std::array<std::optional<Rate>, kMeterCount>;

// Reads models one by one and gathers what is wrong with them.
class Reader {
 public:
  void read(dom::object document, std::vector<Model>& models) {
    dom::object rates;
    if (document["rates"].get(rates) == simdjson::SUCCESS) read_rates(rates);
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
    read_aliases(object, model);
    std::string mode;
    text(object, "mode", mode);
    model.mode = mode == "chat" ? Mode::chat : mode == "embedding" ? Mode::embedding : Mode::other;
    model.context_window = count(object, model.id, "context_window");
    model.max_output = count(object, model.id, "max_output");
    read_prices(object, model);
    models.push_back(std::move(model));
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

  void read_prices(dom::object object, Model& model) {
    dom::object price;
    if (object["price"].get(price) != simdjson::SUCCESS) {
      if (object["native_price"].get(price) != simdjson::SUCCESS) return;
      if (!text(price, "currency", model.currency)) {
        problem(model.id, "native_price needs a currency");
        return;
      }
      const auto rate = usd_per_unit_ppm_.find(model.currency);
      if (rate == usd_per_unit_ppm_.end()) return;  // not callable until the rate is set
      model.usd_per_unit_ppm = rate->second;
    }
    GivenRates base = given_rates(price, model);
    if (!base[static_cast<size_t>(Meter::input)]) return;  // priced per image, second, ...
    model.tiers = {complete(0, base, nullptr)};
    read_tiers(object, model);
    dom::object modes;
    if (object["service_modes"].get(modes) != simdjson::SUCCESS) return;
    for (const auto& [mode, rates] : modes) {
      dom::object mode_price;
      if (rates.get(mode_price) != simdjson::SUCCESS) continue;
      model.service_modes[std::string(mode)] = {
          complete(0, given_rates(mode_price, model), &model.tiers.front())};
    }
  }

  void read_tiers(dom::object object, Model& model) {
    dom::array tiers;
    if (object["tiers"].get(tiers) != simdjson::SUCCESS) return;
    for (dom::element entry : tiers) {
      dom::object tier;
      int64_t above = 0;
      if (entry.get(tier) != simdjson::SUCCESS ||
          tier["above_input_tokens"].get(above) != simdjson::SUCCESS || above <= 0) {
        problem(model.id, "a tier needs above_input_tokens, a positive number");
        continue;
      }
      model.tiers.push_back(complete(above, given_rates(tier, model), &model.tiers.front()));
    }
    std::sort(model.tiers.begin(), model.tiers.end(), [](const PriceTier& a, const PriceTier& b) {
      return a.above_input_tokens < b.above_input_tokens;
    });
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
