"""Networks in fixed point: the integers that hardware computes with, derived from a float network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.networks.layers import Dense, Layer, lif_of
from sc_neurocore.networks.network import Network, require_chain
from sc_neurocore.neurons import (
    LIF,
)

__all__ = ["FixedPoint"]


@dataclass(frozen=True)
class FixedPoint:
    """Number formats of a network in hardware.

    The magnitudes of weights and inputs are rounded to multiples of ``2**-bits`` below 1; a value of
    1.0 becomes the largest one, ``1 - 2**-bits``. Potentials are integers in two's complement that
    saturate at both ends.

    The count c of a neuron at a time step is the number of ones in products with positive weights minus
    the number in products with negative weights. The neuron computes::

        v = clamp(v - (v * leak >> leak_shift) + (c << fraction))

    where ``>>`` rounds down. It fires if ``v >= threshold``, and then::

        v = reset                        # LIF(reset="value")
        v = v - (threshold - reset)      # LIF(reset="subtract")

    During the refractory steps that follow, v is held and counts are ignored. Every input starts from
    ``v = 0``, which stands for v_rest.

    Parameters
    ----------
    bits : int
        Bits of weights and inputs, in [1, 16].
    word : int
        Bits of a potential, in [4, 32].
    fraction : int, optional
        A single one adds ``2**fraction`` to a potential; in [0, word - 2]. By default it is chosen for
        each layer: 0 for neurons that neither leak nor fire, otherwise the largest value for which the
        mean potential does not saturate even if all exciting or all inhibiting inputs stay on.
    leak_bits : int
        Significant bits of the leak, in [1, 16]. ``leak / 2**leak_shift`` approximates
        ``dt / tau_mem``. A power of two, which is every leak of one bit, costs a shift; any other leak
        costs a multiplication by a constant.

    Raises
    ------
    TypeError
        If a parameter is not an integer.
    ValueError
        If a parameter is outside its range.

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

    def codes(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return values in [-1, 1] in units of ``2**-bits``, at most ``2**bits - 1`` in magnitude."""
        levels = 2**self.bits
        return np.asarray(np.clip(np.rint(values * levels), 1 - levels, levels - 1), np.int64)

    def rounded(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values in [-1, 1] rounded to ``2**-bits``, at most ``1 - 2**-bits`` in magnitude."""
        return self.codes(values) / 2.0**self.bits

    def of(self, network: Network, bits_per_step: int = 1) -> FixedNetwork:
        """Return a network in these formats.

        With several bits per step, a single one adds that part of its gain to a potential.

        Raises
        ------
        TypeError
            If it is not a `Network`.
        ValueError
            If a layer has a feature that the hardware lacks (convolution, recurrent weights, delays,
            noise, synaptic current), or a threshold does not fit the word.
        """
        _checks.instance("network", network, Network)
        require_chain("network", network, "computed in fixed point")
        layers = [_rounded(i, layer, self) for i, layer in enumerate(network.layers)]
        k = _checks.integer("bits_per_step", bits_per_step, 1)
        neurons = tuple(_neuron(i, layer, self, k) for i, layer in enumerate(layers))
        return FixedNetwork(self, Network(layers), neurons, k)


@dataclass(frozen=True)
class FixedLIF:
    """Parameters of a LIF neuron in fixed point; `FixedPoint` has its equations.

    Attributes
    ----------
    word, fraction : int
        As in `FixedPoint`.
    leak, leak_shift : int
        The leak is ``leak / 2**leak_shift``, in lowest terms; 0 for a neuron without leak.
    threshold, reset : int
        In units of the last place of a potential. A neuron that never fires has threshold
        ``2**(word - 1)``, which no potential reaches.
    subtract : bool
        Whether a spike subtracts ``threshold - reset`` from the potential instead of setting it.
    refractory : int
        Refractory steps after a spike.
    unit, rest : float
        A potential v is ``v * unit + rest`` in volts.
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
        """Smallest potential, ``-2**(word - 1)``."""
        return -(1 << (self.word - 1))

    @property
    def most(self) -> int:
        """Largest potential, ``2**(word - 1) - 1``."""
        return (1 << (self.word - 1)) - 1

    @property
    def parameters(self) -> list[_native.LIFParameters]:
        """Parameters of the kernels that fire; currents have the gain ``2**fraction``."""
        parameters = _native.LIFParameters(
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
        return [parameters]

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
        """Return potentials in units of the last place as volts, of the shape of v."""
        return np.asarray(v * self.unit + self.rest)


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """A network in fixed point, made once by `FixedPoint.of`.

    Attributes
    ----------
    fixed_point : FixedPoint
        The formats.
    network : Network
        The network with rounded weights, all layers `Dense`.
    neurons : tuple of FixedLIF
        Neurons of each layer.
    bits_per_step : int
        Bits of each product per time step.
    """

    fixed_point: FixedPoint
    network: Network
    neurons: tuple[FixedLIF, ...]
    bits_per_step: int = 1


def _rounded(i: int, layer: Layer, fixed_point: FixedPoint) -> Dense:
    if not isinstance(layer, Dense):
        _checks.fail("network", "have only dense layers in fixed point", f"{layer!r} as layer {i}")
    lif = lif_of("network", layer)
    unsupported = {
        "no recurrent weights": layer.recurrent is not None,
        "no delays": bool(np.any(layer.delay)),
        "no noise": bool(np.any(lif.noise_std)),
        "no synaptic currents": bool(np.any(lif.tau_syn)),
        "one gain per layer": isinstance(layer.gain, np.ndarray),
        "the same parameters for all neurons of a layer": lif.n_neurons is not None,
    }
    for contract, present in unsupported.items():
        if present:
            _checks.fail("network", f"have {contract} in fixed point", f"{layer!r} as layer {i}")
    bias = None if layer.bias is None else fixed_point.rounded(layer.bias)
    return replace(layer, weights=fixed_point.rounded(layer.weights), bias=bias)


def _neuron(i: int, layer: Dense, fixed_point: FixedPoint, bits_per_step: int) -> FixedLIF:
    lif = lif_of("network", layer)
    leak, leak_shift = _leak(lif, fixed_point.leak_bits)
    of_one = float(layer.gain) * lif.resistance * lif.dt / bits_per_step  # volts
    fires = math.isfinite(lif.v_threshold)
    levels = [lif.v_reset - lif.v_rest, *([lif.v_threshold - lif.v_rest] if fires else [])]
    fraction = fixed_point.fraction
    if fraction is None and not (leak or fires):
        fraction = 0  # it only adds whole ones: digits below them would stay 0 and cost range
    elif fraction is None:
        level, leakage = max(map(abs, levels)) / of_one, leak / 2**leak_shift
        fraction = _fraction(layer, level, leakage, fixed_point.word, bits_per_step)
    unit = of_one / 2**fraction
    never = 2 ** (fixed_point.word - 1)
    threshold = math.ceil(levels[-1] / unit) if fires else never
    reset = round(levels[0] / unit)
    for name, value in (("threshold", threshold if fires else 0), ("reset", reset)):
        if not -never <= value < never:
            remedy = "use a larger word" + ("" if fraction == 0 else " or a smaller fraction")
            _checks.fail(
                "fixed_point",
                f"hold the {name} of layer {i}, {value:.6g} in units of the last place",
                fixed_point,
                remedy,
            )
    if fires and reset >= threshold:
        _checks.fail(
            "fixed_point",
            f"distinguish threshold and reset of layer {i}",
            fixed_point,
            "use a larger fraction",
        )
    return FixedLIF(
        word=fixed_point.word,
        fraction=fraction,
        leak=leak,
        leak_shift=leak_shift,
        threshold=threshold,
        reset=reset,
        subtract=lif.reset == "subtract",
        refractory=lif.refractory_period,
        unit=unit,
        rest=lif.v_rest,
    )


def _leak(lif: LIF, bits: int) -> tuple[int, int]:
    """Return dt / tau_mem as leak and shift, leak / 2**shift in lowest terms with leak < 2**bits."""
    exact = lif.dt / lif.tau_mem
    if exact == 0.0:
        return 0, 0
    mantissa, exponent = math.frexp(exact)  # mantissa in [0.5, 1)
    leak, shift = round(mantissa * 2**bits), bits - exponent
    twos = min((leak & -leak).bit_length() - 1, shift)
    return leak >> twos, shift - twos


def _fraction(layer: Dense, level: float, leak: float, word: int, bits_per_step: int) -> int:
    """Return the largest fraction for which level and reach, in counts, stay inside the word.

    The reach of a neuron is the potential at which it settles if all exciting, or all inhibiting,
    inputs are on. For a neuron without leak it is four times its threshold.
    """
    weights = layer.matrix
    strongest = max(np.clip(sign * weights, 0.0, None).sum(axis=1).max() for sign in (-1.0, 1.0))
    reach = max(level, bits_per_step * strongest / leak if leak else 4 * level, 1.0)
    room = math.floor(math.log2((2 ** (word - 1) - 1) / reach))
    return min(max(room, 0), word - 2)
