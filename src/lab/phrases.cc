#include "lab/phrases.h"

#include "base/assert.h"

namespace mg::lab {
namespace {

using Texts = std::string_view[];

constexpr Texts kEnglishOpenings = {
    "Here is what matters about %t.",
    "You asked about %t, so let us begin with the %n.",
    "In short: %t is mostly a question of %n.",
    "There are several ways to look at %t.",
    "A good answer about %t starts with its %n.",
    "Let me take %t step by step.",
};
constexpr Texts kEnglishSentences = {
    "The %a part is the %n, because it decides how the %n will behave.",
    "Most people %v the %n first and look at the %n later.",
    "If you %v the %n, the rest of %t becomes %a.",
    "With %t, a %a %n is worth more than a %a %n.",
    "This does not mean that the %n has to be %a.",
    "For example, you can %v a %n and then %v the %n again.",
    "Keep the %n small, and %t will stay %a.",
    "A second look at the %n shows why the %n is %a.",
    "It helps to %v %t before the %n grows.",
    "When the %n is %a, the %n follows almost by itself.",
    "Some would rather %v the %n; both are %a choices.",
    "The %n of %t depends on three things: the %n, the %n and the %n.",
    "Nothing here asks for a %a %n.",
    "Measure the %n, and you will %v the %n with more care.",
    "So the next step is to %v the %n of %t.",
};
constexpr Texts kEnglishThoughts = {
    "The question is about %t.",
    "First I should %v the %n.",
    "Is the %n of %t %a, or only the %n?",
    "Let me %v this again with a %a %n.",
    "That would make the %n %a, which cannot be right.",
    "So the %n has to be %a.",
    "I can %v %t by way of the %n.",
    "Good, then the answer should mention the %n.",
};
constexpr Texts kEnglishNouns = {
    "garden", "wall",   "gate",    "path",  "stone",   "bridge", "lantern", "harbour",
    "river",  "ledger", "balance", "clock", "signal",  "thread", "pattern", "margin",
    "weight", "shape",  "season",  "tool",  "journey", "letter", "measure", "reason",
};
constexpr Texts kEnglishAdjectives = {
    "quiet", "round",  "simple", "careful", "bright",  "steady", "narrow", "lively",
    "fair",  "gentle", "firm",   "calm",    "patient", "plain",  "solid",  "curious",
};
constexpr Texts kEnglishVerbs = {
    "measure", "compare", "open",  "follow", "describe", "sketch", "repair", "count",
    "weigh",   "trace",   "plant", "polish", "question", "split",  "join",   "observe",
};

constexpr Texts kChineseOpenings = {
    "关于%t，可以先从%n说起。",
    "简单来说，%t的关键在于%n。",
    "你问到%t，下面分几点说明。",
    "要理解%t，不妨先看看它的%n。",
};
constexpr Texts kChineseSentences = {
    "其中最%a的是%n，因为它决定了%n的样子。",
    "如果先%v%n，%t就会变得%a。",
    "多数人先%v%n，然后才想到%n。",
    "举个例子，可以%v一次%n，再%v它的%n。",
    "这并不意味着%n必须是%a的。",
    "换一个角度看，%t与%n的关系其实很%a。",
    "只要%n足够%a，%n自然会跟上来。",
    "下一步应该%v%t的%n。",
    "不过，%n和%n之间总要有所取舍。",
    "所以，%t需要一个%a的%n。",
};
constexpr Texts kChineseThoughts = {
    "问题是关于%t的。",           "先%v一下%n。",     "%n会不会太%a了？",
    "这样的话，%n就应该是%a的。", "再%v一次%n看看。", "好，答案里要提到%n。",
};
constexpr Texts kChineseNouns = {
    "花园", "围墙", "月门", "小路", "石头", "桥梁", "灯笼", "港口",
    "账本", "平衡", "时钟", "信号", "线索", "图案", "重量", "形状",
};
constexpr Texts kChineseAdjectives = {
    "安静", "圆满", "简单", "仔细", "明亮", "稳定", "狭窄", "实用", "温和", "准确", "开放", "耐心",
};
constexpr Texts kChineseVerbs = {
    "测量", "比较", "打开", "跟随", "描述", "修理", "清点", "权衡", "追踪", "观察", "拆分", "连接",
};

constexpr Texts kCodeOpenings = {
    "Here is a sketch for %t:",
    "One way to write %t:",
    "A small program for %t could look like this:",
};
constexpr Texts kCodeSentences = {
    "```python\ndef %v_%n(%t):\n    %n = sorted(%t)\n    return %n[0]\n```",
    "```python\nclass %a_%n:\n    def __init__(self, %t):\n        self.%n = %t\n\n"
    "    def %v(self):\n        return len(self.%n)\n```",
    "```python\nfor %n in range(10):\n    if %n %% 2 == 0:\n        %v(%t, %n)\n```",
    "```python\nwith open(\"%n.txt\") as %n_file:\n    %t = %n_file.read()\n    print(%v(%t))\n```",
    "The function `%v_%n` keeps the %n %a.",
    "Call `%v` with the %n of `%t` and check the result.",
    "The loop runs in linear time, because each %n is seen once.",
    "A test for the %a case should %v an empty %n.",
};
constexpr Texts kCodeThoughts = {
    "The code has to %v %t.",
    "What if the %n is empty?",
    "A loop over the %n is %a enough.",
    "I should name the function after the %n.",
};
constexpr Texts kCodeNouns = {
    "items", "row", "buffer", "index", "total", "queue", "token", "cache", "node", "record",
};
constexpr Texts kCodeAdjectives = {"sorted", "empty", "linear", "safe", "short", "stable", "pure"};
constexpr Texts kCodeVerbs = {
    "parse", "merge", "filter", "count", "load", "split", "render", "update", "check", "fold",
};

constexpr Phrases kEnglish = {kEnglishOpenings,
                              kEnglishSentences,
                              kEnglishThoughts,
                              kEnglishNouns,
                              kEnglishAdjectives,
                              kEnglishVerbs,
                              " ",
                              "\n\n"};
constexpr Phrases kChinese = {kChineseOpenings,
                              kChineseSentences,
                              kChineseThoughts,
                              kChineseNouns,
                              kChineseAdjectives,
                              kChineseVerbs,
                              "",
                              "\n\n"};
constexpr Phrases kCode = {kCodeOpenings,   kCodeSentences, kCodeThoughts, kCodeNouns,
                           kCodeAdjectives, kCodeVerbs,     "\n\n",        "\n\n"};

}  // namespace

const Phrases& phrases(Language language) {
  switch (language) {
    case Language::english:
      return kEnglish;
    case Language::chinese:
      return kChinese;
    case Language::code:
      return kCode;
  }
  MG_ASSERT(!"language out of range");
}

}  // namespace mg::lab
