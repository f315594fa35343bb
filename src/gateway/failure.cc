#include "gateway/failure.h"

#include <algorithm>

#include "base/calendar.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/answer_reader.h"

namespace mg::gateway {
namespace {

using api::FailureKind;

constexpr size_t kWhatBytesMax = 300;
constexpr size_t kPlainWordsBytesMax = 1'000;  // of a refusal that is no JSON

// Some vendors say with a 400 (or a 500) that our key is wrong or our account is empty. The client
// cannot mend that, and must not read about it.
constexpr std::string_view kOurFaultPhrases[] = {
    "api key not",
    "api key is",
    "api key has",
    "api key expired",
    "api key provided",
    "api key you provided",
    "invalid api key",
    "invalid_api_key",
    "api_key_invalid",
    "incorrect api key",
    "incorrect_api_key",
    "invalid apikey",
    "no api key",
    "missing api key",
    "valid api key",
    "wrong api key",
    "invalid x-api-key",
    "credit balance",
    "insufficient_quota",
    "insufficient balance",
    "insufficient_balance",
    "account is not active",
    "organization has been",
    "exceeded your current quota",
};

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

// What stands in quotes is the client's own: names of tools, values of members. Not where another
// program's error stands within this one, as JSON or as Python writes it.
std::string without_quotes(std::string_view text) {
  if (text.find("{'") != std::string_view::npos || text.find("{\"") != std::string_view::npos)
    return std::string(text);
  std::string out;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_quote = c == '\'' || c == '"' || c == '`';
    const bool after_word = i > 0 && is_word(text[i - 1]);
    const bool before_word = i + 1 < text.size() && is_word(text[i + 1]);
    if (quote != 0) {
      if (c == quote && !before_word) quote = 0;
    } else if (is_quote && !after_word) {
      quote = c;
    } else {
      out.push_back(c);
    }
  }
  return quote != 0 ? std::string(text) : out;
}

// An error's own words decide, not what it repeats of the request.
bool is_our_fault(std::string_view body) {
  const auto words = AnswerReader::error_words(body);
  const std::string lower = to_lower(words ? without_quotes(*words) : body);
  return std::any_of(
      std::begin(kOurFaultPhrases), std::end(kOurFaultPhrases),
      [&](std::string_view phrase) { return lower.find(phrase) != std::string::npos; });
}

// Whole seconds, or with a fraction, which is rounded up.
std::optional<int64_t> seconds_as_ms(std::string_view text) {
  const size_t point = std::min(text.find('.'), text.size());
  const auto is_digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const auto whole = parse_number<int64_t>(text.substr(0, point));
  if (!whole && is_digits(text)) return limits::retry_after_s_max * 1000;  // beyond any number
  if (!whole) return std::nullopt;
  if (*whole < 0) return 0;
  const int64_t whole_ms = std::min(*whole, limits::retry_after_s_max) * 1000;
  if (point == text.size()) return whole_ms;
  const std::string_view fraction = text.substr(point + 1);
  if (!is_digits(fraction)) return std::nullopt;
  const int64_t ms = *parse_number<int64_t>((std::string(fraction) + "00").substr(0, 3));
  return whole_ms + ms + (fraction.size() > 3 ? 1 : 0);
}

// RFC 9110, section 10.2.3: seconds (some vendors write fractions), or a date, which is read by the
// clock of the answer that bears it. What cannot be read says nothing.
std::optional<int64_t> retry_after_ms(const http::Headers& headers) {
  const auto field = headers.find("retry-after");
  if (!field) return std::nullopt;
  std::optional<int64_t> wanted_ms = seconds_as_ms(trimmed(*field));
  if (!wanted_ms) {
    const auto until_ms = parse_http_date_ms(trimmed(*field));
    const auto now_ms = parse_http_date_ms(trimmed(headers.find("date").value_or("")));
    if (!until_ms || !now_ms) return std::nullopt;
    wanted_ms = *until_ms - *now_ms;
  }
  return std::clamp<int64_t>(*wanted_ms, 0, limits::retry_after_s_max * 1000);
}

std::string described(int status, std::string_view body) {
  std::string what = "the upstream answered " + std::to_string(status);
  const std::string said = AnswerReader::error_text(body);
  if (!said.empty()) what += ": " + masked(std::string_view(said).substr(0, kWhatBytesMax));
  return what;
}

FailureKind kind_of_status(int status) {
  switch (status) {
    case 401:
    case 402:
    case 403:
      return FailureKind::denied;
    case 404:
      return FailureKind::not_found;
    case 408:
      return FailureKind::timeout;
    case 429:
      return FailureKind::rate_limited;
    default:
      return status >= 500 ? FailureKind::server_error : FailureKind::garbage;
  }
}

// A 4xx that speaks of the request itself, not of us, of rates or of the model's whereabouts.
bool is_clients_own(int status) {
  return status >= 400 && status < 500 && kind_of_status(status) == FailureKind::garbage;
}

// The words of a refusal that is no JSON object, in so far as a client can do something with them:
// no page, no bytes. Empty: none.
std::string_view plain_words(const http::ResponseHead& head, std::string_view said) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t from = said.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) return {};
  const std::string_view words = said.substr(from, said.find_last_not_of(kBlanks) + 1 - from);
  const std::string type = to_lower(head.headers.find("content-type").value_or(""));
  if (words.starts_with('<') || type.find("html") != std::string::npos) return {};
  if (words.size() > kPlainWordsBytesMax || !is_utf8(words)) return {};
  const bool has_control = std::any_of(words.begin(), words.end(), [&](char c) {
    return (c >= 0 && c < ' ' && kBlanks.find(c) == std::string_view::npos) || c == 0x7f;
  });
  return has_control ? std::string_view() : words;
}

}  // namespace

std::string_view name(FailureKind kind) {
  switch (kind) {
    case FailureKind::connect:
      return "connect";
    case FailureKind::timeout:
      return "timeout";
    case FailureKind::reset:
      return "reset";
    case FailureKind::server_error:
      return "server_error";
    case FailureKind::garbage:
      return "garbage";
    case FailureKind::rate_limited:
      return "rate_limited";
    case FailureKind::denied:
      return "denied";
    case FailureKind::not_found:
      return "not_found";
    case FailureKind::busy:
      return "busy";
  }
  return "unknown";
}

bool counts_against_channel(const Failure& failure) {
  switch (failure.kind) {
    case FailureKind::connect:
    case FailureKind::timeout:
    case FailureKind::reset:
    case FailureKind::server_error:
    case FailureKind::garbage:
      return true;
    case FailureKind::rate_limited:
    case FailureKind::denied:
    case FailureKind::not_found:
    case FailureKind::busy:
      return false;
  }
  return true;
}

Failure failure_of(const Error& error) {
  Failure failure;
  failure.what = masked(error.what);
  switch (error.code) {
    case Errc::timeout:
      failure.kind = FailureKind::timeout;
      break;
    case Errc::overloaded:  // our own want of descriptors or ports is no fault of the channel's
      failure.kind = FailureKind::busy;
      break;
    case Errc::protocol:
    case Errc::too_large:
      failure.kind = FailureKind::garbage;
      break;
    default:
      failure.kind = FailureKind::reset;
      break;
  }
  return failure;
}

Judgement judge(const http::ResponseHead& head, std::string_view body) {
  const int status = head.status;
  const bool is_answer = status >= 200 && status < 300 && status != 204 && status != 205;
  if (is_answer) return {};
  Judgement judgement;
  judgement.failure.kind = kind_of_status(status);
  const bool others_fault = status >= 400 && is_our_fault(body);
  if (others_fault) judgement.failure.kind = FailureKind::denied;
  if (is_clients_own(status) && !others_fault) {
    judgement.blame = Blame::client;
    return judgement;
  }
  judgement.blame = Blame::channel;
  judgement.failure.status = status;
  judgement.failure.what = described(status, body);
  if (status == 429 || status == 503)
    judgement.failure.retry_after_ms = retry_after_ms(head.headers);
  if (status == 429 && !judgement.failure.retry_after_ms)
    judgement.failure.retry_after_ms = kRestAfter429Ms;
  return judgement;
}

ClientFault client_fault(const http::ResponseHead& head, std::string_view said) {
  if (AnswerReader::is_object(said))
    return {head.status, std::string(head.headers.find("content-type").value_or(kJsonType)),
            masked_prefixed(said)};
  // Some say it as an object within a list.
  const std::string listed = AnswerReader::error_text(said);
  const std::string_view words = plain_words(head, listed.empty() ? said : listed);
  const std::string message =
      words.empty() ? "the model provider refused the request without a readable reason"
                    : "the model provider refused the request: " + masked_prefixed(words);
  Refusal no = refusal(Code::upstream_refused, message);
  no.status = head.status;
  return {no.status, std::string(kJsonType), no.body()};
}

Refusal refusal_for(const Failure& failure) {
  switch (failure.kind) {
    case FailureKind::timeout:
      return refusal(Code::upstream_timeout, "the model provider did not answer in time");
    case FailureKind::rate_limited: {
      Refusal busy = refusal(Code::rate_limit_exceeded, "the model provider is rate limiting us");
      busy.retry_after_s = seconds_rounded_up(failure.retry_after_ms.value_or(kRestAfter429Ms));
      return busy;
    }
    case FailureKind::busy: {
      Refusal busy =
          refusal(Code::no_channel_available, "every channel for this model is busy or resting");
      if (failure.retry_after_ms) busy.retry_after_s = seconds_rounded_up(*failure.retry_after_ms);
      return busy;
    }
    case FailureKind::not_found:
      return refusal(Code::model_not_found, "the model provider does not know this model", "model");
    case FailureKind::connect:
    case FailureKind::reset:
    case FailureKind::server_error:
    case FailureKind::garbage:
    case FailureKind::denied:
      return refusal(Code::upstream_error, "the model provider failed to answer");
  }
  return refusal(Code::upstream_error, "the model provider failed to answer");
}

}  // namespace mg::gateway
