"""Counts texts with the vendors' own tokenizers, for the tests that cannot run those.

    DIR/venv/bin/python tools/estimator/recount.py --work DIR --corpus ../shared
        > tests/unit/gateway/counted_texts.h

DIR is the work folder of tools/fit_estimator. Two tables: recorded texts for which the provider's
figure is missing, and short patterns that tokenizers take badly.
"""
import argparse
import json
import os
import re

import vocabularies

PATTERNS = [
    ("a1", 100), ("Z", 200), ("q;", 100), ("aB3$", 60), ("9", 300), ("1 ", 150), ("0x7f,", 50),
    (" \t\n", 80), ("  \u00a0\u3000", 50), ("\r\n", 100), ("==>", 80), ("\\\"", 120),
    ("{\"a\":[", 60), ("\\u4f60", 50), ("dGhlcXVpY2ticm93bg==", 12), ("3f9a7c", 50),
    ("xkqzvjw ", 30), ("Qx_Zk", 50), ("strengths", 30), ("iVBORw0KGgo", 20), ("he he ", 40),
    ("𠀀𠀁", 40), ("龘靐齉", 40), ("的一是", 60), ("㐀㐁", 40), ("を", 100), ("뷁쀍", 50), ("ꀀꀁ", 50),
    ("😀", 60), ("👩‍👩‍👧‍👦", 25), ("🇩🇪", 50), ("👍🏽", 40), ("é", 100), ("e\u0301\u0323", 50),
    ("Ж", 100), ("ѳ", 100), ("ש", 100), ("س", 100), ("ܐ", 80), ("क्ष", 50), ("ൠ", 80), ("ก็", 60),
    ("ཀྵ", 40), ("ሀ", 80), ("𝔘", 50), ("\u200b", 80), ("\ue000", 60), ("─", 100), ("⠿", 60),
    ("∀∃", 60), ("€", 60), ("ﷺ", 40),
]


def pieces_of(path):
    """The strings of a recorded answer that a model wrote, by their JSON key, joined."""
    found = {}

    def walk(value, key):
        if isinstance(value, str) and key in ("content", "reasoning_content", "text"):
            found[key] = found.get(key, "") + value
        elif isinstance(value, dict):
            for k, v in value.items():
                walk(v, k)
        elif isinstance(value, list):
            for v in value:
                walk(v, key)

    with open(path, encoding="utf8", newline="") as f:
        for line in re.split(r"\r?\n", f.read()):
            if line.startswith("data:") and "[DONE]" not in line:
                walk(json.loads(line[5:]), "")
    return found


def tool_texts(corpus):
    """Each different list of tools in a recorded request, as compact JSON."""
    seen = set()
    with open(f"{corpus}/fixtures/index.json", encoding="utf8") as f:
        cases = json.load(f)["cases"]
    for case in cases:
        requests = []
        if case["case"].startswith("translation/"):
            with open(f"{corpus}/fixtures/{case['response']}", encoding="utf8") as f:
                requests = [(k, d["request"]) for k, d in json.load(f)["dialects"].items()]
        elif case.get("request"):
            with open(f"{corpus}/fixtures/{case['request']}", encoding="utf8") as f:
                requests = [("", json.load(f))]
        for dialect, request in requests:
            if request.get("tools"):
                text = json.dumps(request["tools"], separators=(",", ":"), ensure_ascii=False)
                if text not in seen:
                    seen.add(text)
                    yield case["case"], dialect, text


def vendor_tokenizer(case, dialect):
    where = dialect or case
    return ("claude" if where.startswith("anthropic") else "gemma" if where.startswith("gemini")
            else "o200k" if where.startswith("openai") else "qwen")


def literal(text):
    escaped = "".join(chr(b) if 32 <= b < 127 and b not in (34, 92, 63) else f"\\{b:03o}"
                      for b in text.encode("utf8"))
    return f'"{escaped}"'


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--work", required=True)
    arguments.add_argument("--corpus", required=True)
    arguments = arguments.parse_args()
    vocabulary = vocabularies.load(arguments.work)
    fixtures = os.path.join(arguments.corpus, "fixtures")

    print("// Tokens of texts by the vendors' own tokenizers. Written by tools/estimator/recount.py.\n"
          "// clang-format off\n#pragma once\n\n#include <array>\n\n#include \"gateway/token_estimate.h\"\n\n"
          "namespace mg::gateway::counted {\n\n"
          "// Recorded texts without a figure of the provider's.\n"
          "struct Recorded {\n  const char* name;\n  const char* dialect;  // of a translation, or \"\"\n"
          "  const char* part;     // \"content\", \"reasoning_content\", \"text\" or \"tools\"\n"
          "  Tokenizer tokenizer;\n  int tokens;\n};\n"
          "inline constexpr Recorded kRecorded[] = {")
    for name, tokenizers in (("gemini/generate/utf8-crlf-stream", ["gemma"]),
                             ("other/hunyuan/tool-call-stream", ["qwen", "deepseek", "o200k"]),
                             ("bytedance/chat/tool-calls-stream", ["qwen", "deepseek", "o200k"])):
        for part, text in pieces_of(f"{fixtures}/{name}.response.sse").items():
            if text:
                for t in tokenizers:
                    print(f'    {{"{name}", "", "{part}", Tokenizer::{t}, '
                          f"{vocabulary[t].count(text)}}},")
    for name, dialect, text in tool_texts(arguments.corpus):
        t = vendor_tokenizer(name, dialect)
        print(f'    {{"{name}", "{dialect}", "tools", Tokenizer::{t}, {vocabulary[t].count(text)}}},')
    print("};\n\n// A pattern so many times, and its tokens in the order of Tokenizer.\n"
          "struct Repeated {\n  const char* pattern;\n  int times;\n"
          "  std::array<int, kTokenizers> tokens;\n};\ninline constexpr Repeated kRepeated[] = {")
    for pattern, times in PATTERNS:
        counts = ", ".join(str(vocabulary[t].count(pattern * times)) for t in vocabularies.NAMES)
        print(f"    {{{literal(pattern)}, {times}, {{{counts}}}}},")
    print("};\n\n}  // namespace mg::gateway::counted")


if __name__ == "__main__":
    main()
