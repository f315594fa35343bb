// The yardstick: moves bytes between each client and a connection of its own to the upstream, and
// looks at none of them. What this costs on libuv is what any proxy must pay before it does
// anything; the figures of tools/bench are multiples of it.
//   relay LISTEN_PORT UPSTREAM_PORT
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

namespace {

char buffer[64 * 1024];
sockaddr_in upstream_address;

struct Side {
  uv_tcp_t tcp;
  Side* other;
  bool is_closing = false;
};

struct Write {
  uv_write_t request;
  std::string bytes;
};

void close_both(Side* side) {
  for (Side* one : {side, side->other}) {
    if (std::exchange(one->is_closing, true)) continue;
    uv_close(reinterpret_cast<uv_handle_t*>(&one->tcp),
             [](uv_handle_t* h) { delete static_cast<Side*>(h->data); });
  }
}

void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* read) {
  auto* side = static_cast<Side*>(stream->data);
  if (n < 0) return close_both(side);
  auto* to = reinterpret_cast<uv_stream_t*>(&side->other->tcp);
  uv_buf_t bytes = uv_buf_init(read->base, static_cast<unsigned>(n));
  const int sent = uv_try_write(to, &bytes, 1);
  if (sent == n) return;
  const size_t taken = sent > 0 ? static_cast<size_t>(sent) : 0;
  auto* write = new Write{{}, std::string(read->base + taken, static_cast<size_t>(n) - taken)};
  write->request.data = write;
  bytes = uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
  uv_write(&write->request, to, &bytes, 1,
           [](uv_write_t* request, int) { delete static_cast<Write*>(request->data); });
}

void read_from(Side* side) {
  uv_read_start(
      reinterpret_cast<uv_stream_t*>(&side->tcp),
      [](uv_handle_t*, size_t, uv_buf_t* b) { *b = uv_buf_init(buffer, sizeof buffer); }, on_read);
}

void on_client(uv_stream_t* server, int) {
  auto* client = new Side{};
  auto* upstream = new Side{{}, client};
  client->other = upstream;
  for (Side* side : {client, upstream}) {
    uv_tcp_init(server->loop, &side->tcp);
    uv_tcp_nodelay(&side->tcp, 1);
    side->tcp.data = side;
  }
  if (uv_accept(server, reinterpret_cast<uv_stream_t*>(&client->tcp)) != 0)
    return close_both(client);
  auto* connect = new uv_connect_t;
  uv_tcp_connect(connect, &upstream->tcp, reinterpret_cast<sockaddr*>(&upstream_address),
                 [](uv_connect_t* done, int status) {
                   auto* side = static_cast<Side*>(done->handle->data);
                   delete done;
                   if (side->is_closing) return;
                   if (status != 0) return close_both(side);
                   read_from(side);
                   read_from(side->other);
                 });
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (argc != 3) return 2;
  uv_loop_t* loop = uv_default_loop();
  sockaddr_in listen_address;
  uv_ip4_addr("127.0.0.1", std::atoi(argv[1]), &listen_address);
  uv_ip4_addr("127.0.0.1", std::atoi(argv[2]), &upstream_address);
  uv_tcp_t server;
  uv_tcp_init(loop, &server);
  uv_tcp_bind(&server, reinterpret_cast<sockaddr*>(&listen_address), 0);
  if (uv_listen(reinterpret_cast<uv_stream_t*>(&server), 4096, on_client) != 0) return 1;
  return uv_run(loop, UV_RUN_DEFAULT);
}
