// The page of metrics, as a scraper reads it.
#include "gateway/metrics.h"

#include <catch2/catch.hpp>

#include "support/sim_gateway.h"

using namespace mg;

TEST_CASE("no name of a channel breaks a line of the metrics") {
  test::SimGateway gate;
  gate.add_channel("up", 9001)->id = "a\"b\\c\nd";
  gate.serve();
  const std::string text =
      gateway::prometheus_text({&gate.metrics}, *gate.services->serving->world, {}, 0);
  CHECK(text.find("\nmoongate_channel_breaker{channel=\"a\\\"b\\\\c\\nd\"} 0\n") !=
        std::string::npos);
  for (const std::string_view line : split(text, '\n'))
    CHECK((line.empty() || line.starts_with("# ") || line.starts_with("moongate_")));
}
