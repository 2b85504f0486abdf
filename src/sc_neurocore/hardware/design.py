"""Design: one frozen object with every parameter of the hardware, which determines all widths."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.hardware._memories import LoadPort, WeightMemory
from sc_neurocore.hardware._reads import Reads, folding, reads_of
from sc_neurocore.hardware.tools import check_identifier, is_identifier
from sc_neurocore.networks import FixedPoint, Network, Simulation
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.fixed_point import FixedLIF, FixedNetwork
from sc_neurocore.networks.layers import Conv2d, Dense, Layer, all_weights
from sc_neurocore.networks.network import check_network
from sc_neurocore.networks.pooling import is_pool
from sc_neurocore.networks.prepared import PreparedNetwork
from sc_neurocore.streams import Bitstream, Hammersley, RotatedLFSR, _bits
from sc_neurocore.streams._numbers import feedback, generator_columns

__all__ = [
    "Design",
    "LayerDesign",
    "RotatedRegister",
    "Sequence",
    "check_counter",
    "check_module",
    "is_module_name",
    "row_integers",
]

Architecture = Literal["unrolled", "folded"]
ARCHITECTURES = get_args(Architecture)
N = TypeVar("N", int, float)
InputKind = Literal["image", "frames", "spikes"]
Reset = Literal["synchronous", "asynchronous"]
# Options that only folded designs have.
FOLDED = ("early", "loadable", "sparse", "pipelined")
# A few thousand unrolled synapses, each a gate and part of an adder, fill a small device.
MOST_UNROLLED = 2000

# Of Verilog-2005 (IEEE 1364) and SystemVerilog (IEEE 1800-2017), whose words Verilator reserves.
_KEYWORDS = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before
begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class
clocking cmos config const constraint context continue cover covergroup coverpoint cross deassign
default defparam design disable dist do edge else end endcase endchecker endclass endclocking endconfig
endfunction endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram endproperty
endsequence endspecify endtable endtask enum event eventually expect export extends extern final
first_match for force foreach forever fork forkjoin function generate genvar global highz0 highz1 if
iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input inside
instance int integer interconnect interface intersect join join_any join_none large let liblist library
local localparam logic longint macromodule matches medium modport module nand negedge nettype new
nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos
posedge primitive priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect
pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg reject_on release
repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until
s_until_with scalared sequence shortint shortreal showcancelled signed small soft solve specify
specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on
sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri
tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use
uwire var vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within
wor xnor xor
"""


# Names that Verilator, the library and the signals of a top module use.
_TAKEN = re.compile(
    r"std|TOP|sc_.*|clk|rst|in_(valid|ready|data)|out_(valid|ready|class|neuron|count|potential)"
    r"|load|load_(valid|ready|address|data|parts)|begun|idle"
    r"|take|drop|clear|half|step|step_done|last_step|decided|class_valid|x|layer\d+_.*"
)


def is_keyword(name: str) -> bool:
    """Return whether a name is a keyword of Verilog or SystemVerilog."""
    return name in _KEYWORDS.split()


def is_module_name(name: str) -> bool:
    """Return whether a top module can have this name: an identifier that is not in use."""
    taken = _TAKEN.fullmatch(name) or is_keyword(name)
    return is_identifier(name) and not taken


def check_module(name: str) -> None:
    """Raise unless the argument `name` can be that of the top module of a design."""
    check_identifier("name", name)
    if not is_module_name(name):
        contract = "be neither a keyword of Verilog nor a name that the design or a tool uses"
        _checks.fail("name", contract, repr(name))


def check_counter(source: object) -> None:
    """Raise unless the argument `source` is a counter of which the hardware has the numbers."""
    _checks.instance("source", source, Hammersley)
    assert isinstance(source, Hammersley)
    if source.randomized:
        _checks.fail("source", "not be randomized", source, "the hardware has no keys")


def row_integers(bits: NDArray[Any]) -> list[int]:
    """Return each row of a matrix of bits as an integer, lowest bit first."""
    rows = _bits.pack(bits).astype("<u8", copy=False)
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


@dataclass(frozen=True)
class Sequence:
    """Numbers for the comparators of a stage: ``M t xor shift`` over GF(2), where t is the time step.

    Parameters
    ----------
    source : Hammersley
        Source of the same numbers in simulation, not randomized.
    bits : int
        Number of leading bits that are compared.
    """

    source: Hammersley
    bits: int

    @property
    def width(self) -> int:
        """Number of bits of the counter."""
        return self.source.width

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Rows of M: for each bit of a number, the mask of the bits of t whose parity it is."""
        columns = generator_columns(self.source.axis - 1, self.width)[: self.width].tolist()
        return tuple(
            sum((column >> (32 - self.bits + k) & 1) << j for j, column in enumerate(columns))
            for k in range(self.bits)
        )

    @cached_property
    def shift(self) -> int:
        """Constant that is XORed with each number."""
        return int(self.source.numbers(0, 1, key=0)[0]) >> (32 - self.bits)  # at t = 0, M t is 0

    def words(self, values: NDArray[np.int64], first: int, length: int) -> NDArray[np.uint64]:
        """Return the streams ``number < value``, packed 64 time steps per word.

        Parameters
        ----------
        values : ndarray of int64, shape (n,)
            Values in units of ``2**-bits``.
        first : int
            Index of the first word.
        length : int
            Number of time steps.

        Returns
        -------
        ndarray of uint64, shape (n, n_words)
        """
        thresholds = values.astype(np.uint64) << np.uint64(32 - self.bits)
        streams = np.zeros(values.size, np.uint64)
        return self.source.words(thresholds, streams, length, key=0, first_word=first)


@dataclass(frozen=True)
class RotatedRegister:
    """Numbers for the inputs from one register, which each of them reads rotated, see `RotatedLFSR`.

    Parameters
    ----------
    source : RotatedLFSR
        With 4, 8 or 16 bits.
    bits : int
        Number of leading bits that are compared.
    n_in : int
        Number of inputs.
    """

    source: RotatedLFSR
    bits: int
    n_in: int

    @property
    def width(self) -> int:
        """Number of bits of the register."""
        return self.source.width

    @property
    def feedback(self) -> int:
        """Mask of the bits of the register whose parity is shifted in."""
        return feedback(self.width, self.source.taps or ())

    def words(self, values: NDArray[np.int64], first: int, length: int) -> NDArray[np.uint64]:
        """Return the streams of images one after the other, as `Sequence.words`."""
        thresholds = self.source.thresholds(values / 2**self.bits)
        streams = np.arange(values.size, dtype=np.uint64) % np.uint64(self.n_in)
        return self.source.words(thresholds, streams, length, key=0, first_word=first)


@dataclass(frozen=True, eq=False)
class LayerDesign:
    """A layer in hardware.

    Attributes
    ----------
    magnitudes : ndarray of int64, shape (n_rows, n_in)
        Magnitudes of weights in units of ``2**-bits``, a row per neuron, or per channel of a
        convolution. A bias is an input that is always 1, after the other inputs; recurrent weights come
        last.
    negative : ndarray of bool, shape (n_rows, n_in)
        Whether each weight is negative.
    has_bias : bool
    neuron : FixedLIF
    numbers : Sequence
        Numbers that the weights are compared with.
    simd, pe : int
        Inputs and neurons per clock cycle of a folded layer.
    layer : Dense or Conv2d
        With rounded weights.
    reads : Reads
        Reads of a neuron of a folded layer, in the order of the weights.
    length : int
        Time steps per image.
    substeps : int
        Logarithm to base 2 of the bits per step.
    plain : bool
        Whether a folded layer is of the simplest kind: a dense layer after another, or after the image,
        without a past, whose neurons have the same parameters and no synaptic currents.
    fraction : int or None
        Binary digits of a current of a layer that takes numbers.
    loadable : bool
        Whether sums must have room for any weights.
    sparse : bool
        Whether a `plain` layer reads the weights of active inputs only.
    """

    magnitudes: NDArray[np.int64]
    negative: NDArray[np.bool_]
    has_bias: bool
    neuron: FixedLIF
    numbers: Sequence
    simd: int
    pe: int
    layer: Layer
    reads: Reads
    length: int
    substeps: int
    plain: bool
    fraction: int | None = None
    loadable: bool = False
    sparse: bool = False

    @property
    def n_in(self) -> int:
        """Number of inputs of a neuron, including the bias and the spikes of its own layer."""
        return int(self.magnitudes.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return self.layer.n_out

    @property
    def is_pool(self) -> bool:
        """Whether the layer sums up the spikes of its windows, without weights."""
        return isinstance(self.layer, Conv2d) and is_pool(self.layer)

    @property
    def sampled(self) -> bool:
        """Whether products are bits; if not, the layer takes numbers, once per image."""
        return self.layer.sampled

    @property
    def drop(self) -> int:
        """Bits of a sum of products of numbers below the last place of a current; negative if missing.

        The neurons of such a layer have a fraction that makes a count a current.
        """
        assert self.fraction is not None
        return 2 * self.numbers.bits - self.fraction

    @property
    def half(self) -> int:
        """Half of the last place of a current, as a sum of products of numbers: it rounds half up."""
        return 1 << self.drop >> 1 if self.drop > 0 else 0

    @property
    def codes(self) -> NDArray[Any]:
        """Weights as integers with their signs."""
        return np.where(self.negative, -self.magnitudes, self.magnitudes)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """First summand of each row of weights of a layer that takes numbers.

        The bias, half of the last place, and what corrects that a negative weight multiplies the
        inverted input.
        """
        codes, bits, n = self.codes, self.numbers.bits, self.n_in - self.has_bias
        bias = codes[:, n:].sum(axis=1) << bits
        most = (1 << bits) - 1
        return np.asarray(bias + self.half + most * np.minimum(codes[:, :n], 0).sum(axis=1))

    @property
    def largest_sums(self) -> NDArray[np.int64]:
        """Largest sum of products of numbers of each row of weights, rounded half up by `drop` bits."""
        most = (1 << self.numbers.bits) - 1
        of_inputs = self.magnitudes[:, : self.n_in - self.has_bias].sum(axis=1)
        return np.asarray(self.offsets + most * of_inputs)

    @property
    def largest_currents(self) -> NDArray[np.int64]:
        """Largest current of each row of weights of a layer that takes numbers."""
        return np.asarray(self.largest_sums >> max(self.drop, 0) << max(-self.drop, 0))

    @cached_property
    def sum_bits(self) -> int:
        """Number of bits of a sum of products of numbers, with its sign; offsets are the least sums."""
        largest = max(int(self.largest_sums.max()), -int(self.offsets.min()), 0)
        if self.loadable:
            most, n = (1 << self.numbers.bits) - 1, self.n_in - self.has_bias
            largest = most * most * n + (most << self.numbers.bits) * self.has_bias + self.half
        return max(largest.bit_length() + 1, self.drop + 1)

    @property
    def count_bits(self) -> int:
        """Number of bits of the count of a time step, or of a current, with its sign."""
        if not self.sampled:
            return self.sum_bits - self.drop
        return (self.n_in << self.substeps).bit_length() + 1

    @property
    def rest_bits(self) -> int:
        """Number of bits of the counter of refractory steps."""
        return max(int(np.max(self.neuron.refractory)).bit_length(), 1)

    @property
    def columns(self) -> int:
        """Number of words of inputs that a neuron reads, `simd` per word."""
        return len(self.reads.each)

    @property
    def channels(self) -> int:
        """Number of groups of `pe` neurons of a patch."""
        return len(self.magnitudes) // self.pe

    @property
    def groups(self) -> int:
        """Number of groups of `pe` neurons."""
        return self.channels * self.layer.positions

    @property
    def depth(self) -> int:
        """Number of words of the weight memory of a folded layer."""
        return self.columns * self.channels

    @property
    def word_bits(self) -> int:
        """Number of bits of a word of the weight memory of a folded layer."""
        return self.simd * self.pe * (self.numbers.bits + 1)

    @property
    def turn(self) -> int:
        """Clock cycles per group of a layer that takes numbers."""
        return max(self.columns, self.length)

    @property
    def first_period(self) -> int:
        """Clock cycles of the first time step of an image in a folded layer."""
        if self.sampled:
            return self.period
        trees = (self.simd - 1).bit_length() + (self.numbers.bits - 1).bit_length()
        return (self.groups - 1) * self.turn + self.columns + trees + self.length + 4

    @property
    def period(self) -> int:
        """Clock cycles of a time step of a folded layer."""
        if not self.sampled:
            return 1
        return (self.columns * self.groups << self.substeps) + 3 + (self.banks > 0)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Neurons in the order in which a folded layer outputs them: by patch, then by channel."""
        return np.arange(self.n_out).reshape(-1, self.layer.positions).T.ravel()

    @property
    def banks(self) -> int:
        """Number of weight memories of a layer that reads those of active inputs only; else 0.

        A bank has the weights of as few inputs as fill 64 bits, the width of memory macros.
        """
        if not self.sparse:
            return 0
        lanes = -(-64 // (self.pe * (self.numbers.bits + 1)))
        return max(self.simd >> (lanes - 1).bit_length(), 1)

    def memories(self, k: int) -> tuple[WeightMemory, ...]:
        """Return the memories of a folded layer, number k of its design, that hold its weights."""
        if self.is_pool:
            return ()
        banks = tuple(self.memory(bank) for bank in range(self.banks))
        weights = WeightMemory(k, "weights", self.word_bits, self.memory(), banks)
        if self.sampled:
            return (weights,)
        digits = self.offsets.reshape(-1, self.pe)[:, :, np.newaxis] >> np.arange(self.sum_bits) & 1
        words = row_integers(digits.reshape(len(digits), -1))
        return weights, WeightMemory(k, "offsets", self.sum_bits * self.pe, words)

    def memory(self, bank: int | None = None) -> list[int]:
        """Return the words of the weight memory, with {negative, magnitude} in lane p * simd + k.

        Those of a bank have its part of the `simd` lanes.
        """
        lane = self.numbers.bits + 1
        padded = np.zeros((len(self.magnitudes), self.n_in + 1), np.int64)  # the last for unused lanes
        padded[:, :-1] = self.magnitudes | self.negative.astype(np.int64) << (lane - 1)
        tapped = padded[:, self.reads.taps].reshape(self.channels, self.pe, self.columns, self.simd)
        if bank is not None:
            tapped = np.split(tapped, self.banks, axis=-1)[bank]
        words = tapped.swapaxes(1, 2).reshape(self.depth, -1)
        bits = words[:, :, np.newaxis] >> np.arange(lane) & 1
        return row_integers(bits.reshape(self.depth, -1))


@_checks.remedies(
    **{field.name: f"pass fixed_point=FixedPoint({field.name}=...)" for field in fields(FixedPoint)},
    steps="pass length=...",
)
@dataclass(frozen=True, eq=False)
class Design:
    """Parameters of the hardware of a network, which reads an image value by value and outputs a class.

    Folded designs compute every network of LIF neurons that `FixedPoint` has: dense and convolutional
    layers, pooling, recurrent weights, delays, graphs, and noise of sampled layers. Unrolled designs
    compute chains of layers without recurrent weights, delays and noise. Layers with ``sampled=False``
    are folded, and take an image.

    Parameters
    ----------
    network : Network
        Its last layer alone gives the class, and is a dense layer or has one position.
    length : int
        Time steps per image, from 1 to ``2**24``.
    fixed_point : FixedPoint
        Word lengths; potentials have at most 30 bits.
    source : Hammersley or RotatedLFSR
        Source of the numbers that inputs are compared with. A counter (`Hammersley`, not randomized)
        gives one number to all comparators of a stage. A register of 4, 8 or 16 bits (`RotatedLFSR`),
        for dense layers on an image, gives each input a rotation of its own. The weights of each layer
        are compared with the next of `source.sequences`, which is a counter.
    architecture : {"unrolled", "folded"}, optional
        Unrolled: one gate per synapse, one time step per clock cycle. Folded: weights in memories,
        `simd` inputs of `pe` neurons per clock cycle. The default is unrolled up to 2,000 synapses,
        unless `early`, `loadable`, `sparse` or `pipelined` is set, which only folded designs have.
    simd, pe : int
        Powers of two with pe <= simd <= 128. `pe` must divide the number of neurons of each dense layer
        but the last, which always has pe = 1. A convolution processes as many channels and neurons per
        clock cycle as fit, but not more products.
    name : str
        Name of the top module, a Verilog identifier.
    bits_per_step : int
        Bits of each product per time step, as in `simulate`; a power of two.
    inputs : {"image", "frames", "spikes"}
        An image of constant densities; densities for each time step; or spikes for each time step,
        read one bit at a time. Frames need one bit per step.
    early : bool
        End an image as soon as its class is final, see `steps`. For folded designs of images whose last
        layer fires.
    loadable : bool
        Give the weight memories of a folded design a port that writes them, see `weight_words`.
    sparse : bool
        Read the weights of active inputs only, which saves energy and takes one clock cycle more per
        time step and layer. For folded designs; layers other than dense ones on spikes or images, with
        a past or parameters of each neuron, read all weights.
    pipelined : bool
        Layers work at the same time: while one computes a time step, the next one computes the step
        before. The next image is read meanwhile, so images follow each other faster, see `interval`.
        For folded chains of layers on images, without `early`.
    scores : bool
        Add ports that read the spike count and the last potential of each output.
    reset : {"synchronous", "asynchronous"}
        Whether `rst` acts at a rising edge of the clock or at once. An asynchronous reset must end in
        time before a rising edge, and for a design of frames or spikes it must last for one.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the network has a feature that the hardware lacks.

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> from sc_neurocore.hardware import Design
    >>> design = Design(load_digits().network, length=32, name="digits")
    >>> design
    Design(digits: 64-100-10, 32 steps, folded, simd=8, pe=1)
    >>> design.clocks
    30049
    """

    network: Network
    length: int
    _: KW_ONLY
    fixed_point: FixedPoint = FixedPoint()
    source: Hammersley | RotatedLFSR = Hammersley(8, 1, randomized=False)
    architecture: Architecture | None = None
    simd: int = 8
    pe: int = 1
    name: str = "network"
    bits_per_step: int = 1
    inputs: InputKind = "image"
    early: bool = False
    loadable: bool = False
    sparse: bool = False
    pipelined: bool = False
    scores: bool = False
    reset: Reset = "synchronous"

    def __post_init__(self) -> None:
        check_network(self.network)
        _checks.instance("fixed_point", self.fixed_point, FixedPoint)
        self._check_source()
        if self.fixed_point.word > 30:
            _checks.fail(
                "fixed_point", "have potentials of at most 30 bits in hardware", self.fixed_point
            )
        length = _checks.integer("length", self.length, 1, 2**24)
        for name, most in (("simd", 128), ("pe", self.simd)):
            value = _checks.integer(name, getattr(self, name), 1, most)
            if value & (value - 1):
                _checks.fail(name, "be a power of two", value)
        k = _checks.integer("bits_per_step", self.bits_per_step, 1, 2**12)
        if k & (k - 1):
            _checks.fail("bits_per_step", "be a power of two in hardware", k)
        _checks.choice("inputs", self.inputs, get_args(InputKind))
        if self.inputs == "frames" and k > 1:
            _checks.fail("bits_per_step", "be 1 for frames", k, "encode them and use inputs='spikes'")
        _checks.choice("reset", self.reset, get_args(Reset))
        check_module(self.name)
        if self.architecture is None:
            synapses = sum(layer.n_out * layer.matrix.shape[1] for layer in self.network.layers)
            small = synapses <= MOST_UNROLLED and self._only_folded is None
            asked = any(getattr(self, option) for option in FOLDED)
            chosen = "unrolled" if small and not asked else "folded"
        else:
            chosen = _checks.choice("architecture", self.architecture, ARCHITECTURES)
        if chosen == "unrolled" and self._only_folded is not None:
            remedy = "use architecture='folded'"
            contract = "be a chain without a past and without noise"
            _checks.fail("network", contract, self._only_folded, remedy)
        for i, layer in enumerate(self.network.layers[:-1]):
            if chosen == "folded" and isinstance(layer, Dense) and layer.n_out % self.pe:
                _checks.fail("pe", f"divide the {layer.n_out} neurons of layer {i}", self.pe)
        self._check_outputs()
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "architecture", chosen)
        self._check_early()
        self._check_pipelined()
        self._check_loadable()
        _checks.instance("sparse", self.sparse, bool)
        _checks.instance("scores", self.scores, bool)
        if self.sparse and not (self.folded and any(layer.sparse for layer in self.layers)):
            contract = "be False unless the design is folded and has a plain dense layer"
            _checks.fail("sparse", contract, self.sparse)
        self.layers  # noqa: B018  raises for features that the hardware lacks

    def _check_source(self) -> None:
        """Raise unless the hardware has the source of the inputs."""
        if not isinstance(self.source, Hammersley | RotatedLFSR):
            _checks.wrong_type("source", "be a Hammersley or a RotatedLFSR", self.source)
        if not isinstance(self.source, RotatedLFSR):
            check_counter(self.source)
        elif self.source.width & (self.source.width - 1) or self.source.width < self.fixed_point.bits:
            contract = "have 4, 8 or 16 bits, and not fewer than weights, for hardware"
            _checks.fail("source", contract, self.source)

    def _check_loadable(self) -> None:
        """Raise unless the weights can be loaded, if they are to."""
        _checks.instance("loadable", self.loadable, bool)
        if self.loadable and not self.folded:
            remedy = "use architecture='folded': weights of unrolled designs are wires"
            _checks.fail("loadable", "be False for unrolled designs", self.loadable, remedy)

    def _check_early(self) -> None:
        """Raise unless images can end early, if they are to."""
        _checks.instance("early", self.early, bool)
        if not self.early:
            return
        if not self.folded or self.inputs != "image":
            seen = f"{self.architecture}, inputs={self.inputs!r}"
            _checks.fail("early", "be False unless the design is folded and reads images", seen)
        neuron = self.fixed.neurons[-1]
        if not np.any(neuron.threshold <= neuron.most):
            contract = "be False if the last layer does not fire"
            _checks.fail("early", contract, self.early, "its class follows from the last potentials")

    def _check_pipelined(self) -> None:
        """Raise unless layers can work at the same time, if they are to."""
        _checks.instance("pipelined", self.pipelined, bool)
        if not self.pipelined:
            return
        if not self.folded or self.inputs != "image" or self.early:
            seen = f"{self.architecture}, inputs={self.inputs!r}, early={self.early}"
            contract = "be False unless the design is folded, reads images and is not early"
            _checks.fail("pipelined", contract, seen)
        for k, layer in enumerate(self.layers):
            before = k - 1 if k else None
            if any(memory.source not in (before, k) for memory in layer.reads.memories):
                contract = "be False unless each layer reads the one before it, or itself"
                _checks.fail("pipelined", contract, f"{layer.layer!r} as layer {k}")

    @cached_property
    def _only_folded(self) -> str | None:
        """What keeps the network from being unrolled."""
        if not self.network.is_chain:
            return "a graph"
        if self.bits_per_step > 1 or self.inputs != "image":
            return f"bits_per_step={self.bits_per_step}, inputs={self.inputs!r}"
        for i, layer in enumerate(self.network):
            if not layer.sampled:
                return f"{layer!r} as layer {i}"
            if layer.delays is not None or (isinstance(layer, Dense) and layer.recurrent is not None):
                return f"{layer!r} as layer {i}"
            if self.fixed.neurons[i].noise is not None:
                return f"{layer!r} as layer {i}"
        return None

    def _check_outputs(self) -> None:
        """Raise unless the last layer alone gives the class, by potentials that can be compared."""
        network, last = self.network, len(self.network) - 1
        if network.outputs != (last,) or network[last].positions > 1:
            contract = "have only its last layer, of one position per channel, as output in hardware"
            _checks.fail("network", contract, f"outputs={list(network.outputs)}: {network[last]!r}")
        neuron = self.fixed.neurons[last]
        if isinstance(neuron.unit, np.ndarray) or isinstance(neuron.rest, np.ndarray):
            contract = "have one v_rest for all output neurons in hardware, to compare potentials"
            _checks.fail("network", contract, f"{network[last]!r} as layer {last}")

    @property
    def has_noise(self) -> bool:
        """Whether neurons of a layer have noise."""
        return any(neuron.noise is not None for neuron in self.fixed.neurons)

    @property
    def folded(self) -> bool:
        """Whether the architecture is folded."""
        return self.architecture == "folded"

    @cached_property
    def fixed(self) -> FixedNetwork:
        """The network in fixed point."""
        return self.fixed_point.of(self.network, self.bits_per_step)

    @cached_property
    def layers(self) -> tuple[LayerDesign, ...]:
        """The layers, in order."""
        network, neurons = self.fixed.network, self.fixed.neurons
        bits, streamed = self.fixed_point.bits, self.inputs != "image"
        axes = self.source.sequences(1 + len(neurons))[1:]
        folds = folding(network, self.simd, self.pe)
        substeps = self.bits_per_step.bit_length() - 1
        layers = []
        for i, (layer, neuron, axis) in enumerate(zip(network, neurons, axes, strict=True)):
            assert isinstance(axis, Hammersley)
            refractory = int(np.max(neuron.refractory))
            if refractory >= 2**16:
                contract = "have refractory periods below 2**16 steps"
                _checks.fail("network", contract, f"{refractory} in layer {i}")
            pool = isinstance(layer, Conv2d) and is_pool(layer)
            weights = all_weights(layer)
            codes = np.asarray(weights * 2**bits, np.int64) if pool else self.fixed_point.codes(weights)
            simd, pe = folds[i]
            reads = reads_of(network, i, simd, streamed=streamed)
            uniform = not any(isinstance(value, np.ndarray) for value in vars(neuron).values())
            source = reads.memories[0].source
            plain = uniform and not (neuron.syn_leak or substeps or streamed) and reads.is_counter
            plain = plain and neuron.noise is None
            plain = plain and (source is None or isinstance(network[source], Dense))
            # The memory has as many words as are read, and the bias follows the last of its inputs.
            plain = plain and len(reads.each) >= len(reads.memories[0].places)
            plain = plain and (layer.bias is None or reads.each[0].taps[0] == 0)
            fraction = None
            if not layer.sampled:
                self._check_numbers(i, pool)
                if neuron.noise is not None:
                    contract = "have no noise in layers with sampled=False in hardware"
                    _checks.fail("network", contract, f"{layer!r} as layer {i}")
                fraction = neuron.fraction + neuron.syn_fraction
                neuron = replace(neuron, fraction=-neuron.syn_fraction)
            if pool and not reads.pool:
                contract = "delay all inputs of a pooling layer, from one source, alike in hardware"
                _checks.fail("network", contract, f"{layer!r} as layer {i}")
            layers.append(
                LayerDesign(
                    np.abs(codes),
                    codes < 0,
                    layer.bias is not None,
                    neuron,
                    Sequence(axis, bits),
                    simd,
                    pe,
                    layer,
                    reads,
                    self.length,
                    substeps if layer.sampled else 0,
                    plain and layer.sampled,
                    fraction,
                    self.loadable,
                    self.sparse and plain and layer.sampled,
                )
            )
        reading = [layer for layer in layers if None in (m.source for m in layer.reads.memories)]
        if isinstance(self.source, RotatedLFSR) and not all(layer.plain for layer in reading):
            remedy = (
                "use a Hammersley source, or dense layers on the whole image, without delays and with "
                "one bit per step"
            )
            _checks.fail("source", "be a counter for such layers in hardware", self.source, remedy)
        return tuple(layers)

    def _check_numbers(self, i: int, pool: bool) -> None:
        """Raise unless layer i, which takes numbers, is one that the hardware has."""
        if self.inputs != "image":
            contract = f"be 'image' for layer {i}, with sampled=False"
            _checks.fail("inputs", contract, repr(self.inputs))
        for kind, met in (("pooling", pool), ("output", i in self.network.outputs)):
            if met:
                contract = f"sample the inputs of {kind} layers in hardware"
                _checks.fail("network", contract, f"sampled=False in layer {i}")

    @cached_property
    def load_port(self) -> LoadPort:
        """Addresses of the weight memories of a folded design."""
        return LoadPort(tuple(m for k, layer in enumerate(self.layers) for m in layer.memories(k)))

    @property
    def encoder(self) -> Sequence | RotatedRegister:
        """Numbers that the inputs are compared with."""
        bits = self.fixed_point.bits
        if isinstance(self.source, RotatedLFSR):
            return RotatedRegister(self.source, bits, self.n_in)
        return Sequence(self.source, bits)

    @property
    def n_in(self) -> int:
        """Number of values per image, or per time step."""
        return self.network.n_in

    @property
    def n_values(self) -> int:
        """Number of values from which a class follows."""
        return self.n_in * (1 if self.inputs == "image" else self.length)

    @property
    def in_bits(self) -> int:
        """Number of bits of an input value."""
        return 1 if self.inputs == "spikes" else self.fixed_point.bits

    @property
    def n_out(self) -> int:
        """Number of classes."""
        return self.network.n_out

    @property
    def clocks(self) -> int:
        """Clock cycles from reading the first value of an image to its class, at most if `early`."""
        if not self.folded:
            return self.n_in + self.length + 2 * len(self.layers) + self.n_out + 1
        if self.pipelined:
            return self.n_in + 2 + sum(self._beats)
        once = sum(layer.first_period - layer.period for layer in self.layers)
        return self.n_values + once + self.length * self.step_clocks + 1

    def clocks_of(self, steps: N) -> N:
        """Return the clock cycles of an image that ends after a number of time steps, or the mean.

        Images of designs that are not `early` end after all steps.
        """
        return self.clocks - (self.length - steps) * self.step_clocks

    @property
    def interval(self) -> int:
        """Clock cycles from the class of an image to that of the next one, if no value is late."""
        if not self.pipelined:
            return self.clocks + 1
        return max(self.n_in, self.clocks - self.n_in + 1)

    @property
    def _beats(self) -> list[int]:
        """Clock cycles of each beat of a pipelined design; in a beat, layers do a time step each."""
        n, last = len(self.layers), self.length - 1
        return [
            1
            + max(
                layer.period if beat > k else layer.first_period
                for k, layer in enumerate(self.layers)
                if 0 <= beat - k <= last
            )
            for beat in range(last + n)
        ]

    @property
    def step_clocks(self) -> int:
        """Clock cycles of a time step of a folded design, after its values are read.

        The first one takes longer if a layer takes numbers.
        """
        return 1 + self.early + sum(layer.period for layer in self.layers)

    @property
    def pause(self) -> int:
        """Shortest refractory period of the output neurons, in time steps."""
        return int(np.min(self.layers[-1].neuron.refractory))

    def steps(self, x: InputLike) -> NDArray[np.int64]:
        """Return the time steps that the hardware computes for each image.

        With `early`, an image ends after t of T steps if the output with the most spikes leads every
        other by more than ``(T - t) / (1 + pause)`` spikes, rounded up, which is the most that one can
        still fire. Its class is then that of all steps, as for `decide_early`, whose bound is lower
        while outputs rest.

        Parameters
        ----------
        x : array_like, shape (n_in,) or (n, n_in)
            Densities in [0, 1].

        Returns
        -------
        ndarray of int64, shape () or (n,)
        """
        inputs = Inputs.of("x", x, self.network)
        if not self.early:
            return np.full(inputs.batch, self.length, np.int64)
        spikes = self.simulate(inputs, record=True).spikes[-1].bits()
        counts = np.sort(np.cumsum(spikes, axis=-1, dtype=np.int64), axis=-2)
        second = counts[..., -2, :] if self.n_out > 1 else 0
        left = -(-(self.length - 1 - np.arange(self.length)) // (1 + self.pause))
        decided = counts[..., -1, :] > second + left
        decided[..., -1] = True
        return np.asarray(decided.argmax(axis=-1) + 1, np.int64)

    def codes(self, images: InputLike) -> NDArray[np.int64]:
        """Return inputs as integers in the order in which the hardware reads them.

        Densities of shape (n_in,) or (n, n_in), in units of ``2**-bits``. Frames have a further axis of
        time, and so have spikes, which are 0 or 1; the result has shape (n_values,) or (n, n_values).
        """
        inputs = Inputs.of("images", images, self.network)
        if self.inputs == "spikes":
            if not isinstance(inputs.values, Bitstream):
                _checks.wrong_type("images", "be spikes", images, "pass a Bitstream or Events")
            codes = inputs.values.bits().astype(np.int64)
        else:
            if isinstance(inputs.values, Bitstream):
                _checks.wrong_type("images", "be densities", images, "use inputs='spikes' for spikes")
            codes = self.fixed_point.codes(inputs.values)
        wanted = 2 if self.inputs == "image" else 3
        if self.inputs == "frames" and self.length == 1 and codes.ndim == 2:  # a single frame each
            codes = codes[..., np.newaxis]
        if codes.ndim != wanted or (wanted == 3 and codes.shape[-1] != self.length):
            contract = "be constant in time" if wanted == 2 else f"have {self.length} time steps"
            _checks.fail("images", contract, f"shape {codes.shape}")
        return codes.swapaxes(1, -1).reshape(*inputs.batch, self.n_values)

    def stimulus(self, images: InputLike, clocks: int) -> dict[str, NDArray[np.bool_]]:
        """Return inputs of the top module for `Netlist.run`, each of shape (clocks, bits, n_images).

        Inputs that are equal for all images have one lane. One clock cycle of reset is followed by one
        value per cycle, while the design reads values.
        """
        codes = np.atleast_2d(self.codes(images)).T
        digits = codes[:, np.newaxis] >> np.arange(self.in_bits)[:, np.newaxis] & 1
        at = 1 + np.arange(self.n_values)
        if self.inputs != "image":
            at += np.arange(self.n_values) // self.n_in * self.step_clocks
        data = np.zeros((clocks, self.in_bits, codes.shape[1]), bool)
        data[at[at < clocks]] = digits[at < clocks]
        on = np.ones((clocks, 1, 1), bool)
        reset = np.zeros_like(on)
        reset[0] = True
        idle = {
            "load_valid": np.zeros_like(on),
            "load_address": np.zeros((clocks, self.load_port.address_bits, 1), bool),
            "load_data": np.zeros((clocks, 32, 1), bool),
        }
        ports = {"rst": reset, "in_valid": on, "in_data": data, "out_ready": on}
        if self.loadable:
            ports |= idle
        if self.pipelined:
            ports["drop"] = np.zeros_like(on)
        if self.scores:
            ports["out_neuron"] = np.zeros((clocks, max((self.n_out - 1).bit_length(), 1), 1), bool)
        return ports

    @cached_property
    def prepared(self) -> PreparedNetwork:
        """The network in fixed point, ready to be simulated."""
        return PreparedNetwork.of(self.fixed, seed=0, source=self.source)

    def simulate(self, x: InputLike, *, record: bool = False) -> Simulation:
        """Simulate the network; the result equals that of the hardware bit by bit.

        Parameters
        ----------
        x : array_like, shape (n_in,), (n, n_in) or (n, n_in, length), or Bitstream or Events
            Densities in [0, 1], or input spikes.
        record : bool
            Keep the spikes of every layer.
        """
        inputs = Inputs.of("x", x, self.network)
        length = self.length if inputs.length is None else None
        return self.prepared.run(inputs, length, record=record, warn=False)

    def __repr__(self) -> str:
        folding = f", simd={self.simd}, pe={self.pe}" if self.folded else ""
        return (
            f"Design({self.name}: {self.network.shape}, {self.length} steps, "
            f"{self.architecture}{folding})"
        )
