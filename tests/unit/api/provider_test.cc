#include "api/provider.h"

#include "policies/world.h"
#include "script/evaluate.h"

using namespace mg;
using namespace mg::api;
using mg::api::test::World;

namespace {

std::string problems(const std::string& table) {
  const script::Evaluation e = script::evaluate_table({"providers/x.lua", "return " + table});
  REQUIRE(e.problems.empty());
  std::vector<script::Problem> found;
  const auto provider = read_provider({"x", e.value}, found);
  CHECK(provider.has_value() == found.empty());
  std::string out;
  for (const script::Problem& problem : found) out += problem.text() + "\n";
  return out;
}

}  // namespace

TEST_CASE("the shipped vendors are read") {
  const script::BuildResult built = build_policies(World::shipped(), 1);
  INFO(built.text());
  REQUIRE(built.bundle);
  CHECK(built.bundle->tables().size() == 17);
  for (const char* name : {"openai", "openai_compatible", "deepseek", "mistral", "groq", "moonshot",
                           "zhipu", "xai", "qwen", "openrouter", "together", "fireworks", "google",
                           "minimax", "bytedance", "cohere", "azure"}) {
    INFO(name);
    const auto vendor = provider(*built.bundle, name);
    REQUIRE(vendor);
    CHECK(vendor->protocol == "openai_chat");
    CHECK(vendor->name == name);
    if (!vendor->base_url.empty()) CHECK(vendor->base_url.starts_with("https://"));
  }
  CHECK_FALSE(provider(*built.bundle, "nobody"));
  CHECK_FALSE(provider(*built.bundle, "mistral")->takes_stream_usage);
  CHECK_FALSE(provider(*built.bundle, "cohere")->takes_stream_usage);
  CHECK(provider(*built.bundle, "openai")->takes_stream_usage);
  CHECK(provider(*built.bundle, "groq")->usage_field == "x_groq.usage");
  CHECK(provider(*built.bundle, "moonshot")->usage_place == UsagePlace::choice);
  CHECK(provider(*built.bundle, "azure")->auth == AuthStyle::header);
  CHECK(provider(*built.bundle, "azure")->auth_header == "api-key");
  CHECK(provider(*built.bundle, "openai_compatible")->base_url.empty());
}

TEST_CASE("a vendor's table is checked, and its mistakes are named all at once") {
  CHECK(problems("{ protocol = 'openai_chat' }") == "");
  CHECK(problems("{}") == "providers/x.lua: protocol is required\n");
  CHECK(problems("{ protocol = 'p', bse_url = 'x', env = 5 }") ==
        "providers/x.lua: unknown key 'bse_url'\n"
        "providers/x.lua: env must be text, not a number\n");
  CHECK(problems("{ protocol = 'p', base_url = 'ftp://x' }") != "");
  CHECK(problems("{ protocol = 'p', base_url = 'https://x/' }") != "");
  CHECK(problems("{ protocol = 'p', auth = 'basic' }") != "");
  CHECK(problems("{ protocol = 'p', auth = 'header' }") != "");
  CHECK(problems("{ protocol = 'p', auth_header = 'x' }") != "");
  CHECK(problems("{ protocol = 'p', auth = 'none' }") == "");
  CHECK(problems("{ 'p', protocol = 'p' }") != "");
  CHECK(problems("{ protocol = 'p', quirks = 5 }") != "");
  CHECK(problems("{ protocol = 'p', quirks = { other = 1 } }") != "");
  CHECK(problems("{ protocol = 'p', quirks = { takes_stream_usage = 'no' } }") != "");
  CHECK(problems("{ protocol = 'p', quirks = { usage_place = 'elsewhere' } }") != "");
  CHECK(problems("{ protocol = 'p', quirks = { usage_place = 'vendor_field' } }") != "");
  CHECK(problems("{ protocol = 'p', quirks = { usage_field = 'x' } }") != "");
  CHECK(problems("{ protocol = 'p', quirks = { usage_place = 'choice' } }") == "");
}

TEST_CASE("a bundle with a bad vendor is not built") {
  const auto built = build_policies(
      World::tree({{"providers/bad.lua", "return { protocol = 'p', wings = true }"}}, "return {}"),
      1);
  CHECK(built.text() == "providers/bad.lua: unknown key 'wings'");
}
