#include "base/text.h"

#include <catch2/catch.hpp>

#include "base/bytes.h"
#include "base/calendar.h"
#include "base/json.h"
#include "base/log.h"
#include "base/result.h"

using namespace mg;

TEST_CASE("numbers are read whole or not at all") {
  CHECK(parse_number<int>("42") == 42);
  CHECK(parse_number<int>("-42") == -42);
  CHECK_FALSE(parse_number<int>("42 "));
  CHECK_FALSE(parse_number<int>("+42"));
  CHECK_FALSE(parse_number<int>(""));
  CHECK_FALSE(parse_number<uint8_t>("256"));
  CHECK_FALSE(parse_number<unsigned>("-1"));
}

TEST_CASE("case is folded for ASCII only") {
  CHECK(equal_ignoring_case("Content-Length", "content-length"));
  CHECK_FALSE(equal_ignoring_case("content-length", "content-lengt"));
  CHECK_FALSE(equal_ignoring_case("\xc5\xbf", "s"));  // long s
  CHECK(to_lower("ABC\xc3\x84") == "abc\xc3\x84");
}

TEST_CASE("splitting keeps empty parts") {
  CHECK(split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(split("", ',') == std::vector<std::string_view>{""});
  CHECK(trimmed(" \ta b\t ") == "a b");
}

TEST_CASE("hex goes both ways") {
  CHECK(to_hex(std::string_view("\x00\xff\x10", 3)) == "00ff10");
  CHECK(from_hex("00ff10") == std::string("\x00\xff\x10", 3));
  CHECK_FALSE(from_hex("0"));
  CHECK_FALSE(from_hex("0g"));
}

TEST_CASE("secrets are compared by content") {
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK_FALSE(equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(equal_in_constant_time("abc", "ab"));
}

TEST_CASE("UTF-8 is strict") {
  CHECK(is_utf8("gr\xc3\xbc\xc3\x9f"));
  CHECK_FALSE(is_utf8("\xc0\x80"));          // overlong
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  CHECK_FALSE(is_utf8("\xf4\x90\x80\x80"));  // beyond U+10FFFF
}

TEST_CASE("times and spans") {
  CHECK(parse_span_ms("24h") == 86'400'000);
  CHECK(parse_span_ms("90s") == 90'000);
  CHECK(parse_span_ms("7d") == 7 * 86'400'000);
  CHECK_FALSE(parse_span_ms("h"));
  CHECK_FALSE(parse_span_ms("5"));
  CHECK_FALSE(parse_span_ms("-5h"));
  CHECK(parse_time_ms("1970-01-01T00:00:00Z") == 0);
  CHECK(parse_time_ms("2026-11-21T22:40:00.5Z") == parse_time_ms("2026-11-22T06:40:00.5+08:00"));
  CHECK(format_time_ms(*parse_time_ms("2028-02-29T23:59:59.123Z")) == "2028-02-29T23:59:59.123Z");
  CHECK_FALSE(parse_time_ms("2026-02-29T00:00:00Z"));
  CHECK_FALSE(parse_time_ms("2026-01-01T24:00:00Z"));
  CHECK_FALSE(parse_time_ms("2026-01-01T00:00:00"));
  CHECK_FALSE(parse_time_ms("2026-01-01"));
  CHECK_FALSE(parse_time_ms("2026-01-01T00:00:00.Z"));
  CHECK(utc_day(-1) == -1);
  CHECK(utc_day(86'400'000) == 1);
  CHECK(next_utc_day_ms(1) == 86'400'000);
}

TEST_CASE("records are read back, and never past their end") {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.number(int64_t{-5});
  writer.text("wallet");
  writer.number(uint8_t{7});
  ByteReader reader(bytes);
  CHECK(reader.number<int64_t>() == -5);
  CHECK(reader.text() == "wallet");
  CHECK(reader.number<uint8_t>() == 7);
  CHECK(reader.complete());
  reader.number<uint8_t>();
  CHECK_FALSE(reader.good());
  ByteReader cut(std::string_view(bytes).substr(0, 10));
  cut.number<int64_t>();
  CHECK(cut.text().empty());
  CHECK_FALSE(cut.good());
}

TEST_CASE("the checksum is Castagnoli's") {
  CHECK(crc32c("123456789") == 0xe3069283u);  // RFC 3720, B.4
  CHECK(crc32c("") == 0);
}

TEST_CASE("JSON strings are escaped and always UTF-8") {
  CHECK(json_string("a\"\\\n\x01") == R"("a\"\\\n\u0001")");
  CHECK(json_string("\xff"
                    "ok\xc3") == "\"\xEF\xBF\xBDok\xEF\xBF\xBD\"");
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  json.field("n", 5);
  json.field("t", true);
  json.key("a");
  json.begin_array();
  json.value("x");
  json.null();
  json.end_array();
  json.field_literal("cost", "0.00125");
  json.end_object();
  CHECK(out == R"({"n":5,"t":true,"a":["x",null],"cost":0.00125})");
}

TEST_CASE("masking takes one pass, whatever the text is made of") {
  // Quadratic, each of these would take minutes.
  for (const char* piece : {"=", "a=", "a", "Bearer ", "sk-", "a1/", "a1."}) {
    INFO(piece);
    std::string text;
    while (text.size() < 1024 * 1024) text += piece;
    CHECK(masked_prefixed(text).size() <= text.size() + 3);
    CHECK(masked(text).size() <= text.size() + 3);
  }
  CHECK(masked_prefixed("a=b=sk-secret=c d") == "a=b=sk-*** d");
}

TEST_CASE("what looks like a credential is masked") {
  CHECK(masked("key sk-abc123 refused") == "key sk-*** refused");
  CHECK(masked("Incorrect API key provided: sk-proj-****abcd.") ==
        "Incorrect API key provided: sk-***");
  CHECK(masked("Authorization: Bearer abc.def") == "Authorization: Bearer ***");
  CHECK(masked("org AbCdEf0123456789AbCdEf0123456789x") == "org ***");
  CHECK(masked("the quick brown fox, 12 tasks") == "the quick brown fox, 12 tasks");
  CHECK(masked("task-list") == "task-list");
  CHECK(masked("https://host/v1?key=sk-abc123&n=1") == "https://host/v1?key=sk-***&n=1");
}

TEST_CASE("what is long but no credential is not masked") {
  const std::string id = "call_9f8e7d6c5b4a39281706f5e4d3c2b1a0";
  for (const std::string text :
       {"the model `meta-llama/Llama-3.3-70B-Instruct-Turbo` is unknown",
        "messages.12.content.0.image.source.base64.media_type: Field required",
        "see https://platform.openai.com/docs/guides/structured-outputs/v2#all-fields-2"}) {
    CHECK(masked(text) == text);
    CHECK(masked_prefixed(text) == text);
  }
  CHECK(masked(id) == "***");
  CHECK(masked_prefixed(id) == id);
  CHECK(masked_prefixed("key sk-abc123, Bearer abc.def") == "key sk-***, Bearer ***");
}

TEST_CASE("a secret is masked wherever it stands, and however JSON escapes it") {
  CHECK(masked_secret("no token-abc123!", "token-abc123") == "no ***!");
  CHECK(masked_secret("xtoken-abc123token-abc123", "token-abc123") == "x******");
  CHECK(masked_secret("no token-abc12", "token-abc123") == "no token-abc12");
  CHECK(masked_secret("totoken", "token") == "to***");
  CHECK(masked_secret(R"(k: 'a\/b\u002Bc\u002b\"\\d')", R"(a/b+c+"\d)") == "k: '***'");
  CHECK(masked_secret(R"(k: 'a/b+c+"\d')", R"(a/b+c+"\d)") == "k: '***'");
  CHECK(masked_secret(R"(a\u00)", "a+") == R"(a\u00)");
  CHECK(masked_secret("", "token") == "");
}

TEST_CASE("names that differ by a slip of the hand are nearly the same") {
  for (const char* slip : {"tiers", "tier", "tierss", "teirs", "tires", "Tiers", "tieRx"})
    CHECK(is_nearly(slip, "tiers"));
  for (const char* other : {"", "ti", "tie", "tierce1", "rates", "note", "sreit", "tierssss"})
    CHECK_FALSE(is_nearly(other, "tiers"));
  // Seven letters allow for two.
  CHECK(is_nearly("contextWindows", "context_window"));
  CHECK(is_nearly("maxoutputs", "max_output"));
  CHECK_FALSE(is_nearly("max_input", "max_output"));
  CHECK(is_nearly("aliaess", "aliases"));
  CHECK_FALSE(is_nearly("lias", "aliases"));
  CHECK_FALSE(is_nearly("alia", "aliass"));
  CHECK(is_nearly("", ""));
  CHECK(is_nearly("", "a"));
  CHECK_FALSE(is_nearly("", "ab"));
}

TEST_CASE("every error code has its own name") {
  std::vector<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::io); ++code)
    names.push_back(name(static_cast<Errc>(code)));
  std::sort(names.begin(), names.end());
  CHECK(std::unique(names.begin(), names.end()) == names.end());
}
