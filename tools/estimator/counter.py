"""The weights of TokenCounter: for each tokenizer, least squares on the training pieces."""
import types

import numpy
import scipy.sparse

import features
import regress
import vocabularies

UNIT = 256  # weights are whole 1/256 tokens
# The words and the pairs of Han characters that a tokenizer is taken to know.
SETS_OF = {"claude": ("claude", "small"), "claude_47": ("claude_47", "small"),
           "gemma": ("large", "large"), "qwen": ("large", "large"), "deepseek": ("large", "large")}
OTHER_SETS = ("large", "small")
WEIGHT_OF_LANGUAGE = {"en": 3, "md": 3, "zh": 3, "code": 3, "json": 2, "made": .7}
# The lowest that a weight may be. What a word costs is to stand in the weights of the word, so that
# the counter can hold each to a quarter of a token at least; the pairs of letters are free. No run
# of anything is for nothing.
LOWEST = {"step": .01, "script": .08, "word": .5, "length": -.25, "capitals": -.25, "letters": -1.5,
          "han_single": .25, "han_joined": .25}


def lowest_of(steps):
    return numpy.array([LOWEST.get(name, 0.0) for name in steps.names])


def fit(pieces, held, actual, sets, pairs, tiers):
    texts = [p.text for p in pieces]
    language = numpy.array([WEIGHT_OF_LANGUAGE.get(p.lang, 1) for p in pieces])
    train = numpy.where(~held)[0]
    x = {}
    for known in {OTHER_SETS, *SETS_OF.values()}:
        steps = features.Steps(sets[known[0]], pairs[known[1]], tiers)
        x[known] = regress.matrix(steps, texts, steps.size)
    at, low = steps.at["letters"], lowest_of(steps)

    def weight(name):
        return language / numpy.maximum(actual[name], 20)

    # One table of letter pairs for all: the mean of what each alone would have, to be scaled.
    alone = []
    for name in vocabularies.NAMES:
        if name != "claude_47":  # its small vocabulary is of another kind
            m = x[SETS_OF.get(name, OTHER_SETS)]
            alone.append(regress.least_squares(
                m[train], actual[name][train], weight(name)[train], low, sweeps=0)[at:])
    letters = numpy.round(numpy.mean(alone, axis=0) * UNIT)

    out = types.SimpleNamespace(letters=letters.astype(int), weights={}, scales={}, estimates={},
                                steps=steps)
    for name in vocabularies.NAMES:
        m = x[SETS_OF.get(name, OTHER_SETS)]
        column = scipy.sparse.csr_matrix(m[:, at:] @ letters / UNIT).T
        joint = scipy.sparse.hstack([m[:, :at], column]).tocsr()
        w = regress.least_squares(joint[train], actual[name][train], weight(name)[train],
                                  numpy.append(low[:at], 0.0))
        w = numpy.round(w * UNIT)
        out.weights[name], out.scales[name] = w[:-1].astype(int), int(w[-1])
        out.estimates[name] = joint @ (w / UNIT)
    return out
