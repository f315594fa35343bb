"""Counts of what was tried, by table and class, printed at the end of the run."""

from collections import Counter, defaultdict

_counts = defaultdict(Counter)


def count(table, kind):
    _counts[table][kind] += 1


def count_many(table, kind, number):
    _counts[table][kind] += number


def lines():
    for table, kinds in sorted(_counts.items()):
        parts = " ".join(f"{kind}={n}" for kind, n in sorted(kinds.items()))
        yield f"{table}: {sum(kinds.values())} rows: {parts}"
