# Makes a stack of the interpreter and of C code that calls back: sorted() with a key function that sorts again, down
# to a function of the mathematical library, which with the word "spin" is called for ever.
#
# Origin: own. Licence: Apache-2.0.

import functools
import math
import sys


class Deeper:
    def __init__(self, depth):
        self.depth = depth

    def __iter__(self):
        return iter(map(descend, [self.depth]))


def descend(depth):
    if depth == 0:
        while sys.argv[1:] == ["spin"]:
            math.erf(0.5)
        return math.erf(0.5)
    if depth % 3 == 0:
        return sorted([depth, depth - 1], key=lambda value: descend(depth - 1))[0]
    if depth % 3 == 1:
        return functools.reduce(lambda left, right: left + descend(right), [0, depth - 1])
    return sum(Deeper(depth - 1))


descend(30)
