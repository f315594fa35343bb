#include "gateway/constraints.h"

#include <simdjson.h>

#include "base/limits.h"

namespace mg::gateway {
namespace {

namespace dom = simdjson::dom;

tl::unexpected<Error> wrong(std::string_view member, std::string_view what) {
  return fail(Errc::invalid,
              "x-moongate-constraints: " + std::string(member) + " must be " + std::string(what));
}

Result<std::vector<std::string>> read_names(std::string_view member, dom::element value) {
  dom::array list;
  std::vector<std::string> names;
  if (value.get(list) != simdjson::SUCCESS || list.size() > limits::candidates_max)
    return wrong(member, "a list of at most " + std::to_string(limits::candidates_max) + " names");
  for (dom::element item : list) {
    std::string_view name;
    if (item.get(name) != simdjson::SUCCESS) return wrong(member, "a list of names");
    names.emplace_back(name);
  }
  return names;
}

Result<Rate> read_rate(std::string_view member, dom::element value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return wrong(member, "a decimal string");
  auto rate = parse_rate_per_million(text);
  if (!rate) return wrong(member, "a decimal string: " + rate.error().what);
  return rate;
}

}  // namespace

Result<Constraints> Constraints::parse(std::string_view json) {
  Constraints out;
  dom::parser parser;
  dom::object object;
  const simdjson::padded_string padded(json);
  if (parser.parse(padded).get(object) != simdjson::SUCCESS)
    return fail(Errc::invalid, "x-moongate-constraints: not a JSON object");
  for (const auto& [member, value] : object) {
    if (member == "only") {
      MG_TRY(out.only_, read_names(member, value));
    } else if (member == "ignore") {
      MG_TRY(out.ignore_, read_names(member, value));
    } else if (member == "order") {
      MG_TRY(out.order_, read_names(member, value));
    } else if (member == "allow_fallbacks") {
      if (value.get(out.allow_fallbacks_) != simdjson::SUCCESS)
        return wrong(member, "true or false");
    } else if (member == "max_price") {
      dom::object prices;
      if (value.get(prices) != simdjson::SUCCESS) return wrong(member, "an object");
      for (const auto& [side, price] : prices) {
        if (side != "input" && side != "output")
          return wrong(member, "an object with input and output");
        MG_TRY(const Rate rate, read_rate(member, price));
        (side == "input" ? out.input_rate_max_ : out.output_rate_max_) = rate;
      }
    } else {
      return fail(Errc::invalid,
                  "x-moongate-constraints: there is no member " + std::string(member));
    }
  }
  return out;
}

api::ConstraintFacts Constraints::facts() const {
  api::ConstraintFacts facts;
  facts.only = only_;
  facts.ignore = ignore_;
  facts.order = order_;
  facts.input_rate_max = input_rate_max_;
  facts.output_rate_max = output_rate_max_;
  facts.allow_fallbacks = allow_fallbacks_;
  return facts;
}

}  // namespace mg::gateway
