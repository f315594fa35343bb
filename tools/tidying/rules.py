"""All rules by name, and how they are run."""

from . import includes, programs, shape, words

ALL = {
    rule.__name__: rule
    for rule in (includes.layers, includes.fences, includes.pragma_once, includes.dead_files,
                 shape.file_length, shape.function_length, shape.coroutines,
                 words.seams, words.floats, words.names, words.marks, words.paths, words.layout,
                 words.bounds, programs.formatting, programs.lua)
}


def run(tree, names):
    """The findings of the named rules, in the order of the tree."""
    found = []
    for name in names:
        found.extend(ALL[name](tree))
    return sorted(set(found))
