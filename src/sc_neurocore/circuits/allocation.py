"""Generators for the inputs of a circuit, and circuits where generators do not suffice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import unwrap
from itertools import combinations, product

from sc_neurocore._tables import html_table
from sc_neurocore.circuits._nets import Call, Loop, Net, calls_in_order
from sc_neurocore.circuits._values import OPERATORS, is_composed
from sc_neurocore.circuits._wires import Wiring
from sc_neurocore.circuits.checking import Finding, required_pairs
from sc_neurocore.circuits.prediction import laws_of
from sc_neurocore.operators import buffered_add, majority
from sc_neurocore.streams.correlation import NEEDS

__all__ = ["Allocation"]

# Depths of the circuits that are proposed: a synchronizer of this depth brings independent streams to
# an SCC of about 0.99, and a decorrelator removes most of the correlation of streams with memory.
_SYNCHRONIZED, _SHUFFLED = 8, 16
# Operators that require no correlation, although their mean depends on it; `ideal_values` holds that of
# independent inputs.
_DEPENDENT = {unwrap(function) for function in (majority, buffered_add)}


@dataclass(frozen=True, repr=False)
class Allocation:
    """Generators of the inputs of a circuit.

    Attributes
    ----------
    generators : dict of str to int
        Generator of each wire of the inputs, for `Circuit.encode`. The name is ``"~x"`` if the
        generator encodes 1 - x and the bits are inverted.
    proposals : tuple of str
        Circuits to insert where operands still have the wrong correlation, and their flip-flops.
    """

    generators: Mapping[str, int]
    proposals: tuple[str, ...]

    @property
    def n_generators(self) -> int:
        """Number of generators."""
        return len(set(self.generators.values()))

    def __repr__(self) -> str:
        proposed = f", {len(self.proposals)} proposals" if self.proposals else ""
        return f"Allocation({self.n_generators} generators: {dict(self.generators)}{proposed})"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = list(self.generators.items())
        rows += [("proposal", text) for text in self.proposals]
        return html_table(("wire", "generator"), rows)


def allocated(
    nets: Mapping[str, Net],
    wiring: Wiring,
    wires: Sequence[str],
    check: Callable[..., tuple[Finding, ...]],
) -> Allocation:
    """Return an allocation for the wires of inputs, given the check of the circuit."""
    numbers = {wire: (i, False) for i, wire in enumerate(wires)}
    laws = laws_of(wiring, dict.fromkeys(wires, 0.5), numbers, 64)
    inputs = {part.detail: part.results[0] for part in wiring.parts if part.kind == "input"}
    masks = {wire: laws.full[inputs[wire]] for wire in wires if wire in inputs}
    apart = _apart(nets, wiring)
    classes = [{wire: False} for wire in wires]  # wires that share a generator: whether inverted
    wrong: int | None = None
    for pair in required_pairs(wiring):
        scc = 0 if pair.y is None else NEEDS[pair.operator].scc
        if scc == 0:
            continue
        x, y = _within(laws.full[pair.x], masks), _within(laws.full[pair.y or 0], masks)
        merged = _merged(classes, x, y, inverted=scc < 0, apart=apart)
        if merged is None or len(merged) == len(classes):
            continue
        if wrong is None:
            wrong = len(check(generators=_numbered(classes)))
        after = len(check(generators=_numbered(merged)))
        if after < wrong:
            classes, wrong = merged, after
    classes = _colored(classes, apart)
    generators = _numbered(classes)
    return Allocation(
        {wire: generators[wire] for wire in sorted(generators, key=_place(wires))},
        tuple(_proposal(finding) for finding in check(generators=generators)),
    )


def _place(wires: Sequence[str]) -> Callable[[str], int]:
    return lambda wire: wires.index(wire.removeprefix("~"))


def _within(mask: int, masks: Mapping[str, int]) -> list[str]:
    return [wire for wire, own in masks.items() if own & mask]


def _apart(nets: Mapping[str, Net], wiring: Wiring) -> set[frozenset[str]]:
    """Return the pairs of wires of inputs that must have different generators.

    They are in different operands of an operator that requires independent operands, or whose mean
    depends on their correlation, or of a gate, a machine or a loop that is part of no operator. A
    stream that reaches both operands keeps no inputs apart of which it is made.
    """
    of_input = {part.results[0]: part.detail for part in wiring.parts if part.kind == "input"}
    place = {wire: i for i, part in enumerate(wiring.parts) for wire in part.results}
    results = {
        int(wire)
        for (origin, _), wires in wiring.of.items()
        if isinstance(origin, Call) and origin.function in OPERATORS
        for wire in wires.flat
    }
    # Inputs and results of operators, each after those of which it is made.
    named = [*of_input, *sorted(results - set(of_input), key=place.__getitem__)]
    reached, made_of = _cones(wiring, named)
    todo: list[tuple[int, int]] = []
    for pair in required_pairs(wiring):
        if pair.y is not None and NEEDS[pair.operator].scc == 0:
            todo += product(_bits(reached[pair.x]), _bits(reached[pair.y]))
    for origin in calls_in_order(nets.values()):
        if not isinstance(origin, Call | Loop):
            continue
        if isinstance(origin, Call) and is_composed(origin) and origin.function not in _DEPENDENT:
            continue
        nets_of = [wiring.of.get((origin, i)) for i in range(len(origin.results))]
        for wire in (int(wire) for wires in nets_of if wires is not None for wire in wires.flat):
            if isinstance(origin, Loop) or origin.function in _DEPENDENT:
                todo += combinations(_bits(made_of.get(wire, reached[wire])), 2)
                continue
            read = dict.fromkeys(wiring.parts[place[wire]].operands)
            for a, b in combinations(read, 2):
                todo += product(_bits(reached[a]), _bits(reached[b]))
    apart: set[frozenset[str]] = set()
    seen: set[tuple[int, int]] = set()
    while todo:
        first, last = sorted(todo.pop())
        if first == last or (first, last) in seen:
            continue
        seen.add((first, last))
        if last < len(of_input):
            apart.add(frozenset((of_input[named[first]], of_input[named[last]])))
        else:
            todo += ((first, inner) for inner in _bits(made_of[named[last]]))
    return apart


def _cones(wiring: Wiring, named: Sequence[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the named wires that reach each wire without passing others, as bits of an integer.

    A named wire is reached by itself; the second result holds those of which it is made.
    """
    bit = {wire: 1 << i for i, wire in enumerate(named)}
    reached: dict[int, int] = dict.fromkeys((w for part in wiring.parts for w in part.results), 0)
    reached |= bit
    made_of: dict[int, int] = dict.fromkeys(named, 0)
    changed = True
    while changed:  # again for loops
        changed = False
        for part in wiring.parts:
            mask = 0
            for operand in part.operands:
                mask |= reached[operand]
            for wire in part.results:
                of = made_of if wire in bit else reached
                changed |= of[wire] != mask
                of[wire] = mask
    return reached, made_of


def _bits(mask: int) -> list[int]:
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def _merged(
    classes: list[dict[str, bool]],
    x: Sequence[str],
    y: Sequence[str],
    *,
    inverted: bool,
    apart: set[frozenset[str]],
) -> list[dict[str, bool]] | None:
    """Return classes in which all wires of x and y share a generator, those of y inverted if so."""
    wires = {*x, *y}
    if not wires:
        return None
    joined: dict[str, bool] = {}
    wanted = {**dict.fromkeys(x, False), **dict.fromkeys(y, inverted)}
    for group in classes:
        touched = wires & set(group)
        if not touched:
            continue
        flips = {group[wire] ^ wanted[wire] for wire in touched}
        if len(flips) > 1:
            return None  # one wire would have to be inverted and not
        (flip,) = flips
        joined |= {wire: is_inverted ^ flip for wire, is_inverted in group.items()}
    names = list(joined)
    if any(frozenset((a, b)) in apart for i, a in enumerate(names) for b in names[:i]):
        return None
    if all(joined.values()):
        joined = dict.fromkeys(joined, False)
    return [group for group in classes if not wires & set(group)] + [joined]


def _colored(classes: list[dict[str, bool]], apart: set[frozenset[str]]) -> list[dict[str, bool]]:
    """Return classes joined so that few remain: a coloring by saturation (Brelaz, CACM 1979)."""
    near = [
        {
            j
            for j, other in enumerate(classes)
            if any(frozenset((a, b)) in apart for a in group for b in other)
        }
        for group in classes
    ]
    colors: dict[int, int] = {}

    def taken(i: int) -> set[int]:
        return {colors[j] for j in near[i] if j in colors}

    while len(colors) < len(classes):
        left = [i for i in range(len(classes)) if i not in colors]
        i = max(left, key=lambda i: (len(taken(i)), len(near[i]), -i))
        colors[i] = next(c for c in range(len(classes)) if c not in taken(i))
    joined: dict[int, dict[str, bool]] = {}
    for i, group in enumerate(classes):
        joined.setdefault(colors[i], {}).update(group)
    return list(joined.values())


def _numbered(classes: Sequence[Mapping[str, bool]]) -> dict[str, int]:
    return {
        ("~" if inverted else "") + wire: i
        for i, group in enumerate(classes)
        for wire, inverted in group.items()
    }


def _proposal(finding: Finding) -> str:
    """Return the circuit that corrects a finding, and its cost."""
    if finding.wanted is None:
        return f"decorrelate {finding.operands[0]} before {finding.operator}: {_SHUFFLED} flip-flops"
    x, y = finding.operands[0], finding.operands[-1]
    if finding.wanted == 0:
        return f"isolate {y} by one step before {finding.operator}, if it is white: 1 flip-flop"
    kind = "synchronize" if finding.wanted > 0 else "desynchronize"
    states = 2 * _SYNCHRONIZED + 1 if finding.wanted > 0 else _SYNCHRONIZED + 1
    bits = (states - 1).bit_length()
    return f"{kind} {x} and {y} with depth {_SYNCHRONIZED} before {finding.operator}: {bits} flip-flops"
