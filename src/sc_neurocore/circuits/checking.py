"""Operands with the wrong correlation, by the law of a circuit or on its bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._tables import html_table
from sc_neurocore.circuits._laws import LONG_RUN, Laws
from sc_neurocore.circuits._nets import Call, Net
from sc_neurocore.circuits._simulation import simulated
from sc_neurocore.circuits._wires import Part, Wiring
from sc_neurocore.circuits.prediction import laws_of
from sc_neurocore.streams import Bernoulli, Bitstream, Permutation, Source, autocorrelation, scc
from sc_neurocore.streams.correlation import NEEDS, TOLERANCE

__all__ = ["Finding"]

_LAGS = 4
# Differences of probabilities that are not due to rounding.
_EXACT = 1e-7
_REMEDIES = {
    0: "isolate, decorrelate or regenerate one of them, or use another generator",
    1: "give their inputs one generator, or synchronize them",
    -1: "give the input x of one and ~x of the other one generator, or desynchronize them",
}


@dataclass(frozen=True)
class Finding:
    """Operands that do not have the correlation that an operator requires.

    Attributes
    ----------
    operator : str
        Name of the operator, as in its messages inside `checking`.
    operands : tuple of str
        Names of the nets: two, three for a dependence of three, or one that is not white.
    wanted : int or None
        Required SCC; None for a net that must be white.
    found : float
        SCC; for three operands, their joint correlation coefficient; for one, the autocorrelation. NaN
        if the law is too large to be computed, so that only the shared generator is known.
    paths : tuple of str
        Paths from a shared generator to each operand.
    message : str
        What is wrong, and what to do.
    """

    operator: str
    operands: tuple[str, ...]
    wanted: int | None
    found: float
    paths: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        wanted = "white" if self.wanted is None else f"SCC {self.wanted:+d}"
        cells = (self.operator, ", ".join(self.operands), wanted, f"{self.found:.3g}", self.message)
        return html_table(("operator", "operands", "required", "found", "what to do"), [cells])


class Pair(NamedTuple):
    """Two wires, or one, of which an operator requires a correlation."""

    operator: str
    call: Call | None
    which: str
    x: int
    y: int | None


def required_pairs(wiring: Wiring) -> Iterator[Pair]:
    """Yield the wires of which operators require a correlation, each pair once."""
    seen: set[tuple[str, int, int | None]] = set()
    for need, call in wiring.needs:
        x = wiring.wires(need.x)
        x, y = np.broadcast_arrays(x, x if need.y is None else wiring.wires(need.y))
        for a, b in zip(x.flat, y.flat, strict=True):
            other = None if need.y is None else int(b)
            pair = Pair(need.operator, call, need.which, int(a), other)
            if (pair.operator, pair.x, pair.y) not in seen:
                seen.add((pair.operator, pair.x, pair.y))
                yield pair


def findings(
    nets: Mapping[str, Net],
    wiring: Wiring,
    numbers: Mapping[str, tuple[int, bool]],
    sets: Sequence[Mapping[str, float] | None],
    sequences: Sequence[Source],
) -> tuple[Finding, ...]:
    """Return findings by the joint law, for sets of values of the inputs; None are random values.

    `sequences` are the sources of the generators of the inputs.
    """
    names = _Names(nets, wiring, numbers)
    pairs = list(required_pairs(wiring))
    found: dict[tuple[Any, ...], Finding] = {}
    rng = np.random.default_rng(0)
    for values in sets:
        chosen = values or {wire: float(rng.uniform(0.2, 0.8)) for wire in numbers}
        laws = laws_of(wiring, chosen, numbers, LONG_RUN)
        passed: list[Pair] = []
        for pair in pairs:
            if pair.y is None:
                one = _white(pair, laws, names) or _counted(pair, laws, names, sequences)
            else:
                one = _correlated(pair, laws, names) or _one_sequence(pair, laws, names, sequences)
            if one is None:
                passed.append(pair)
            else:
                found.setdefault((pair.operator, pair.x, pair.y), one)
        for pair, x, y, z in _triples(passed):
            if (pair.operator, x, y, z) not in found:
                three = _three(pair, (x, y, z), laws, names)
                if three is not None:
                    found[pair.operator, x, y, z] = three
    # Wires without a name of their own, as coefficients, can have one finding.
    return tuple({finding.message: finding for finding in found.values()}.values())


def _correlated(pair: Pair, laws: Laws, names: _Names) -> Finding | None:
    wanted = NEEDS[pair.operator].scc
    assert pair.y is not None
    x, y = laws.law(pair.x), laws.law(pair.y)
    both = laws.law(pair.x if pair.x == pair.y else laws.gate("and", pair.x, pair.y))
    p, q = x.mean, y.mean
    unknown = "bounded" in (x.method, y.method, both.method)
    if min(p, q, 1 - p, 1 - q) < _EXACT:  # a constant has any correlation
        return None
    if unknown and not laws.full[pair.x] & laws.full[pair.y]:
        value = 0.0
    else:
        value = 1.0 if pair.x == pair.y else np.nan if unknown else _scc(both.mean, p, q)
    if wanted == 0 and (value == 0 or (abs(both.mean - p * q) <= _EXACT and not unknown)):
        return None
    if wanted and abs(value - wanted) <= TOLERANCE:
        return None
    return _finding(pair, wanted, value, names)


def _one_sequence(pair: Pair, laws: Laws, names: _Names, sequences: Sequence[Source]) -> Finding | None:
    """Return a finding if generators of two operands are different parts of one sequence."""
    assert pair.y is not None
    if NEEDS[pair.operator].scc != 0:
        return None
    before = [_generators(wire, laws, names, sequences) for wire in (pair.x, pair.y)]
    for a, first, x in before[0]:
        for b, second, y in before[1]:
            independent = "input" in (a[0], b[0]) and a[0] == b[0]  # sequences of one source
            if a != b and not independent and first.roots & second.roots:
                message = (
                    f"{pair.operator} needs SCC 0, but {x} ({first}) and {y} ({second}) step through "
                    "one sequence; use sources of different kinds or widths"
                )
                operands = names.of(pair.x, pair), names.of(pair.y, pair)
                return Finding(pair.operator, operands, 0, float("nan"), (x, y), message)
    return None


def _generators(
    wire: int, laws: Laws, names: _Names, sequences: Sequence[Source]
) -> list[tuple[Any, Source, str]]:
    """Return the generators on which a wire depends, with their sources and names."""
    mask = laws.full[wire]
    leaves = [w for w in names.generator if w in laws.full and laws.full[w] & mask]
    ids = {names.generator[w]: names.name(w) for w in leaves}
    return [(g, sequences[g[1]] if g[0] == "input" else g[1], name) for g, name in ids.items()]


def _counted(pair: Pair, laws: Laws, names: _Names, sequences: Sequence[Source]) -> Finding | None:
    """Return a finding if a stream that must be white is of numbers that are not."""
    mean = laws.mean(pair.x)
    if mean < _EXACT or mean > 1 - _EXACT:
        return None
    for _, source, name in _generators(pair.x, laws, names, sequences):
        if not isinstance(source, Bernoulli | Permutation):
            x = names.of(pair.x, pair)
            message = (
                f"{pair.operator} needs a white stream, but {x} depends on {name} ({source}), whose "
                "numbers are not independent in time; predict shows the error, Bernoulli has none"
            )
            return Finding(pair.operator, (x,), None, float("nan"), (name,), message)
    return None


def _finding(pair: Pair, wanted: int, value: float, names: _Names) -> Finding:
    x, y = names.of(pair.x, pair), names.of(pair.y, pair)
    of = f" of {pair.which}" if pair.which else ""
    paths = names.paths(pair.x, pair.y)
    reason = names.reason(paths) if value != 0 else "which share no generator"
    message = (
        f"{pair.operator} needs SCC {wanted:+d}{of}, got {value:.3g} between {x} and {y}, {reason}; "
        f"{_REMEDIES[wanted]}"
    ).replace("SCC +0", "SCC 0")
    return Finding(pair.operator, (x, y), wanted, float(value), paths, message)


def _scc(both: float, p: float, q: float) -> float:
    d = both - p * q
    if abs(d) <= _EXACT:
        return 0.0
    return d / (min(p, q) - p * q if d > 0 else p * q - max(0.0, p + q - 1))


def _white(pair: Pair, laws: Laws, names: _Names) -> Finding | None:
    if not laws.has_state(pair.x):
        return None
    covariances = laws.covariances(pair.x, _LAGS)
    if covariances is None:
        rho = np.array([np.nan])
    else:
        if covariances[0] < _EXACT or (abs(covariances[1:]) <= _EXACT).all():
            return None
        rho = covariances[1:] / covariances[0]
    lag = 0 if covariances is None else int(abs(rho).argmax())
    return _not_white(pair, float(rho[lag]), lag + 1, names)


def _not_white(pair: Pair, rho: float, lag: int, names: _Names) -> Finding:
    x = names.of(pair.x, pair)
    message = (
        f"{pair.operator} needs a white stream, got an autocorrelation of {rho:.3g} at lag {lag} "
        f"of {x}; decorrelate or regenerate it"
    )
    return Finding(pair.operator, (x,), None, rho, (), message)


def _triples(pairs: Sequence[Pair]) -> Iterator[tuple[Pair, int, int, int]]:
    """Yield three wires of which an operator requires that all pairs are independent."""
    calls: dict[tuple[Call | None, str], list[Pair]] = {}
    for pair in pairs:
        if pair.y is not None and NEEDS[pair.operator].scc == 0:
            calls.setdefault((pair.call, pair.operator), []).append(pair)
    for group in calls.values():
        later: dict[int, set[int]] = {}
        for pair in group:
            assert pair.y is not None
            later.setdefault(min(pair.x, pair.y), set()).add(max(pair.x, pair.y))
        for x in sorted(later):
            for y in sorted(later[x] - {x}):
                yield from ((group[0], x, y, z) for z in sorted(later[x] & later.get(y, set()) - {y}))


def _three(pair: Pair, wires: tuple[int, int, int], laws: Laws, names: _Names) -> Finding | None:
    x, y, z = wires
    a, b, c = laws.full[x], laws.full[y], laws.full[z]
    if not (a & b or a & c or b & c):
        return None
    p = [laws.mean(wire) for wire in wires]
    all_three = laws.law(laws.gate("and", laws.gate("and", x, y), z))
    if all_three.method == "bounded" or abs(all_three.mean - np.prod(p)) <= _EXACT:
        return None
    return _dependent(pair, wires, all_three.mean - float(np.prod(p)), p, names)


def _dependent(
    pair: Pair, wires: tuple[int, int, int], excess: float, p: Sequence[float], names: _Names
) -> Finding:
    value = excess / float(np.sqrt(np.prod([q * (1 - q) for q in p])))
    operands = tuple(names.of(wire, pair) for wire in wires)
    message = (
        f"{pair.operator} needs independent operands, but {operands[0]}, {operands[1]} and "
        f"{operands[2]} are independent only in pairs: their joint correlation is {value:.3g}; use "
        "another generator"
    )
    return Finding(pair.operator, operands, 0, value, (), message)


class _Names:
    """Names of wires, and paths from generators to them."""

    def __init__(
        self, nets: Mapping[str, Net], wiring: Wiring, numbers: Mapping[str, tuple[int, bool]]
    ) -> None:
        self.names: dict[int, str] = {}
        for name, net in nets.items():
            if (net.origin, net.place) in wiring.of:
                wires = wiring.wires(net)
                for index in np.ndindex(wires.shape):
                    at = f"[{', '.join(map(str, index))}]" if index else ""
                    self.names.setdefault(int(wires[index]), name + at)
        self.driver = {wire: part for part in wiring.parts for wire in part.results}
        self.generator: dict[int, Any] = {}
        for wire, part in self.driver.items():
            if part.kind == "input":
                self.generator[wire] = "input", numbers[part.detail][0]
            elif part.kind == "encode":
                self.generator[wire] = "encode", *part.detail[1]

    def of(self, wire: int | None, pair: Pair) -> str:
        """Return the name of a wire."""
        assert wire is not None
        if wire in self.names:
            return self.names[wire]
        part = self.driver[wire]
        inner = {"encode": "encoded value", "constant": "constant"}.get(
            part.kind, f"{part.kind} {wire}"
        )
        return f"{inner} in {pair.operator}"

    def paths(self, x: int, y: int | None) -> tuple[str, ...]:
        """Return the shortest paths from one generator to two wires; none if they share none."""
        assert y is not None
        to_x, to_y = self._back(x), self._back(y)
        best: tuple[list[int], list[int]] | None = None
        for a in to_x:
            for b in to_y:
                same = self.generator.get(a, a) == self.generator.get(b, b)
                if same and not self.driver[a].operands and not self.driver[b].operands:
                    found = _path(a, to_x), _path(b, to_y)
                    if best is None or sum(map(len, found)) < sum(map(len, best)):
                        best = found
        return () if best is None else tuple(self._text(path) for path in best)

    def reason(self, paths: tuple[str, ...]) -> str:
        """Return the clause that names the shared generator."""
        if not paths:
            return "which share no generator"
        if paths[0] == paths[1]:
            return "which are one stream"
        return f"which share a generator ({paths[0]} and {paths[1]})"

    def _back(self, wire: int) -> dict[int, int | None]:
        """Return the wires that a wire depends on, and the wire after each on the way to it."""
        after: dict[int, int | None] = {wire: None}
        todo = [wire]
        while todo:
            now = todo.pop(0)
            for operand in self.driver[now].operands:
                if operand not in after:
                    after[operand] = now
                    todo.append(operand)
        return after

    def _text(self, path: list[int]) -> str:
        named = [self._step(wire) for wire in path]
        return " -> ".join(name for name in named if name)

    def name(self, wire: int) -> str:
        """Return the name of a leaf."""
        return self.names.get(wire, "an encoded value")

    def _step(self, wire: int) -> str:
        part: Part = self.driver[wire]
        if wire in self.names:
            return self.names[wire]
        return {"encode": "encoded value", "constant": "constant", "flip-flop": "flip-flop"}.get(
            part.kind, ""
        )


def _path(start: int, after: Mapping[int, int | None]) -> list[int]:
    path, wire = [start], after[start]
    while wire is not None:
        path.append(wire)
        wire = after[wire]
    return path


def measured(
    nets: Mapping[str, Net], wiring: Wiring, streams: Mapping[str, Bitstream]
) -> tuple[Finding, ...]:
    """Return findings on the bits of the operands."""
    needed: dict[int, tuple[Net, tuple[int, ...]]] = {}
    for need, _ in wiring.needs:
        for net in (need.x, need.y):
            if net is not None and not net.open:  # operands inside a loop have no bits of their own
                wires = wiring.wires(net)
                for index in np.ndindex(wires.shape):
                    needed.setdefault(int(wires[index]), (net, index))
    unique = {(net.origin, net.place): net for net, _ in needed.values()}
    results = dict(zip(unique, simulated(list(unique.values()), streams, 0), strict=True))
    bits = {wire: results[net.origin, net.place][index] for wire, (net, index) in needed.items()}
    names = _Names(nets, wiring, _own_generators(wiring))
    found, passed = [], []
    for pair in required_pairs(wiring):
        if pair.x not in bits or (pair.y is not None and pair.y not in bits):
            continue
        one = _measured_pair(pair, bits, names)
        if one is None:
            passed.append(pair)
        else:
            found.append(one)
    for pair, *three in _triples(passed):
        x, y, z = (bits[wire] for wire in three)
        p = [float(s.probability()) for s in (x, y, z)]
        # Third central moment of the bits of a step.
        moment = _moment(x, y, z, p)
        spread = np.sqrt(np.prod([q * (1 - q) for q in p]) / x.length)
        if abs(moment) > 5 * spread + 2 / x.length:
            found.append(_dependent(pair, (three[0], three[1], three[2]), moment, p, names))
    return tuple(found)


def _own_generators(wiring: Wiring) -> dict[str, tuple[int, bool]]:
    inputs = [part.detail for part in wiring.parts if part.kind == "input"]
    return {name: (i, False) for i, name in enumerate(inputs)}


def _moment(x: Bitstream, y: Bitstream, z: Bitstream, p: Sequence[float]) -> float:
    def mean(s: Bitstream) -> float:
        return float(s.probability())

    a, b, c = p
    pairs = a * mean(y & z) + b * mean(x & z) + c * mean(x & y)
    return mean(x & y & z) - pairs + 2 * a * b * c


def _measured_pair(pair: Pair, bits: Mapping[int, Bitstream], names: _Names) -> Finding | None:
    x = bits[pair.x]
    if pair.y is None:
        lags = min(_LAGS, x.length - 1)
        if lags == 0:
            return None
        rho: NDArray[np.float64] = autocorrelation(x, lags)[1:]
        p = float(x.probability())
        variance = p * (1 - p)
        missed = abs(rho) * variance * x.length > 5 * np.sqrt(x.length) * variance + 2
        if not missed.any():
            return None
        lag = int(np.where(missed, abs(rho), 0).argmax())
        return _not_white(pair, float(rho[lag]), lag + 1, names)
    y, wanted = bits[pair.y], NEEDS[pair.operator].scc
    value = float(scc(x, y))
    p, q = float(x.probability()), float(y.probability())
    if wanted == 0:
        error = np.sqrt(p * q * (1 - p) * (1 - q) / max(x.length - 1, 1))
        wrong = abs(float((x & y).probability()) - p * q) > 5 * error + 2 / x.length
    else:
        wrong = abs(value - wanted) > TOLERANCE
    return _finding(pair, wanted, value, names) if wrong else None
