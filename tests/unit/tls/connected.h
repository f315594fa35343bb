// Two streams of TLS over a pipe in memory, made at the same time.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tls/stream.h"
#include "unit/tls/authority.h"
#include "unit/tls/on_loop.h"
#include "unit/tls/pipe.h"

namespace mg::tls::test {

inline constexpr int64_t kTimeoutMs = 20'000;

inline std::string pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 + i / 251);
  return text;
}

struct Connected {
  Result<std::unique_ptr<Stream>> server = fail(Errc::interrupted, "not done");
  Result<std::unique_ptr<Stream>> client = fail(Errc::interrupted, "not done");
  event::Signal both;
  int done = 0;
  ClientSessions* sessions = nullptr;
};

inline event::Task<> accept_into(event::Loop& loop, std::unique_ptr<event::Stream> inner,
                                 Connected& out,
                                 std::shared_ptr<const ServerCredentials> credentials) {
  out.server = co_await tls::accept(loop, std::move(inner), std::move(credentials), kTimeoutMs);
  if (++out.done == 2) out.both.raise();
}

inline event::Task<> connect_into(event::Loop& loop, std::unique_ptr<event::Stream> inner,
                                  Connected& out, std::string host) {
  out.client = co_await tls::connect(loop, std::move(inner), World::get().trust, *out.sessions,
                                     host, host + ":443", kTimeoutMs);
  if (++out.done == 2) out.both.raise();
}

inline event::Task<> join(event::Loop& loop, Connected& out, ClientSessions& sessions,
                          Pipe::Options options = Pipe::Options(), std::string host = "localhost") {
  out.sessions = &sessions;
  auto [a, b] = Pipe::make(loop, options);
  loop.spawn(accept_into(loop, std::move(a), out, World::get().server));
  loop.spawn(connect_into(loop, std::move(b), out, std::move(host)));
  co_await out.both.wait();
}

}  // namespace mg::tls::test
