"""Layers that learn in hardware: their integers, their model, Verilog and testbench."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.hardware.design import Sequence, check_counter, check_module, row_integers
from sc_neurocore.hardware.emit import bits_for, hex_lines, library_text, rendered
from sc_neurocore.networks import FixedPoint, Network
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.fixed_point import FixedLIF, leak_of
from sc_neurocore.networks.layers import Dense
from sc_neurocore.networks.network import check_network
from sc_neurocore.neurons import LIF
from sc_neurocore.plasticity import STDP, StochasticSTDP
from sc_neurocore.streams import Bitstream, Hammersley, Role, stream_key

__all__ = ["LearningDesign", "LearningRun", "learning_testbench", "learning_verilog"]

# Bits of a trace below one; the traces of a rule for pairs of all spikes hold 15 of them.
_FRACTION = 12
# Bits of a trace and of a probability that are compared with a byte.
_HEAD = 8
# Significant bits of leaks and amplitudes, so that products have at most 32 bits.
_DIGITS = 8
# Time constants in time steps: longer ones would be those of the rounding of traces.
_LONGEST = 256
_LIBRARY = ("sc_learning", "sc_lif", "sc_sequence", "sc_trace")


@dataclass(frozen=True, eq=False)
class LearningRun:
    """Result of a run of a layer that learns in hardware.

    Attributes
    ----------
    spikes : Bitstream, batch shape ``(*batch, n_out)``
    potentials : ndarray of int32, shape ``(*batch, n_out, steps)``
        At the end of each step, in units of the last place.
    weights : ndarray of float64, shape (n_out, n_in)
        After the last step.
    history : ndarray of float64, shape ``(*batch, steps, n_out, n_in)``, or None
        Weights after each step, if recorded.
    """

    spikes: Bitstream
    potentials: NDArray[np.int32]
    weights: NDArray[np.float64]
    history: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class LearningDesign:
    """Parameters of the hardware of a layer that learns, one synapse per clock cycle.

    Magnitudes of weights are integers m of ``word - 1`` bits, of which the upper `bits` are compared
    with the number of the time step, as in `Design`. Traces are integers whose one is ``2**12``. In
    each time step, with ``>>`` rounding down::

        trace <- trace * keep >> keep_shift
        an input spike     m <- max(m - (trace of the neuron * a_minus >> shift), 0)
        an output spike    m <- min(m + (trace of the input * a_plus >> shift), most)

    in the order of `sc_neurocore.plasticity`. A spike then adds 1 to a trace, up to ``2**16 - 1``, or
    sets it to 1 for pairs of nearest spikes. With a `StochasticSTDP`, m moves by `level` instead if one
    byte of a shift register is below ``256 * p`` and another is below the upper bits of the trace.

    Decays and amplitudes are rounded to 8 significant bits, to powers of two if ``leak_bits`` is 1.
    Rounding down shortens traces: each is lower than the exact one by at most ``2**-12 / (1 - keep)``,
    and reaches 0.

    Parameters
    ----------
    network : Network
        One `Dense` layer without bias, delays and recurrent weights, whose `plasticity` is an `STDP` or
        a `StochasticSTDP` with hard bounds. Its neurons have equal parameters and no synaptic currents.
    fixed_point : FixedPoint
        Word lengths. Initial weights are rounded to `bits` bits, as without learning.
    source : Hammersley
        As in `Design`: the weights are compared with the numbers of its second sequence.
    seed : int
        Of the shift register of a `StochasticSTDP`, in [0, 2**128).
    name : str
        Name of the top module, a Verilog identifier.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the network has a feature that this hardware lacks.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, encode
    >>> from sc_neurocore.hardware import LearningDesign
    >>> from sc_neurocore.plasticity import STDP
    >>> rule = STDP(a_plus=0.1, a_minus=0.05, bounds="hard")
    >>> design = LearningDesign(Network([Dense([[0.5, 0.5]], gain=0.5, plasticity=rule)]))
    >>> design
    LearningDesign(learning: 2-1, STDP, 7 clock cycles per step)
    >>> design.simulate(encode([0.5, 0.1], 500, key=1)).weights.round(2)
    array([[0.57, 1.  ]])
    """

    network: Network
    _: KW_ONLY
    fixed_point: FixedPoint = FixedPoint()
    source: Hammersley = Hammersley(8, 1, randomized=False)
    seed: int = 0
    name: str = "learning"
    rule: STDP | StochasticSTDP = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_network(self.network)
        _checks.instance("fixed_point", self.fixed_point, FixedPoint)
        check_counter(self.source)
        _checks.power_range("seed", self.seed, 128)
        if self.fixed_point.word > 16 or self.fixed_point.word <= self.fixed_point.bits:
            contract = "have words of at most 16 bits, and more than those of its weights, to learn"
            _checks.fail("fixed_point", contract, self.fixed_point)
        check_module(self.name)
        layer = self.network[0]
        if len(self.network) > 1 or not isinstance(layer, Dense):
            _checks.fail("network", "be one dense layer to learn in hardware", self.network)
        self._check_layer(layer)
        object.__setattr__(self, "rule", layer.plasticity[0])
        self.neuron  # noqa: B018  raises for features that the hardware lacks
        self.integers  # noqa: B018

    def _check_layer(self, layer: Dense) -> None:
        """Raise if the layer has a feature that this hardware lacks."""
        rules = layer.plasticity
        if len(rules) != 1 or not isinstance(rules[0], STDP | StochasticSTDP):
            contract = "have an STDP or a StochasticSTDP alone as plasticity to learn in hardware"
            _checks.fail("network", contract, rules)
        rule = rules[0]
        if rule.bounds != "hard" or not rule.keep_sign:
            contract = "have a rule with bounds='hard' and keep_sign=True to learn in hardware"
            _checks.fail("network", contract, rule)
        for name in ("bias", "delays", "recurrent"):
            if getattr(layer, name) is not None:
                _checks.fail("network", f"have no {name} to learn in hardware", layer)
        if not isinstance(layer.neuron, LIF) or len(np.unique(layer.gain)) > 1:
            _checks.fail("network", "have LIF neurons with one gain to learn in hardware", layer)
        if np.any(layer.neuron.tau_syn):
            _checks.fail("network", "have no synaptic currents to learn in hardware", layer.neuron)
        if np.any(np.asarray(layer.neuron.refractory_period) >= 2**16):
            contract = "have refractory periods below 2**16 steps"
            _checks.fail("network", contract, layer.neuron.refractory_period)
        for name in ("tau_plus", "tau_minus"):
            if not 1 <= getattr(rule, name) / layer.neuron.dt <= _LONGEST:
                contract = f"have a {name} of 1 to {_LONGEST} time steps to learn in hardware"
                _checks.fail("network", contract, getattr(rule, name))
        kind, most = ("p", _HEAD) if isinstance(rule, StochasticSTDP) else ("a", self.weight_bits)
        for name in (f"{kind}_plus", f"{kind}_minus"):  # smaller ones would change no weight
            value = getattr(rule, name)
            if value and not 2.0**-most <= value <= 1:
                contract = f"have {name} 0 or in [2**-{most}, 1] to learn in hardware"
                _checks.fail("network", contract, value)

    @property
    def layer(self) -> Dense:
        """The layer."""
        layer = self.network[0]
        assert isinstance(layer, Dense)
        return layer

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.layer.n_in

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return self.layer.n_out

    @property
    def step_clocks(self) -> int:
        """Clock cycles of a time step."""
        return self.n_out * (2 * self.n_in + 2) + 1

    @cached_property
    def neuron(self) -> FixedLIF:
        """The neurons in fixed point, with a fraction for the largest weights that can be learned."""
        layer = self.layer
        grown = np.where(self.negative, -self.rule.w_max, self.rule.w_max)
        (neuron,) = self.fixed_point.of(
            Network([Dense(grown, gain=layer.gain, neuron=layer.neuron)])
        ).neurons
        if len(neuron.each) > 1:
            contract = "have neurons with equal parameters to learn in hardware"
            _checks.fail("network", contract, layer.neuron)
        if neuron.noise is not None:
            _checks.fail("network", "have no noise to learn in hardware", layer.neuron)
        return neuron

    @property
    def numbers(self) -> Sequence:
        """Numbers that the weights are compared with."""
        axis = self.source.sequences(2)[1]
        assert isinstance(axis, Hammersley)
        return Sequence(axis, self.fixed_point.bits)

    @property
    def weight_bits(self) -> int:
        """Number of bits of a magnitude."""
        return self.fixed_point.word - 1

    @property
    def negative(self) -> NDArray[np.bool_]:
        """Whether each weight is negative, shape (n_out, n_in)."""
        return np.signbit(self.layer.weights)

    @property
    def magnitudes(self) -> NDArray[np.int32]:
        """Magnitudes of the weights before learning, shape (n_out, n_in)."""
        codes = np.abs(self.fixed_point.codes(self.layer.weights))
        spare = self.weight_bits - self.fixed_point.bits
        return np.asarray(np.minimum(codes << spare, self.integers["most"]), np.int32)

    @property
    def start(self) -> int:
        """State of the shift register when the device is configured; its lowest bit is 1."""
        return stream_key(self.seed, Role.LEARNING, 0) >> 31 | 1

    @property
    def trace_bits(self) -> int:
        """Number of bits of a trace."""
        return _FRACTION + (1 if self.rule.pairing == "nearest" else 4)

    @cached_property
    def integers(self) -> dict[str, int]:
        """Integers of the rule, with the names of `FixedRule` in `native/kernels.hpp`."""
        rule, dt = self.rule, self.layer.neuron.dt
        digits, unit = min(self.fixed_point.leak_bits, _DIGITS), 2**self.weight_bits
        made = {
            "most": min(math.floor(rule.w_max * unit), unit - 1),
            "weight_drop": self.weight_bits - self.fixed_point.bits,
            "one": 2**_FRACTION,
            "trace_most": 2**self.trace_bits - 1,
            "nearest": int(rule.pairing == "nearest"),
        }
        for side in ("plus", "minus"):
            leak, shift = leak_of(-math.expm1(-dt / getattr(rule, f"tau_{side}")), digits)
            made |= {f"keep_{side}": 2**shift - leak, f"keep_{side}_shift": shift}
            if isinstance(rule, StochasticSTDP):
                made |= {
                    f"a_{side}": round(getattr(rule, f"p_{side}") * 2**_HEAD),
                    f"a_{side}_shift": 0,
                }
            else:
                a, shift = leak_of(getattr(rule, f"a_{side}") * unit / 2**_FRACTION, digits)
                made |= {
                    f"a_{side}": a << max(-shift, 0),
                    f"a_{side}_shift": min(max(shift, 0), 63),
                }
        if isinstance(rule, StochasticSTDP):
            level = round(rule.level * unit)
            if not 1 <= level <= made["most"]:
                contract = f"have a level of 1 / {unit} up to w_max to learn in hardware"
                _checks.fail("network", contract, rule.level)
            made |= {"level": level, "trace_drop": _FRACTION - _HEAD}
        return made

    def simulate(self, x: InputLike, *, learn: bool = True, history: bool = False) -> LearningRun:
        """Simulate the layer; the result equals that of the hardware bit by bit.

        Parameters
        ----------
        x : Bitstream or Events
            Input spikes, of batch shape (n_in,), or (n, n_in) for examples one after another: each
            begins with neurons and traces at rest, and with the weights that the one before has left.
        learn : bool
            Whether weights change.
        history : bool
            Whether to return the weights after each step.
        """
        inputs = self._spikes(x)
        _checks.instance("learn", learn, bool)
        _checks.instance("history", history, bool)
        assert isinstance(inputs.values, Bitstream)
        weights, register = self.magnitudes, np.array([self.start], np.uint64)
        values: dict[str, Any] = {**self.integers, "nearest": self.rule.pairing == "nearest"}
        rule, neuron = _native.FixedRule(**values), self.neuron._integers[0]
        numbers = self.numbers.source.numbers(0, inputs.values.length, key=0)
        numbers = np.ascontiguousarray(numbers.ravel() >> (32 - self.fixed_point.bits), np.uint32)
        negative = self.negative.astype(np.uint8)

        def run(x: NDArray[np.uint64]) -> tuple[NDArray[Any], ...]:
            v, post = np.zeros((2, self.n_out), np.int32)
            pre, refractory = np.zeros(self.n_in, np.int32), np.zeros(self.n_out, np.uint64)
            return _native.fixed_learning(
                neuron, rule, learn, x, numbers, negative, weights, v, refractory, pre, post, register,
                history,
            )  # fmt: skip

        parts = zip(*map(run, inputs.values.words), strict=True)
        potentials, spikes, each = (np.stack(part) for part in parts)
        scale = np.where(self.negative, -1.0, 1.0) / 2.0**self.weight_bits

        def placed(values: NDArray[Any]) -> NDArray[Any]:
            return values.reshape(*inputs.batch, *values.shape[1:])

        return LearningRun(
            Bitstream(placed(spikes), inputs.values.length),
            placed(potentials),
            weights * scale,
            placed(each * scale) if history else None,
        )

    def _spikes(self, x: InputLike) -> Inputs:
        inputs = Inputs.of("x", x, self.network)
        if not isinstance(inputs.values, Bitstream):
            _checks.wrong_type("x", "be spikes to learn in hardware", x, "encode the densities first")
        return inputs

    def __repr__(self) -> str:
        return (
            f"LearningDesign({self.name}: {self.network.shape}, {type(self.rule).__name__}, "
            f"{self.step_clocks} clock cycles per step)"
        )


def learning_verilog(design: LearningDesign) -> dict[str, str]:
    """Return the files of a layer that learns as text, by file name.

    The top module has the ports of `sc_learning`: `step` reads the input spikes `x` of a time step, and
    `done` says that `spike` holds those of the neurons. `clear` puts neurons and traces at rest between
    examples, while the design is not busy. Weights change while `learn` is 1; the outputs `changed`,
    `synapse` and `weight` show each change.

    Raises
    ------
    ImportError
        If Jinja2 is missing (extra: hdl).
    """
    _checks.instance("design", design, LearningDesign)
    text = {f"{design.name}.v": rendered("learning.v", _values(design))}
    words = _words(design, design.magnitudes).tolist()
    text[f"{design.name}_weights.hex"] = hex_lines(words, design.fixed_point.word)
    rule = ("sc_move", "sc_random") if isinstance(design.rule, StochasticSTDP) else ("sc_stdp",)
    for name in (*_LIBRARY, *rule):
        text[f"{name}.v"] = library_text(f"{name}.v")
    return text


def learning_testbench(design: LearningDesign, x: InputLike) -> dict[str, str]:
    """Return a self-checking testbench and its vectors as text, by file name.

    The testbench runs under Icarus Verilog and Verilator. It compares every spike, every potential and,
    after each time step, every weight with the model; then no weight may change without `learn`.

    Parameters
    ----------
    design : LearningDesign
    x : Bitstream or Events
        As in `LearningDesign.simulate`.

    Raises
    ------
    ImportError
        If Jinja2 is missing (extra: hdl).
    """
    _checks.instance("design", design, LearningDesign)
    inputs = design._spikes(x)
    assert isinstance(inputs.values, Bitstream)
    name, steps = f"{design.name}_tb", inputs.values.length
    run = design.simulate(x, history=True)
    bits = inputs.values.bits().swapaxes(-1, -2).reshape(-1, design.n_in)
    spikes = run.spikes.bits().reshape(len(inputs), design.n_out, steps).swapaxes(1, 2)
    potentials = run.potentials.reshape(len(inputs), design.n_out, steps).swapaxes(1, 2)
    assert run.history is not None
    magnitudes = np.abs(run.history) * 2**design.weight_bits
    words = _words(design, magnitudes.reshape(-1, design.n_out, design.n_in))
    before = _words(design, design.magnitudes)
    changes = np.count_nonzero(np.diff(words.reshape(-1, before.size), axis=0, prepend=[before]))
    word = design.fixed_point.word
    fired = (potentials.astype(np.int64) & (1 << word) - 1) << 1 | spikes
    values = {
        **_values(design),
        "steps": steps,
        "examples": len(inputs),
        "n_spikes": int(spikes.sum()),
        "n_changes": changes,
    }
    return {
        f"{name}.v": rendered("learning_tb.v", values),
        f"{name}_x.hex": hex_lines(row_integers(bits), design.n_in),
        f"{name}_fired.hex": hex_lines(fired.ravel().tolist(), word + 1),
        f"{name}_weights.hex": hex_lines(words.tolist(), word),
    }


def _words(design: LearningDesign, magnitudes: NDArray[Any]) -> NDArray[np.int64]:
    """Return words {negative, magnitude} of the weight memory, from magnitudes (..., n_out, n_in)."""
    signs = design.negative.astype(np.int64) << design.weight_bits
    return (magnitudes.astype(np.int64) | signs).ravel()


def _values(design: LearningDesign) -> dict[str, Any]:
    """Return what the templates need."""
    n = design.neuron
    return {
        "design": design,
        "count_bits": design.n_in.bit_length() + 1,
        "input_bits": bits_for(design.n_in),
        "neuron_bits": bits_for(design.n_out),
        "address_bits": bits_for(design.n_in * design.n_out),
        "neuron": n,
        "rest_bits": max(int(n.refractory).bit_length(), 1),
        "r": {"level": 0, "trace_drop": 0, **design.integers},
    }
