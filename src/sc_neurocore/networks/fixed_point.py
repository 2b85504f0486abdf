"""Fixed point: the integers with which hardware computes a layer, and how they follow from floats."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.networks.layers import Dense, Layer
from sc_neurocore.networks.network import Network
from sc_neurocore.neurons.lif import LIF


@dataclass(frozen=True)
class FixedPoint:
    """Number formats of a network in hardware.

    Weights' magnitudes and inputs are multiples of 2**-bits below 1: a value of 1.0 becomes the
    largest, 1 - 2**-bits. Potentials are integers in two's complement that saturate at both ends. A
    neuron with count c (ones among the products of positive weights less those of negative ones)
    computes

        v <- clamp(v - (v * leak >> leak_shift) + (c << fraction))

    where >> rounds down. It fires where v >= threshold, and then v <- reset, or for reset="subtract"
    v <- v - (threshold - reset). In the refractory steps that follow, v holds and c is lost. An image
    starts from v = 0, which is v_rest.

    Parameters
    ----------
    bits : int
        Of weights and inputs, in [1, 16].
    word : int
        Bits of a potential, in [4, 32].
    fraction : int, optional
        A single one adds 2**fraction to a potential. By default the largest, layer by layer, with which
        the currents that are on average the highest do not saturate; 0 for neurons that neither leak
        nor fire.
    leak_bits : int
        Significant bits of the leak, leak / 2**leak_shift ~ dt / tau_mem, in [1, 16]. With 1 it is a
        shift, as it is for a power of two in any case; others cost a multiplication by a constant.

    Examples
    --------
    >>> from sc_neurocore import FixedPoint, Hammersley, load_digits, simulate
    >>> digits, counters = load_digits(), Hammersley(8, axis=1, randomized=False)
    >>> run = simulate(digits.network, digits.images, 32, source=counters, fixed_point=FixedPoint())
    >>> round(100 * float((run.classes == digits.labels).mean()), 1)
    97.8
    """

    bits: int = 8
    word: int = 16
    fraction: int | None = None
    leak_bits: int = 8

    def __post_init__(self) -> None:
        word = _checks.integer("word", self.word, 4, 32)
        if self.fraction is not None:
            _checks.integer("fraction", self.fraction, 0, word - 2)
        object.__setattr__(self, "bits", _checks.integer("bits", self.bits, 1, 16))
        object.__setattr__(self, "word", word)
        object.__setattr__(self, "leak_bits", _checks.integer("leak_bits", self.leak_bits, 1, 16))

    def rounded(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values in [-1, 1] as multiples of 2**-bits, at most 1 - 2**-bits in magnitude."""
        levels = 2.0**self.bits
        largest = (levels - 1) / levels
        return np.asarray(np.clip(np.rint(values * levels) / levels, -largest, largest))


@dataclass(frozen=True)
class FixedLIF:
    """A neuron in fixed point.

    Attributes
    ----------
    word, fraction : int
        See `FixedPoint`.
    leak, leak_shift : int
        The leak is leak / 2**leak_shift, in lowest terms; leak = 0 for a neuron that integrates.
    threshold, reset : int
        In units of the last place; threshold = 2**(word - 1), which no potential reaches, for a neuron
        that never fires.
    subtract : bool
        Whether a spike lowers the potential by threshold - reset instead of setting it.
    refractory : int
        Steps of rest after a spike.
    unit, rest : float
        A potential v is v * unit + rest in volts.
    """

    word: int
    fraction: int
    leak: int
    leak_shift: int
    threshold: int
    reset: int
    subtract: bool
    refractory: int
    unit: float
    rest: float

    @property
    def least(self) -> int:
        """The least potential."""
        return -(1 << (self.word - 1))

    @property
    def most(self) -> int:
        """The largest potential."""
        return (1 << (self.word - 1)) - 1

    @property
    def _parameters(self) -> _native.LIFParameters:
        """Parameters of the kernels that fire; currents have the gain 2**fraction."""
        return _native.LIFParameters(
            leak=self.leak / 2.0**self.leak_shift,
            v_rest=0.0,
            gain=1.0,
            noise_std=0.0,
            v_threshold=self.threshold,
            v_reset=self.reset,
            refractory_period=self.refractory,
            syn_leak=0.0,
            subtracts=self.subtract,
            fixed=True,
            v_min=self.least,
            v_max=self.most,
        )

    @property
    def _integers(self) -> _native.FixedNeuron:
        """Parameters of the kernel that also returns potentials."""
        return _native.FixedNeuron(
            one=1 << self.fraction,
            leak=self.leak,
            leak_shift=self.leak_shift,
            threshold=self.threshold,
            reset=self.reset,
            subtracts=self.subtract,
            refractory_period=self.refractory,
            v_min=self.least,
            v_max=self.most,
        )

    def volts(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return potentials in volts."""
        return np.asarray(v * self.unit + self.rest)


def fixed_layers(network: Network, fixed_point: FixedPoint) -> tuple[Network, tuple[FixedLIF, ...]]:
    """Return the network with rounded weights, and the neurons of its layers in fixed point.

    Raises
    ------
    ValueError
        If a layer has what hardware has not (convolutions, recurrent weights, delays, noise, synaptic
        currents), or a threshold does not fit the word.
    """
    layers = [_rounded(i, layer, fixed_point) for i, layer in enumerate(network.layers)]
    return Network(layers), tuple(_neuron(i, layer, fixed_point) for i, layer in enumerate(layers))


def _rounded(i: int, layer: Layer, fixed_point: FixedPoint) -> Dense:
    if not isinstance(layer, Dense):
        _checks.fail("network", "have dense layers only in fixed point", f"{layer!r} as layer {i}")
    lacks = {
        "no recurrent weights": layer.recurrent is not None,
        "no delays": bool(np.any(layer.delay)),
        "no noise": layer.neuron.noise_std > 0,
        "no synaptic currents": layer.neuron.tau_syn > 0,
    }
    for lack, has in lacks.items():
        if has:
            _checks.fail("network", f"have {lack} in fixed point", f"{layer!r} as layer {i}")
    bias = None if layer.bias is None else fixed_point.rounded(layer.bias)
    return replace(layer, weights=fixed_point.rounded(layer.weights), bias=bias)


def _neuron(i: int, layer: Dense, fixed_point: FixedPoint) -> FixedLIF:
    lif = layer.neuron
    leak, leak_shift = _leak(lif, fixed_point.leak_bits)
    of_one = layer.gain * lif.resistance * lif.dt  # volts
    fires = math.isfinite(lif.v_threshold)
    levels = [lif.v_reset - lif.v_rest, *([lif.v_threshold - lif.v_rest] if fires else [])]
    fraction = fixed_point.fraction
    if fraction is None and not (leak or fires):
        fraction = 0  # such a neuron adds whole ones: digits below them would stay 0 and cost range
    elif fraction is None:
        fraction = _fraction(
            layer, max(map(abs, levels)) / of_one, leak / 2**leak_shift, fixed_point.word
        )
    unit = of_one / 2**fraction
    never = 2 ** (fixed_point.word - 1)
    threshold = math.ceil(levels[-1] / unit) if fires else never
    reset = round(levels[0] / unit)
    for name, value in (("threshold", threshold if fires else 0), ("reset", reset)):
        if not -never <= value < never:
            remedy = "a longer word" + ("" if fraction == 0 else " or a smaller fraction")
            _checks.fail(
                "fixed_point",
                f"hold the {name} of layer {i}, {value:.6g} in units of the last place",
                fixed_point,
                f"{remedy} would",
            )
    if fires and reset >= threshold:
        _checks.fail(
            "fixed_point", f"tell threshold and reset of layer {i} apart", fixed_point, "more fraction"
        )
    return FixedLIF(
        fixed_point.word,
        fraction,
        leak,
        leak_shift,
        threshold,
        reset,
        lif.reset == "subtract",
        lif.refractory_period,
        unit,
        lif.v_rest,
    )


def _leak(lif: LIF, bits: int) -> tuple[int, int]:
    """Return the leak dt / tau_mem as leak / 2**shift in lowest terms, leak < 2**bits."""
    wanted = lif.dt / lif.tau_mem
    if wanted == 0.0:
        return 0, 0
    mantissa, exponent = math.frexp(wanted)  # mantissa in [0.5, 1)
    leak, shift = round(mantissa * 2**bits), bits - exponent
    twos = min((leak & -leak).bit_length() - 1, shift)
    return leak >> twos, shift - twos


def _fraction(layer: Dense, level: float, leak: float, word: int) -> int:
    """Return the largest fraction with which level and reach, in counts, stay inside the word.

    The reach of a neuron is where its potential settles if all that excites it, or all that inhibits
    it, is on; of one that does not leak, four times its threshold.
    """
    weights = layer._matrix
    strongest = max(np.clip(sign * weights, 0.0, None).sum(axis=1).max() for sign in (-1.0, 1.0))
    reach = max(level, strongest / leak if leak else 4 * level, 1.0)
    room = math.floor(math.log2((2 ** (word - 1) - 1) / reach))
    return min(max(room, 0), word - 2)
