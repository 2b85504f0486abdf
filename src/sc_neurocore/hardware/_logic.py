"""Truth tables as few operations & | ^ on words of bits, and programs that share what they repeat.

Bit i of a table is the value where input k has bit k of i.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any

# The name of a variable, False, True, or (operation, operand, operand).
Tree = Any

_INPUTS = "abcdef"


def cofactors(table: int, n: int, k: int) -> tuple[int, int]:
    """Return a table of n inputs where input k is 0, and where it is 1; neither depends on it."""
    ones, width = _variable(n, k), 1 << k
    high, low = table & ones, table & ~ones
    return low | low << width, high | high >> width


def tree_of(table: int, inputs: Sequence[str | bool]) -> Tree:
    """Return a tree of few operations over inputs, of which those that are False or True drop out."""
    for k, value in enumerate(inputs):
        if isinstance(value, bool):
            table = cofactors(table, len(inputs), k)[value]
    return _over(_smallest(table, len(inputs)), dict(zip(_INPUTS, inputs, strict=False)))


class Statements:
    """Assignments of trees to names in Python; what several trees repeat is computed once.

    Attributes
    ----------
    lines : list of str
    """

    def __init__(self, trees: Iterable[Tree]) -> None:
        distinct = {part for tree in trees for part in parts(tree)}
        self._uses = Counter(side for part in distinct for side in part[1:])
        self._names: dict[Tree, str] = {}
        self.lines: list[str] = []

    def assign(self, name: str, tree: Tree) -> None:
        """Append the assignment of a tree to a name."""
        text = self.text(tree)
        self.lines.append(f"{name} = {text}")
        if isinstance(tree, tuple):
            self._names.setdefault(tree, name)

    def text(self, tree: Tree) -> str:
        """Return an expression; M is the word of ones."""
        if isinstance(tree, bool):
            return "M" if tree else "0"
        if isinstance(tree, str):
            return tree
        if tree in self._names:
            return self._names[tree]
        kind, a, b = tree
        text = f"({self.text(a)}{kind}{self.text(b)})"
        if self._uses[tree] > 1:
            self._names[tree] = f"s{len(self._names)}"
            self.lines.append(f"{self._names[tree]} = {text}")
            return self._names[tree]
        return text


@cache
def _variable(n: int, k: int) -> int:
    return sum(1 << i for i in range(1 << n) if i >> k & 1)


@cache
def _smallest(table: int, n: int) -> Tree:
    """Return the tree of the fewest operations that was found, over the letters of inputs."""
    full = (1 << (1 << n)) - 1
    if table in (0, full):
        return table == full
    straight = _found(table, n)
    inverted = _not(_found(table ^ full, n))
    return min(straight, inverted, key=_cost)


@cache
def _found(table: int, n: int) -> Tree:
    support = [k for k in range(n) if len(set(cofactors(table, n, k))) == 2]
    trees: list[Tree] = []
    for k in reversed(support if len(support) <= 4 else support[-1:]):
        trees += _joined(_INPUTS[k], *cofactors(table, n, k), n)
    for j, k in combinations(support, 2) if 3 <= len(support) <= 4 else ():
        quarters = [part for half in cofactors(table, n, k) for part in cofactors(half, n, j)]
        if len(set(quarters)) == 2:
            no, yes = quarters[0], next(q for q in quarters if q != quarters[0])
            which = sum(1 << i for i, q in enumerate(quarters) if q == yes)
            trees += _joined(tree_of(which, [_INPUTS[j], _INPUTS[k]]), no, yes, n)
    return min(trees, key=_cost)


def _joined(x: Tree, no: int, yes: int, n: int) -> Iterable[Tree]:
    """Return trees of what is the table `no` where x is 0 and `yes` where it is 1."""
    full = (1 << (1 << n)) - 1
    a, b = _smallest(no, n), _smallest(yes, n)
    if no ^ yes == full:
        return [_op("^", a, x)]
    trees = [
        _op("^", a, _op("&", _smallest(no ^ yes, n), x)),
        _op("^", a, _op("&", _op("^", a, b), x)),
    ]
    if not no & ~yes:
        trees += [_op("|", a, _op("&", b, x)), _op("&", b, _op("|", a, x))]
    if not yes & ~no:
        trees += [_op("|", b, _op("&", a, _not(x))), _op("&", a, _op("|", b, _not(x)))]
    return trees


def _over(tree: Tree, inputs: Mapping[str, Tree]) -> Tree:
    """Return a tree with its variables replaced."""
    if isinstance(tree, tuple):
        return _op(tree[0], _over(tree[1], inputs), _over(tree[2], inputs))
    return tree if isinstance(tree, bool) else inputs[tree]


def _not(x: Tree) -> Tree:
    return _op("^", x, True)


def _op(kind: str, a: Tree, b: Tree) -> Tree:
    a, b = sorted((a, b), key=_rank)
    if isinstance(b, bool):
        if kind == "^":
            if not b:
                return a
            if isinstance(a, tuple) and a[0] == "^" and a[2] is True:
                return a[1]
        else:
            return a if b == (kind == "&") else b
    if a == b:
        return False if kind == "^" else a
    return kind, a, b


def _rank(tree: Tree) -> tuple[int, str]:
    """Return a key that sorts variables before operations and constants last."""
    return (2 if isinstance(tree, bool) else isinstance(tree, tuple)), str(tree)


def _cost(tree: Tree) -> int:
    return len(set(parts(tree)))


def parts(tree: Tree) -> Iterator[Tree]:
    """Yield the operations of a tree, operands before what takes them."""
    if isinstance(tree, tuple):
        yield from parts(tree[1])
        yield from parts(tree[2])
        yield tree
