"""Fits the tables of src/gateway/token_*_table.h and reports the errors. See tools/fit_estimator."""
import argparse
import hashlib
import json
import multiprocessing
import os
import sys

import numpy

import ceiling
import corpus
import counter
import features
import hostile
import tables
import vocabularies

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "../../src/gateway")
WORK = None


def count_all(name, texts):
    count = vocabularies.load(WORK)[name].count
    return [count(text) for text in texts]


def counts(work, texts):
    """{tokenizer: tokens of each text}, kept in the work folder."""
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    path = f"{work}/counts-{digest}.json"
    if not os.path.exists(path):
        with multiprocessing.Pool(2) as pool:
            rows = pool.starmap(count_all, [(n, texts) for n in vocabularies.NAMES], chunksize=1)
        with open(path, "w", encoding="utf8") as f:
            json.dump(dict(zip(vocabularies.NAMES, rows)), f)
    with open(path, encoding="utf8") as f:
        return {name: numpy.array(row, dtype=float) for name, row in json.load(f).items()}


def report(title, pieces, held, estimate, actual):
    """Bias of the sum, deviation, and share beyond 10 % of pieces of 40 tokens and more."""
    parts = []
    for lang in ("en", "md", "zh", "zhtw", "code", "json", "ja", "ko", "de", "fr", "es", "ru", "ar",
                 "hi", "vi", "made"):
        at = numpy.array([i for i, p in enumerate(pieces)
                          if held[i] and p.lang == lang and actual[i] >= 40])
        error = estimate[at] / actual[at] - 1
        parts.append(f"{lang} {100 * (estimate[at].sum() / actual[at].sum() - 1):+.1f}"
                     f" ±{100 * error.std():.1f} {100 * (abs(error) > .1).mean():.0f}%")
    print(f"{title:10}", "  ".join(parts), flush=True)


def main():
    global WORK
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--work", required=True)
    arguments.add_argument("--write", action="store_true")
    arguments = arguments.parse_args()
    WORK = arguments.work

    pieces = corpus.texts(WORK)
    texts = [p.text for p in pieces]
    held = numpy.array([p.held for p in pieces])
    print(f"{len(pieces)} pieces, {sum(map(len, texts))} characters, {held.sum()} held out")
    vocabulary = vocabularies.load(WORK)
    actual = counts(WORK, texts)

    tiers = vocabularies.han_tiers(vocabulary)
    sets = {
        "large": features.Filter(vocabularies.known_words(vocabulary, "large", 12000), 16),
        "claude": features.Filter(vocabularies.known_words(vocabulary, "claude", 12000), 16),
        "claude_47": features.Filter(vocabularies.known_words(vocabulary, "claude_47", 2000), 14),
    }
    pairs = {reader: features.Filter(vocabularies.han_pairs(vocabulary, reader, 5700), 15)
             for reader in ("small", "large")}

    print("counter, on pieces held out: bias of the sum, deviation, share of pieces off by > 10 %")
    fitted = counter.fit(pieces, held, actual, sets, pairs, tiers)
    for name in vocabularies.NAMES:
        report(name, pieces, held, fitted.estimates[name], actual[name])

    bad = hostile.texts(pieces)
    patterns = hostile.patterns()
    print("ceiling, on pieces held out: median and lowest of ceiling / tokens")
    bound = ceiling.fit(pieces, held, actual, bad, counts(WORK, bad), patterns,
                        counts(WORK, patterns), vocabulary, tiers)

    out = tables.all_tables(fitted, bound, sets, pairs, tiers)
    same = True
    for name, text in out.items():
        path = os.path.join(SOURCES, name)
        standing = open(path, encoding="utf8").read() if os.path.exists(path) else ""
        same = same and standing == text
        print(f"{name}: {'as it stands' if standing == text else 'differs'}")
        if arguments.write:
            with open(path, "w", encoding="utf8") as f:
                f.write(text)
        elif standing != text:
            with open(os.path.join(WORK, name), "w", encoding="utf8") as f:
                f.write(text)
            print(f"  the new one: {os.path.join(WORK, name)}")
    sys.exit(0 if same or arguments.write else 1)


if __name__ == "__main__":
    main()
