"""The synapse and the current source of the tutorial."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators.current import current_trace
from sc_neurocore.streams.bitstream import Interval, encode
from sc_neurocore.streams.keys import (
    Role,
    checked_seed,
    lane_streams,
    stream_key,
)
from sc_neurocore.streams.source import (
    Bernoulli,
    Source,
    Sources,
    operands,
)


class BitstreamSynapse:
    """A weight in [w_min, w_max] as a bitstream; applying it is one AND gate.

    The weight's bits are drawn once. Their streams are independent of an encoder's even with the same
    seed. Two synapses with the same seed have the same numbers, so give synapses in a chain seeds of
    their own, and Bernoulli, LFSR or permutation streams: of low-discrepancy sources all synapses
    have the same sequence, whatever their seeds.

    Parameters
    ----------
    w_min, w_max : float
        The interval of the weight.
    length : int
        Bits in a stream.
    w : float
        The weight, in [w_min, w_max].
    seed : int, optional
        In [0, 2**128). By default drawn from the system's entropy; `seed` tells it.
    source : Source
        The synapse takes the second of its pair, a `BitstreamEncoder` the first.

    Attributes
    ----------
    weight_bits : ndarray of uint8, shape (length,)

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import BitstreamSynapse
    >>> synapse = BitstreamSynapse(w_min=0.0, w_max=1.0, length=4096, w=0.25, seed=99)
    >>> round(synapse.effective_weight_probability(), 2)
    0.26
    >>> bool(np.array_equal(synapse.apply(np.ones(4096)), synapse.weight_bits))
    True
    """

    def __init__(
        self,
        w_min: float,
        w_max: float,
        length: int = 1024,
        w: float = 0.5,
        seed: int | None = None,
        *,
        source: Source = Bernoulli(),
    ) -> None:
        self.interval = Interval(*_checks.ordered("w_min", w_min, "w_max", w_max))
        self.length = _checks.length_of_stream("length", length)
        self.w = _checks.finite("w", w)
        _checks.within("w", np.asarray(self.w), self.interval.low, self.interval.high)
        self.seed = checked_seed("seed", seed)
        _checks.instance("source", source, Source)
        p = self.interval.to_probability(self.w)
        key = stream_key(self.seed, Role.WEIGHT)
        self.weight_bits = encode(p, self.length, key=key, source=source.pair()[1]).bits()
        self.weight_bits.flags.writeable = False

    def apply(self, pre_bits: ArrayLike) -> NDArray[np.uint8]:
        """Return pre_bits AND the weight's bits, uint8 of shape (length,)."""
        return _checks.bits("pre_bits", pre_bits, self.length) & self.weight_bits

    def effective_weight_probability(self) -> float:
        """Return the share of ones in the weight's bits."""
        return float(self.weight_bits.mean())

    def __repr__(self) -> str:
        low, high = self.interval.low, self.interval.high
        return (
            f"BitstreamSynapse(w_min={low}, w_max={high}, length={self.length}, w={self.w}, "
            f"seed={self.seed})"
        )


class BitstreamCurrentSource:
    """Inputs times weights as bitstreams, added up to a current at each time step.

    At step t the current is that of `current_trace`, at position t % length of the streams: a stream
    repeats after `length` bits. Inputs, weights and their streams are fixed at construction. Input i
    uses stream i of the seed, as does call i of a `BitstreamEncoder` with the same seed.

    Parameters
    ----------
    x_inputs : array_like, shape (n_inputs,)
        Values; those outside [x_min, x_max] saturate.
    x_min, x_max : float
    weight_values : array_like, shape (n_inputs,)
        In [w_min, w_max].
    w_min, w_max : float
    length : int
        Bits in a stream.
    y_min, y_max : float
        The range of the current.
    seed : int, optional
        In [0, 2**128). By default drawn from the system's entropy; `seed` tells it.
    accumulate : {"mean", "sum", "or"}
        The adder, see `current_trace`.
    source : Source or tuple of 2
        Where the numbers of inputs and weights come from; one source stands for its pair.

    Examples
    --------
    >>> from sc_neurocore import BitstreamCurrentSource
    >>> source = BitstreamCurrentSource(
    ...     [0.5, 0.8], 0.0, 1.0, [0.6, 0.5], 0.0, 1.0, length=65536, y_max=0.1, seed=42
    ... )
    >>> expected = 0.1 * (0.5 * 0.6 + 0.8 * 0.5) / 2
    >>> print(f"{source.full_current_estimate():.4f}, expected {expected:.4f}")
    0.0351, expected 0.0350
    """

    def __init__(
        self,
        x_inputs: ArrayLike,
        x_min: float,
        x_max: float,
        weight_values: ArrayLike,
        w_min: float,
        w_max: float,
        length: int = 1024,
        y_min: float = 0.0,
        y_max: float = 0.1,
        seed: int | None = None,
        *,
        accumulate: str = "mean",
        source: Sources = Bernoulli(),
    ) -> None:
        self.seed = checked_seed("seed", seed)
        self.length = _checks.length_of_stream("length", length)
        self._trace = encoded_trace(
            x_inputs=_checks.array("x_inputs", x_inputs, [1]),
            x_interval=Interval(*_checks.ordered("x_min", x_min, "x_max", x_max)),
            weight_values=_checks.array("weight_values", weight_values, [1]),
            w_interval=Interval(*_checks.ordered("w_min", w_min, "w_max", w_max)),
            length=self.length,
            y_min=y_min,
            y_max=y_max,
            seed=self.seed,
            accumulate=accumulate,
            source=source,
        )
        self._currents = self._trace.tolist()
        self._position = 0

    def step(self) -> float:
        """Return the current of this time step and advance."""
        current: float = self._currents[self._position]
        self._position = (self._position + 1) % self.length
        return current

    def current_trace(self) -> NDArray[np.float64]:
        """Return the current over one whole stream, shape (length,), wherever `step` stands."""
        return self._trace.copy()

    def full_current_estimate(self) -> float:
        """Return the mean current over one whole stream."""
        return float(self._trace.mean())

    def reset(self) -> None:
        """Return to the first time step."""
        self._position = 0

    def __repr__(self) -> str:
        return f"<BitstreamCurrentSource: length={self.length}, seed={self.seed}>"


def encoded_trace(
    *,
    x_inputs: NDArray[np.float64],
    x_interval: Interval,
    weight_values: NDArray[np.float64],
    w_interval: Interval,
    length: int,
    y_min: float,
    y_max: float,
    seed: int,
    accumulate: str,
    source: Sources,
) -> NDArray[np.float64]:
    """Encode inputs and weights of shape (n_inputs,) or (n_neurons, n_inputs) and trace the current."""
    if x_inputs.size == 0:
        _checks.fail("x_inputs", "hold at least one value", "none")
    if weight_values.shape[-1] != x_inputs.size:
        _checks.fail(
            "weight_values",
            f"hold one weight for each of the {x_inputs.size} x_inputs",
            weight_values.shape[-1],
        )
    _checks.within("weight_values", weight_values, w_interval.low, w_interval.high)
    of_inputs, of_weights = operands(source)
    p, q = x_interval.to_probability(x_inputs), w_interval.to_probability(weight_values)
    x = encode(p, length, key=stream_key(seed, Role.INPUT), source=of_inputs)
    lanes = np.arange(q.size) if q.ndim == 1 else lane_streams(*q.shape)
    w = encode(q, length, key=stream_key(seed, Role.WEIGHT), source=of_weights, streams=lanes)
    return current_trace(x, w, y_min=y_min, y_max=y_max, accumulate=accumulate)
