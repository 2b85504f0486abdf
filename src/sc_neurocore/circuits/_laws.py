"""Mean and variance of wires, from the joint law of everything that they depend on.

The numbers of a generator are independent in time, so that a circuit of gates, flip-flops and machines
is a Markov chain. Its states are those of the flip-flops and machines that a wire depends on. Within a
step, the wire is a function of these states and of independent events: the number of each generator,
and wires whose generators nothing else uses. All of their outcomes are enumerated.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.circuits._wires import GATES, Part
from sc_neurocore.operators.machine import Machine

__all__ = ["LONG_RUN", "Chain", "Law", "Laws", "Leaf", "frechet"]

Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]

# Length from which on transients do not count.
LONG_RUN = 2**40
# Largest numbers of outcomes of a step, of states, of outcomes of all states, and of those evaluated at
# a time.
MOST_OUTCOMES, MOST_STATES, _MOST, _CHUNK = 2**18, 512, 2**23, 2**20


class Leaf(NamedTuple):
    """A stream that is 1 where the number of a generator is below p, or is not below 1 - p."""

    p: float
    generator: Any
    inverted: bool = False
    method: str = "exact"
    variance: float | None = None


class Law(NamedTuple):
    """Mean and variance of the density of a stream, the bounds of its mean, and how they were found."""

    mean: float
    variance: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, eq=False)
class Chain:
    """A wire as the output of a Markov chain.

    Attributes
    ----------
    step : ndarray of float64, shape (n, n)
        Probabilities of the next state.
    ones : ndarray of float64, shape (n, n)
        Probabilities of the next state and a bit of 1.
    start : ndarray of float64, shape (n,)
        Distribution before the first step.
    """

    step: Floats
    ones: Floats
    start: Floats

    def moments(self, length: int) -> tuple[float, float]:
        """Return mean and variance of the density of the first bits.

        The sum S of bits less m has the moments that are the derivatives at 0 of
        ``start @ A(x)**length @ 1``, where A holds the step weighted by ``exp(x * (bit - m))``. Of
        its powers, P is the step, B the first derivative, and of the second only the sum of each row
        is needed, because the rows of P sum to 1.
        """
        powers = [self.step]
        for _ in range(1, length.bit_length()):
            power = powers[-1] @ powers[-1]
            powers.append(power / power.sum(axis=1, keepdims=True))  # 1, but for rounding
        ones = self.ones.sum(axis=1)
        total = np.zeros_like(ones)
        for k, power in enumerate(powers):
            if length >> k & 1:
                total = ones + power @ total
            ones = ones + power @ ones
        mean = float(self.start @ total) / length
        b_all = self.ones - mean * self.step
        b = b_all.sum(axis=1)
        d = (1 - 2 * mean) * self.ones.sum(axis=1) + mean**2
        first, second = np.zeros((2, b.size))
        for k, power in enumerate(powers):
            if length >> k & 1:
                first, second = b + power @ first, d + 2 * (b_all @ first) + power @ second
            if length >> k + 1:
                b, d = b + power @ b, d + 2 * (b_all @ b) + power @ d
                b_all = power @ b_all + b_all @ power
        first, second = float(self.start @ first), float(self.start @ second)
        return mean, max(second - first**2, 0.0) / length**2

    def stationary(self) -> Floats:
        """Return the fraction of time that is spent in each state in the long run."""
        n = len(self.start)
        reached = (self.step > 0) | np.eye(n, dtype=bool)
        for _ in range(n.bit_length()):
            reached = (reached.astype(np.float32) @ reached.astype(np.float32)) > 0
        recurrent = (~reached | reached.T).all(axis=1)
        if reached[
            np.ix_(recurrent, recurrent)
        ].all():  # one class: its law does not depend on the start
            system = (self.step - np.eye(n)).T
            system[-1] = 1
            law = np.maximum(np.linalg.solve(system, np.eye(n)[-1]), 0.0)
            return np.asarray(law / law.sum())
        # A chain that waits in half of its steps has the same law in the long run, and no period.
        power = (self.step + np.eye(n)) / 2
        for _ in range(40):
            power = power @ power
            power /= power.sum(axis=1, keepdims=True)
        return np.asarray(self.start @ power)

    def covariances(self, lags: int) -> Floats:
        """Return the covariance of two bits in the long run, 0 .. `lags` steps apart."""
        law = self.stationary()
        p = float(law @ self.ones.sum(axis=1))
        found, after = [p - p * p], law @ self.ones
        for _ in range(lags):
            found.append(float(after @ self.ones.sum(axis=1)) - p * p)
            after = after @ self.step
        return np.array(found)


def frechet(kind: str, a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """Return the bounds of the density of a gate, whatever the correlation of its operands."""
    if kind == "and":
        return max(0.0, a[0] + b[0] - 1), min(a[1], b[1])
    if kind == "or":
        return max(a[0], b[0]), min(1.0, a[1] + b[1])
    # Of XOR: as far apart as densities can be, and as far apart as they must be.
    low = max(0.0, a[0] - b[1], b[0] - a[1])
    sums = a[0] + b[0], a[1] + b[1]
    high = 1.0 if sums[0] <= 1 <= sums[1] else min(sums[1], 2 - sums[0])
    return low, min(high, 1.0)


class Laws:
    """The laws of the wires of a circuit whose leaves have given densities.

    Parameters
    ----------
    parts : sequence of Part
        In an order in which operands come first.
    leaves : mapping of int to Leaf
        Law of each wire that an input, a constant, an encoded value or a black box provides.
    length : int
    white : bool
        Whether the bits of all leaves are independent in time; otherwise their variance counts.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        leaves: Mapping[int, Leaf],
        length: int,
        *,
        white: bool = False,
    ) -> None:
        self.leaves, self.length, self.white = leaves, length, white
        self.place: dict[int, int] = {}
        self.parts: list[Part] = []
        self.direct: dict[int, int] = {}
        self.full: dict[int, int] = {}
        self.known: dict[int, Law] = {}
        # States that reach too many combinations, and the same once delays are no states.
        self.too_large: list[int] = []
        self.too_large_settled: list[int] = []
        self.states: list[Part] = [part for part in parts if part.kind in ("flip-flop", "machine")]
        bit = {part: 1 << i for i, part in enumerate(self.states)}
        groups: dict[Any, int] = {}
        self.state_mask = (1 << len(self.states)) - 1
        for wire, leaf in leaves.items():
            group = groups.setdefault(leaf.generator, len(groups))
            self.direct[wire] = 1 << (len(self.states) + group)
        self.bit = bit
        flip_flops = [part for part in parts if part.kind == "flip-flop"]
        for part in (*flip_flops, *(p for p in parts if p.kind != "flip-flop")):
            self.append(part)
        self.closure = self._closed()
        for wire in self.direct:
            self.full[wire] = self._full(wire)

    def append(self, part: Part) -> None:
        """Add a part whose operands are known."""
        place = len(self.parts)
        self.parts.append(part)
        for wire in part.results:
            self.place[wire] = place
            if wire in self.leaves:
                continue
            if part.kind == "flip-flop":
                self.direct[wire] = self.bit[part]
            else:
                mask = self.bit.get(part, 0)
                for operand in part.operands:
                    mask |= self.direct[operand]
                self.direct[wire] = mask

    def gate(self, kind: str, *operands: int) -> int:
        """Add a gate and return its wire."""
        wire = max(self.place) + 1
        self.append(Part(kind, operands, (wire,)))
        self.full[wire] = self._full(wire)
        return wire

    def _closed(self) -> list[int]:
        """Return the support of each state: what it depends on at any time."""
        masks = [self.bit[part] for part in self.states]
        for i, part in enumerate(self.states):
            for operand in part.operands:
                masks[i] |= self.direct[operand]
        changed = True
        while changed:
            changed = False
            for i, mask in enumerate(masks):
                more = mask
                for j in self.indices(mask):
                    more |= masks[j]
                if more != mask:
                    masks[i], changed = more, True
        return masks

    def indices(self, mask: int) -> list[int]:
        """Return the states in a support."""
        mask &= self.state_mask
        return [i for i in range(mask.bit_length()) if mask >> i & 1]

    def _full(self, wire: int) -> int:
        mask = self.direct[wire]
        for i in self.indices(mask):
            mask |= self.closure[i]
        return mask

    def has_state(self, wire: int) -> bool:
        """Return whether a wire depends on the past."""
        return bool(self.full[wire] & self.state_mask)

    def law(self, wire: int) -> Law:
        """Return the law of a wire."""
        if wire not in self.known:
            self.known[wire] = self._law(wire)
        return self.known[wire]

    def mean(self, wire: int) -> float:
        """Return the mean of a wire."""
        return self.law(wire).mean

    def _law(self, wire: int) -> Law:
        leaf = self.leaves.get(wire)
        if leaf is not None:
            p = leaf.p
            variance = p * (1 - p) / self.length if leaf.variance is None else leaf.variance
            return Law(p, variance, p, p, leaf.method)
        found = self.chain(wire)
        if found is None:
            return self._settled(wire) or self._bounded(wire)
        chain, method = found
        if len(chain.start) == 1:
            mean = min(float(chain.ones.sum()), 1.0)
            variance = mean * (1 - mean) / self.length
        elif self.length >= LONG_RUN:
            mean = float(chain.stationary() @ chain.ones.sum(axis=1))
            variance = mean * (1 - mean) / self.length  # of no use at such a length
        else:
            mean, variance = chain.moments(self.length)
            mean = min(max(mean, 0.0), 1.0)
        if method != "exact" and not self.white:
            variance = max(variance + self._excess(wire, mean), 0.0)
        return Law(mean, variance, mean, mean, method)

    def _excess(self, wire: int, mean: float) -> float:
        """Return the variance that leaves add to that of leaves that are white, to first order."""
        total = 0.0
        for w, leaf in self.leaves.items():
            if leaf.variance is None or not self.full[w] & self.full[wire]:
                continue
            excess = leaf.variance - leaf.p * (1 - leaf.p) / self.length
            near = leaf._replace(p=leaf.p + (1e-4 if leaf.p < 0.5 else -1e-4))
            moved = Laws(self.parts, {**self.leaves, w: near}, self.length, white=True)
            total += ((moved.mean(wire) - mean) / 1e-4) ** 2 * excess
        return total

    def covariances(self, wire: int, lags: int) -> Floats | None:
        """Return the covariances of a wire in the long run, or None if its chain is too large."""
        found = self.chain(wire)
        if found is None:
            moved = _Undelayed(self)
            now = moved.copy(wire, 0)
            laws = Laws(list(moved.parts), dict(moved.leaves), self.length)
            if all(len(delays) == 1 for delays in moved.delays.values()):
                found = laws.chain(now)
            elif not laws.has_state(now):
                p = laws.mean(now)
                later = [moved.gate("and", (now, moved.copy(wire, k))) for k in range(1, lags + 1)]
                joint = Laws(moved.parts, moved.leaves, self.length)
                return np.array([p - p * p, *(joint.mean(both) - p * p for both in later)])
        return None if found is None else found[0].covariances(lags)

    def _settled(self, wire: int) -> Law | None:
        """Return the law once delays hold bits of streams, or None if that is too large as well.

        A stream that is white in time is, after a delay, a stream with other numbers: those of its
        generators some steps before. Its flip-flops are then no states.
        """
        moved = _Undelayed(self)
        mask = self.full[wire] & moved.looped
        if any(mask & large == large for large in self.too_large_settled):
            return None
        now = moved.copy(wire, 0)
        if not moved.delays or max(map(max, moved.delays.values())) == 0:
            return None
        laws = Laws(list(moved.parts), dict(moved.leaves), self.length, white=self.white)
        law = laws.law(now)
        if law.method == "bounded":
            if laws.too_large:
                self.too_large_settled.append(mask)
            return None
        method = _worse(law.method, "settled")
        first = min(max(map(max, moved.delays.values())) / self.length, 1.0)  # share of the first steps
        law = law._replace(low=max(law.mean - first, 0.0), high=min(law.mean + first, 1.0))
        delays = sorted({b - a for ds in moved.delays.values() for a in ds for b in ds if b > a})
        if not delays:
            return law._replace(method=method)
        if laws.has_state(now):  # the past of a machine repeats delayed numbers
            bounded = self._bounded(wire)
            return law._replace(low=bounded.low, high=bounded.high, method="bounded")
        total = law.variance * self.length
        for k in delays:
            later = moved.copy(wire, k)
            both = moved.gate("and", (now, later))
            joint = Laws(moved.parts, moved.leaves, self.length).law(both)
            if joint.method == "bounded":
                return None
            total += 2 * max(1 - k / self.length, 0.0) * (joint.mean - law.mean**2)
        return law._replace(variance=max(total, 0.0) / self.length, method=method)

    def _bounded(self, wire: int) -> Law:
        """Return the law as if operands were independent, and the bounds for any correlation."""
        part = self.parts[self.place[wire]]
        if part.kind not in GATES:
            mean = self._machine_mean(part, wire)
            return Law(mean, mean * (1 - mean) / self.length, 0.0, 1.0, "bounded")
        laws = [self.law(operand) for operand in part.operands]
        if part.kind == "not":
            (a,) = laws
            return Law(1 - a.mean, a.variance, 1 - a.high, 1 - a.low, a.method)
        a, b = laws
        p, q = a.mean, b.mean
        z = {"and": p * q, "or": p + q - p * q, "xor": p + q - 2 * p * q}[part.kind]
        low, high = frechet(part.kind, (a.low, a.high), (b.low, b.high))
        return Law(z, z * (1 - z) / self.length, low, high, "bounded")

    def _machine_mean(self, part: Part, wire: int) -> float:
        """Return the mean of a machine or flip-flop as if its operands were white and independent."""
        if part.kind == "flip-flop":
            # Its operand can depend on it, so that its law is not known.
            operand = part.operands[0]
            while operand not in self.leaves and self.parts[self.place[operand]].kind == "flip-flop":
                if self.full[operand] & self.bit[part]:
                    return 0.5
                operand = self.parts[self.place[operand]].operands[0]
            return self.mean(operand) if not self.full[operand] & self.bit[part] else 0.5
        if any(self.full[operand] & self.bit[part] for operand in part.operands):
            return 0.5
        leaves = {w: Leaf(self.mean(w), ("operand", w)) for w in part.operands}
        alone = Laws([*(Part("input", (), (w,)) for w in leaves), part], leaves, self.length)
        chain = alone.chain(wire)
        return chain[0].moments(self.length)[0] if chain else 0.5

    def chain(self, wire: int) -> tuple[Chain, str] | None:
        """Return the chain that a wire is an output of, and the method; None if it is too large."""
        mask = self.full[wire]
        if any(mask & large == large for large in self.too_large):
            return None
        states = self.indices(mask)
        machines = [self.states[i] for i in states]
        sizes = [_n_states(part) for part in machines]
        if sum(np.log2(sizes)) > 40:
            return None
        roots = [wire, *(operand for part in machines for operand in part.operands)]
        edge = self._edge(roots, wire)
        outcomes = self._outcomes(edge)
        if outcomes is None:
            return None
        weights, bits, method = outcomes
        needed = self._between(roots, bits)
        if not machines:
            z, _ = self._step(wire, machines, needed, bits, np.zeros((1, 0), np.int64), np.zeros(0))
            p = np.array([[float(weights @ z.reshape(-1))]])
            return Chain(np.ones((1, 1)), p, np.ones(1)), method
        codes = np.array([_start(part) for part in machines], np.int64)[np.newaxis]
        radix = np.cumprod([1, *sizes])[:-1].astype(np.int64)
        found = np.array([int(codes[0] @ radix)])
        todo, rows = found, []
        while todo.size:
            after = []
            for first in range(0, todo.size, max(1, _CHUNK // weights.size)):
                some = todo[first : first + max(1, _CHUNK // weights.size)]
                now = some[:, np.newaxis] // radix % sizes
                z, then = self._step(wire, machines, needed, bits, now, radix)
                next_codes = np.broadcast_to(then, (some.size, weights.size))
                rows.append((some, next_codes, np.broadcast_to(z, next_codes.shape)))
                after.append(np.unique(next_codes))
            todo = np.setdiff1d(np.concatenate(after), found)
            found = np.union1d(found, todo)
            if found.size > MOST_STATES:
                self.too_large.append(mask & self.state_mask)
                return None
            if found.size * weights.size > _MOST:
                return None
        step, ones = np.zeros((2, found.size, found.size))
        for some, next_codes, z in rows:
            at = np.searchsorted(found, some)[:, np.newaxis], np.searchsorted(found, next_codes)
            np.add.at(step, at, np.broadcast_to(weights, next_codes.shape))
            np.add.at(ones, at, weights * z)
        start = (found == int(codes[0] @ radix)).astype(np.float64)
        return Chain(step, ones, start), method

    def _edge(self, roots: Sequence[int], first: int) -> set[int]:
        """Return wires of which the roots are functions: states, leaves, and independent wires.

        The root `first` is not on the edge, unless it is a state or a leaf. Wires of the edge that are
        neither depend on generators that no other one uses.
        """
        edge = set(roots)
        while True:
            seen = twice = 0
            for wire in edge:
                mask = self.direct[wire]
                twice |= seen & mask
                seen |= mask
            inner = [
                wire
                for wire in edge
                if wire not in self.leaves
                and self.parts[self.place[wire]].kind != "flip-flop"
                and (wire == first or self.direct[wire] & (twice | self.state_mask))
            ]
            if not inner:
                return edge
            last = max(inner, key=lambda wire: self.place[wire])
            edge.discard(last)
            edge |= set(self.parts[self.place[last]].operands)

    def _outcomes(self, edge: Iterable[int]) -> tuple[Floats, dict[int, Bits], str] | None:
        """Return the probabilities of all outcomes of the edge, and the bits of its wires in each."""
        groups: dict[Any, list[int]] = {}
        method = "exact"
        for wire in sorted(edge):
            if wire in self.leaves:
                groups.setdefault(self.leaves[wire].generator, []).append(wire)
            elif self.parts[self.place[wire]].kind != "flip-flop":
                groups[wire] = [wire]
        weights, bits = np.ones(1), dict[int, Bits]()
        for wires in groups.values():
            leaves = [self.leaves.get(wire) or self._as_leaf(wire) for wire in wires]
            for leaf in leaves:
                method = _worse(method, leaf.method)
            cuts = sorted({0.0, 1.0, *(1 - leaf.p if leaf.inverted else leaf.p for leaf in leaves)})
            parts = np.diff(cuts)
            numbers = np.array(cuts[:-1])[parts > 0]
            parts = parts[parts > 0]
            if weights.size * parts.size > MOST_OUTCOMES:
                return None
            bits = {wire: np.repeat(b, parts.size) for wire, b in bits.items()}
            for wire, leaf in zip(wires, leaves, strict=True):
                below = numbers < (1 - leaf.p if leaf.inverted else leaf.p)
                bits[wire] = np.tile(below ^ leaf.inverted, weights.size)
            weights = np.outer(weights, parts).ravel()
        return weights, bits, method

    def _as_leaf(self, wire: int) -> Leaf:
        law = self.law(wire)
        return Leaf(min(max(law.mean, 0.0), 1.0), wire, False, law.method)

    def _between(self, roots: Sequence[int], bits: Mapping[int, Bits]) -> list[Part]:
        """Return the parts between the edge and the roots, operands first."""
        needed: dict[int, Part] = {}
        todo = list(roots)
        while todo:
            wire = todo.pop()
            part = self.parts[self.place[wire]]
            if wire not in bits and part.kind != "flip-flop" and self.place[wire] not in needed:
                needed[self.place[wire]] = part
                todo += part.operands
        return [needed[place] for place in sorted(needed)]

    def _step(
        self,
        wire: int,
        machines: Sequence[Part],
        needed: Sequence[Part],
        bits: Mapping[int, Bits],
        now: NDArray[np.int64],
        radix: NDArray[Any],
    ) -> tuple[Bits, NDArray[np.int64]]:
        """Return the bits of a wire and the codes of the next states, for all outcomes.

        `now` holds the states, shape (n, k), and a code is the sum of states times the k radices.
        """
        values: dict[int, Bits] = dict(bits)
        then: dict[Part, NDArray[np.int64]] = {}
        state = {part: now[:, i, np.newaxis] for i, part in enumerate(machines)}
        for part in machines:
            if part.kind == "flip-flop":
                values[part.results[0]] = state[part].astype(bool)
        for part in needed:
            operands = [values[operand] for operand in part.operands]
            if part.kind == "machine":
                machine: Machine = part.detail[0]
                at = (state[part], *(operand.astype(np.intp) for operand in operands))
                outputs = machine.outputs.reshape(-1, *machine.next_state.shape)
                for z, output in zip(part.results, outputs, strict=True):
                    values[z] = output[at].astype(bool)
                then[part] = machine.next_state[at].astype(np.int64)
            elif part.kind == "not":
                values[part.results[0]] = ~operands[0]
            else:
                gate = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}[part.kind]
                values[part.results[0]] = gate(*operands)
        for part in machines:
            if part.kind == "flip-flop":
                then[part] = values[part.operands[0]].astype(np.int64)
            elif part not in then:  # a machine of which only the state matters
                at = (state[part], *(values[o].astype(np.intp) for o in part.operands))
                then[part] = part.detail[0].next_state[at].astype(np.int64)
        codes = np.zeros((1, 1), np.int64)
        for part, digit in zip(machines, radix, strict=True):
            codes = codes + then[part] * digit
        return values[wire], codes


class _Undelayed:
    """A copy of parts in which delays of white streams are numbers of other steps.

    `delays` holds the delays of each generator.
    """

    def __init__(self, laws: Laws) -> None:
        self.laws = laws
        self.parts: list[Part] = []
        self.leaves: dict[int, Leaf] = {}
        self.delays: dict[Any, set[int]] = {}
        self.made: dict[tuple[int, int], int] = {}
        self.numbers = itertools.count()
        self.added: list[tuple[Part, int]] = []
        looped = 0  # machines, and flip-flops that depend on themselves
        for part in laws.states:
            own = laws.bit[part]
            if part.kind == "machine" or any(laws.full[w] & own for w in part.operands):
                looped |= own
        self.looped = looped

    def is_delay(self, wire: int) -> bool:
        """Return whether a wire is a flip-flop whose past is that of white streams."""
        part = self.laws.parts[self.laws.place[wire]]
        return part.kind == "flip-flop" and not self.laws.full[wire] & self.looped

    def copy(self, wire: int, delay: int) -> int:
        """Return the copy of a wire, delayed by a number of steps, and add what it depends on."""
        target = self._moved(wire, delay)
        order: list[tuple[int, int]] = []
        entered = set(self.made)
        todo = [(target, False)]
        later: list[tuple[int, int]] = []  # operands of flip-flops, which are read at the end of a step
        while todo or later:
            at, ready = todo.pop() if todo else (later.pop(), False)
            if ready:
                order.append(at)
            elif at not in entered:
                entered.add(at)
                todo.append((at, True))
                if at[0] in self.laws.leaves:
                    continue
                part = self.laws.parts[self.laws.place[at[0]]]
                inner = [self._moved(operand, at[1]) for operand in part.operands]
                if part.kind == "flip-flop":
                    later += inner
                else:
                    todo += [(one, False) for one in reversed(inner)]
        for at in order:
            if at not in self.made:
                part = self.laws.parts[self.laws.place[at[0]]]
                for result in part.results:
                    self.made[result, at[1]] = next(self.numbers)
                self.added.append((part, at[1]))
        for part, d in self.added:
            self._add(part, d)
        self.added.clear()
        return self.made[target]

    def gate(self, kind: str, operands: tuple[int, ...]) -> int:
        """Add a gate and return its wire."""
        wire = next(self.numbers)
        self.parts.append(Part(kind, operands, (wire,)))
        return wire

    def _moved(self, wire: int, delay: int) -> tuple[int, int]:
        """Return the wire before the delays that a wire is behind, and the steps of all of them."""
        while wire not in self.laws.leaves and self.is_delay(wire):
            wire, delay = self.laws.parts[self.laws.place[wire]].operands[0], delay + 1
        return wire, delay

    def _add(self, part: Part, delay: int) -> None:
        results = tuple(self.made[result, delay] for result in part.results)
        leaf = self.laws.leaves.get(part.results[0])
        if leaf is not None:
            self.delays.setdefault(leaf.generator, set()).add(delay)
            self.leaves[results[0]] = leaf._replace(generator=(leaf.generator, delay))
            self.parts.append(Part("input", (), results))
            return
        operands = tuple(self.made[self._moved(operand, delay)] for operand in part.operands)
        self.parts.append(Part(part.kind, operands, results, part.detail))


def _worse(a: str, b: str) -> str:
    """Return the less exact of two methods."""
    return max(a, b, key=("exact", "settled", "law", "bounded").index)


def _n_states(part: Part) -> int:
    return 2 if part.kind == "flip-flop" else len(part.detail[0].next_state)


def _start(part: Part) -> int:
    return int(part.detail if part.kind == "flip-flop" else part.detail[1])
