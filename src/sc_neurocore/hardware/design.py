"""Design: one frozen object with every parameter of the hardware, which determines all widths."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.hardware.tools import check_identifier, is_identifier
from sc_neurocore.networks import FixedPoint, Network, Simulation
from sc_neurocore.networks._inputs import checked_densities
from sc_neurocore.networks.fixed_point import FixedLIF, FixedNetwork
from sc_neurocore.networks.simulation import PreparedNetwork
from sc_neurocore.streams import Bitstream, Hammersley, _bits
from sc_neurocore.streams._numbers import generator_columns

__all__ = ["Design", "LayerDesign", "Sequence", "is_module_name", "row_integers"]

Architecture = Literal["unrolled", "folded"]
ARCHITECTURES = get_args(Architecture)
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
    r"std|TOP|sc_.*|clk|rst|in_(valid|ready|data)|out_(valid|ready|class)"
    r"|take|clear|step|last_step|class_valid|x|layer\d+_.*"
)


def is_keyword(name: str) -> bool:
    """Return whether a name is a keyword of Verilog or SystemVerilog."""
    return name in _KEYWORDS.split()


def is_module_name(name: str) -> bool:
    """Return whether a top module can have this name: an identifier that is not in use."""
    taken = _TAKEN.fullmatch(name) or is_keyword(name)
    return is_identifier(name) and not taken


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


@dataclass(frozen=True, eq=False)
class LayerDesign:
    """A layer in hardware.

    Attributes
    ----------
    magnitudes : ndarray of int64, shape (n_out, n_in)
        Magnitudes of weights in units of ``2**-bits``. A bias is the last input, which is always 1.
    negative : ndarray of bool, shape (n_out, n_in)
        Whether each weight is negative.
    has_bias : bool
    neuron : FixedLIF
    numbers : Sequence
        Numbers that the weights are compared with.
    simd, pe : int
        Inputs and neurons per clock cycle of a folded layer.
    """

    magnitudes: NDArray[np.int64]
    negative: NDArray[np.bool_]
    has_bias: bool
    neuron: FixedLIF
    numbers: Sequence
    simd: int
    pe: int

    @property
    def n_in(self) -> int:
        """Number of inputs, including the bias."""
        return int(self.magnitudes.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.magnitudes.shape[0])

    @property
    def count_bits(self) -> int:
        """Number of bits of a count from -n_in to n_in."""
        return self.n_in.bit_length() + 1

    @property
    def rest_bits(self) -> int:
        """Number of bits of the counter of refractory steps."""
        return max(self.neuron.refractory.bit_length(), 1)

    @property
    def columns(self) -> int:
        """Number of words that hold the inputs, `simd` per word."""
        return -(-self.n_in // self.simd)

    @property
    def groups(self) -> int:
        """Number of groups of `pe` neurons."""
        return self.n_out // self.pe

    @property
    def depth(self) -> int:
        """Number of words of the weight memory of a folded layer."""
        return self.columns * self.groups

    def memory(self) -> list[int]:
        """Return the words of the weight memory, with {negative, magnitude} in lane p * simd + k."""
        lane = self.numbers.bits + 1
        padded = np.zeros((self.n_out, self.columns * self.simd), np.int64)
        padded[:, : self.n_in] = self.magnitudes | self.negative.astype(np.int64) << (lane - 1)
        shape = self.groups, self.pe, self.columns, self.simd
        words = padded.reshape(shape).swapaxes(1, 2).reshape(self.depth, -1)
        bits = words[:, :, np.newaxis] >> np.arange(lane) & 1
        return row_integers(bits.reshape(self.depth, -1))


@dataclass(frozen=True, eq=False)
class Design:
    """Parameters of the hardware of a network, which reads an image value by value and outputs a class.

    Parameters
    ----------
    network : Network
        `Dense` layers without recurrent weights, delays, noise or synaptic currents.
    length : int
        Time steps per image, from 1 to ``2**24``.
    fixed_point : FixedPoint
        Word lengths; potentials have at most 30 bits.
    source : Hammersley
        Source of the numbers that inputs are compared with, not randomized. The weights of each layer
        are compared with those of the next axis. All comparators of a stage share one number.
    architecture : {"unrolled", "folded"}, optional
        Unrolled: one gate per synapse, one time step per clock cycle. Folded: weights in memories,
        `simd` inputs of `pe` neurons per clock cycle. The default is unrolled up to 2,000 synapses.
    simd, pe : int
        Powers of two with pe <= simd <= 128. `pe` must divide the number of neurons of each layer but
        the last, which always has pe = 1.
    name : str
        Name of the top module, a Verilog identifier.

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
    source: Hammersley = Hammersley(8, 1, randomized=False)
    architecture: Architecture | None = None
    simd: int = 8
    pe: int = 1
    name: str = "network"

    def __post_init__(self) -> None:
        _checks.instance("network", self.network, Network)
        _checks.instance("fixed_point", self.fixed_point, FixedPoint)
        _checks.instance("source", self.source, Hammersley)
        if self.source.randomized:
            _checks.fail("source", "not be randomized", self.source, "the hardware has no keys")
        if self.fixed_point.word > 30:
            _checks.fail(
                "fixed_point", "have potentials of at most 30 bits in hardware", self.fixed_point
            )
        length = _checks.integer("length", self.length, 1, 2**24)
        for name, most in (("simd", 128), ("pe", self.simd)):
            value = _checks.integer(name, getattr(self, name), 1, most)
            if value & (value - 1):
                _checks.fail(name, "be a power of two", value)
        check_identifier("name", self.name)
        if not is_module_name(self.name):
            contract = "be neither a keyword of Verilog nor a name that the design or a tool uses"
            _checks.fail("name", contract, repr(self.name))
        if self.architecture is None:
            synapses = sum(layer.n_in * layer.n_out for layer in self.network.layers)
            chosen = "unrolled" if synapses <= MOST_UNROLLED else "folded"
        else:
            chosen = _checks.choice("architecture", self.architecture, ARCHITECTURES)
        for i, layer in enumerate(self.network.layers[:-1]):
            if chosen == "folded" and layer.n_out % self.pe:
                _checks.fail("pe", f"divide the {layer.n_out} neurons of layer {i}", self.pe)
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "architecture", chosen)
        self.layers  # noqa: B018  raises for features that the hardware lacks

    @property
    def folded(self) -> bool:
        """Whether the architecture is folded."""
        return self.architecture == "folded"

    @cached_property
    def fixed(self) -> FixedNetwork:
        """The network in fixed point."""
        return self.fixed_point.of(self.network)

    @cached_property
    def layers(self) -> tuple[LayerDesign, ...]:
        """The layers, in order."""
        network, neurons = self.fixed.network, self.fixed.neurons
        bits = self.fixed_point.bits
        axes = self.source.sequences(1 + len(neurons))[1:]
        layers = []
        for i, (layer, neuron, axis) in enumerate(zip(network, neurons, axes, strict=True)):
            assert isinstance(axis, Hammersley)
            if neuron.refractory >= 2**16:
                contract = "have refractory periods below 2**16 steps"
                _checks.fail("network", contract, f"{neuron.refractory} in layer {i}")
            weights = self.fixed_point.codes(layer.matrix)
            layers.append(
                LayerDesign(
                    np.abs(weights),
                    weights < 0,
                    layer.bias is not None,
                    neuron,
                    Sequence(axis, bits),
                    self.simd,
                    self.pe if i < len(neurons) - 1 else 1,
                )
            )
        return tuple(layers)

    @property
    def encoder(self) -> Sequence:
        """Numbers that the inputs are compared with."""
        return Sequence(self.source, self.fixed_point.bits)

    @property
    def n_in(self) -> int:
        """Number of values per image."""
        return self.network.n_in

    @property
    def n_out(self) -> int:
        """Number of classes."""
        return self.network.n_out

    @property
    def clocks(self) -> int:
        """Clock cycles from reading the first value of an image to its class."""
        if not self.folded:
            return self.n_in + self.length + 2 * len(self.layers) + self.n_out + 1
        return self.n_in + self.length * (1 + sum(layer.depth + 3 for layer in self.layers)) + 1

    def codes(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return densities of shape (n_in,) or (n, n_in) as integers in units of ``2**-bits``."""
        return self.fixed_point.codes(checked_densities("images", images, self.n_in))

    def stimulus(self, images: ArrayLike, clocks: int) -> dict[str, NDArray[np.bool_]]:
        """Return inputs of the top module for `Netlist.run`, each of shape (clocks, bits, n_images).

        Inputs that are equal for all images have one lane. One clock cycle of reset is followed by one
        value per cycle.
        """
        codes = np.atleast_2d(self.codes(images)).T
        digits = codes[:, np.newaxis] >> np.arange(self.fixed_point.bits)[:, np.newaxis] & 1
        data = np.zeros((clocks, self.fixed_point.bits, codes.shape[1]), bool)
        data[1 : 1 + self.n_in] = digits[: clocks - 1]
        on = np.ones((clocks, 1, 1), bool)
        reset = np.zeros_like(on)
        reset[0] = True
        return {"rst": reset, "in_valid": on, "in_data": data, "out_ready": on}

    def simulate(self, x: ArrayLike | Bitstream, *, record: bool = False) -> Simulation:
        """Simulate the network; the result equals that of the hardware bit by bit.

        Parameters
        ----------
        x : array_like, shape (n_in,) or (n, n_in), or Bitstream
            Densities in [0, 1], or input spikes.
        record : bool
            Keep the spikes of every layer.
        """
        length = None if isinstance(x, Bitstream) else self.length
        prepared = PreparedNetwork.of(self.fixed, seed=0, source=self.source)
        return prepared.run(x, length, record=record, warn=False)

    def __repr__(self) -> str:
        folding = f", simd={self.simd}, pe={self.pe}" if self.folded else ""
        return (
            f"Design({self.name}: {self.network.shape}, {self.length} steps, "
            f"{self.architecture}{folding})"
        )
