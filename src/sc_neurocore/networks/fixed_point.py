"""Networks in fixed point: the integers that hardware computes with, derived from a float network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.networks._noise import Noise
from sc_neurocore.networks.layers import (
    Conv2d,
    Dense,
    Layer,
    all_weights,
    check_fixed,
    lif_of,
    neurons,
    with_all_weights,
)
from sc_neurocore.networks.network import Network, check_network
from sc_neurocore.networks.pooling import is_pool
from sc_neurocore.neurons import (
    LIF,
)

__all__ = ["FixedPoint"]


@dataclass(frozen=True)
class FixedPoint:
    """Number formats of a network in hardware.

    The magnitudes of weights and inputs are rounded to multiples of ``2**-bits`` below 1; a value of
    1.0 becomes the largest one, ``1 - 2**-bits``, but stays 1 in layers that `max_pool2d` and
    `average_pool2d` make. Potentials are integers in two's complement that saturate at both ends.

    The count c of a neuron at a time step is the number of ones in products with positive weights minus
    the number in products with negative weights. The neuron computes::

        v = clamp(v - (v * leak >> leak_shift) + (c << fraction))

    where ``>>`` rounds down. It fires if ``v >= threshold``, and then::

        v = reset                        # LIF(reset="value")
        v = v - (threshold - reset)      # LIF(reset="subtract")

    During the refractory steps that follow, v is held and counts are ignored. Every input starts from
    ``v = 0``, which stands for v_rest. A neuron with a synaptic current i computes::

        i = clamp(i - (i * syn_leak >> syn_leak_shift) + (c << fraction + syn_fraction))
        v = clamp(v - (v * leak >> leak_shift) + (i >> syn_fraction))

    where i is updated in refractory steps too, and syn_fraction is as large as the word allows, up to
    the number with which a current without input decays to 0.

    A layer with ``sampled=False`` computes the sum s of the products of its rounded weights and inputs
    exactly, once per input. In each step, ``floor(s * 2**fraction + 1/2)`` takes the place of
    ``c << fraction``, and with a synaptic current ``floor(s * 2**(fraction + syn_fraction) + 1/2)``
    that of ``c << fraction + syn_fraction``. It is the same for any number of bits per step.

    Noise is added to v in each step outside the refractory period: ``(2 * h - n) << s``, where h is the
    number of ones among n random bits, at most 24. Its variance ``n * 4**s`` is the one nearest to
    ``noise_std**2``. A shift register of 31 bits, ``b[m] = b[m - 31] ^ b[m - 28]``, whose start differs
    between layers, yields 24 new bits per neuron and step; the first n of them are used. `seed` does
    not change them.

    Neurons with gains or parameters of their own have their own integers, but one fraction per layer.
    The weights of an output layer with several gains are scaled to the largest gain, so that its
    potentials can be compared.

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
        ``dt / tau_mem``, and the leak of a synaptic current ``dt / tau_syn``. A power of two, which is
        every leak of one bit, costs a shift; any other leak costs a multiplication by a constant.

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
            If it is not a `Network`, or has neurons that are not `LIF`.
        ValueError
            If a threshold or a current does not fit the word, or neurons have noise that hardware
            lacks: different in a layer, below the last place of a potential, or with synaptic currents
            or recurrent weights.
        """
        check_network(network)
        k = _checks.integer("bits_per_step", bits_per_step, 1)
        layers = []
        for i, layer in enumerate(network.layers):
            check_fixed("network", layer)
            layers.append(_rounded(_comparable(layer) if i in network.outputs else layer, self))
        rounded = Network(layers, network.connections, network.outputs)
        made = tuple(_neuron(i, layer, self, k) for i, layer in enumerate(layers))
        return FixedNetwork(self, rounded, made, k)


@dataclass(frozen=True)
class FixedLIF:
    """Parameters of the LIF neurons of a layer in fixed point; `FixedPoint` has their equations.

    Numbers that differ between the rows of the weights are arrays of shape (n_rows,).

    Attributes
    ----------
    word, fraction : int
        As in `FixedPoint`.
    leak, leak_shift : int or ndarray of int64
        The leak is ``leak / 2**leak_shift``, in lowest terms; 0 for a neuron without leak.
    threshold, reset : int or ndarray of int64
        In units of the last place of a potential. A neuron that never fires has threshold
        ``2**(word - 1)``, which no potential reaches.
    subtract : bool
        Whether a spike subtracts ``threshold - reset`` from the potential instead of setting it.
    refractory : int or ndarray of int64
        Refractory steps after a spike.
    unit, rest : float or ndarray of float64
        A potential v is ``v * unit + rest`` in volts.
    syn_leak, syn_leak_shift : int or ndarray of int64
        The same for the synaptic current; 0 if no neuron has one.
    syn_fraction : int
        Bits of a synaptic current below the last place of a potential.
    noise : Noise or None
    """

    word: int
    fraction: int
    leak: Any
    leak_shift: Any
    threshold: Any
    reset: Any
    subtract: bool
    refractory: Any
    unit: Any
    rest: Any
    syn_leak: Any = 0
    syn_leak_shift: Any = 0
    syn_fraction: int = 0
    noise: Noise | None = None

    @property
    def least(self) -> int:
        """Smallest potential, ``-2**(word - 1)``."""
        return -(1 << (self.word - 1))

    @property
    def most(self) -> int:
        """Largest potential, ``2**(word - 1) - 1``."""
        return (1 << (self.word - 1)) - 1

    @property
    def one(self) -> int:
        """Number that a single one adds to the potential, or to the synaptic current."""
        return 1 << (self.fraction + self.syn_fraction)

    def currents(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sums of exact products as currents in units of the last place, rounded half up."""
        return np.asarray(np.floor(sums * self.one + 0.5))

    @property
    def each(self) -> tuple[FixedLIF, ...]:
        """Neurons with one number for every parameter: one for all rows, or one for each."""
        varied = {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        if not varied:
            return (self,)
        n = len(next(iter(varied.values())))
        return tuple(replace(self, **{k: v[j].item() for k, v in varied.items()}) for j in range(n))

    @property
    def parameters(self) -> list[_native.LIFParameters]:
        """Parameters of the kernels that fire; currents have the gain `one`."""
        return [
            _native.LIFParameters(
                leak=lif.leak / 2.0**lif.leak_shift,
                v_rest=0.0,
                gain=2.0**-lif.syn_fraction,
                noise_std=0.0,
                v_threshold=lif.threshold,
                v_reset=lif.reset,
                refractory_period=lif.refractory,
                syn_leak=lif.syn_leak / 2.0**lif.syn_leak_shift,
                subtracts=lif.subtract,
                fixed=True,
                v_min=lif.least,
                v_max=lif.most,
            )
            for lif in self.each
        ]

    @property
    def _integers(self) -> list[_native.FixedNeuron]:
        """Parameters of the kernel that also returns potentials."""
        return [
            _native.FixedNeuron(
                one=lif.one,
                leak=lif.leak,
                leak_shift=lif.leak_shift,
                threshold=lif.threshold,
                reset=lif.reset,
                subtracts=lif.subtract,
                refractory_period=lif.refractory,
                v_min=lif.least,
                v_max=lif.most,
                syn_leak=lif.syn_leak,
                syn_leak_shift=lif.syn_leak_shift,
                syn_fraction=lif.syn_fraction,
            )
            for lif in self.each
        ]

    def volts(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return potentials (rows, n_rows, ...) in units of the last place as volts."""
        unit, rest = (np.reshape(a, (-1, *(1,) * (v.ndim - 2))) for a in (self.unit, self.rest))
        return np.asarray(v * unit + rest)


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """A network in fixed point, made once by `FixedPoint.of`.

    Attributes
    ----------
    fixed_point : FixedPoint
        The formats.
    network : Network
        The network with rounded weights.
    neurons : tuple of FixedLIF
        Neurons of each layer.
    bits_per_step : int
        Bits of each product per time step.
    """

    fixed_point: FixedPoint
    network: Network
    neurons: tuple[FixedLIF, ...]
    bits_per_step: int = 1


def _comparable(layer: Layer) -> Layer:
    """Return a layer whose neurons have one gain, the largest, with weights scaled accordingly."""
    lif, gain = lif_of("network", layer), np.broadcast_to(layer.gain, (len(layer.weights),))
    of_one = gain * lif.resistance
    if (of_one == of_one[0]).all():
        return layer
    largest = of_one.max()
    scaled = with_all_weights(layer, all_weights(layer) * (of_one / largest)[:, np.newaxis])
    return replace(scaled, gain=float(largest), neuron=replace(lif, resistance=1.0))


def _rounded(layer: Layer, fixed_point: FixedPoint) -> Layer:
    """Return a layer with rounded weights; the ones of pooling stay."""
    if isinstance(layer, Conv2d) and is_pool(layer):
        return layer
    return with_all_weights(layer, fixed_point.rounded(all_weights(layer)))


def _neuron(i: int, layer: Layer, fixed_point: FixedPoint, bits_per_step: int) -> FixedLIF:
    """Return the neurons of layer i; rows with equal parameters share one number."""
    lifs = neurons("network", layer)
    bits_per_step = bits_per_step if layer.sampled else 1
    gain = np.broadcast_to(layer.gain, (max(len(lifs), np.size(layer.gain)),))
    lifs = lifs * (len(gain) if len(lifs) == 1 else 1)
    leaks = [leak_of(lif.dt / lif.tau_mem, fixed_point.leak_bits) for lif in lifs]
    syn_leaks = [(0, 0)] * len(lifs)
    if any(lif.tau_syn for lif in lifs):
        syn_leaks = [leak_of(lif.dt / (lif.tau_syn or lif.dt), fixed_point.leak_bits) for lif in lifs]
    of_one = [  # volts
        float(of_gain) * lif.resistance * lif.dt / bits_per_step
        for of_gain, lif in zip(gain, lifs, strict=True)
    ]
    fraction, syn_fraction = _fractions(
        layer, lifs, of_one, leaks, syn_leaks, fixed_point, bits_per_step
    )
    if not layer.sampled:
        _check_currents(i, layer, fraction + syn_fraction, fixed_point)
    each = []
    for j, lif in enumerate(lifs):
        unit = of_one[j] / 2**fraction
        threshold, reset = _levels(i, lif, unit, fraction, fixed_point)
        each.append(
            {
                "leak": leaks[j][0],
                "leak_shift": leaks[j][1],
                "threshold": threshold,
                "reset": reset,
                "refractory": lif.refractory_period,
                "unit": unit,
                "rest": lif.v_rest,
                "syn_leak": syn_leaks[j][0],
                "syn_leak_shift": syn_leaks[j][1],
            }
        )
    made = FixedLIF(
        word=fixed_point.word,
        fraction=fraction,
        subtract=lifs[0].reset == "subtract",
        syn_fraction=syn_fraction,
        **{name: _common([of_row[name] for of_row in each]) for name in each[0]},
    )
    std = {lif.noise_std for lif in lifs}
    return made if std == {0.0} else replace(made, noise=_noise(i, layer, made, std, fixed_point))


def _noise(i: int, layer: Layer, made: FixedLIF, std: set[float], fixed_point: FixedPoint) -> Noise:
    """Return the noise of the neurons of layer i; raise if hardware lacks it."""
    given = f"{layer!r} as layer {i}"
    if len(std) > 1 or isinstance(made.unit, np.ndarray):
        contract = "have layers whose neurons have the same noise, and the same gain, in fixed point"
        _checks.fail("network", contract, given)
    if made.syn_fraction or np.any(made.syn_leak):
        contract = "have no noise in layers with synaptic currents in fixed point"
        _checks.fail("network", contract, given)
    if isinstance(layer, Dense) and layer.recurrent is not None:
        remedy = "connect the layer to itself with a delay of 1"
        contract = "have no noise in layers with recurrent weights in fixed point"
        _checks.fail("network", contract, given, remedy)
    places = next(iter(std)) / made.unit
    noise = Noise.of(max(places, 1.0), i)
    if places < 1 or noise.bits > fixed_point.word:
        contract = f"hold the noise of layer {i}, {places:.4g} in units of the last place"
        remedy = "use a larger word, another fraction, or noise_std=0"
        _checks.fail("fixed_point", contract, fixed_point, remedy)
    return noise


def _strongest(layer: Layer) -> NDArray[np.float64]:
    """Return the sum of all exciting, or of all inhibiting weights of each row, whichever is larger."""
    weights = all_weights(layer)
    exciting, inhibiting = (np.clip(sign * weights, 0.0, None).sum(axis=1) for sign in (1.0, -1.0))
    return np.asarray(np.maximum(exciting, inhibiting))


def _check_currents(i: int, layer: Layer, fraction: int, fixed_point: FixedPoint) -> None:
    """Raise unless the currents of layer i, which is not sampled, fit the word."""
    largest = math.floor(float(_strongest(layer).max()) * 2.0**fraction + 0.5)
    if largest >= 2 ** (fixed_point.word - 1):
        remedy = "use a larger word" + ("" if fraction == 0 else " or a smaller fraction")
        contract = f"hold the currents of layer {i}, {largest} in units of the last place"
        _checks.fail("fixed_point", contract, fixed_point, remedy)


def _common(values: list[Any]) -> Any:
    """Return the value that all have in common, or an array of all."""
    return values[0] if all(value == values[0] for value in values) else np.array(values)


def _levels(i: int, lif: LIF, unit: float, fraction: int, fixed_point: FixedPoint) -> tuple[int, int]:
    """Return threshold and reset of a neuron of layer i in units of the last place."""
    fires, never = math.isfinite(lif.v_threshold), 2 ** (fixed_point.word - 1)
    threshold = math.ceil((lif.v_threshold - lif.v_rest) / unit) if fires else never
    reset = round((lif.v_reset - lif.v_rest) / unit)
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
    return threshold, reset


def leak_of(exact: float, bits: int) -> tuple[int, int]:
    """Return a leak as leak and shift, leak / 2**shift in lowest terms with leak <= 2**bits.

    The shift of a number of ``2**bits`` or more is negative.
    """
    if exact == 0.0:
        return 0, 0
    mantissa, exponent = math.frexp(exact)  # mantissa in [0.5, 1)
    leak, shift = round(mantissa * 2**bits), bits - exponent
    twos = min((leak & -leak).bit_length() - 1, max(shift, 0))
    return leak >> twos, shift - twos


def _fractions(
    layer: Layer,
    lifs: list[LIF],
    of_one: list[float],
    leaks: list[tuple[int, int]],
    syn_leaks: list[tuple[int, int]],
    fixed_point: FixedPoint,
    bits_per_step: int,
) -> tuple[int, int]:
    """Return the fraction of a layer and the further bits of its synaptic currents.

    The fraction is the largest for which level and reach, in counts, stay inside the word. The reach
    of a neuron is the potential at which it settles if all exciting, or all inhibiting, inputs are on.
    For a neuron without leak it is four times its threshold, or 64 of its largest exact currents if it
    never fires.
    """
    strongest = _strongest(layer)
    if len(lifs) == 1:
        strongest = strongest[[strongest.argmax()]]
    reach, reach_of_current, digits = 1.0, 1.0, 0
    leaks_or_fires = False
    for j, lif in enumerate(lifs):
        leak, syn_leak = (of[j][0] / 2 ** of[j][1] for of in (leaks, syn_leaks))
        fires = math.isfinite(lif.v_threshold)
        leaks_or_fires = leaks_or_fires or fires or leak > 0
        levels = [lif.v_reset - lif.v_rest, *([lif.v_threshold - lif.v_rest] if fires else [])]
        level, drive = max(map(abs, levels)) / of_one[j], bits_per_step * strongest[j]
        if syn_leak:
            drive /= syn_leak
            reach_of_current = max(reach_of_current, drive)
            digits = max(digits, math.ceil(-math.log2(syn_leak)))
        reach = max(reach, level, drive / leak if leak else 4 * level)
        noise = lif.noise_std / of_one[j]
        # Six standard deviations of the potential, or eight after 64 steps.
        reach += 6 * noise / math.sqrt(leak * (2 - leak)) if leak else 64 * noise
        if not (leak or fires) and (noise or not layer.sampled):
            reach = max(reach, 64 * drive + 64 * noise)
    most = 2 ** (fixed_point.word - 1) - 1
    fraction = fixed_point.fraction
    whole = layer.sampled and not any(lif.noise_std for lif in lifs)
    if fraction is None and not leaks_or_fires and whole:
        fraction = 0  # it only adds whole ones: digits below them would stay 0 and cost range
    elif fraction is None:
        room = math.floor(math.log2(most / max(reach, reach_of_current)))
        fraction = min(max(room, 0), fixed_point.word - 2)
    spare = math.floor(math.log2(most / reach_of_current)) - fraction
    return fraction, max(min(digits, spare), 0)
