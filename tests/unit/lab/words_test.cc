// What the lab says: tokens, subjects, sentences, pictures.
#include <catch2/catch.hpp>
#include <set>

#include "base/json_value.h"
#include "base/text.h"
#include "lab/picture.h"
#include "lab/speech.h"
#include "lab/subject.h"
#include "lab/tokens.h"
#include "tls/base64.h"

using namespace mg;
using namespace mg::lab;

TEST_CASE("a token is a word, a run of one mark, or another character, with the blanks before it") {
  const auto tokens = [](std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) out.emplace_back(take_token(text));
    return out;
  };
  using Tokens = std::vector<std::string>;
  CHECK(tokens("").empty());
  CHECK(tokens("Hello, moon!") == Tokens{"Hello", ",", " moon", "!"});
  CHECK(tokens("don't_2 ") == Tokens{"don't_2", " "});
  CHECK(tokens("...\n\n```x") == Tokens{"...", "\n\n```", "x"});
  CHECK(tokens("月门 é😀") == Tokens{"月", "门", " é", "😀"});
  CHECK(tokens(std::string(16, 'a')).size() == 1);
  CHECK(tokens(std::string(17, 'a')).size() == 2);
  CHECK(tokens(std::string(17, '-')).size() == 2);
  CHECK(count_tokens("One two three.") == 4);
  // Cut within a character: still no byte is lost.
  CHECK(tokens("\xe6\x9c") == Tokens{"\xe6\x9c"});
}

TEST_CASE("a subject has a language and a few words of weight") {
  const Subject english =
      subject_of("Please tell me about moon gates in Chinese gardens, and moon light");
  CHECK(english.language == Language::english);
  CHECK(english.topics == std::vector<std::string>{"moon", "gates", "chinese", "gardens"});
  const Subject chinese = subject_of("请告诉我中国园林的月门");
  CHECK(chinese.language == Language::chinese);
  CHECK(chinese.topics == std::vector<std::string>{"中国园林", "月门"});
  CHECK(subject_of("Write a Python function for primes").language == Language::code);
  CHECK(subject_of("").topics.empty());
  CHECK(subject_of("hi").topics.empty());
  CHECK(subject_of(std::string(1'000'000, 'x')).topics.size() == 1);
  CHECK(subject_of("\xff\xe6\xe6").topics.empty());
  CHECK(proper_name("What is the weather in Seattle today?") == "Seattle");
  CHECK(proper_name("Seattle is nice. It rains.") == "");
}

TEST_CASE("made-up text is the same for the same seed, counts as it says, and ends as asked") {
  const Subject subjects[] = {subject_of("moon gates"), subject_of("中国园林的月门"),
                              subject_of("a python function for primes"), Subject()};
  for (const Subject& subject : subjects) {
    std::set<std::string> texts;
    for (uint64_t seed = 0; seed < 50; ++seed) {
      const auto say = [&](Speech speech) {
        std::string text;
        int64_t count = 0;
        for (std::string_view token; speech.next(subject, token); ++count) text += token;
        CHECK(count_tokens(text) == count);
        CHECK(is_utf8(text));
        CHECK(text.find('%') ==
              (subject.language == Language::code ? text.find("% ") : std::string::npos));
        return text;
      };
      const auto make = [&](int64_t tokens, Length length) {
        return Speech::made_up(Speech::Register::answer, "So.", seed, tokens, length);
      };
      const std::string text = say(make(200, Length::about));
      CHECK(text == say(make(200, Length::about)));
      CHECK(count_tokens(text) >= 200);
      CHECK(text.starts_with("So."));
      const std::string exact = say(make(77, Length::exactly));
      CHECK(count_tokens(exact) == 77);
      CHECK(text.starts_with(exact));
      CHECK(say(make(0, Length::exactly)).empty());
      CHECK(say(Speech::given("Given, not made up.")) == "Given, not made up.");
      texts.insert(text);
    }
    CHECK(texts.size() == 50);
  }
}

TEST_CASE("pictures are measured") {
  const auto url = [](std::string_view file) {
    return "data:image/png;base64," + tls::base64_encode(file);
  };
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0", 24);
  CHECK(described(look_at(url(png))) == "The image is 640 by 480 pixels.");
  CHECK(picture_tokens(look_at(url(png)), "auto") == 85 + 2 * 170);
  CHECK(picture_tokens(look_at(url(png)), "low") == 85);
  const std::string gif("GIF89a\x0a\0\x14\0", 10);
  CHECK(described(look_at(url(gif))) == "The image is 10 by 20 pixels.");
  const std::string jpeg(
      "\xff\xd8\xff\xe0\0\x04zz\xff\xc0\0\x11\x08\x00\x64\x00\xc8\x03\x01\x22\x00\x02\x11", 23);
  CHECK(described(look_at(url(jpeg))) == "The image is 200 by 100 pixels.");
  CHECK(described(look_at(url("not an image"))) == "The image has 12 bytes.");
  CHECK(described(look_at("https://example.com/a.png")) ==
        "The image stands at an address of its own.");
  CHECK(picture_tokens(look_at("https://example.com/a.png"), "high") == 85);
  CHECK(look_at("data:image/png;base64,!!!!").width == 0);
  CHECK(look_at(url(png.substr(0, 23))).width == 0);
  CHECK(look_at(url("\xff\xd8")).width == 0);
  // However large it says it is, no more than eight tiles are counted.
  const std::string huge("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xff\xff\xff\xff\xff\xff\xff", 24);
  CHECK(picture_tokens(look_at(url(huge)), "high") == 85 + 8 * 170);
  CHECK(described_in_chinese(look_at(url(gif))) == "图片大小为10乘20像素。");
}
