#include "gateway/catalogue.h"

#include <catch2/catch.hpp>
#include <cstdio>

#include "base/limits.h"
#include "support/corpus.h"

using namespace mg;
using namespace mg::gateway;

namespace {

Rate rate_of(const PriceTier& tier, Meter meter) { return tier.rates[static_cast<size_t>(meter)]; }

std::shared_ptr<const Catalogue> parse(const std::string& models, const std::string& more = "",
                                       const std::string& aliases = "{}") {
  auto parsed = Catalogue::parse("{" + more + "\"models\":[" + models + "]}", aliases);
  if (!parsed) FAIL(parsed.error().what);
  return *parsed;
}

std::string problems(const std::string& models, const std::string& more = "",
                     const std::string& aliases = "{}") {
  const auto parsed = Catalogue::parse("{" + more + "\"models\":[" + models + "]}", aliases);
  return parsed ? "" : parsed.error().what;
}

std::string shipped(const char* file) {
  return test::read_file(std::filesystem::path(MOONGATE_SOURCE_DIR) / "data" / file);
}

}  // namespace

TEST_CASE("a meter without a price costs what its parent costs") {
  const auto catalogue =
      parse(R"({"id":"m","provider":"p","mode":"chat","price":{"input":"2.5","output":"10"}})");
  const PriceTier& tier = catalogue->find("m")->tiers.front();
  CHECK(rate_of(tier, Meter::input).picos() == 2'500'000);
  CHECK(rate_of(tier, Meter::cached_input).picos() == 2'500'000);
  CHECK(rate_of(tier, Meter::cache_write_1h).picos() == 2'500'000);
  CHECK(rate_of(tier, Meter::reasoning).picos() == 10'000'000);
  CHECK(rate_of(tier, Meter::output_image).picos() == 10'000'000);
}

TEST_CASE("an explicit zero is free") {
  const auto catalogue = parse(
      R"({"id":"m","provider":"p","mode":"chat","price":{"input":"0","output":"0","reasoning":"1"}})");
  CHECK(catalogue->find("m")->is_priced());
  CHECK(rate_of(catalogue->find("m")->tiers.front(), Meter::cached_input).picos() == 0);
  CHECK(rate_of(catalogue->find("m")->tiers.front(), Meter::reasoning).picos() == 1'000'000);
}

TEST_CASE("the tier is chosen by the length of the input, at its very edge") {
  const auto catalogue = parse(
      R"({"id":"m","provider":"p","mode":"chat","price":{"input":"1","output":"2","input_audio":"9"},)"
      R"("tiers":[{"above_input_tokens":200,"input":"3","output":"4"},{"above_input_tokens":100,"input":"2","output":"3"}]})");
  const PriceTiers& tiers = catalogue->find("m")->tiers;
  REQUIRE(tiers.size() == 3);
  CHECK(rate_of(tier_for(tiers, 0), Meter::input).picos() == 1'000'000);
  CHECK(rate_of(tier_for(tiers, 100), Meter::input).picos() == 1'000'000);
  CHECK(rate_of(tier_for(tiers, 101), Meter::input).picos() == 2'000'000);
  CHECK(rate_of(tier_for(tiers, 200), Meter::input).picos() == 2'000'000);
  CHECK(rate_of(tier_for(tiers, 201), Meter::output).picos() == 4'000'000);
  // Never cheaper in a dearer tier than at the base.
  CHECK(rate_of(tier_for(tiers, 201), Meter::input_audio).picos() == 9'000'000);
}

TEST_CASE("native prices convert at the operator's rate, rounded up, or stay uncallable") {
  const std::string model =
      R"({"id":"m","provider":"p","mode":"chat","native_price":{"currency":"CNY","input":"0.8","output":"2.000001"}})";
  CHECK_FALSE(parse(model)->find("m")->is_priced());
  const auto catalogue = parse(model, R"("rates":{"CNY":"0.1408"},)");
  const Model* m = catalogue->find("m");
  REQUIRE(m->is_priced());
  CHECK(m->currency == "CNY");
  CHECK(m->usd_per_unit_ppm == 140'800);
  CHECK(rate_of(m->tiers.front(), Meter::input).picos() == 112'640);
  CHECK(rate_of(m->tiers.front(), Meter::output).picos() == 281'601);
}

TEST_CASE("everything wrong with the file is said at once, with its place") {
  const std::string said = problems(R"({"id":"a","provider":"p","price":{"input":-1}},)"
                                    R"({"id":"b","provider":"p","price":{"input":"1e3"}},)"
                                    R"({"id":"b","provider":"p"},)"
                                    R"({"provider":"p"},)"
                                    R"({"id":"c","provider":"p","max_output":-5})");
  CHECK(said.find("a: input: must be a decimal string") != std::string::npos);
  CHECK(said.find("b: input: not a plain decimal") != std::string::npos);
  CHECK(said.find("b: the name is used twice") != std::string::npos);
  CHECK(said.find("entry 4: needs \"id\"") != std::string::npos);
  CHECK(said.find("c: max_output") != std::string::npos);
  CHECK(problems("", "", R"({"x":"missing"})").find("x: the alias") != std::string::npos);
  CHECK_FALSE(Catalogue::parse("{", "{}"));
  CHECK_FALSE(Catalogue::parse("[]", "{}"));
}

TEST_CASE("a price that nobody would charge is a mistake") {
  const auto said_of = [](const std::string& members, const std::string& more = "") {
    return problems(R"({"id":"m","provider":"p",)" + members + "}", more);
  };
  const std::string right = R"("price":{"input":"1","output":"10"})";
  const std::string chat = R"("mode":"chat",)";
  CHECK(said_of(chat + right).empty());
  struct Case {
    std::string members, said, more;
  };
  const Case cases[] = {
      {chat + R"("price":{"input":"1"})", "price needs output", ""},
      {R"("price":{"input":"1"})", "price needs output", ""},  // no mode: taken for a chat
      {chat + R"("price":{"output":"1"})", "price needs input", ""},
      {chat + R"("price":{"input":"1","ouput":"10"})", "unknown member \"ouput\"", ""},
      {chat + R"("price":{"input":"1","output":"10","input":"2"})", "\"input\" twice", ""},
      {chat + R"("price":"10")", "price must be an object", ""},
      {chat + R"("price":{"currency":"EUR","input":"1","output":"10"})",
       "unknown member \"currency\": it belongs into native_price", R"("rates":{"EUR":"1.1"},)"},
      {chat + R"("currency":"CNY",)" + right, "currency has no effect",
       R"("rates":{"CNY":"0.1"},)"},
      {chat + R"("native_price":{"currency":"CNY","input":"1","output":"1"})", "above 0",
       R"("rates":{"CNY":"0"},)"},
      {chat + R"("native_price":{"currency":"CNY","input":"1"})", "native_price needs output", ""},
      {chat + right, "\"rates\" must be an object", R"("rates":[],)"},
      {chat + right + R"(,"tiers":{"above_input_tokens":2,"input":"9"})", "tiers must be a list",
       ""},
      {chat + right + R"(,"tiers":[{"above_input_tokens":2,"price":{"input":"9"}}])",
       "a tier has an unknown member \"price\"", ""},
      {chat + right + R"(,"tiers":[{"above_input_tokens":2},{"above_input_tokens":2}])",
       "two tiers have above_input_tokens 2", ""},
      {chat + right + R"(,"service_modes":{"fast":{"inptu":"9"}})",
       "service_modes.fast has an unknown member \"inptu\"", ""},
      {chat + right + R"(,"service_modes":{"fast":"9"})", "service_modes.fast must be", ""},
      {R"("mode":"chatt",)" + right, "mode must be one of chat, embedding, audio", ""},
      {R"("mode":5,)" + right, "mode must be one of", ""},
      {chat + right + R"(,"teirs":[])", "unknown member \"teirs\": is \"tiers\" meant?", ""},
      {chat + right + R"(,"tier":[])", "is \"tiers\" meant?", ""},
      {chat + right + R"(,"maxOutput":5)", "is \"max_output\" meant?", ""},
      {chat + right + R"(,"service_mode":{})", "is \"service_modes\" meant?", ""},
      {chat + R"("prices":{"input":"1","output":"1"})", "is \"price\" meant?", ""},
      {chat + right + R"(,"cached_input":"0.1")", "cached_input has no effect here", ""},
      {chat + right + "," + right, "has \"price\" twice", ""},
  };
  CHECK(said_of(chat + right + R"(,"max_input":5,"note":"ours","per_image":"1","sla":"gold")")
            .empty());
  for (const Case& wrong : cases) {
    INFO(wrong.members);
    const std::string said = said_of(wrong.members, wrong.more);
    CHECK(said.starts_with("models.json: "));
    CHECK(said.find(wrong.said) != std::string::npos);
  }
}

TEST_CASE("only an embedding is callable without a price for output") {
  const auto is_callable = [](const std::string& mode) {
    return parse(R"({"id":"m","provider":"p","mode":")" + mode + R"(","price":{"input":"1"}})")
        ->find("m")
        ->is_priced();
  };
  CHECK(is_callable("embedding"));
  CHECK_FALSE(is_callable("audio"));
  CHECK_FALSE(is_callable("image"));
}

TEST_CASE("aliases of the catalogue and of the operator find the model") {
  const auto catalogue =
      parse(R"({"id":"m","aliases":["m-1"],"provider":"p"})", "", R"({"fast":"m"})");
  CHECK(catalogue->find("m-1") == catalogue->find("m"));
  CHECK(catalogue->find("fast") == catalogue->find("m"));
  CHECK_FALSE(catalogue->find("M"));
}

TEST_CASE("a name is as long as a request may name it") {
  const std::string model = R"({"id":"m","provider":"p"})";
  const auto is_taken = [&](const std::string& name) {
    return problems(model, "", "{\"" + name + "\":\"m\"}").empty();
  };
  const std::string longest(limits::model_name_bytes_max, 'x');
  CHECK(is_taken(longest));
  CHECK(is_taken("house/fast"));
  for (const std::string& name : {longest + "x", std::string(), std::string("a\\nb")})
    CHECK_FALSE(is_taken(name));
}

TEST_CASE("the shipped catalogue loads and agrees with the facts it was made from") {
  const auto catalogue = Catalogue::parse(shipped("models.json"), shipped("aliases.json"));
  REQUIRE(catalogue);
  CHECK((*catalogue)->models().size() >= 370);
  const Model* model = (*catalogue)->find("gemini-2.5-pro");
  REQUIRE(model);
  CHECK(rate_of(tier_for(model->tiers, 200'001), Meter::output).picos() == 15'000'000);
  CHECK((*catalogue)->find("gpt-5.4")->mode_tiers("fast"));
  CHECK_FALSE((*catalogue)->find("gpt-5.4")->mode_tiers("slow"));
  CORPUS_OR_SKIP(root);
  const auto facts = Catalogue::parse(test::read_file(root / "catalog/models.json"), "{}");
  REQUIRE(facts);
  int compared = 0;
  for (const Model& fact : (*facts)->models()) {
    const Model* ours = (*catalogue)->find(fact.id);
    INFO(fact.id);
    REQUIRE(ours);
    REQUIRE(ours->tiers.size() == fact.tiers.size());
    for (size_t i = 0; i < fact.tiers.size(); ++i)
      CHECK(ours->tiers[i].rates == fact.tiers[i].rates);
    ++compared;
  }
  std::printf("catalog: %d models compared\n", compared);
}
