#include "http/server_connection.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace mg::http {
namespace {

constexpr ParseError kHeadTooSlow = {408, "the head of the request did not come in time"};

// What a byte of a body may take in the long run.
constexpr int64_t kNsPerBodyByte = kNsPerS / int64_t{limits::body_bytes_per_s_min};

}  // namespace

ServerConnection::ServerConnection(ServerShared& shared, std::unique_ptr<event::Stream> stream,
                                   Handler& handler)
    : shared_(shared),
      stream_(std::move(stream)),
      handler_(handler),
      parser_({limits::head_bytes_max, shared.limits.body_bytes_max}),
      deadline_(
          event::Deadline::calling<&ServerConnection::on_deadline>(shared.loop.timers(), this)) {}

ServerConnection::~ServerConnection() { release_body(); }

event::Task<> ServerConnection::run() {
  co_await serve_all();
  // The last step may have been taken from inside one of our own callbacks; whoever destroys the
  // connection when this task ends must not pull it away under that.
  co_await event::next_turn(shared_.loop);
}

event::Task<> ServerConnection::serve_all() {
  stream_->read_start(*this);
  for (;;) {
    const bool has_request = co_await next_request();
    if (!has_request) break;
    deadline_.clear();
    stage_ = Stage::serving;
    co_await handler_.serve(*this);
    gone_sink_ = nullptr;
    release_body();
    if (!has_answered()) abort();
    if (gone_ || answer_ == Answer::aborted) co_return;
    if (connection_after() == Connection::close) break;
    // Who asks and does not read gets no further answers piled up.
    if (is_backed_up()) {
      const Result<> sent = co_await drained();
      if (!sent || gone_) co_return abort();
    }
    begin_next();
  }
  if (!gone_) co_await linger();
}

void ServerConnection::begin_next() {
  stage_ = Stage::idle;
  answer_ = Answer::none;
  head_ = {};
  std::string().swap(body_);
  has_head_ = body_complete_ = body_wanted_ = chunked_ = false;
  progress_.reset();
  stream_->read_start(*this);
}

// True with a head, false when the connection is over (a parse error has been answered).
event::Task<bool> ServerConnection::next_request() {
  if (!ahead_.empty()) {
    const std::string bytes = std::exchange(ahead_, {});
    consume(bytes);
  }
  deadline_.set_ms(stage_ == Stage::head ? shared_.limits.head_timeout_ms
                                         : shared_.limits.idle_timeout_ms);
  while (!has_head_ && !unparsable_ && !gone_ && !close_after_) {
    waiting_ = Waiting::head;
    co_await progress_.wait();
    waiting_ = Waiting::nothing;
  }
  if (has_head_) co_return true;
  if (unparsable_) handler_.reject(*this, parser_.error());
  co_return false;
}

// What can be said of a body before more of it is read.
Result<> ServerConnection::check_body_announced() const {
  if (head_.body.kind != BodyKind::length || body_complete_) return {};
  if (head_.body.bytes > shared_.limits.body_bytes_max)
    return fail(Errc::too_large, "the body is larger than this server takes");
  const uint64_t known = limits::body_bytes_uncounted + body_counted_;
  const uint64_t to_come = head_.body.bytes > known ? head_.body.bytes - known : 0;
  if (to_come > 0 && shared_.bodies_bytes + to_come > shared_.limits.bodies_bytes_max)
    return fail(Errc::overloaded, "there is no room for the body now");
  return {};
}

// A body has a whole timeout in hand. Waiting uses that up and what arrives earns some of it back,
// at the slowest rate that is borne: who keeps to the rate may pause, and who sends much and then
// hardly anything does not hold the memory for it.
event::Task<Result<std::string>> ServerConnection::read_body() {
  body_wanted_ = true;
  count_body();
  const Result<> announced = check_body_announced();
  if (!announced) co_return tl::unexpected(announced.error());
  if (head_.expects_continue && !body_complete_ && body_.empty())
    (void)stream_->write(kContinue);  // a client that is gone is noticed where we wait
  const int64_t in_hand_most_ns = shared_.limits.body_timeout_ms * kNsPerMs;
  int64_t in_hand_ns = in_hand_most_ns;
  while (!body_complete_ && !read_error_) {
    const int64_t since_ns = shared_.loop.now_ns();
    const size_t before = body_.size();
    stream_->read_start(*this);
    deadline_.set_ms((in_hand_ns + kNsPerMs - 1) / kNsPerMs);
    waiting_ = Waiting::body;
    co_await progress_.wait();
    waiting_ = Waiting::nothing;
    const int64_t arrived = static_cast<int64_t>(body_.size()) - static_cast<int64_t>(before);
    in_hand_ns += arrived * kNsPerBodyByte - (shared_.loop.now_ns() - since_ns);
    in_hand_ns = std::clamp<int64_t>(in_hand_ns, 0, in_hand_most_ns);
  }
  deadline_.clear();
  if (!body_complete_) {
    close_after_ = true;
    co_return tl::unexpected(*read_error_);
  }
  co_return std::move(body_);
}

// Without this, clients who send slowly, and need no money for that, could fill the memory. One
// that is whole is kept in any case: it will soon be gone.
void ServerConnection::count_body() {
  if (body_.size() <= limits::body_bytes_uncounted) return;
  const auto counted = static_cast<uint32_t>(body_.size() - limits::body_bytes_uncounted);
  shared_.bodies_bytes += counted - body_counted_;
  body_counted_ = counted;
  const bool has_room = shared_.bodies_bytes <= shared_.limits.bodies_bytes_max;
  if (has_room || body_complete_ || read_error_) return;
  read_error_ =
      std::make_unique<const Error>(Error{Errc::overloaded, "there is no room for the body"});
  stream_->read_stop();
  std::string().swap(body_);
  release_body();
}

void ServerConnection::release_body() { shared_.bodies_bytes -= std::exchange(body_counted_, 0); }

void ServerConnection::on_bytes(std::string_view bytes) {
  if (stage_ == Stage::ending) {  // only read so that closing does not reset the connection
    const int64_t left_ms = (linger_until_ns_ - shared_.loop.now_ns()) / kNsPerMs;
    if (waiting_ == Waiting::end && left_ms > 0)
      deadline_.set_ms(std::min(shared_.limits.linger_ms, left_ms));
    return;
  }
  if (stage_ == Stage::serving && body_complete_) {
    ahead_.append(bytes);
    if (ahead_.size() > limits::pipelined_bytes_max) stream_->read_stop();
    return;
  }
  consume(bytes);
  if (body_wanted_) count_body();
  const bool unasked = stage_ == Stage::serving && !body_wanted_ && !body_complete_;
  if (unasked && body_.size() > limits::pipelined_bytes_max) stream_->read_stop();
  wake();
}

void ServerConnection::consume(std::string_view bytes) {
  if (stage_ == Stage::idle && !bytes.empty()) {
    stage_ = Stage::head;
    if (waiting_ == Waiting::head) deadline_.set_ms(shared_.limits.head_timeout_ms);
  }
  for (;;) {
    const Parsed parsed = parser_.feed(bytes);
    bytes.remove_prefix(parsed.consumed);
    switch (parsed.event) {
      case ParseEvent::head:
        head_ = parser_.take_head();
        has_head_ = true;
        if (head_.body.kind == BodyKind::length && head_.body.bytes <= limits::read_buffer_bytes)
          body_.reserve(head_.body.bytes + limits::json_padding_bytes);
        continue;
      case ParseEvent::body:
        body_.append(parsed.body);
        continue;
      case ParseEvent::complete:
        body_complete_ = true;
        ahead_.append(bytes);
        return;
      case ParseEvent::error:
        if (has_head_) {
          const Errc code = parser_.error().status == 413 ? Errc::too_large : Errc::protocol;
          read_error_ =
              std::make_unique<const Error>(Error{code, std::string(parser_.error().reason)});
        } else {
          head_.method = parser_.method();  // a HEAD gets no body, not even with its refusal
        }
        unparsable_ = close_after_ = true;
        stream_->read_stop();
        return;
      case ParseEvent::need_more:
        return;
    }
  }
}

void ServerConnection::wake() {
  const bool head_news = waiting_ == Waiting::head && (has_head_ || unparsable_);
  const bool body_news = waiting_ == Waiting::body;
  if (head_news || body_news) progress_.raise();
}

void ServerConnection::on_read_end(Error error) {
  gone_ = true;
  if (!read_error_) read_error_ = std::make_unique<const Error>(std::move(error));
  if (waiting_ != Waiting::nothing) {
    progress_.raise();
    return;
  }
  if (gone_sink_) std::exchange(gone_sink_, nullptr)->on_client_gone();
  // Who left in the middle of an answer is not waited for; who closed its side while the end goes
  // out may still read that.
  if (stage_ == Stage::serving) stream_->interrupt_drain({Errc::closed, "the client left"});
}

void ServerConnection::on_deadline() {
  if (answer_ >= Answer::streaming) {
    const size_t queued = stream_->queued_bytes();
    if (stage_ != Stage::ending && queued < queued_before_) {  // slow, but it reads
      queued_before_ = queued;
      deadline_.set_ms(shared_.limits.write_timeout_ms);
      return;
    }
    stream_->interrupt_drain({Errc::timeout, "the client takes nothing"});
  }
  switch (waiting_) {
    case Waiting::head:
      close_after_ = true;
      if (stage_ == Stage::head) handler_.reject(*this, kHeadTooSlow);
      progress_.raise();
      break;
    case Waiting::body:
      read_error_ =
          std::make_unique<const Error>(Error{Errc::timeout, "the body did not come in time"});
      progress_.raise();
      break;
    case Waiting::end:
      gone_ = true;
      progress_.raise();
      break;
    case Waiting::nothing:
      break;
  }
}

void ServerConnection::end_when_idle() {
  close_after_ = true;
  if (stage_ == Stage::idle && waiting_ == Waiting::head) progress_.raise();
}

Connection ServerConnection::connection_after() const {
  const bool keep = head_.keep_alive && body_complete_ && !close_after_ && !gone_ &&
                    shared_.pressure == Pressure::none;
  if (!keep) return Connection::close;
  return head_.minor_version == 0 ? Connection::keep_alive_said : Connection::keep_alive;
}

bool ServerConnection::sends_body(int status) const {
  return head_.method != Method::head && status != 204 && status != 304;
}

void ServerConnection::respond(int status, const Headers& headers, std::string_view body) {
  MG_ASSERT(answer_ == Answer::none);
  answer_ = Answer::finished;
  const Connection after = connection_after();
  if (after == Connection::close) close_after_ = true;
  std::string head;
  write_response_head(head, status, headers, Framing::length(body.size()), after,
                      shared_.date.at(shared_.loop.clock().wall_ms()));
  const std::array<std::string_view, 2> pieces = {head,
                                                  sends_body(status) ? body : std::string_view()};
  (void)stream_->write(pieces);  // a client that is gone is noticed where we wait
}

void ServerConnection::begin(int status, const Headers& headers) {
  MG_ASSERT(answer_ == Answer::none);
  answer_ = Answer::prepared;
  chunked_ = head_.minor_version >= 1;
  if (!chunked_) close_after_ = true;
  const Connection after = connection_after();
  if (after == Connection::close) close_after_ = true;
  write_response_head(prepared_, status, headers,
                      chunked_ ? Framing::chunked() : Framing::until_close(), after,
                      shared_.date.at(shared_.loop.clock().wall_ms()));
}

Result<> ServerConnection::write(std::span<const std::string_view> pieces) {
  MG_ASSERT(answer_ == Answer::prepared || answer_ == Answer::streaming);
  size_t bytes = 0;
  for (std::string_view piece : pieces) bytes += piece.size();
  if (bytes == 0 && prepared_.empty()) return {};
  answer_ = Answer::streaming;
  const ChunkLine line(bytes ? bytes : 1);
  const bool framed = chunked_ && bytes > 0;
  std::vector<std::string_view>& all = shared_.pieces;
  all.clear();
  if (!prepared_.empty()) all.push_back(prepared_);
  if (framed) all.push_back(line.view());
  all.insert(all.end(), pieces.begin(), pieces.end());
  if (framed) all.push_back(kChunkEnd);
  const Result<> sent = stream_->write(all);
  std::string().swap(prepared_);
  return sent;
}

// An answer that never began cannot end well; whoever comes to that is cut off, and nobody else.
void ServerConnection::finish(std::span<const std::string_view> last_pieces) {
  if (has_answered()) return;
  if (!has_begun()) return abort();
  Result<> sent = write(last_pieces);
  if (sent && chunked_) sent = stream_->write(kLastChunk);
  answer_ = Answer::finished;
}

void ServerConnection::break_off(std::string_view last_words) {
  if (has_answered()) return;
  // Where only the end of the connection ends an answer, a good end would make this one whole.
  if (!has_begun() || (!chunked_ && last_words.empty())) return abort();
  (void)write(std::span(&last_words, 1));  // a client that is gone has nothing to be told
  answer_ = Answer::broken_off;
  close_after_ = true;
}

void ServerConnection::abort() {
  if (answer_ == Answer::aborted) return;
  answer_ = Answer::aborted;
  close_after_ = true;
  stream_->abort();
}

event::Task<Result<>> ServerConnection::drained() {
  queued_before_ = stream_->queued_bytes();
  deadline_.set_ms(shared_.limits.write_timeout_ms);
  Result<> outcome = co_await stream_->drained();
  if (waiting_ == Waiting::nothing) deadline_.clear();
  co_return outcome;
}

event::Task<> ServerConnection::linger() {
  stage_ = Stage::ending;
  const Result<> sent = co_await drained();
  if (!sent || gone_) co_return;
  stream_->finish();
  stream_->read_start(*this);
  linger_until_ns_ = shared_.loop.now_ns() + shared_.limits.linger_ms_max * kNsPerMs;
  deadline_.set_ms(shared_.limits.linger_ms);
  waiting_ = Waiting::end;
  while (!gone_) co_await progress_.wait();
  waiting_ = Waiting::nothing;
}

}  // namespace mg::http
