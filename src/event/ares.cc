// c-ares over uv_poll: its sockets become poll handles of the loop, its timeouts a timer.
#include <ares.h>
#include <netdb.h>

#include <cstring>
#include <unordered_map>

#include "event/resolver.h"
#include "event/uv_loop.h"

namespace mg::event {
namespace {

constexpr int kTries = 2;
constexpr int64_t kTimeoutCheckMs = 50;

Error ares_error(int status, const std::string& name) {
  Errc code = Errc::unavailable;
  if (status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME)
    code = Errc::not_found;
  if (status == ARES_ETIMEOUT) code = Errc::timeout;
  return {code, "resolve " + name + ": " + ares_strerror(status)};
}

LookupAnswer to_answer(const ares_addrinfo& info) {
  LookupAnswer answer;
  answer.ttl_ms = CachingResolver::ttl_max_ms;
  for (const ares_addrinfo_node* node = info.nodes; node; node = node->ai_next) {
    if (node->ai_family == AF_INET) {
      std::array<uint8_t, 4> bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<sockaddr_in*>(node->ai_addr)->sin_addr, 4);
      answer.addresses.push_back(IpAddress::v4(bytes));
    } else if (node->ai_family == AF_INET6) {
      std::array<uint8_t, 16> bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<sockaddr_in6*>(node->ai_addr)->sin6_addr, 16);
      answer.addresses.push_back(IpAddress::v6(bytes));
    }
    answer.ttl_ms = std::min<int64_t>(answer.ttl_ms, int64_t{node->ai_ttl} * 1000);
  }
  return answer;
}

class AresLookup final : public Lookup {
 public:
  explicit AresLookup(UvLoop& loop)
      : loop_(loop), timeouts_(Timer::calling<&AresLookup::on_tick>(loop.timers(), this)) {}

  ~AresLookup() override {
    if (channel_) ares_destroy(channel_);  // ends every query with ARES_EDESTRUCTION
  }

  Result<> open(const ResolverOptions& options) {
    ares_library_init(ARES_LIB_INIT_ALL);
    ares_options settings{};
    // c-ares waits twice as long in each try as in the one before.
    settings.timeout = static_cast<int>(options.timeout_ms / ((1 << kTries) - 1));
    settings.tries = kTries;
    settings.sock_state_cb = [](void* self, ares_socket_t socket, int readable, int writable) {
      static_cast<AresLookup*>(self)->watch(socket, readable != 0, writable != 0);
    };
    settings.sock_state_cb_data = this;
    const int status = ares_init_options(
        &channel_, &settings, ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status != ARES_SUCCESS)
      return fail(Errc::unavailable, std::string("resolver: ") + ares_strerror(status));
    if (options.servers.empty()) return {};
    std::string csv;
    for (const std::string& server : options.servers) csv += (csv.empty() ? "" : ",") + server;
    if (ares_set_servers_ports_csv(channel_, csv.c_str()) != ARES_SUCCESS)
      return fail(Errc::invalid, "resolver.servers: not addresses: " + csv);
    return {};
  }

  Task<Result<LookupAnswer>> look_up(std::string name) override {
    Query* query = new Query{name, {}, {}, true};  // freed by whoever of the two leaves last
    Waiting waiting{query};
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &AresLookup::on_answer, query);
    timeouts_.start_ms(kTimeoutCheckMs);
    co_await query->answered.wait();
    co_return std::move(query->answer);
  }

 private:
  struct Query {
    std::string name;
    Result<LookupAnswer> answer;
    Signal answered;
    bool awaited;
    bool finished = false;
  };
  struct Waiting {
    Query* query;
    ~Waiting() {
      query->awaited = false;
      if (query->finished) std::unique_ptr<Query> last(query);
    }
  };

  static void on_answer(void* argument, int status, int, ares_addrinfo* info) {
    auto* query = static_cast<Query*>(argument);
    query->finished = true;
    if (status == ARES_SUCCESS) {
      query->answer = to_answer(*info);
    } else {
      query->answer = tl::unexpected(ares_error(status, query->name));
    }
    if (info) ares_freeaddrinfo(info);
    if (!query->awaited) {
      std::unique_ptr<Query> last(query);
    } else {
      query->answered.raise();
    }
  }

  void watch(ares_socket_t socket, bool readable, bool writable) {
    if (!readable && !writable) {
      polls_.erase(socket);
      return;
    }
    Handle<uv_poll_t>& poll = polls_[socket];
    if (!poll) {
      auto raw = std::make_unique<uv_poll_t>();
      MG_ASSERT(uv_poll_init_socket(loop_.uv(), raw.get(), socket) == 0);
      poll = Handle<uv_poll_t>(raw.release());
      as_handle(poll.get())->data = this;
    }
    const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    uv_poll_start(poll.get(), events, [](uv_poll_t* handle, int status, int ready) {
      auto* self = owner_of<AresLookup>(handle);
      uv_os_fd_t fd;
      if (!self || uv_fileno(as_handle(handle), &fd) != 0) return;
      const bool read = status < 0 || (ready & UV_READABLE);
      const bool write = status < 0 || (ready & UV_WRITABLE);
      ares_process_fd(self->channel_, read ? fd : ARES_SOCKET_BAD, write ? fd : ARES_SOCKET_BAD);
    });
  }

  void on_tick() {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (!polls_.empty()) timeouts_.start_ms(kTimeoutCheckMs);
  }

  UvLoop& loop_;
  Timer timeouts_;
  ares_channel channel_ = nullptr;
  std::unordered_map<ares_socket_t, Handle<uv_poll_t>> polls_;
};

}  // namespace

Result<std::unique_ptr<Lookup>> make_ares_lookup(UvLoop& loop, const ResolverOptions& options) {
  auto lookup = std::make_unique<AresLookup>(loop);
  MG_CHECK(lookup->open(options));
  return lookup;
}

}  // namespace mg::event
