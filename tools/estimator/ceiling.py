"""The weights of InputShape: high expectiles, so that nearly no text has more tokens.

ASCII has one table for all tokenizers but the newest of Claude, which gets a factor; it is fitted
to the largest count of the others. Characters beyond ASCII have a weight per class and tokenizer.
"""
import random
import types

import numpy
import scipy.sparse

import features
import hostile
import regress
import vocabularies

UNIT_SIGNS, UNIT_CLASSES, UNIT_FACTOR = 64, 32, 32
LETTERS = list(features.AZ)
MARKS = ["open", "close", "quote", "separator", "end", "dash", "operator"]
TAU, ROUNDS = .995, 3


def floors():
    """What no tokenizer undercuts: a word, a number or a mark begins a token of its own."""
    low = numpy.full(len(features.ROWS) * 64 + 2, .05)

    def put(rows, signs, value):
        for r in rows:
            for s in signs:
                low[features.ROW[r] * 64 + features.SIGN[s]] = value

    punctuation = features.PUNCTUATION
    letters, starts = LETTERS + ["capital"], ["space", "start"]
    put(LETTERS, LETTERS, .08)
    put(starts + ["digit"], letters, .9)
    put(letters, ["digit"], .9)
    put(["high"], letters, .2)
    put(MARKS, letters, .4)
    put(letters, punctuation, .4)
    put(LETTERS, ["capital"], .4)
    put(["capital"], ["capital"], .2)
    put(["digit"] + starts, punctuation, .5)
    put(starts + MARKS, ["digit"], .9)
    put(["digit"], ["digit"], .33)
    low[-2], low[-1] = .05, .5
    return low


def groups():
    """Each pair of signs -> its group, letters taken as one: a first guess before the pairs."""
    rows = ["a" if r in LETTERS else r for r in features.ROWS]
    signs = ["a" if s in LETTERS else s for s in features.SIGNS]
    names = [r + "\0" + s for r in rows for s in signs] + ["middle", "far"]
    index = {n: i for i, n in enumerate(dict.fromkeys(names))}
    group = numpy.array([index[n] for n in names])
    return scipy.sparse.csr_matrix((numpy.ones(len(group)), (numpy.arange(len(group)), group)),
                                   shape=(len(group), len(index))), group


def fit_signs(x, y, weight):
    low = floors()
    join, group = groups()
    coarse_low = numpy.full(join.shape[1], 9.0)
    numpy.minimum.at(coarse_low, group, low)
    top = 1.5
    coarse = regress.expectile((x @ join).tocsr(), y, TAU, weight, coarse_low,
                               numpy.full(join.shape[1], top), .01,
                               numpy.maximum(coarse_low, .3))
    prior = numpy.maximum(coarse[group], low)
    w = regress.expectile(x, y, TAU, weight, low, numpy.full(len(low), top), .3, prior)
    return numpy.maximum(numpy.ceil(w * UNIT_SIGNS - .3), 1)


class Fit:
    def __init__(self, pieces, held, actual, bad, bad_counts, patterns, pattern_counts,
                 vocabulary, tiers):
        self.shape = features.Ceiling(tiers)
        texts = [p.text for p in pieces] + bad + patterns
        self.kind = numpy.array([p.lang for p in pieces] + ["bad"] * len(bad)
                                + ["pattern"] * len(patterns))
        self.held = numpy.concatenate([held, numpy.arange(len(bad)) % 5 == 0,
                                       numpy.zeros(len(patterns), dtype=bool)])
        self.actual = {n: numpy.concatenate([actual[n], bad_counts[n], pattern_counts[n]])
                       for n in vocabularies.NAMES}
        self.x = regress.matrix(self.shape, texts, self.shape.size)
        self.counters = [vocabulary[n].count for n in vocabularies.NAMES if n != "claude_47"]
        self.most = numpy.max([self.actual[n] for n in vocabularies.NAMES if n != "claude_47"],
                              axis=0)
        self.high = numpy.asarray(self.x[:, self.shape.ascii:].sum(axis=1)).ravel()
        self.plain = self.high <= .003 * numpy.asarray(self.x.sum(axis=1)).ravel()

    def weight(self, actual):
        w = 1 / numpy.maximum(actual, 20)
        w[self.kind == "bad"] *= 2
        w[self.kind == "pattern"] *= .05
        return w

    def signs(self):
        """Fits, looks for patterns that the fit thinks too cheap, adds them, and fits again."""
        train = ~self.held & self.plain
        ascii_ = self.shape.ascii
        x, y = self.x[train][:, :ascii_].tocsr(), self.most[train]
        weight, rng = self.weight(self.most)[train], random.Random(5)
        for _ in range(ROUNDS):
            w = fit_signs(x, y, weight)

            def price(text):
                return w[self.shape(text)].sum() / UNIT_SIGNS

            cheap = hostile.cheapest_patterns(price, 1500, rng)
            tokens = numpy.array([max(c(t) for c in self.counters) for t in cheap], dtype=float)
            ratio = tokens / numpy.array([price(t) for t in cheap])
            print(f"  cheapest of 60000 patterns: tokens / ceiling {ratio.max():.2f} at most, "
                  f"{(ratio > 1.2).sum()} of {len(cheap)} above 1.2, {(ratio > 2).sum()} above 2")
            add = ratio > .8
            x = scipy.sparse.vstack([x, regress.matrix(
                self.shape, [t for t, a in zip(cheap, add) if a], self.shape.size)[:, :ascii_]]).tocsr()
            y = numpy.append(y, tokens[add])
            weight = numpy.append(weight, .05 / numpy.maximum(tokens[add], 20))
        return w

    def factor(self, name, signs):
        """How far a tokenizer stays below the common table of signs, or goes beyond it."""
        at = self.plain & (signs > 40)
        if name == "claude_47":  # the table was not fitted to it, so that patterns count as well
            share = .995
        else:
            at, share = at & (self.kind != "pattern"), .998
        return numpy.ceil(numpy.quantile(self.actual[name][at] / signs[at], share) * UNIT_FACTOR)

    def classes(self, name, below):
        train = ~self.held & (self.high > 0)
        top = numpy.array([features.BYTES_OF_CLASS.get(c, 3) for c in features.CLASSES])
        top = top * (4 / 3 if name.startswith("claude") else 1)
        low = numpy.where([c in features.SURE for c in features.CLASSES], top, .25)
        rest = numpy.maximum(self.actual[name][train] - below[train], 0)
        weight = self.weight(self.actual[name])
        weight[self.kind == "bad"] *= 5
        return numpy.ceil(UNIT_CLASSES * regress.expectile(
            self.x[train][:, self.shape.ascii:].tocsr(), rest, TAU, weight[train], low, top, .001,
            numpy.maximum(low, .5)) - .3)


def fit(*arguments):
    f = Fit(*arguments)
    w = f.signs()
    signs = f.x[:, :f.shape.ascii] @ (w / UNIT_SIGNS)
    out = types.SimpleNamespace(signs=w.astype(int), factors={}, classes={}, shape=f.shape)
    for name in vocabularies.NAMES:
        factor = f.factor(name, signs)
        below = signs * factor / UNIT_FACTOR
        classes = f.classes(name, below)
        out.factors[name], out.classes[name] = int(factor), classes.astype(int)
        ratio = (below + f.x[:, f.shape.ascii:] @ (classes / UNIT_CLASSES)) / numpy.maximum(
            f.actual[name], 1)
        print(f"{name:10}", "  ".join(
            f"{k} {numpy.median(ratio[f.held & (f.kind == k)]):.2f} "
            f"{ratio[f.held & (f.kind == k)].min():.2f}"
            for k in ("en", "md", "zh", "code", "json", "ja", "ko", "de", "ru", "ar", "hi", "bad")),
            f" factor {factor / UNIT_FACTOR:.2f}", flush=True)
    return out
