"""Faults of hardware, injected into bitstreams and stored weights at given rates."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._types import Words
from sc_neurocore.streams._bits import cut, last_mask, n_words
from sc_neurocore.streams.bitstream import Bitstream
from sc_neurocore.streams.keys import FAULT
from sc_neurocore.streams.source import Bernoulli

__all__ = ["Faults", "inject"]

# Numbers of one wire or weight: FAULT + _KINDS * stream + kind.
_KINDS = 4
_FLIP, _DROP, _STUCK, _DEAD = range(_KINDS)
_ALL = np.uint64(2**64 - 1)


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Rates of the faults of hardware, each in [0, 1].

    A wire is stuck at 0, stuck at 1, or works. On a wire that works, a pulse (a bit that is 1) is first
    dropped or not, then the bit is flipped or not, in each time step independently. The mean of a bit
    that is 1 with probability p is therefore::

        works:  q = flip + (1 - 2 flip) (1 - drop) p
        all:    m = (1 - stuck_at_0 - stuck_at_1) q + stuck_at_1

    For given bits of density p, the density of L bits on a wire that works has the variance ::

        v = (p a (1 - a) + (1 - p) flip (1 - flip)) / L,   a = flip + (1 - 2 flip) (1 - drop)

    and over all wires with ``(1 - stuck_at_0 - stuck_at_1) (v + q**2) + stuck_at_1 - m**2``.

    A stored weight is a sign bit and a magnitude of B = `weight_bits` bits in units of ``2**-B``. Each
    of the B + 1 bits is flipped or not, once and for all time steps, with u = `weight_upset`. A weight
    ``s * w`` of sign s and magnitude w becomes a random one with ::

        mean     s (1 - 2 u) m,                     m = (1 - 2 u) w + u (1 - 2**-B)
        variance v + m**2 (1 - (1 - 2 u)**2),       v = u (1 - u) (1 - 4**-B) / 3

    A weight whose word is struck is rounded to B bits, others keep their value.

    A dead neuron never fires, and its potential is that at rest.

    Parameters
    ----------
    flip : float
        Probability that a bit is inverted, in each time step (soft error of a wire).
    drop : float
        Probability that a bit that is 1 becomes 0, in each time step.
    stuck_at_0, stuck_at_1 : float
        Proportions of wires that are 0 or 1 in all time steps. Their sum is at most 1.
    weight_upset : float
        Probability that a bit of the memory that holds the weights is inverted.
    dead : float
        Proportion of neurons that never fire.
    weight_bits : int
        Bits of the magnitude of a stored weight, in [1, 16]. In fixed point, `FixedPoint.bits` counts
        instead.

    Raises
    ------
    TypeError
        If a rate is not a real number.
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Rates have a resolution of ``2**-32``. Random numbers have addresses (`streams/keys.py`), so that
    the faults depend on the key or the seed alone, and neither on the batch nor on threads.
    With one seed, faults of one kind include those at smaller rates.

    See Also
    --------
    inject : Faults in bitstreams.
    simulate, evaluate : Faults in networks.

    Examples
    --------
    >>> from sc_neurocore import Faults, evaluate, load_digits
    >>> digits = load_digits()
    >>> for faults in (None, Faults(flip=0.01), Faults(dead=0.1)):
    ...     (row,) = evaluate(digits.network, digits.images, digits.labels, [64], faults=faults)
    ...     print(f"{row.mean:.1%}")
    98.2%
    98.3%
    85.5%
    """

    flip: float = 0.0
    drop: float = 0.0
    stuck_at_0: float = 0.0
    stuck_at_1: float = 0.0
    weight_upset: float = 0.0
    dead: float = 0.0
    weight_bits: int = 8

    def __post_init__(self) -> None:
        for name in _RATES:
            rate = _checks.finite(name, getattr(self, name))
            if not 0 <= rate <= 1:
                _checks.fail(name, "lie in [0, 1]", rate)
            object.__setattr__(self, name, rate)
        if self.stuck_at_0 + self.stuck_at_1 > 1:
            stuck = self.stuck_at_0 + self.stuck_at_1
            _checks.fail("stuck_at_0 + stuck_at_1", "be at most 1", stuck)
        object.__setattr__(self, "weight_bits", _checks.integer("weight_bits", self.weight_bits, 1, 16))

    @property
    def on_wires(self) -> bool:
        """Whether there are faults of wires: flips, drops or stuck wires."""
        return bool(self.flip or self.drop or self.stuck_at_0 or self.stuck_at_1)

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name):g}" for name in _RATES if getattr(self, name)]
        if self.weight_upset and self.weight_bits != 8:
            shown.append(f"weight_bits={self.weight_bits}")
        return f"Faults({', '.join(shown)})"


_RATES = tuple(field.name for field in fields(Faults) if field.name != "weight_bits")


def inject(x: Bitstream, faults: Faults, *, key: int, streams: ArrayLike | None = None) -> Bitstream:
    """Return bitstreams with faults in their bits.

    Parameters
    ----------
    x : Bitstream
    faults : Faults
        Rates; only those of wires: `flip`, `drop`, `stuck_at_0` and `stuck_at_1`.
    key : int
        Key of the random numbers in ``[0, 2**64)``, from `stream_key` with `Role.FAULT`.
    streams : array_like of int, optional
        Numbers of the wires, below ``2**60``, that broadcast to the batch shape. Streams with one
        number have the same faults, as have inputs that use a wire one after another. By default each
        stream has a wire of its own: 0, 1, 2, ... in C order.

    Returns
    -------
    Bitstream
        Of the same batch shape and length. `Faults` states mean and variance.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If there are rates of weights or neurons, the key or a number is out of range, or `streams` does
        not broadcast.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, Faults, Role, stream_key
    >>> from sc_neurocore.streams import inject
    >>> x = Bitstream.from_bits([1, 1, 1, 1, 0, 0, 0, 0])
    >>> inject(x, Faults(flip=0.25), key=stream_key(1, Role.FAULT)).bits()
    array([1, 1, 1, 1, 0, 0, 1, 1], dtype=uint8)
    """
    _checks.instance("x", x, Bitstream)
    faults = only_on_wires(faults)
    key = _checks.power_range("key", key, 64)
    if streams is None:
        numbers = np.arange(int(np.prod(x.shape)), dtype=np.uint64).reshape(x.shape)
    else:
        numbers = _checks.counting("streams", streams)
        if numbers.size and int(numbers.max()) >= 2**60:
            _checks.fail("streams", "lie in [0, 2**60)", numbers.max())
        try:
            np.broadcast_to(numbers, x.shape)
        except ValueError:
            _checks.fail("streams", f"broadcast to the batch shape {x.shape}", numbers.shape)
    return Bitstream(FaultyWires(faults, key, numbers).struck(x.words, 0, x.length), x.length)


def only_on_wires(faults: object) -> Faults:
    """Return faults, checked: with rates of wires alone."""
    _checks.instance("faults", faults, Faults)
    assert isinstance(faults, Faults)
    if faults.weight_upset or faults.dead:
        remedy = "weight_upset and dead are for networks"
        _checks.fail("faults", "have only rates of wires", faults, remedy)
    return faults


@dataclass(frozen=True, eq=False)
class FaultyWires:
    """Wires with faults: everything that does not depend on their bits. Trusts its arguments.

    Attributes
    ----------
    faults : Faults
    key : int
    streams : ndarray of uint64
        Numbers of the wires, of any shape.
    of_neurons : bool
        Whether the wires are outputs of neurons, which can be dead.
    """

    faults: Faults
    key: int
    streams: Words
    of_neurons: bool = False

    @cached_property
    def _fixed(self) -> tuple[Words, Words] | None:
        """Return masks of the wires that work and of those that are 1; None if all wires work."""
        faults = self.faults
        zero, one = faults.stuck_at_0, faults.stuck_at_1
        dead = faults.dead if self.of_neurons else 0.0
        if not (zero or one or dead):
            return None
        low, high = (int(t) for t in Bernoulli().thresholds(np.array([zero, zero + one])))
        number = self._numbers(_STUCK)
        works, is_one = number >= high, (number >= low) & (number < high)
        if dead:
            works, is_one = works & ~self.dead, is_one & ~self.dead
        masks = (np.where(mask, _ALL, np.uint64(0)) for mask in (works, is_one))
        working, ones = (mask.reshape(*self.streams.shape, 1) for mask in masks)
        return working, ones

    @cached_property
    def dead(self) -> NDArray[np.bool_]:
        """Neurons that are dead, of the shape of the wires."""
        return self._numbers(_DEAD) < Bernoulli().thresholds(np.array(self.faults.dead))

    def struck(self, words: Words, first: int, n_bits: int) -> Words:
        """Return words with faults.

        Parameters
        ----------
        words : ndarray of uint64, shape (..., n_words)
            Packed bits of streams whose batch shape broadcasts with that of the wires.
        first : int
            Time step of the first bit.
        n_bits : int
            Number of bits; those past it are 0.
        """
        faults = self.faults
        if not faults.on_wires and self._fixed is None:
            return words
        if faults.drop:
            words = words & ~self._mask(_DROP, faults.drop, first, n_bits)
        if faults.flip:
            words = words ^ self._mask(_FLIP, faults.flip, first, n_bits)
        if self._fixed is not None:
            works, ones = self._fixed
            words = words & works | ones
        if n_bits < 64 * words.shape[-1]:
            words[..., n_words(n_bits) :] = 0
            words[..., n_words(n_bits) - 1] &= last_mask(n_bits)
        return np.ascontiguousarray(words)

    def _of_kind(self, kind: int) -> Words:
        return (self.streams * np.uint64(_KINDS) + np.uint64(FAULT + kind)).ravel()

    def _numbers(self, kind: int) -> NDArray[np.uint32]:
        """Return one number for each wire, of the shape of the wires."""
        numbers = Bernoulli().numbers(self._of_kind(kind), 1, key=self.key, first=0)
        return numbers.reshape(self.streams.shape)

    def _mask(self, kind: int, rate: float, first: int, n_bits: int) -> Words:
        """Return independent bits of a rate for each wire, from a time step on."""
        first_word, start = divmod(first, 64)
        threshold = np.full(self.streams.size, Bernoulli().thresholds(np.array(rate)), np.uint64)
        words = Bernoulli().words(
            threshold, self._of_kind(kind), start + n_bits, key=self.key, first_word=first_word
        )
        if start:
            words = cut(words, start, start + n_bits)
        return words.reshape(*self.streams.shape, words.shape[-1])


def upset(
    weights: NDArray[np.float64], faults: Faults, n_bits: int, key: int, streams: Words
) -> NDArray[np.float64]:
    """Return weights of which stored bits are flipped; `Faults` has the law. Trusts its arguments.

    `streams` numbers the weights, and has their shape. A weight is stored as n_bits of magnitude, and a
    sign above them.
    """
    threshold = np.full(weights.size, Bernoulli().thresholds(np.array(faults.weight_upset)), np.uint64)
    kinds = (streams * np.uint64(_KINDS) + np.uint64(FAULT + _FLIP)).ravel()
    flips = Bernoulli().words(threshold, kinds, n_bits + 1, key=key, first_word=0)
    flipped = flips.reshape(weights.shape)
    levels = 2**n_bits
    stored = np.minimum(np.rint(np.abs(weights) * levels), levels - 1).astype(np.uint64)
    magnitude = (stored ^ flipped & np.uint64(levels - 1)).astype(np.float64) / levels
    negative = np.signbit(weights) ^ (flipped >> np.uint64(n_bits)).astype(np.bool_)
    return np.where(flipped != 0, np.where(negative, -magnitude, magnitude), weights)
