#include "server/control_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "support/temp_dir.h"

using namespace mg;
using namespace mg::server;

namespace {

using Answer = Result<std::optional<Json>>;

event::Task<> ask(event::UvLoop& loop, std::string path, int64_t wait_ms,
                  std::optional<Answer>& out) {
  event::UvSockets sockets(loop);
  out.emplace(co_await ask_server(loop, sockets, path, "wallet.credit", Json::object(), wait_ms));
  loop.stop();
}

}  // namespace

TEST_CASE("a command to a server that hangs ends, and says that it may still be done") {
  const test::TempDir dir;
  const std::string path = dir / "control.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  const int hung = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(hung, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(hung, 4) == 0);  // connections are made, and nobody takes them
  SystemClock clock;
  event::UvLoop loop(clock);
  std::optional<Answer> answer;
  loop.spawn(ask(loop, path, 50, answer));
  loop.run();
  ::close(hung);
  REQUIRE(answer);
  REQUIRE_FALSE(*answer);
  CHECK(answer->error().code == Errc::timeout);
  CHECK(answer->error().what.find("may still be done") != std::string::npos);
}
