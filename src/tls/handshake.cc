// How a tls::Stream comes to be: one step of the handshake after the other, each in the pool.
#include <optional>

#include "base/limits.h"
#include "event/timer.h"
#include "tls/engine.h"
#include "tls/stream.h"

namespace mg::tls {
namespace {

enum class FirstWord : uint8_t { ours, theirs };

// What arrives while the handshake is under way, and the deadline. Bytes beyond the bound are left
// to the kernel until the pool has used what there is.
class Arrivals final : public event::ReadSink {
 public:
  Arrivals(event::Loop& loop, event::Stream& inner, int64_t timeout_ms)
      : inner_(inner),
        deadline_(event::Timer::calling<&Arrivals::on_deadline>(loop.timers(), this)) {
    deadline_.start_ms(timeout_ms);
    inner_.read_start(*this);
  }
  ~Arrivals() {
    if (!is_released_) inner_.read_stop();
  }

  // Everything that came, for the next step.
  std::string take() {
    std::string taken = std::exchange(bytes_, {});
    if (is_stopped_ && !end_) {
      is_stopped_ = false;
      inner_.read_start(*this);
    }
    return taken;
  }
  // What a step did not use stands before what came since.
  void put_back(std::string_view unused) { bytes_.insert(0, unused); }
  bool empty() const { return bytes_.empty(); }
  auto changed() { return changed_.wait(); }

  // Why waiting any longer is no use.
  std::optional<Error> failure() const {
    if (is_late_) return Error{Errc::timeout, "the TLS handshake took too long"};
    if (end_ && bytes_.empty()) return Error{end_->code, "TLS handshake: " + end_->what};
    return std::nullopt;
  }

  struct Rest {
    std::string bytes;
    std::optional<Error> end;  // told once only: who reads next would not hear of it
  };
  // The handshake is over, the stream is somebody else's to read.
  Rest release() {
    inner_.read_stop();
    deadline_.stop();
    is_released_ = true;
    return {std::move(bytes_), std::move(end_)};
  }

 private:
  void on_bytes(std::string_view bytes) override {
    bytes_.append(bytes);
    if (bytes_.size() > limits::tls_handshake_bytes_max) {
      inner_.read_stop();
      is_stopped_ = true;
    }
    wake();
  }
  void on_read_end(Error error) override {
    end_ = std::move(error);
    wake();
  }
  void on_deadline() {
    is_late_ = true;
    wake();
  }
  // Last in each of the above: the waiter may destroy this.
  void wake() {
    if (changed_.is_awaited()) changed_.raise();
  }

  event::Stream& inner_;
  event::Timer deadline_;
  event::Signal changed_;
  std::string bytes_;
  std::optional<Error> end_;
  bool is_late_ = false;
  bool is_stopped_ = false;
  bool is_released_ = false;
};

// What a step in the pool works on; it owns all of it, whatever becomes of those who wait.
struct Step {
  std::unique_ptr<Engine> engine;
  std::string received;
  std::string_view rest;
  std::string ciphered;
  Result<Engine::Handshake> outcome = Engine::Handshake::wants_input;

  void run() {
    ciphered.clear();
    rest = received;
    outcome = engine->handshake(rest, ciphered);
  }
};

event::Task<Result<std::unique_ptr<Stream>>> shake_hands(event::Loop& loop,
                                                         std::unique_ptr<event::Stream> inner,
                                                         std::unique_ptr<Engine> engine,
                                                         FirstWord first_word, int64_t timeout_ms) {
  Arrivals arrivals(loop, *inner, timeout_ms);
  const auto step = std::make_shared<Step>();
  step->engine = std::move(engine);
  // Named, not written into the co_await: see event/loop.h, offloaded.
  const auto run_step = [step] {
    step->run();
    return true;
  };
  bool has_work = first_word == FirstWord::ours;
  for (;;) {
    while (!has_work) {
      if (auto failure = arrivals.failure()) co_return tl::unexpected(std::move(*failure));
      has_work = !arrivals.empty();
      if (!has_work) co_await arrivals.changed();
    }
    step->received = arrivals.take();
    [[maybe_unused]] const bool ran = co_await event::offloaded(loop, run_step);
    has_work = false;
    if (!step->ciphered.empty()) {
      const Result<> sent = inner->write(step->ciphered);
      if (!sent) co_return tl::unexpected(sent.error());
    }
    if (!step->outcome) co_return tl::unexpected(step->outcome.error());
    arrivals.put_back(step->rest);
    if (*step->outcome == Engine::Handshake::done) break;
  }
  Arrivals::Rest rest = arrivals.release();
  co_return std::make_unique<Stream>(loop, std::move(inner), std::move(step->engine),
                                     std::move(rest.bytes), std::move(rest.end));
}

}  // namespace

event::Task<Result<std::unique_ptr<Stream>>> accept(
    event::Loop& loop, std::unique_ptr<event::Stream> inner,
    std::shared_ptr<const ServerCredentials> credentials, int64_t timeout_ms) {
  auto engine = Engine::server(std::move(credentials));
  co_return co_await shake_hands(loop, std::move(inner), std::move(engine), FirstWord::theirs,
                                 timeout_ms);
}

event::Task<Result<std::unique_ptr<Stream>>> connect(event::Loop& loop,
                                                     std::unique_ptr<event::Stream> inner,
                                                     std::shared_ptr<const TrustStore> trust,
                                                     ClientSessions& sessions, std::string host,
                                                     std::string origin, int64_t timeout_ms) {
  const uint64_t generation = trust->generation();
  auto engine =
      Engine::client(std::move(trust), std::move(host), sessions.find(origin, generation));
  Result<std::unique_ptr<Stream>> stream =
      co_await shake_hands(loop, std::move(inner), std::move(engine), FirstWord::ours, timeout_ms);
  if (stream) {
    (*stream)->keep_sessions_in(sessions, std::move(origin), generation);
  } else {
    sessions.forget(origin);  // should the session be what went wrong
  }
  co_return stream;
}

}  // namespace mg::tls
