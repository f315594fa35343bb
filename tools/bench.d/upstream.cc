// The provider of the benchmarks: reads a request, waits, and answers 600 bytes of chat completion,
// or streams chunks of one at an interval where the request says "stream":true. It waits on timers
// of the kernel's, one a connection, because libuv's would blur the figures by a millisecond.
//   upstream PORT [--delay-us N] [--chunks N] [--interval-us N]
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

long delay_us = 0;
long chunks = 100;
long interval_us = 10'000;
char buffer[64 * 1024];

constexpr std::string_view kStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
constexpr std::string_view kStart = R"({"id":"chatcmpl-B3nchM4rk0123456789abcdefgh",)";

std::string framed(std::string_view event) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", event.size());
  return size + std::string(event) + "\r\n";
}

std::string chunk_event() {
  return framed("data: " + std::string(kStart) +
                R"("object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o",)"
                R"("system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":)"
                R"({"content":" word"},"logprobs":null,"finish_reason":null}]})" +
                "\n\n");
}

std::string last_events() {
  const std::string middle =
      R"("object":"chat.completion.chunk","created":1760000000,"model":"gpt-4o",)"
      R"("system_fingerprint":"fp_0123456789","choices":[)";
  return framed("data: " + std::string(kStart) + middle +
                R"({"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]})" + "\n\n") +
         framed("data: " + std::string(kStart) + middle +
                R"(],"usage":{"prompt_tokens":230,"completion_tokens":100,"total_tokens":330}})" +
                "\n\n") +
         framed("data: [DONE]\n\n") + "0\r\n\r\n";
}

std::string plain_answer() {
  constexpr size_t kBytes = 600;
  const std::string head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
  const std::string front =
      std::string(kStart) +
      R"("object":"chat.completion","created":1760000000,"model":"gpt-4o","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":")";
  const std::string back =
      R"("},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":230,)"
      R"("completion_tokens":40,"total_tokens":270}})";
  std::string text;
  while (front.size() + text.size() + back.size() < kBytes) text += "some words ";
  text.resize(kBytes - front.size() - back.size());
  return head + std::to_string(kBytes) + "\r\n\r\n" + front + text + back;
}

const std::string kPlain = plain_answer();
const std::string kChunk = chunk_event();
const std::string kFirst = std::string(kStreamHead) + kChunk;
const std::string kLast = last_events();

struct Connection {
  uv_tcp_t tcp;
  uv_poll_t poll;
  int timer = -1;
  int open_handles = 2;
  std::string request;
  bool is_stream = false;
  long sent_chunks = 0;
};

struct Write {
  uv_write_t request;
  std::string bytes;
};

void on_closed(uv_handle_t* h) {
  auto* connection = static_cast<Connection*>(h->data);
  if (--connection->open_handles > 0) return;
  ::close(connection->timer);
  delete connection;
}

void close_it(Connection* connection) {
  if (uv_is_closing(reinterpret_cast<uv_handle_t*>(&connection->tcp))) return;
  uv_close(reinterpret_cast<uv_handle_t*>(&connection->tcp), on_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&connection->poll), on_closed);
}

void send(Connection* connection, std::string_view bytes) {
  auto* stream = reinterpret_cast<uv_stream_t*>(&connection->tcp);
  uv_buf_t piece =
      uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
  const int sent = uv_try_write(stream, &piece, 1);
  if (sent == static_cast<int>(bytes.size())) return;
  auto* write = new Write{{}, std::string(bytes.substr(sent > 0 ? static_cast<size_t>(sent) : 0))};
  write->request.data = write;
  piece = uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
  uv_write(&write->request, stream, &piece, 1,
           [](uv_write_t* done, int) { delete static_cast<Write*>(done->data); });
}

void set_timer(Connection* connection, long first_us, long every_us) {
  itimerspec when{};
  when.it_value = {first_us / 1'000'000, first_us % 1'000'000 * 1000};
  when.it_interval = {every_us / 1'000'000, every_us % 1'000'000 * 1000};
  timerfd_settime(connection->timer, 0, &when, nullptr);
}

void stream_on(Connection* connection) {
  if (connection->sent_chunks++ == 0) return send(connection, kFirst);
  if (connection->sent_chunks <= chunks) return send(connection, kChunk);
  set_timer(connection, 0, 0);
  connection->sent_chunks = 0;
  send(connection, kLast);
}

void on_timer(uv_poll_t* poll, int, int) {
  auto* connection = static_cast<Connection*>(poll->data);
  uint64_t due = 0;
  if (::read(connection->timer, &due, sizeof due) != sizeof due) return;
  if (!connection->is_stream) return send(connection, kPlain);
  stream_on(connection);
}

void answer(Connection* connection) {
  if (connection->is_stream) return set_timer(connection, delay_us ? delay_us : 1, interval_us);
  if (delay_us > 0) return set_timer(connection, delay_us, 0);
  send(connection, kPlain);
}

// One request at a time, with a content-length: that is what proxies send here.
void take(Connection* connection, std::string_view bytes) {
  std::string& request = connection->request;
  request.append(bytes);
  const size_t end = request.find("\r\n\r\n");
  if (end == std::string::npos) return;
  const char* length = strcasestr(request.c_str(), "content-length:");
  const size_t body = length ? std::strtoul(length + 15, nullptr, 10) : 0;
  if (request.size() < end + 4 + body) return;
  connection->is_stream = request.find("\"stream\":true", end) != std::string::npos;
  request.clear();
  request.shrink_to_fit();
  answer(connection);
}

void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* read) {
  auto* connection = static_cast<Connection*>(stream->data);
  if (n < 0) return close_it(connection);
  take(connection, {read->base, static_cast<size_t>(n)});
}

void on_client(uv_stream_t* server, int) {
  auto* connection = new Connection;
  connection->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (connection->timer < 0) std::abort();
  uv_tcp_init(server->loop, &connection->tcp);
  uv_poll_init(server->loop, &connection->poll, connection->timer);
  connection->tcp.data = connection->poll.data = connection;
  if (uv_accept(server, reinterpret_cast<uv_stream_t*>(&connection->tcp)) != 0)
    return close_it(connection);
  uv_tcp_nodelay(&connection->tcp, 1);
  uv_poll_start(&connection->poll, UV_READABLE, on_timer);
  uv_read_start(
      reinterpret_cast<uv_stream_t*>(&connection->tcp),
      [](uv_handle_t*, size_t, uv_buf_t* b) { *b = uv_buf_init(buffer, sizeof buffer); }, on_read);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    long& value = flag == "--delay-us" ? delay_us : flag == "--chunks" ? chunks : interval_us;
    value = std::atol(argv[i + 1]);
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_TIMERSLACK, 1);
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", argc > 1 ? std::atoi(argv[1]) : 0, &address);
  uv_tcp_t server;
  uv_tcp_init(uv_default_loop(), &server);
  uv_tcp_bind(&server, reinterpret_cast<sockaddr*>(&address), 0);
  if (uv_listen(reinterpret_cast<uv_stream_t*>(&server), 4096, on_client) != 0) return 1;
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
