"""Writes the fitted numbers as the C++ headers that stand in src/gateway."""
import features
import vocabularies

NOTE = "// Written by tools/fit_estimator from its fit; edit that, not this.\n// clang-format off\n"
BEGIN = NOTE + """#pragma once

#include <array>
#include <cstdint>

namespace mg::gateway::{space} {{
"""
END = "\n}}  // namespace mg::gateway::{space}\n"


def wrapped(items, indent="    "):
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) + 2 > 100:
            lines.append(line.rstrip())
            line = indent
        line += item + ", "
    return "\n".join(lines + [line.rstrip().rstrip(",")])


def numbers(values):
    return wrapped([str(int(v)) for v in values])


def bits(values):
    return wrapped([f"0x{v:016x}" for v in values])


def array(type_, name, values, note, show=numbers):
    return (f"\n{note}inline constexpr std::array<{type_}, {len(values)}> {name} = {{\n"
            f"{show(values)}}};\n")


def enumeration(name, values, note):
    body = wrapped(values, "  ")
    return f"\n{note}enum class {name} : uint8_t {{\n{body}\n}};\n"


def file(space, *parts):
    return BEGIN.format(space=space) + "".join(parts) + END.format(space=space)


def words_table(sets, notes):
    head = ("\n// Which words are one token: Bloom filters with two probes over words in lower case,"
            "\n// bit p of a filter is bit p % 64 of its number p / 64.\n")
    return file("words", head, *(array("uint64_t", "k" + n.title().replace("_", ""), sets[n].words,
                                       note, bits) for n, note in notes.items()))


def han_table(pairs, tiers):
    packed = [0] * ((0xA000 - 0x4E00) // 32)
    for c, tier in tiers.items():
        place = ord(c) - 0x4E00
        packed[place // 32] |= tier << place % 32 * 2
    return file("han", array("uint64_t", "kTiers", packed,
                             "// How common U+4E00 .. U+9FFF are: two bits each, 3 is one token"
                             " nearly everywhere.\n", bits),
                array("uint64_t", "kSmall", pairs["small"].words,
                      "// Pairs that are one token: Bloom filters as in token_word_table.h. Where"
                      " the vocabulary\n// has few of them;\n", bits),
                array("uint64_t", "kLarge", pairs["large"].words, "// and where it has many.\n",
                      bits))


def weights_table(fitted):
    parts = [array("int16_t", "kLetters", fitted.letters,
                   "// Pairs of letters within a word that is no known one, 27 x 27 (the last of each"
                   "\n// is any other letter), in 1/256 token.\n")]
    for name in vocabularies.NAMES:
        parts.append(array("int16_t", "k" + name.title().replace("_", ""), list(fitted.weights[name])
                           + [fitted.scales[name]],
                           "// The members of Weights, in their order.\n"
                           if name == vocabularies.NAMES[0] else ""))
    return file("weights", *parts)


def ceiling_table(bound):
    starts = [f"{{0x{first:x}, Script::{name}}}" for first, name in features.SCRIPT_STARTS]
    parts = [
        enumeration("Script", features.SCRIPTS, "// Scripts of the code points beyond ASCII.\n"),
        f"\nstruct ScriptStart {{\n  uint32_t first;\n  Script script;\n}};\n"
        f"inline constexpr std::array<ScriptStart, {len(starts)}> kScriptStarts = {{{{\n"
        f"{wrapped(starts)}}}}};\n",
        array("uint8_t", "kSigns", bound.signs[:-2],
              f"// Ceiling of a pair of ASCII signs, {len(features.ROWS)} rows x 64, in 1/64 token.\n"),
        "\n// Added from the 6th letter of a run on; and what each costs from the 11th.\n"
        f"inline constexpr uint8_t kMiddleLetter = {bound.signs[-2]};\n"
        f"inline constexpr uint8_t kFarLetter = {bound.signs[-1]};\n",
        array("uint8_t", "kFactors", [bound.factors[n] for n in vocabularies.NAMES],
              "// What the sum of signs is multiplied by, for each tokenizer, in 1/32.\n"),
        array("uint8_t", "kClasses", [w for n in vocabularies.NAMES for w in bound.classes[n]],
              "// Ceiling of a character: tokenizers x (scripts, rare Han, repeated bytes), in 1/32 token.\n"),
    ]
    return file("ceiling", *parts)


def all_tables(fitted, bound, sets, pairs, tiers):
    return {
        "token_word_table.h": words_table(sets, {"large": "// Of the large vocabularies.\n"}),
        "token_claude_word_table.h": words_table(sets, {
            "claude": "// Of Claude up to 4.6.\n", "claude_47": "// Of Claude from 4.7 on.\n"}),
        "token_han_table.h": han_table(pairs, tiers),
        "token_weight_table.h": weights_table(fitted),
        "token_ceiling_table.h": ceiling_table(bound),
    }
