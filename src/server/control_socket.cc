#include "server/control_socket.h"

namespace mg::server {
namespace {

constexpr size_t kLineBytesMax = 64 * limits::MiB;

// Reads one line. The stream must outlive it.
class LineReader final : private event::ReadSink {
 public:
  explicit LineReader(event::Stream& stream) : stream_(stream) { stream_.read_start(*this); }
  ~LineReader() { stream_.read_stop(); }

  event::Task<Result<std::string>> line() {
    while (!end_ && line_.find('\n') == std::string::npos && line_.size() <= kLineBytesMax)
      co_await progress_.wait();
    const size_t end = line_.find('\n');
    if (end != std::string::npos) co_return line_.substr(0, end);
    if (line_.size() > kLineBytesMax) co_return fail(Errc::too_large, "the line is too long");
    co_return tl::unexpected(*end_);
  }

  // Ends the wait for the line.
  void expire() { on_read_end({Errc::timeout, "no answer"}); }

 private:
  void on_bytes(std::string_view bytes) override {
    line_.append(bytes);
    if (line_.find('\n') != std::string::npos || line_.size() > kLineBytesMax) progress_.raise();
  }
  void on_read_end(Error error) override {
    end_ = std::move(error);
    progress_.raise();
  }

  event::Stream& stream_;
  event::Signal progress_;
  std::string line_;
  std::optional<Error> end_;
};

Json error_json(const Error& error) {
  return {{"error", {{"code", name(error.code)}, {"message", error.what}}}};
}

Errc code_of(const std::string& text) {
  for (int code = 0; code <= static_cast<int>(Errc::io); ++code)
    if (name(static_cast<Errc>(code)) == text) return static_cast<Errc>(code);
  return Errc::io;
}

}  // namespace

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(event::UvLoop& loop,
                                                           event::UvSockets& sockets,
                                                           control::Operations& operations,
                                                           const std::string& path) {
  std::unique_ptr<ControlSocket> socket(new ControlSocket(loop, operations));
  MG_TRY(socket->listener_, sockets.listen_local(path, *socket));
  return socket;
}

void ControlSocket::on_accept(std::unique_ptr<event::Stream> stream) {
  loop_.spawn(serve(std::move(stream)));
}

event::Task<> ControlSocket::serve(std::unique_ptr<event::Stream> stream) {
  Json answer;
  {
    LineReader reader(*stream);
    const Result<std::string> line = co_await reader.line();
    if (!line) co_return;
    const Result<Json> request = parse_json(*line);
    if (!request || !request->is_object() || !request->contains("command") ||
        !(*request)["command"].is_string()) {
      answer = error_json({Errc::invalid, "not a command"});
    } else {
      const std::string command = (*request)["command"].get<std::string>();
      const Json arguments = request->contains("arguments") ? (*request)["arguments"] : Json();
      Result<Json> result = co_await operations_.run(command, arguments);
      answer = result ? Json{{"result", std::move(*result)}} : error_json(result.error());
    }
  }
  const std::string text = dump(answer) + "\n";
  if (!stream->write(text)) co_return;
  (void)co_await stream->drained();
  stream->finish();
}

event::Task<Result<std::optional<Json>>> ask_server(event::UvLoop& loop, event::UvSockets& sockets,
                                                    std::string path, std::string command,
                                                    Json arguments, int64_t wait_ms) {
  Result<std::unique_ptr<event::Stream>> connected = co_await sockets.connect_local(path);
  if (!connected) co_return std::nullopt;
  const std::unique_ptr<event::Stream> stream = std::move(*connected);
  const Json request = {{"command", command}, {"arguments", std::move(arguments)}};
  const std::string text = dump(request) + "\n";
  LineReader reader(*stream);
  auto deadline = event::Timer::calling<&LineReader::expire>(loop.timers(), &reader);
  if (wait_ms > 0) deadline.start_ms(wait_ms);
  Result<std::string> line = fail(Errc::io, "");
  if (stream->write(text)) line = co_await reader.line();
  if (!line && line.error().code == Errc::timeout)
    co_return fail(Errc::timeout, "the server has not answered within " + std::to_string(wait_ms) +
                                      " ms: " + command +
                                      " may still be done, so look before you repeat it");
  if (!line)
    co_return fail(Errc::io,
                   "the server ended before it answered: look whether " + command + " was done");
  MG_CO_TRY(Json answer, parse_json(*line));
  if (answer.contains("result")) co_return std::optional<Json>(std::move(answer["result"]));
  const Json& error = answer["error"];
  co_return fail(code_of(error.value("code", "io")), error.value("message", ""));
}

}  // namespace mg::server
