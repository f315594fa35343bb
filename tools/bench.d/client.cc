// The streams' and the stopwatch's side of the benchmarks; plain requests in bulk are wrk's work.
//   client latency PORT REQUESTS KEY    one connection, one request after the other: the time from
//                                       sending one to the last byte of its answer
//   client first PORT REQUESTS KEY      the same with streams: the time to the first chunk
//   client streams PORT COUNT KEY SECONDS   COUNT streams at once, each begun anew when it ends
// Prints one line of JSON. An answer that is not 200 ends it with an error.
#include <sys/resource.h>
#include <uv.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

enum class Mode { latency, first, streams };

constexpr size_t kBodyBytes = 1024;

struct Run {
  Mode mode = Mode::latency;
  std::string request;
  size_t requests_left = 0;
  uint64_t end_ns = UINT64_MAX;
  uint64_t chunks = 0;
  size_t streams = 0;
  std::vector<double> took_us;
};
Run run;
char buffer[64 * 1024];

struct Connection {
  uv_tcp_t tcp;
  uv_connect_t connect;
  uv_write_t write;
  uint64_t sent_ns = 0;
  std::string answer;  // of which only the tail is kept for streams
  bool is_first = true;
};

[[noreturn]] void give_up(std::string_view why) {
  std::fprintf(stderr, "client: %.*s\n", static_cast<int>(why.size()), why.data());
  std::exit(1);
}

std::string make_request(const std::string& key) {
  std::string body = R"({"model":"gpt-4o","messages":[{"role":"user","content":")";
  const std::string end = run.mode == Mode::latency ? R"("}],"max_tokens":100,"stream":false})"
                                                    : R"("}],"max_tokens":16000,"stream":true})";
  while (body.size() + end.size() < kBodyBytes) body += "some words to fill the prompt ";
  body.resize(kBodyBytes - end.size());
  body += end;
  return "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer " + key +
         "\r\ncontent-type: application/json\r\naccept: */*\r\nuser-agent: bench\r\n"
         "content-length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

void send(Connection* connection) {
  connection->answer.clear();
  connection->is_first = true;
  connection->sent_ns = uv_hrtime();
  uv_buf_t bytes = uv_buf_init(run.request.data(), static_cast<unsigned>(run.request.size()));
  uv_write(&connection->write, reinterpret_cast<uv_stream_t*>(&connection->tcp), &bytes, 1,
           [](uv_write_t*, int status) {
             if (status != 0) give_up("a request could not be sent");
           });
}

void stop() { uv_stop(uv_default_loop()); }

void next(Connection* connection) {
  if (run.mode == Mode::streams) {
    if (uv_hrtime() < run.end_ns) return send(connection);
    return stop();
  }
  if (--run.requests_left == 0) return stop();
  send(connection);
}

void note_time(Connection* connection, uint64_t now_ns) {
  run.took_us.push_back(static_cast<double>(now_ns - connection->sent_ns) / 1000.0);
}

bool is_whole_plain(const std::string& answer) {
  const size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  size_t at = answer.find("ontent-");
  while (at != std::string::npos && answer.compare(at + 7, 6, "ength:") != 0 &&
         answer.compare(at + 8, 6, "ength:") != 0)
    at = answer.find("ontent-", at + 1);
  if (at == std::string::npos || at > head) give_up("an answer without content-length");
  return answer.size() >=
         head + 4 + std::strtoul(answer.c_str() + answer.find(':', at) + 1, nullptr, 10);
}

void take(Connection* connection, std::string_view bytes) {
  const uint64_t now_ns = uv_hrtime();
  std::string& answer = connection->answer;
  if (answer.empty() && !bytes.starts_with("HTTP/1.1 200")) give_up(bytes.substr(0, 600));
  if (run.mode == Mode::latency) {
    answer.append(bytes);
    if (!is_whole_plain(answer)) return;
    note_time(connection, now_ns);
    return next(connection);
  }
  // Of what came before, only what may be the first half of a mark is looked at again.
  constexpr size_t kTail = 13;
  const size_t kept = std::min(answer.size(), kTail);
  answer.erase(0, answer.size() - kept);
  answer.append(bytes);
  size_t seen = 0;
  for (size_t at = answer.find("data: "); at != std::string::npos;
       at = answer.find("data: ", at + 1))
    if (at + 6 > kept) ++seen;
  run.chunks += seen;
  if (seen > 0 && connection->is_first) {
    connection->is_first = false;
    note_time(connection, now_ns);
  }
  if (uv_hrtime() >= run.end_ns) return stop();
  if (answer.ends_with("\r\n0\r\n\r\n")) next(connection);
}

void open(int port) {
  auto* connection = new Connection;  // lives as long as the program
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", port, &address);
  uv_tcp_init(uv_default_loop(), &connection->tcp);
  uv_tcp_nodelay(&connection->tcp, 1);
  connection->tcp.data = connection->connect.data = connection;
  uv_tcp_connect(
      &connection->connect, &connection->tcp, reinterpret_cast<sockaddr*>(&address),
      [](uv_connect_t* done, int status) {
        if (status != 0) give_up("no connection");
        auto* self = static_cast<Connection*>(done->data);
        send(self);
        uv_read_start(
            reinterpret_cast<uv_stream_t*>(&self->tcp),
            [](uv_handle_t*, size_t, uv_buf_t* b) { *b = uv_buf_init(buffer, sizeof buffer); },
            [](uv_stream_t* stream, ssize_t n, const uv_buf_t* read) {
              if (n < 0) give_up("the server ended a connection");
              take(static_cast<Connection*>(stream->data), {read->base, static_cast<size_t>(n)});
            });
      });
}

double quantile(double q) {
  if (run.took_us.empty()) return 0;
  std::sort(run.took_us.begin(), run.took_us.end());
  return run.took_us[static_cast<size_t>(q * static_cast<double>(run.took_us.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  if (argc < 5) return 2;
  const std::string_view mode = argv[1];
  run.mode = mode == "latency" ? Mode::latency : mode == "first" ? Mode::first : Mode::streams;
  const size_t count = std::strtoul(argv[3], nullptr, 10);
  run.request = make_request(argv[4]);
  const uint64_t begun_ns = uv_hrtime();
  if (run.mode == Mode::streams)
    run.end_ns = begun_ns + std::strtoul(argv[5], nullptr, 10) * 1'000'000'000;
  run.requests_left = count;
  const size_t connections = run.mode == Mode::streams ? count : 1;
  for (size_t i = 0; i < connections; ++i) open(std::atoi(argv[2]));
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  const double seconds = static_cast<double>(uv_hrtime() - begun_ns) / 1e9;
  const double p50 = quantile(0.5);
  std::printf("{\"p50_us\":%.1f,\"p90_us\":%.1f,\"count\":%zu,\"chunks\":%llu,\"seconds\":%.3f}\n",
              p50, quantile(0.9), run.took_us.size(), static_cast<unsigned long long>(run.chunks),
              seconds);
  return 0;
}
