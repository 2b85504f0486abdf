"""Synapse and current source that multiply bitstreams."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators import (
    current_trace,
)
from sc_neurocore.operators.current import (
    Accumulate,
)
from sc_neurocore.stateful._fixed import FixedParameters
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Interval,
    Role,
    Source,
    encode,
    operands,
    stream_key,
)
from sc_neurocore.streams.keys import (
    checked_seed,
    lane_streams,
)
from sc_neurocore.streams.source import (
    Sources,
    checked_source,
)

__all__ = ["BitstreamCurrentSource", "BitstreamSynapse"]


class BitstreamSynapse(FixedParameters):
    """Synapse that multiplies bitstreams by a weight, with an AND gate.

    The weight is encoded once, as a stream that is independent of the streams of an encoder, even if
    both have the same seed. Synapses with the same seed use the same random numbers, so give each
    synapse of a chain its own seed. A chain also needs a Bernoulli, LFSR or permutation source: with a
    low-discrepancy source all synapses use the same sequence, whatever their seeds.

    Parameters
    ----------
    w_min, w_max : float
        Range of the weight, mapped to [0, 1]. With a negative w_min a weight of 0 is no silent stream,
        and the AND is no signed product, see `Bipolar` and `SignMagnitude`; a warning says so.
    length : int
        Length of a stream in bits.
    w : float
        Weight in [w_min, w_max].
    seed : int, optional
        Seed in [0, 2**128). Drawn from system entropy by default; read it back from `seed`.
    source : Source
        Source of the random numbers. The synapse uses the second source of its pair, a
        `BitstreamEncoder` the first.

    Attributes
    ----------
    interval : Interval
        Range of the weight.
    length, seed : int
        See Parameters.

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

    interval: Interval
    length: int
    seed: int

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
        vars(self).update(
            interval=Interval(*_checks.ordered("w_min", w_min, "w_max", w_max)),
            length=_checks.length_of_stream("length", length),
            seed=checked_seed("seed", seed),
        )
        checked_source("source", source)
        self._source = source.pair()[1]
        self.w = w
        remedy = "Bipolar and SignMagnitude multiply signed values"
        warn_of_sign("w_min", self.interval.low, remedy)

    @property
    def w(self) -> float:
        """Weight in [w_min, w_max]. Assigning another encodes it with the same random numbers."""
        return self._w

    @w.setter
    def w(self, w: float) -> None:
        w = _checks.finite("w", w)
        _checks.within("w", np.asarray(w), self.interval.low, self.interval.high)
        p, key = self.interval.to_probability(w), stream_key(self.seed, Role.WEIGHT)
        self._w = w
        self._weight_bits = encode(p, self.length, key=key, source=self._source).bits()
        self._weight_bits.flags.writeable = False

    def update_weight(self, w: float) -> None:
        """Set the weight, in [w_min, w_max], and encode it with the same random numbers."""
        self.w = w

    @property
    def weight_bits(self) -> NDArray[np.uint8]:
        """Stream of the weight, uint8 of shape (length,), read-only."""
        return self._weight_bits

    def apply(self, pre_bits: ArrayLike) -> NDArray[np.uint8]:
        """Return the AND of a presynaptic stream and the weight.

        Parameters
        ----------
        pre_bits : array_like of 0 and 1, shape (length,)
            Presynaptic stream.

        Returns
        -------
        ndarray of uint8, shape (length,)
            Postsynaptic stream.
        """
        return _checks.bits("pre_bits", pre_bits, self.length) & self.weight_bits

    def effective_weight_probability(self) -> float:
        """Return the density of ones of the weight's stream, a float in [0, 1]."""
        return float(self.weight_bits.mean())

    def __repr__(self) -> str:
        low, high = self.interval.low, self.interval.high
        return (
            f"BitstreamSynapse(w_min={low}, w_max={high}, length={self.length}, w={self.w}, "
            f"seed={self.seed})"
        )


class BitstreamCurrentSource(FixedParameters):
    """Source of a current that adds up products of input and weight bitstreams.

    Inputs and weights are encoded once. The current at step t is that of `current_trace` at position
    ``t % length``, so it repeats after `length` steps. Input i uses the same stream as call i of a
    `BitstreamEncoder` with the same seed.

    Parameters
    ----------
    x_inputs : array_like, shape (n_inputs,)
        Input values. Values outside [x_min, x_max] saturate.
    x_min, x_max : float
        Range of the inputs: x_min is encoded as probability 0, x_max as probability 1.
    weight_values : array_like, shape (n_inputs,)
        Weights in [w_min, w_max].
    w_min, w_max : float
        Range of the weights, encoded likewise.
    length : int
        Length of a stream in bits.
    y_min, y_max : float
        Range of the current, which only ``accumulate="sum"`` can exceed, see `current_trace`.
    seed : int, optional
        Seed in [0, 2**128). Drawn from system entropy by default; read it back from `seed`.
    accumulate : {"mean", "sum", "or"}
        Operation that adds up the products, see `current_trace`.
    coding : {"unipolar", "sign_magnitude"}
        With "unipolar", ranges are mapped to [0, 1], and products are those of the probabilities: a
        warning says so if w_min or x_min is negative. With "sign_magnitude", weights (and inputs, if
        x_min is negative) are divided by the largest magnitude of their range, and products are signed:
        positive and negative ones are added up apart and subtracted, so the current lies in
        ``[y_min - (y_max - y_min), y_max]``.
    source : Source or tuple of 2
        Source of the random numbers, or one source for the inputs and one for the weights. A single
        source stands for its pair, `Source.pair`.

    Attributes
    ----------
    length, seed : int
        See Parameters.

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

    length: int
    seed: int

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
        accumulate: Accumulate = "mean",
        coding: Coding = "unipolar",
        source: Sources = Bernoulli(),
    ) -> None:
        vars(self).update(
            length=_checks.length_of_stream("length", length), seed=checked_seed("seed", seed)
        )
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
            coding=coding,
            source=source,
        )
        self._currents: list[float] = self._trace.tolist()
        self._position = 0

    def step(self) -> float:
        """Return the current of the present time step, a float, and advance by one step."""
        position = self._position
        self.__dict__["_position"] = (position + 1) % self.length  # past the check of assignments
        return self._currents[position]

    def current_trace(self) -> NDArray[np.float64]:
        """Return the current over one period, shape (length,), starting at time step 0."""
        return self._trace.copy()

    def full_current_estimate(self) -> float:
        """Return the mean current over one period, a float."""
        return float(self._trace.mean())

    def reset(self) -> None:
        """Return to time step 0."""
        self._position = 0

    def __repr__(self) -> str:
        return f"<BitstreamCurrentSource: length={self.length}, seed={self.seed}>"


Coding = Literal["unipolar", "sign_magnitude"]


def warn_of_sign(name: str, low: float, remedy: str) -> None:
    """Warn that values below 0 are encoded as small probabilities, whose AND is no signed product."""
    if low < 0:
        _checks.warn(
            f"{name} is {low}: a value of 0 is encoded as a probability above 0, and the AND of two "
            f"streams is the product of their probabilities, not of the signed values; {remedy}",
            UserWarning,
        )


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
    accumulate: Accumulate,
    coding: Coding,
    source: Sources,
) -> NDArray[np.float64]:
    """Return the current of encoded inputs and weights, shape (length,) or (n_neurons, length).

    The inputs have shape (n_inputs,), the weights (n_inputs,) or (n_neurons, n_inputs).
    """
    _checks.choice("coding", coding, get_args(Coding))
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
    if coding == "unipolar":
        p, q = x_interval.to_probability(x_inputs), w_interval.to_probability(weight_values)
        for name, interval in (("x_min", x_interval), ("w_min", w_interval)):
            warn_of_sign(name, interval.low, 'coding="sign_magnitude" multiplies signed values')
    else:
        p = (
            x_interval.to_probability(x_inputs)
            if x_interval.low >= 0
            else _signed(x_inputs, x_interval)
        )
        q = _signed(weight_values, w_interval)
        y_min, y_max = _checks.ordered("y_min", y_min, "y_max", y_max)
    x = encode(abs(p), length, key=stream_key(seed, Role.INPUT), source=of_inputs)
    lanes = np.arange(q.size) if q.ndim == 1 else lane_streams(*q.shape)
    w = encode(abs(q), length, key=stream_key(seed, Role.WEIGHT), source=of_weights, streams=lanes)
    if coding == "unipolar":
        return current_trace(x, w, y_min=y_min, y_max=y_max, accumulate=accumulate)
    signs = np.sign(p) * np.sign(q)
    exciting, inhibiting = (
        current_trace(
            x, Bitstream(np.where(part[..., np.newaxis], w.words, 0), length), accumulate=accumulate
        )
        for part in (signs > 0, signs < 0)
    )
    return np.asarray(y_min + (y_max - y_min) * (exciting - inhibiting))


def _signed(values: NDArray[np.float64], interval: Interval) -> NDArray[np.float64]:
    """Return values cut to their range and divided by its largest magnitude, in [-1, 1]."""
    low, high = interval.low, interval.high
    return np.asarray(np.clip(values, low, high) / max(abs(low), abs(high)))
