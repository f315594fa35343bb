// Tokens of texts by the vendors' own tokenizers. Written by tools/estimator/recount.py.
// clang-format off
#pragma once

#include <array>

#include "gateway/token_estimate.h"

namespace mg::gateway::counted {

// Recorded texts without a figure of the provider's.
struct Recorded {
  const char* name;
  const char* dialect;  // of a translation, or ""
  const char* part;     // "content", "reasoning_content", "text" or "tools"
  Tokenizer tokenizer;
  int tokens;
};
inline constexpr Recorded kRecorded[] = {
    {"gemini/generate/utf8-crlf-stream", "", "text", Tokenizer::gemma, 185},
    {"other/hunyuan/tool-call-stream", "", "content", Tokenizer::qwen, 82},
    {"other/hunyuan/tool-call-stream", "", "content", Tokenizer::deepseek, 78},
    {"other/hunyuan/tool-call-stream", "", "content", Tokenizer::o200k, 87},
    {"bytedance/chat/tool-calls-stream", "", "reasoning_content", Tokenizer::qwen, 69},
    {"bytedance/chat/tool-calls-stream", "", "reasoning_content", Tokenizer::deepseek, 65},
    {"bytedance/chat/tool-calls-stream", "", "reasoning_content", Tokenizer::o200k, 71},
    {"openai/chat/custom-tool-call", "", "tools", Tokenizer::o200k, 102},
    {"openai/chat/tool-calls-parallel-stream", "", "tools", Tokenizer::o200k, 65},
    {"openai/responses/stream-tool-call", "", "tools", Tokenizer::o200k, 45},
    {"anthropic/messages/thinking-tools", "", "tools", Tokenizer::claude, 64},
    {"anthropic/messages/tool-use", "", "tools", Tokenizer::claude, 40},
    {"anthropic/messages/tool-use-parallel-stream", "", "tools", Tokenizer::claude, 165},
    {"gemini/generate/tool-call-thought-signature", "", "tools", Tokenizer::gemma, 84},
    {"gemini/openai-compat/tool-call-without-id", "", "tools", Tokenizer::gemma, 42},
    {"cohere/chat/tool-call", "", "tools", Tokenizer::qwen, 53},
    {"translation/parallel-tool-calls", "openai_chat", "tools", Tokenizer::o200k, 59},
    {"translation/parallel-tool-calls", "openai_responses", "tools", Tokenizer::o200k, 60},
    {"translation/parallel-tool-calls", "anthropic_messages", "tools", Tokenizer::claude, 62},
    {"translation/parallel-tool-calls", "gemini_generate_content", "tools", Tokenizer::gemma, 60},
    {"translation/parallel-tool-calls-disabled", "openai_chat", "tools", Tokenizer::o200k, 48},
    {"translation/parallel-tool-calls-disabled", "openai_responses", "tools", Tokenizer::o200k, 46},
    {"translation/parallel-tool-calls-disabled", "anthropic_messages", "tools", Tokenizer::claude, 41},
    {"translation/tool-choice-required", "gemini_generate_content", "tools", Tokenizer::gemma, 39},
};

// A pattern so many times, and its tokens in the order of Tokenizer.
struct Repeated {
  const char* pattern;
  int times;
  std::array<int, kTokenizers> tokens;
};
inline constexpr Repeated kRepeated[] = {
    {"a1", 100, {200, 200, 200, 200, 200, 200, 200, 200, 200}},
    {"Z", 200, {100, 100, 102, 202, 100, 100, 100, 100, 100}},
    {"q;", 100, {101, 101, 200, 200, 200, 101, 200, 101, 200}},
    {"aB3$", 60, {181, 181, 240, 240, 240, 181, 181, 181, 181}},
    {"9", 300, {100, 100, 101, 101, 300, 300, 100, 100, 300}},
    {"1 ", 150, {300, 300, 301, 301, 300, 300, 300, 300, 300}},
    {"0x7f,", 50, {250, 250, 251, 251, 250, 250, 250, 250, 250}},
    {" \011\012", 80, {80, 80, 239, 239, 240, 80, 160, 80, 160}},
    {"  \302\240\343\200\200", 50, {150, 150, 100, 100, 300, 150, 150, 150, 150}},
    {"\015\012", 100, {25, 25, 2, 4, 200, 25, 200, 25, 200}},
    {"==>", 80, {160, 80, 120, 161, 160, 80, 160, 80, 160}},
    {"\134\042", 120, {120, 120, 120, 240, 120, 120, 120, 120, 120}},
    {"{\042a\042:[", 60, {180, 121, 240, 300, 121, 121, 180, 121, 180}},
    {"\134u4f60", 50, {200, 200, 250, 250, 300, 250, 200, 200, 250}},
    {"dGhlcXVpY2ticm93bg==", 12, {156, 168, 180, 204, 168, 180, 156, 156, 180}},
    {"3f9a7c", 50, {300, 300, 301, 301, 300, 300, 300, 300, 300}},
    {"xkqzvjw ", 30, {181, 181, 181, 211, 121, 181, 150, 181, 181}},
    {"Qx_Zk", 50, {200, 200, 252, 301, 250, 200, 200, 200, 200}},
    {"strengths", 30, {60, 60, 117, 148, 60, 60, 90, 60, 90}},
    {"iVBORw0KGgo", 20, {140, 140, 180, 200, 140, 140, 140, 140, 140}},
    {"he he ", 40, {81, 81, 81, 81, 81, 81, 81, 81, 81}},
    {"\360\240\200\200\360\240\200\201", 40, {240, 240, 321, 321, 320, 240, 320, 240, 320}},
    {"\351\276\230\351\235\220\351\275\211", 40, {240, 280, 241, 241, 360, 200, 240, 240, 240}},
    {"\347\232\204\344\270\200\346\230\257", 60, {120, 180, 181, 181, 120, 120, 120, 120, 120}},
    {"\343\220\200\343\220\201", 40, {240, 240, 241, 241, 240, 160, 240, 240, 240}},
    {"\343\202\222", 100, {100, 100, 51, 51, 100, 100, 100, 100, 100}},
    {"\353\267\201\354\200\215", 50, {250, 300, 301, 301, 200, 200, 300, 250, 250}},
    {"\352\200\200\352\200\201", 50, {300, 300, 302, 302, 300, 150, 300, 300, 300}},
    {"\360\237\230\200", 60, {60, 120, 121, 121, 60, 60, 120, 120, 240}},
    {"\360\237\221\251\342\200\215\360\237\221\251\342\200\215\360\237\221\247\342\200\215\360\237\221\246", 25, {275, 450, 351, 351, 175, 250, 275, 375, 475}},
    {"\360\237\207\251\360\237\207\252", 50, {200, 300, 301, 301, 100, 100, 200, 300, 400}},
    {"\360\237\221\215\360\237\217\275", 40, {120, 240, 201, 201, 80, 80, 120, 240, 320}},
    {"\303\251", 100, {100, 100, 51, 51, 100, 100, 100, 100, 100}},
    {"e\314\201\314\243", 50, {150, 200, 250, 250, 150, 100, 150, 150, 250}},
    {"\320\226", 100, {100, 200, 101, 202, 100, 100, 100, 100, 100}},
    {"\321\263", 100, {200, 200, 202, 202, 100, 100, 200, 200, 200}},
    {"\327\251", 100, {100, 100, 51, 51, 100, 100, 100, 100, 100}},
    {"\330\263", 100, {50, 100, 100, 100, 100, 50, 100, 100, 50}},
    {"\334\220", 80, {160, 160, 162, 162, 80, 80, 160, 160, 160}},
    {"\340\244\225\340\245\215\340\244\267", 50, {50, 150, 151, 151, 50, 150, 50, 51, 50}},
    {"\340\265\240", 80, {160, 160, 162, 162, 240, 160, 160, 160, 160}},
    {"\340\270\201\340\271\207", 60, {61, 120, 180, 180, 60, 61, 60, 61, 61}},
    {"\340\275\200\340\276\265", 40, {160, 200, 162, 162, 80, 160, 160, 200, 200}},
    {"\341\210\200", 80, {160, 240, 162, 162, 80, 80, 160, 240, 240}},
    {"\360\235\224\230", 50, {150, 150, 201, 201, 200, 100, 150, 150, 200}},
    {"\342\200\213", 80, {20, 40, 81, 81, 20, 40, 80, 40, 80}},
    {"\356\200\200", 60, {120, 180, 1, 1, 60, 180, 120, 180, 180}},
    {"\342\224\200", 100, {7, 13, 26, 26, 7, 13, 7, 13, 25}},
    {"\342\240\277", 60, {180, 180, 181, 181, 60, 120, 120, 180, 180}},
    {"\342\210\200\342\210\203", 60, {180, 240, 241, 241, 120, 120, 180, 240, 240}},
    {"\342\202\254", 60, {60, 60, 60, 60, 60, 60, 60, 60, 60}},
    {"\357\267\272", 40, {80, 120, 122, 122, 40, 40, 120, 120, 80}},
};

}  // namespace mg::gateway::counted
