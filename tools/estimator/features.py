"""What the two models see of a text. The C++ in src/gateway mirrors this file step by step.

Steps(...)    the features of TokenCounter: symbols, words, pairs of Han characters
Ceiling(...)  the features of InputShape: pairs of ASCII symbols, and counts of other scripts
Both turn a text into a list of feature numbers; a weight each, summed, is the answer.
"""
import bisect
import re

import numpy

PUNCTUATION = [chr(c) for c in range(33, 127) if not chr(c).isalnum()]
AZ = "abcdefghijklmnopqrstuvwxyz"

# Scripts of code points from 0x80: where each begins. `blank` is a space of its own kind.
SCRIPT_STARTS = [
    (0x80, "control"), (0xA0, "blank"), (0xA1, "latin_symbol"), (0xC0, "latin"),
    (0xD7, "latin_symbol"), (0xD8, "latin"), (0xF7, "latin_symbol"), (0xF8, "latin"),
    (0x100, "latin_a"), (0x180, "latin_b"), (0x250, "other_two"), (0x300, "combining"),
    (0x370, "greek"), (0x400, "cyrillic"), (0x460, "cyrillic_more"), (0x530, "other_two"),
    (0x590, "hebrew"), (0x600, "arabic"), (0x700, "other_two"), (0x800, "other_three"),
    (0x900, "indic"), (0xE00, "southeast"), (0x10A0, "other_three"), (0x1E00, "latin_more"),
    (0x1F00, "other_three"), (0x2000, "symbol"), (0x2010, "typographic"), (0x2040, "symbol"),
    (0x2C00, "other_three"), (0x3000, "blank"), (0x3001, "cjk_mark"), (0x3040, "kana"),
    (0x3100, "other_three"), (0x3400, "han_more"), (0x4E00, "han"), (0xA000, "other_three"),
    (0xAC00, "hangul"), (0xD7A4, "other_three"), (0xFE00, "emoji"), (0xFE10, "other_three"),
    (0xFF00, "cjk_mark"), (0xFFF0, "other_three"), (0x10000, "ancient"), (0x1F000, "emoji"),
    (0x20000, "han_more"), (0x30000, "ancient"),
]
SCRIPTS = list(dict.fromkeys(name for _, name in SCRIPT_STARTS))
STARTS = [first for first, _ in SCRIPT_STARTS]


def script_of(code):
    return SCRIPT_STARTS[bisect.bisect_right(STARTS, code) - 1][1]


# ---------------------------------------------------------------------- sets of words and of pairs

class Filter:
    """A Bloom filter with two probes, laid out as in C++."""

    def __init__(self, strings, bits):
        self.shift, self.words = 32 - bits, [0] * (1 << bits >> 6)
        self.seen = {}
        for s in strings:
            for probe in self.probes(s):
                self.words[probe >> 6] |= 1 << (probe & 63)

    def probes(self, string):
        h = 2166136261
        for c in string:
            h = (h ^ ord(c)) * 16777619 & 0xFFFFFFFF
        return [(h * m & 0xFFFFFFFF) >> self.shift for m in (0x9E3779B1, 0x85EBCA6B)]

    def has(self, string):
        found = self.seen.get(string)
        if found is None:
            found = self.seen[string] = all(
                self.words[p >> 6] >> (p & 63) & 1 for p in self.probes(string))
        return found


# ---------------------------------------------------------------------- the counter

SYMBOLS = ["letter", "digit", "space", "newline", "tab"] + PUNCTUATION + [
    "han", "kana", "hangul", "cjk_mark", "typographic", "latin_symbol", "combining", "greek",
    "cyrillic", "hebrew", "arabic", "indic", "southeast", "emoji", "symbol", "other", "ancient",
    "control"]
SYMBOL = {name: i for i, name in enumerate(SYMBOLS)}
SYMBOL_OF_SCRIPT = {"blank": "tab", "latin": "letter", "latin_a": "letter", "latin_b": "letter",
                    "latin_more": "letter", "cyrillic_more": "cyrillic", "han_more": "han",
                    "other_two": "other", "other_three": "other"}
# What a step remembers of the symbol before.
GROUPS = ["letter", "digit", "space", "start", "same", "open", "close", "quote", "separator", "end",
          "dash", "operator", "cjk", "script", "rest"]
GROUP_OF = {"letter": "letter", "digit": "digit", "space": "space", "newline": "start",
            "tab": "start"}
for group, members in (("open", "([{<"), ("close", ")]}>"), ("quote", "\"'`"),
                       ("separator", ",;:"), ("end", ".!?"), ("dash", "-_")):
    GROUP_OF.update({c: group for c in members})
for c in PUNCTUATION:
    GROUP_OF.setdefault(c, "operator")
GROUP_OF.update({s: "cjk" for s in ("han", "kana", "hangul", "cjk_mark")})
GROUP_OF.update({s: "script" for s in ("combining", "greek", "cyrillic", "hebrew", "arabic",
                                       "indic", "southeast")})
LEADS = ["space", "start", "punctuation", "digit", "camel", "other"]
SHAPES = ["lower", "capital", "single_capital", "capitals"]
RUN_SCRIPTS = ["greek", "cyrillic", "arabic", "hebrew", "indic", "southeast", "hangul", "kana"]
LENGTHS, CAPITALS_LENGTHS, RUN_LENGTHS, WORD_LETTERS = 16, 12, 6, (4, 20)

SYMBOL_TABLE = numpy.zeros(0x110000, dtype=numpy.int16)


def fill_symbol_table():
    t = SYMBOL_TABLE
    t[0:128] = SYMBOL["control"]
    t[48:58], t[32] = SYMBOL["digit"], SYMBOL["space"]
    t[65:91] = t[97:123] = SYMBOL["letter"]
    t[10] = t[13] = SYMBOL["newline"]
    t[9] = SYMBOL["tab"]
    for c in PUNCTUATION:
        t[ord(c)] = SYMBOL[c]
    for (first, name), end in zip(SCRIPT_STARTS, STARTS[1:] + [0x110000]):
        t[first:end] = SYMBOL[SYMBOL_OF_SCRIPT.get(name, name)]


fill_symbol_table()


def codes_of(text):
    return numpy.frombuffer(text.encode("utf-32-le"), dtype=numpy.uint32).astype(numpy.int64)


def places(mask):
    """1, 2, 3 ... within each run of True, 0 elsewhere."""
    index = numpy.arange(len(mask))
    return numpy.where(mask, index - numpy.maximum.accumulate(numpy.where(~mask, index, -1)), 0)


def before(values, first):
    return numpy.concatenate(([first], values[:-1]))


class Steps:
    """Features of TokenCounter. `words` and `pairs` are Filters, `tiers` maps Han characters."""

    LATIN = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
    RUN = re.compile(f"[A-Za-z{LATIN}]+")
    WORD = re.compile(f"[a-z{LATIN}]+|[A-Z]+[a-z{LATIN}]*")

    def __init__(self, words, pairs, tiers):
        self.words, self.pairs, self.tiers, self.cache = words, pairs, tiers, {}
        self.names, self.at = [], {}
        self.block("step", len(GROUPS) * len(SYMBOLS))
        self.block("word", 2 * len(LEADS) * len(SHAPES))
        self.block("length", 2 * LENGTHS)
        self.block("capitals", 2 * CAPITALS_LENGTHS)
        self.block("digit", 3)
        self.block("script", len(RUN_SCRIPTS) * RUN_LENGTHS)
        self.block("second_space", 1)
        self.block("han_single", 4)
        self.block("han_joined", 4)
        self.block("letters", 27 * 27)
        self.size = len(self.names)

    def block(self, name, count):
        self.at[name] = len(self.names)
        self.names += [name] * count

    def __call__(self, text):
        codes = codes_of(text)
        symbols = SYMBOL_TABLE[codes]
        previous = before(symbols, -1)
        group_of = numpy.array([GROUPS.index(GROUP_OF.get(s, "rest")) for s in SYMBOLS]
                               + [GROUPS.index("start")])
        groups = numpy.where(previous == symbols, GROUPS.index("same"), group_of[previous])
        inside = (symbols == 0) & (previous == 0)
        out = [self.at["step"] + (groups * len(SYMBOLS) + symbols)[~inside]]

        digits = places(symbols == SYMBOL["digit"])
        out.append(self.at["digit"] + (digits[digits > 0] - 1) % 3)
        out.append(numpy.full((places(codes == 32) == 2).sum(), self.at["second_space"]))
        for i, script in enumerate(RUN_SCRIPTS):
            run = places(symbols == SYMBOL[script])
            run = run[run > 0]
            out.append(self.at["script"] + i * RUN_LENGTHS + numpy.minimum(run, RUN_LENGTHS) - 1)
        out.append(numpy.array(self.latin(text, symbols) + self.han(text, symbols),
                               dtype=numpy.int64))
        return numpy.concatenate(out)

    def latin(self, text, symbols):
        out = []
        for run in self.RUN.finditer(text):
            lead = "start"
            if run.start():
                name = SYMBOLS[symbols[run.start() - 1]]
                lead = ("space" if name == "space" else "start" if name in ("newline", "tab") else
                        "punctuation" if name in PUNCTUATION else
                        "digit" if name == "digit" else "other")
            for word in self.WORD.findall(run.group()):
                out += self.word(word, lead)
                lead = "camel"
        return out

    def word(self, word, lead):
        found = self.cache.get((word, lead))
        if found is not None:
            return found
        folded = "".join(chr(ord(c) | 32) if "A" <= c <= "Z" else c for c in word)
        n = len(word)
        known = int(WORD_LETTERS[0] <= n <= WORD_LETTERS[1] and self.words.has(folded))
        shape = ("lower" if not "A" <= word[0] <= "Z" else "single_capital" if n == 1 else
                 "capitals" if "A" <= word[1] <= "Z" else "capital")
        out = [self.at["word"] + (known * len(LEADS) + LEADS.index(lead)) * len(SHAPES)
               + SHAPES.index(shape)]
        if shape == "capitals":
            out.append(self.at["capitals"] + known * CAPITALS_LENGTHS + min(n, CAPITALS_LENGTHS) - 1)
        else:
            out.append(self.at["length"] + known * LENGTHS + min(n, LENGTHS) - 1)
        if not known:
            index = [ord(c) - 97 if c in AZ else 26 for c in folded]
            out += [self.at["letters"] + a * 27 + b for a, b in zip(index, index[1:])]
        self.cache[(word, lead)] = out
        return out

    def han(self, text, symbols):
        out, is_open = [], False
        if not (symbols == SYMBOL["han"]).any():
            return out
        for i, c in enumerate(text):
            if symbols[i] != SYMBOL["han"]:
                is_open = False
                continue
            joined = is_open and self.pairs.has(text[i - 1] + c)
            out.append(self.at["han_joined" if joined else "han_single"] + self.tiers.get(c, 0))
            is_open = not joined
        return out


# ---------------------------------------------------------------------- the ceiling

SIGNS = list(AZ) + ["capital", "digit", "space", "newline", "tab", "control"] + PUNCTUATION
SIGN = {name: i for i, name in enumerate(SIGNS)}
ROWS = list(AZ) + ["capital", "digit", "space", "start", "open", "close", "quote", "separator",
                   "end", "dash", "operator", "high", "same"]
ROW = {name: i for i, name in enumerate(ROWS)}
ROW_OF = {**{c: c for c in AZ}, "capital": "capital", "digit": "digit", "space": "space",
          "newline": "start", "tab": "start", "control": "start",
          **{c: GROUP_OF[c] for c in PUNCTUATION}}
# Classes of the rest: the scripts, with Han split by how common a character is. A character that
# is the one before again, or the one before that, counts each of its bytes as `repeated`.
CLASSES = SCRIPTS + ["han_rare", "repeated"]
BYTES_OF_CLASS = {"latin_symbol": 2, "latin": 2, "latin_a": 2, "latin_b": 2, "control": 2,
                  "other_two": 2, "combining": 2, "greek": 2, "cyrillic": 2, "cyrillic_more": 2,
                  "hebrew": 2, "arabic": 2, "ancient": 4, "emoji": 4, "han_more": 4, "repeated": 1}
# Scripts of no living prose: as dear as their bytes, no fit needed.
SURE = ("control", "blank", "combining", "other_two", "other_three", "ancient", "han_more",
        "repeated")
LETTERS_MIDDLE, LETTERS_FAR = 5, 10


class Ceiling:
    """Features of InputShape: a pair of ASCII signs each, two for long runs, and the classes."""

    def __init__(self, tiers):
        self.tiers, self.cache = tiers, {}
        self.middle = len(ROWS) * 64
        self.far = self.middle + 1
        self.ascii = self.middle + 2
        self.size = self.ascii + len(CLASSES)
        table = numpy.full(128, SIGN["control"])
        table[48:58], table[65:91], table[32] = SIGN["digit"], SIGN["capital"], SIGN["space"]
        table[10] = table[13] = SIGN["newline"]
        table[9] = SIGN["tab"]
        table[97:123] = numpy.arange(26)
        for c in PUNCTUATION:
            table[ord(c)] = SIGN[c]
        self.signs = table
        self.rows = numpy.array([ROW[ROW_OF[s]] for s in SIGNS])

    def __call__(self, text):
        codes = codes_of(text)
        is_ascii = codes < 128
        signs = numpy.where(is_ascii, self.signs[numpy.minimum(codes, 127)], 64)
        rows = before(numpy.where(is_ascii, numpy.append(self.rows, 0)[signs], ROW["high"]),
                      ROW["start"])
        equal = codes == before(codes, -1)
        twice = equal & before(equal, False)
        rows = numpy.where(numpy.where(signs < 26, twice, equal), ROW["same"], rows)
        run = places(signs <= 26)
        far = (signs < 26) & (run > LETTERS_FAR)
        middle = (signs < 26) & (run > LETTERS_MIDDLE) & ~far
        pairs = numpy.where(far, self.far, rows * 64 + signs)[is_ascii]
        again = (equal | (codes == before(before(codes, -1), -1))) & ~is_ascii
        high = [self.klass(code) for code in codes[~is_ascii & ~again]]
        repeated = sum(2 if c < 0x800 else 3 if c < 0x10000 else 4 for c in codes[again])
        return numpy.concatenate([pairs, numpy.full(middle.sum(), self.middle),
                                  numpy.array(high, dtype=numpy.int64),
                                  numpy.full(repeated, self.size - 1)])

    def klass(self, code):
        found = self.cache.get(code)
        if found is None:
            name = script_of(code)
            if name == "han" and self.tiers.get(chr(code), 0) < 2:
                name = "han_rare"
            found = self.cache[code] = self.ascii + CLASSES.index(name)
        return found
