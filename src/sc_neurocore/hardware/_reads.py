"""Reads of a folded layer: memories of its inputs, and the words that each neuron reads from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.networks.layers import Conv2d, Dense
from sc_neurocore.networks.network import Network, delays_of_sources
from sc_neurocore.networks.pooling import is_pool

# One source of a layer: its number, None for the inputs of the network; its first index; its delays;
# and the first column of the layer's weights that belongs to it.
_Wire = tuple[int | None, int, NDArray[np.int64], int]


@dataclass(frozen=True, eq=False)
class Memory:
    """Memory of the inputs that a layer gets from one source.

    Attributes
    ----------
    source : int or None
        Index of a layer, or None for the inputs of the network.
    places : ndarray of int64, shape (n_words, simd)
        Neuron or input in each lane of each word, or -1.
    stride : int
        Distance of the words of one patch of the source.
    slots : int
        Passes of the source that are kept, a power of two.
    """

    source: int | None
    places: NDArray[np.int64]
    stride: int
    slots: int = 1

    @property
    def words(self) -> int:
        """Number of words of a pass."""
        return len(self.places)


@dataclass(frozen=True, eq=False)
class Read:
    """One word of inputs of a neuron.

    Attributes
    ----------
    memory : int
        Number of the memory.
    back : int
        Passes of the source since: for an image, 0 is the current step; for spikes, 1 is the last pass
        that is done.
    row, column : int
        Place in the kernel of a convolution.
    offset : int
        Address, for a convolution relative to the patch.
    taps : ndarray of int64, shape (simd,)
        Column of the weights in each lane, or -1.
    """

    memory: int
    back: int
    row: int
    column: int
    offset: int
    taps: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reads:
    """All reads of a neuron of a layer, in the order of its weights.

    Attributes
    ----------
    memories : tuple of Memory
    each : tuple of Read
    bias : int
        Lane of the last read that is always on; `simd` if there is no bias, or it is no read: the bias
        of a layer that takes numbers is added to its sums.
    patches : bool
        Whether addresses are relative to a patch of a convolution.
    pool : bool
        Whether neurons only see their own channel, so that the words depend on it.
    """

    memories: tuple[Memory, ...]
    each: tuple[Read, ...]
    bias: int
    patches: bool
    pool: bool

    @property
    def is_counter(self) -> bool:
        """Whether the addresses count from 0, in one memory without a past."""
        return (
            len(self.memories) == 1
            and self.memories[0].slots == 1
            and not self.patches
            and [read.offset for read in self.each] == list(range(len(self.each)))
            and len({read.back for read in self.each}) == 1
            and not (self.memories[0].source is None and self.each[0].back)
        )

    @property
    def taps(self) -> NDArray[np.int64]:
        """Column of the weights in each lane of each read, or -1; shape (n_reads, simd)."""
        return np.stack([read.taps for read in self.each])

    @property
    def furthest(self) -> int:
        """Largest number of passes back."""
        return max(read.back for read in self.each)


def folding(network: Network, simd: int, pe: int) -> list[tuple[int, int]]:
    """Return the inputs and the neurons per clock cycle of each layer.

    A convolution of inputs that are not one image reads them one by one, and one of few channels as
    many as it has; then more of its neurons are processed at a time, so that the number of products
    stays the same.
    """
    lanes = [_lanes(network, i, simd) for i in range(len(network))]
    readers: list[list[int]] = [[] for _ in network]
    for i in range(len(network)):
        for source, _, _, _ in _wires(network, i):
            if source is not None:
                readers[source].append(lanes[i])
    together = []
    for i, layer in enumerate(network):
        most = min(readers[i], default=1)
        if isinstance(layer, Conv2d):
            most = min(most, lanes[i]) if is_pool(layer) else most
            own = min(max(pe, simd * pe // lanes[i]), most)
            while len(layer.weights) % own:
                own //= 2
        else:
            own = min(pe, most)
        together.append(1 if i in network.outputs else own)
    return list(zip(lanes, together, strict=True))


def reads_of(network: Network, i: int, simd: int, *, streamed: bool) -> Reads:
    """Return the reads of layer i with `simd` lanes.

    Parameters
    ----------
    network : Network
    i : int
    simd : int
    streamed : bool
        Whether the inputs of the network change with each time step, and are kept as spikes.

    Raises
    ------
    ValueError
        If the layer is a convolution whose inputs are not whole images, or are delayed pixel by pixel.
    """
    layer, wires = network.layers[i], list(_wires(network, i))
    sources = list(dict.fromkeys(source for source, *_ in wires))
    pool = isinstance(layer, Conv2d) and is_pool(layer) and len(wires) == 1
    pool = pool and bool((wires[0][2] == wires[0][2][0]).all())
    memories = [_memory(network, source, simd) for source in sources]
    each: list[Read] = []
    for source, first, delays, column in wires:
        k = sources.index(source)
        now = 0 if source is None and not streamed else int(source is None or source < i)
        wire = memories[k].places, first, delays + now, column
        if isinstance(layer, Conv2d):
            each += _reads_of_image(i, layer, k, *wire, pool=pool)
        else:
            each += _reads_of_vector(k, *wire)
    bias = simd
    if layer.bias is not None and layer.sampled:
        if each[-1].taps[-1] >= 0:
            last = each[-1]
            offset = last.offset + 1 if len(sources) == 1 else 0
            each.append(Read(0, each[0].back, 0, 0, offset, np.full(simd, -1)))
        bias = int(np.flatnonzero(each[-1].taps >= 0).max(initial=-1)) + 1
        taps = each[-1].taps.copy()
        taps[bias] = layer.matrix.shape[1] - 1
        last = each.pop()
        each.append(Read(last.memory, last.back, last.row, last.column, last.offset, taps))
    for k, memory in enumerate(memories):
        if memory.source is None and not streamed:
            continue
        most = max(read.back for read in each if read.memory == k)
        feedback = memory.source is not None and memory.source >= i
        slots = most + (memory.source == i)
        slots = 1 << (max(slots, 2 if feedback else 1) - 1).bit_length()
        memories[k] = Memory(memory.source, memory.places, memory.stride, slots)
    return Reads(tuple(memories), tuple(each), bias, isinstance(layer, Conv2d), pool)


def _wires(network: Network, i: int) -> Iterator[_Wire]:
    """Yield the sources of layer i; recurrent weights are a source, after the bias."""
    column, layer = 0, network.layers[i]
    for source, delays in delays_of_sources(network, i):
        if isinstance(source, slice):
            yield None, int(source.start), delays, column
        else:
            yield source, 0, delays, column
        column += len(delays)
    if isinstance(layer, Dense) and layer.recurrent is not None:
        yield i, 0, np.ones(layer.n_out, np.int64), layer.matrix.shape[1]


def _lanes(network: Network, i: int, simd: int) -> int:
    """Return the inputs per clock cycle of layer i."""
    layer = network.layers[i]
    if not isinstance(layer, Conv2d):
        return simd
    own = simd
    for source, *_ in _wires(network, i):
        sender = None if source is None else network.layers[source]
        if not isinstance(sender, Conv2d) or sender.output_size != layer.input_size:
            return 1
        own = min(own, 1 << (len(sender.weights) - 1).bit_length())
    return own


def _memory(network: Network, source: int | None, simd: int) -> Memory:
    """Return the memory of the outputs of a source, without a past.

    Neurons of a convolution are written patch by patch, and the word of some channels of all patches
    lies before that of the next channels.
    """
    layer = None if source is None else network.layers[source]
    channels, patches = network.n_in, 1
    if layer is not None:
        channels, patches = len(layer.weights), layer.positions
    words = -(-channels // simd)
    channel = (np.arange(words)[:, np.newaxis] * simd + np.arange(simd))[:, np.newaxis]
    places = np.where(channel < channels, channel * patches + np.arange(patches)[:, np.newaxis], -1)
    return Memory(source, places.reshape(words * patches, simd), patches)


def _reads_of_vector(
    k: int, places: NDArray[np.int64], first: int, back: NDArray[np.int64], column: int
) -> Iterator[Read]:
    """Yield the reads of a dense layer: each word once for each delay in it."""
    inside = (places >= first) & (places < first + len(back))
    of_places = np.where(inside, back[np.clip(places - first, 0, len(back) - 1)], -1)
    for address in np.flatnonzero(inside.any(axis=1)).tolist():
        for delay in sorted(set(of_places[address][inside[address]].tolist())):
            here = of_places[address] == delay
            taps = np.where(here, places[address] - first + column, -1)
            yield Read(k, delay, 0, 0, address, taps)


def _reads_of_image(
    i: int,
    layer: Conv2d,
    k: int,
    places: NDArray[np.int64],
    first: int,
    back: NDArray[np.int64],
    column: int,
    *,
    pool: bool,
) -> Iterator[Read]:
    """Yield the reads of a convolution: the word of some channels at each place of the kernel."""
    pixels, (height, width) = int(np.prod(layer.input_size)), layer.input_size
    kh, kw = layer.weights.shape[2:]
    name = f"{layer!r} as layer {i}"
    if len(back) % pixels or column % pixels:
        contract = f"give convolutions whole channels of {height} x {width} in hardware"
        _checks.fail("network", contract, name)
    of_channel = back.reshape(-1, pixels)
    if (of_channel != of_channel[:, :1]).any():
        contract = "delay all pixels of a channel alike in hardware"
        _checks.fail("network", contract, name)
    start, channels, lanes = column // pixels, len(of_channel), places.shape[1]
    words = 1 if pool else -(-channels // lanes)
    for word in range(words):
        channel = word * lanes + np.arange(lanes)
        delays = np.where(channel < channels, of_channel[np.minimum(channel, channels - 1), 0], -1)
        for delay in sorted(set(delays[delays >= 0].tolist())):
            for row in range(kh):
                for col in range(kw):
                    taps = ((channel + start) * kh + row) * kw + col
                    offset = first + word * pixels + row * width + col
                    yield Read(k, delay, row, col, offset, np.where(delays == delay, taps, -1))


def table(reads: Reads, widths: dict[str, int]) -> list[int]:
    """Return the reads as integers {memory, back, row, column, offset} of the given widths."""
    entries = []
    for read in reads.each:
        entry = 0
        for name in ("memory", "back", "row", "column", "offset"):
            entry = entry << widths[name] | getattr(read, name)
        entries.append(entry)
    return entries
