"""Logic optimization: truth tables as few shared operations & | ^ on nodes.

A literal is twice the number of a node, plus 1 if it is inverted, as in AIGER files. Literals 0 and 1
are the constants. Every function that is 0 when all its inputs are 0 can be written with & | ^ alone,
and any other function is the inverse of such a function. Inversions are thus part of literals, and cost
an operation only at outputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Code", "Logic", "ordered"]

Formula = int | tuple[str, "Formula", "Formula"]  # index of an input, or an operation

T = TypeVar("T")

_VARIABLES = (0xAAAA, 0xCCCC, 0xF0F0, 0xFF00)
_OPERATIONS = {"^": np.bitwise_xor, "&": np.bitwise_and, "|": np.bitwise_or}
_UNREACHED = 255
# Nesting depth of expressions that Python's parser handles easily.
_DEEPEST = 40


class Logic:
    """A graph of operations on nodes, without duplicates.

    Attributes
    ----------
    nodes : list of tuple or None
        Operation and its two nodes; None for node 0, the constant 0, and for leaves. Node -1 is the
        constant of all ones.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[str, int, int] | None] = [None]
        self._known: dict[tuple[str, int, int], int] = {}

    def leaf(self) -> int:
        """Add an input and return its literal."""
        self.nodes.append(None)
        return 2 * len(self.nodes) - 2

    def table(self, table: int, literals: Sequence[int]) -> int:
        """Return the literal of a truth table; bit i is the value if the literals form the number i."""
        nodes = list(dict.fromkeys(literal >> 1 for literal in literals if literal > 1))
        at = {node: i for i, node in enumerate(nodes)}
        places = tuple((at.get(literal >> 1, -1), literal & 1) for literal in literals)
        normal, used, inverted = _normal(table, places)
        if not used:
            return inverted
        return 2 * self._built(_formula(normal, len(used)), [nodes[i] for i in used]) + inverted

    def positive(self, literal: int) -> int:
        """Return a literal with the same value that is not inverted."""
        return 2 * self._node("^", -1, literal >> 1) if literal & 1 and literal > 1 else literal

    def node(self, literal: int) -> int:
        """Return a node with the value of a literal."""
        return -1 if literal == 1 else self.positive(literal) >> 1

    def _built(self, formula: Formula | None, nodes: Sequence[int]) -> int:
        if not isinstance(formula, tuple):
            return 0 if formula is None else nodes[formula]
        operation, left, right = formula
        return self._node(operation, *sorted((self._built(left, nodes), self._built(right, nodes))))

    def _node(self, operation: str, left: int, right: int) -> int:
        key = operation, left, right
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(key)
        return self._known[key]


def ordered(roots: Iterable[T], needs: Callable[[T], Iterable[T]], there: Container[T]) -> list[T]:
    """Return roots and their dependencies in topological order, without those in `there`.

    Parameters
    ----------
    roots : iterable
    needs : callable
        Returns the dependencies of an item.
    there : container
        Items that are already available.
    """
    order: list[T] = []
    done: set[T] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            item, seen = stack.pop()
            if seen:
                order.append(item)
            elif item not in done and item not in there:
                done.add(item)
                stack.append((item, True))
                stack += [(need, False) for need in needs(item)]
    return order


class Code:
    """Python statements that compute nodes.

    A node that is used once is inlined, and names are reused, so that few values are alive at a time
    and stay in the cache.

    Parameters
    ----------
    logic : Logic
    named : mapping of int to str
        Names of the nodes that are available from the start.
    late : mapping
        Nodes that are read from memories: the nodes that they depend on, and a function that returns
        their text.
    roots : sequence of int
        Nodes that are needed after the last statement.
    """

    def __init__(
        self,
        logic: Logic,
        named: Mapping[int, str],
        late: Mapping[int, tuple[Sequence[int], Callable[[Code], str]]],
        roots: Sequence[int],
    ) -> None:
        self.lines: list[str] = []
        self.texts = {0: "0", -1: "M", **named}
        self._logic, self._late = logic, late
        self._free: list[str] = []  # names that can be reused
        # Named nodes within the text of each inlined node.
        self._within: dict[int, list[int]] = {}
        self._depth: Counter[int] = Counter()
        self._uses = Counter(dict.fromkeys([*roots, *self.texts], 2))
        order = ordered(roots, self._needs, self.texts)
        self._uses.update(need for node in order for need in self._needs(node))
        for node in order:
            self._write(node)

    def _needs(self, node: int) -> Sequence[int]:
        if node in self._late:
            return self._late[node][0]
        found = self._logic.nodes[node]
        assert found is not None, "netlist must drive all nets"
        return found[1:]

    def _write(self, node: int) -> None:
        used: list[int] = []
        depth = _DEEPEST
        if node in self._late:
            text = self._late[node][1](self)
        else:
            operation, left, right = self._logic.nodes[node]  # type: ignore[misc]
            text = f"({self.texts[left]}{operation}{self.texts[right]})"
            depth = 1 + max(self._depth[left], self._depth[right])
            used = [name for part in (left, right) for name in self._within.get(part, [part])]
        if self._uses[node] == 1 and depth < _DEEPEST:
            self.texts[node], self._depth[node], self._within[node] = text, depth, used
            return
        for part in used:
            self._uses[part] -= 1
            if self._uses[part] == 0:
                self._free.append(self.texts[part])
        name = self._free.pop() if self._free else f"n{node}"
        self.texts[node] = name
        self.lines.append(f" {name} = {text}")


@cache
def _normal(table: int, places: tuple[tuple[int, int], ...]) -> tuple[int, tuple[int, ...], int]:
    """Return a normalized truth table, its variables, and whether its value is inverted.

    The normalized table depends on all its variables, and is 0 if they are 0. Each input of `table` is
    a pair (variable, inverted); variable -1 is the constant 0.
    """
    used = list(range(1 + max((place for place, _ in places), default=-1)))
    values = []
    for bits in product((0, 1), repeat=len(used)):
        variables = [*bits[::-1], 0]
        i = sum((variables[place] ^ inverted) << k for k, (place, inverted) in enumerate(places))
        values.append(table >> i & 1)
    array = np.array(values, np.uint8).reshape((2,) * len(used))
    for axis in range(len(used)):  # the first axis is the last variable
        low, high = np.split(array, 2, axis)
        if np.array_equal(low, high):
            array = low
    kept = tuple(v for v in used if array.shape[len(used) - 1 - v] == 2)
    inverted = int(array.flat[0])
    bits = (array.ravel() ^ inverted).tolist()
    return sum(bit << i for i, bit in enumerate(bits)), kept, inverted


@cache
def _formula(table: int, n: int) -> Formula | None:
    """Return a formula of a normalized table (None if constant 0); the shortest if n <= 4."""
    if n <= 4:
        return _looked_up(table * ((1 << 16) - 1) // ((1 << (1 << n)) - 1))
    return min((_split(table, n, k) for k in range(n)), key=_size)


def _size(formula: Formula | None) -> int:
    """Return the number of operations of a formula."""
    return 1 + _size(formula[1]) + _size(formula[2]) if isinstance(formula, tuple) else 0


def _looked_up(table: int) -> Formula | None:
    """Return the shortest formula of a table of 4 inputs."""
    if table in (0, *_VARIABLES):
        return _VARIABLES.index(table) if table else None
    symbol, left, right = _shortest()[table].tolist()
    return _joined([*_OPERATIONS][symbol], _looked_up(left), _looked_up(right))


def _split(table: int, n: int, k: int) -> Formula | None:
    """Return a formula of a table, made of the formulas for input k = 0 and k = 1."""
    places = [i for i in range(1 << n) if not i >> k & 1]
    low = sum((table >> place & 1) << i for i, place in enumerate(places))
    high = sum((table >> (place | 1 << k) & 1) << i for i, place in enumerate(places))
    inverse = high ^ (1 << (1 << (n - 1))) - 1
    where_low = _without(low, n, k)
    if not high & 1:
        return _joined("^", where_low, _joined("&", k, _without(low ^ high, n, k)))
    if low == inverse:
        return _joined("^", k, where_low)
    where_high = _joined("&", k, _without(inverse, n, k))
    return _joined("^", _joined("|", k, where_low), where_high)


def _without(table: int, n: int, k: int) -> Formula | None:
    """Return a formula of a table whose inputs are those of n without input k."""
    normal, used, _ = _normal(table, tuple((i, 0) for i in range(n - 1)))
    others = [i for i in range(n) if i != k]
    return _renamed(_formula(normal, len(used)), [others[i] for i in used])


def _renamed(formula: Formula | None, names: Sequence[int]) -> Formula | None:
    """Return a formula with input i replaced by input names[i]."""
    if isinstance(formula, tuple):
        return _joined(formula[0], *(_renamed(part, names) for part in formula[1:]))
    return None if formula is None else names[formula]


def _joined(operation: str, left: Formula | None, right: Formula | None) -> Formula | None:
    """Return an operation on two formulas, simplified if one is the constant 0."""
    if left is None or right is None:
        return None if operation == "&" else right if left is None else left
    return operation, left, right


@cache
def _shortest() -> NDArray[np.uint16]:
    """Return the last operation and its two operands for every normalized table of 4 inputs.

    Built level by level: a formula of k operations joins one of i and one of k - 1 - i operations. The
    first of several shortest formulas is kept, so that a sum and its carry share their parts.

    Returns
    -------
    ndarray of uint16, shape (65536, 3)
        Index of the operation, and the tables of its operands.
    """
    operations = np.full(1 << 16, _UNREACHED, np.uint8)
    parts = np.zeros((1 << 16, 3), np.uint16)
    levels = [np.array(_VARIABLES[::-1], np.uint16)]
    operations[[0, *_VARIABLES]] = 0
    while (operations[::2] == _UNREACHED).any():
        k = len(levels)
        new = []
        for i in range((k - 1) // 2, -1, -1):
            left, right = levels[i], levels[k - 1 - i]
            for symbol, operation in enumerate(_OPERATIONS.values()):
                found = operation.outer(left, right).ravel()
                fresh = np.flatnonzero(operations[found] == _UNREACHED)
                tables, at = np.unique(found[fresh], return_index=True)
                operations[tables] = k
                first, second = left[fresh[at] // right.size], right[fresh[at] % right.size]
                parts[tables] = np.stack([np.full_like(first, symbol), first, second], axis=-1)
                new.append(tables)
        levels.append(np.concatenate(new))
    return parts
