"""Generators for the inputs of a circuit, and circuits where generators do not suffice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sc_neurocore._tables import html_table
from sc_neurocore.circuits._laws import Laws
from sc_neurocore.circuits._nets import Call, Loop, Net, calls_in_order
from sc_neurocore.circuits._values import is_composed
from sc_neurocore.circuits._wires import Wiring
from sc_neurocore.circuits.checking import Finding, required_pairs
from sc_neurocore.circuits.prediction import laws_of
from sc_neurocore.streams.correlation import NEEDS

__all__ = ["Allocation"]

# Depths of the circuits that are proposed: a synchronizer of this depth brings independent streams to
# an SCC of about 0.99, and a decorrelator removes most of the correlation of streams with memory.
_SYNCHRONIZED, _SHUFFLED = 8, 16


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
    apart = _apart(nets, wiring, laws, masks)
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


def _apart(
    nets: Mapping[str, Net], wiring: Wiring, laws: Laws, masks: Mapping[str, int]
) -> set[frozenset[str]]:
    """Return the pairs of wires that must have different generators.

    They are in different operands of an operator that requires independent operands, or of a gate, a
    machine or a loop that is part of no operator.
    """
    apart: set[frozenset[str]] = set()

    def separate(x: int, y: int) -> None:
        # Through flip-flops alone, streams of one generator can still be independent; their generators
        # are kept apart all the same.
        first, second = _within(laws.full[x], masks), _within(laws.full[y], masks)
        apart.update(frozenset(pair) for pair in product(first, second) if pair[0] != pair[1])

    for pair in required_pairs(wiring):
        if pair.y is not None and NEEDS[pair.operator].scc == 0:
            separate(pair.x, pair.y)
    for origin in calls_in_order(nets.values()):
        if isinstance(origin, Loop):
            for i, net in enumerate(origin.results):
                for wire in wiring.of[origin, i].flat if net.is_stream else ():
                    separate(int(wire), int(wire))
        elif isinstance(origin, Call) and not is_composed(origin):
            for place, (shape, is_stream) in enumerate(origin.results):
                del shape
                for wire in wiring.of[origin, place].flat if is_stream else ():
                    part = laws.parts[laws.place[int(wire)]]
                    for a, b in product(part.operands, part.operands):
                        if a != b:
                            separate(a, b)
    return apart


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
