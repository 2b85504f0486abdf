"""Networks as data: layers and the connections between them, saved to and loaded from files."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import DAMAGED, array_names, read_arrays, replacing
from sc_neurocore._tables import html_table
from sc_neurocore.networks.layers import Conv2d, Dense, Layer, lif_of
from sc_neurocore.neurons import (
    LIF,
)

__all__ = ["Network"]

FORMAT = "sc-neurocore network"
FORMAT_VERSION = 4


@dataclass(frozen=True, eq=False)
class Network:
    """A network of layers: a chain, or a graph with branches, skip connections and feedback.

    In a chain, each layer receives the spikes of the previous one at the same time step. A layer with
    delays receives its inputs later. A layer with recurrent weights also receives its own spikes of the
    previous time step.

    In a graph, `connections` lists the sources of each layer. The inputs of the layer are those of its
    sources one after another, so that the columns of its weights belong to the sources in this order.
    Currents of several sources add up, since they are inputs of the same neurons; channels of images of
    the same size are concatenated by `Conv2d`. Layers run in the order in which they are listed. A
    source that is the layer itself or comes later is feedback: the layer's `delay` must delay these
    inputs by at least one time step.

    Networks are immutable sequences of layers: `len`, iteration and indexing work, and a slice is a
    network. Two networks are equal if all their layers are equal; networks cannot be hashed.

    Parameters
    ----------
    layers : sequence of Dense or Conv2d
        At least one.
    connections : sequence, optional
        For each layer its source or a sequence of sources: the index of a layer, "input" for all inputs
        of the network, or a slice of them. By default each layer follows the previous one.
    outputs : sequence of int, optional
        Indices of the layers whose neurons are the outputs of the network, one layer after another. By
        default the last layer.

    Raises
    ------
    TypeError
        If a layer is not a `Dense` or a `Conv2d`, or a source has the wrong type.
    ValueError
        If there are no layers, a layer has not as many inputs as its sources, the time steps of the
        layers differ, feedback is not delayed, or a layer with ``sampled=False`` receives spikes.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> simulate(network, [[1.0, 0.0], [0.0, 1.0]], length=200, seed=1).counts
    array([[61,  2],
           [ 0, 53]])
    >>> len(network), network[0]
    (1, Dense(2 -> 2, gain=0.5, neuron=LIF()))

    A skip connection: the last layer receives the two inputs and the spikes of both other layers.

    >>> hidden = [Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5), Dense([[0.7, 0.2]])]
    >>> last = Dense([[0.5, 0.2, 0.4, -0.1, 0.9]], gain=0.4)
    >>> skip = Network([*hidden, last], connections=["input", 0, ["input", 0, 1]])
    >>> skip.n_in, skip.n_out
    (2, 1)
    """

    layers: Sequence[Layer]
    connections: Sequence[Sequence[int | slice]] = None  # type: ignore[assignment]  # set by __post_init__
    outputs: Sequence[int] = None  # type: ignore[assignment]

    if TYPE_CHECKING:  # what is accepted; the fields hold what was checked

        def __init__(
            self,
            layers: Sequence[Layer],
            connections: Sequence[int | slice | str | Sequence[int | slice | str]] | None = None,
            outputs: Sequence[int] | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        if isinstance(self.layers, Dense | Conv2d):
            _checks.wrong_type("layers", "be a sequence of Dense or Conv2d", self.layers)
        layers = tuple(self.layers)
        if not layers:
            _checks.fail("layers", "hold at least one layer", "none")
        for i, layer in enumerate(layers):
            if not isinstance(layer, Dense | Conv2d):
                _checks.wrong_type(f"layers[{i}]", "be a Dense or a Conv2d", layer)
            if layer.neuron.dt != layers[0].neuron.dt:
                contract = f"have the time step of layer 0, {layers[0].neuron.dt} ms, in every layer"
                _checks.fail("layers", contract, f"{layer.neuron.dt} ms in layer {i}")
        object.__setattr__(self, "layers", layers)
        chain = ["input", *range(len(layers) - 1)]
        given = chain if self.connections is None else self.connections
        connections = _connected(layers, given)
        object.__setattr__(self, "connections", connections)
        object.__setattr__(self, "outputs", _outputs(self.outputs, len(layers)))
        for i, layer in enumerate(layers):
            _check_inputs(self, i, layer, connections[i])
            if not layer.sampled and any(isinstance(source, int) for source in connections[i]):
                contract = f"give layer {i}, with sampled=False, only inputs of the network"
                _checks.fail("connections", contract, list(connections[i]))

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        sources = [source for own in self.connections for source in own]
        return max(int(source.stop) for source in sources if isinstance(source, slice))

    @property
    def n_out(self) -> int:
        """Number of output neurons, by default those of the last layer."""
        return sum(self.layers[i].n_out for i in self.outputs)

    @property
    def is_chain(self) -> bool:
        """Whether each layer receives only the previous one, and the last layer is the output."""
        chain = [(slice(0, self.layers[0].n_in),), *((i,) for i in range(len(self) - 1))]
        return list(self.connections) == chain and self.outputs == (len(self) - 1,)

    @cached_property
    def feedback_delay(self) -> int | None:
        """Shortest delay of feedback in time steps; None if there is none."""
        shortest = [
            int(delays.min())
            for i in range(len(self))
            for source, delays in delays_of_sources(self, i)
            if isinstance(source, int) and source >= i
        ]
        return min(shortest, default=None)

    @property
    def shape(self) -> str:
        """Number of inputs and of neurons of each layer, for example "64-100-10"."""
        return "-".join(str(n) for n in (self.n_in, *(layer.n_out for layer in self.layers)))

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        """Return an iterator over the layers."""
        return iter(self.layers)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Network: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Layer | Network:
        """Return the layer of an index, or the network of a slice of the layers."""
        if isinstance(index, slice):
            require_chain("network", self, "sliced")
            return Network(self.layers[index])
        return self.layers[operator.index(index)]

    def _repr_html_(self) -> str:
        header = ("layer", "kind", "inputs", "neurons", "weights", "from", "gain", "with")
        rows = []
        for i, (layer, own) in enumerate(zip(self.layers, self.connections, strict=True)):
            whole = slice(0, self.n_in)
            sources = (
                f"layer {source}"
                if isinstance(source, int)
                else "inputs"
                if source == whole
                else f"inputs {source.start} to {source.stop - 1}"
                for source in own
            )
            parts = {
                "bias": layer.bias is not None,
                "recurrent weights": getattr(layer, "recurrent", None) is not None,
                "delays": layer.delays is not None,
                "exact currents": not layer.sampled,
                "output": i in self.outputs,
            }
            sizes = layer.n_in, layer.n_out, layer.weights.size
            named = ", ".join(name for name, has in parts.items() if has)
            gain = f"{layer.gain:.4g}" if np.ndim(layer.gain) == 0 else "by neuron"
            rows.append((i, type(layer).__name__, *sizes, ", ".join(sources), gain, named))
        return html_table(header, rows)

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Return whether both networks have equal layers and connections."""
        if not isinstance(other, Network):
            return NotImplemented
        ours = self.layers, self.connections, self.outputs
        return ours == (other.layers, other.connections, other.outputs)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one .npz file atomically: if writing fails, an existing file is kept.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        header: dict[str, Any] = {
            "format": FORMAT,
            "version": FORMAT_VERSION if not all(layer.sampled for layer in self.layers) else 3,
            "layers": [_described(layer) for layer in self.layers],
        }
        if not self.is_chain:
            header["connections"] = [[_saved(source) for source in own] for own in self.connections]
            header["outputs"] = list(self.outputs)
        arrays: dict[str, Any] = {
            f"{name}_{i}": np.asarray(getattr(layer, name))
            for i, layer in enumerate(self.layers)
            for name in _arrays(layer)
        }
        with replacing(path) as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network that `save` wrote. No content of the file is executed.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If the file is damaged, is not a saved network, has a newer format version, or holds other
            arrays than its layers have.
        """
        try:
            header = json.loads(str(read_arrays(path, {"header"})["header"]))
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']!r}")
            version = header["version"]
            if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
                raise ValueError(
                    f"its version is {version!r}, this release reads 1 to {FORMAT_VERSION}"
                )
            _check_keys(header)
            layers = [_entry(i, entry, version) for i, entry in enumerate(header["layers"])]
            _check_members(array_names(path), layers)
            arrays = read_arrays(path, _members(layers))
            connections = header.get("connections")
            if connections is not None:
                connections = [[_loaded(source) for source in own] for own in connections]
            built = tuple(_layer(i, entry, arrays) for i, entry in enumerate(layers))
            return cls(built, connections, header.get("outputs"))
        except DAMAGED as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(
                f"path must be a network saved by sc-neurocore, got {os.fspath(path)!r} ({reason})"
            ) from error

    def __repr__(self) -> str:
        graph = "" if self.is_chain else f", connections={_shown(self)}, outputs={list(self.outputs)}"
        return f"Network({self.shape}: {', '.join(map(repr, self.layers))}{graph})"


def check_network(value: object) -> None:
    """Raise unless the argument `network` is a Network."""
    of_torch = "convert it by to_network or convert_relu" if hasattr(value, "parameters") else ""
    _checks.instance("network", value, Network, of_torch)


def width_of(network: Network, source: int | slice) -> int:
    """Return the number of inputs that a source gives: a layer's neurons, or a slice's inputs."""
    if isinstance(source, slice):
        return int(source.stop - source.start)
    return network.layers[source].n_out


def numbers_first(network: Network) -> Network:
    """Return a network whose layers that receive only inputs of the network have ``sampled=False``."""
    layers = [
        replace(layer, sampled=False) if all(isinstance(source, slice) for source in own) else layer
        for layer, own in zip(network.layers, network.connections, strict=True)
    ]
    return Network(layers, network.connections, network.outputs)


def require_chain(name: str, network: Network, verb: str) -> None:
    """Raise ValueError unless a network is a chain of layers, as some functions need."""
    if not network.is_chain:
        contract = f"be a chain of layers to be {verb}"
        _checks.fail(name, contract, f"connections={_shown(network)}")


def _shown(network: Network) -> str:
    """Return the connections as they can be written in Python."""
    every = slice(0, network.n_in)

    def shown(source: int | slice) -> str:
        if isinstance(source, int):
            return str(source)
        return '"input"' if source == every else f"slice({source.start}, {source.stop})"

    return "[" + ", ".join(f"[{', '.join(map(shown, own))}]" for own in network.connections) + "]"


def _saved(source: int | slice) -> int | list[int]:
    return source if isinstance(source, int) else [source.start, source.stop]


def _loaded(source: Any) -> int | slice:
    return slice(*source) if isinstance(source, list) else source


def _connected(layers: Sequence[Layer], given: Any) -> tuple[tuple[int | slice, ...], ...]:
    """Return the sources of each layer as indices of layers and slices of the inputs."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        _checks.wrong_type("connections", "hold the sources of each layer", given)
    if len(given) != len(layers):
        _checks.fail("connections", f"hold the sources of {len(layers)} layers", len(given))
    named = [
        tuple(own) if isinstance(own, list | tuple) else (own,)  # a string is one source
        for own in given
    ]
    for i, own in enumerate(named):
        if not own:
            _checks.fail(f"connections[{i}]", "hold at least one source", own)
    named = [
        tuple(_checked_source(f"connections[{i}]", source, len(layers)) for source in own)
        for i, own in enumerate(named)
    ]
    n_in = max((s.stop for own in named for s in own if isinstance(s, slice)), default=0)
    for layer, own in zip(layers, named, strict=True):
        if own.count("input"):
            others = sum(
                layers[s].n_out if isinstance(s, int) else s.stop - s.start for s in own if s != "input"
            )
            n_in = max(n_in, (layer.n_in - others) // own.count("input"))
    if n_in < 1:
        _checks.fail("connections", 'have a layer that receives "input"', given)
    return tuple(tuple(slice(0, n_in) if s == "input" else s for s in own) for own in named)


def _checked_source(name: str, source: Any, n_layers: int) -> Any:
    """Return a source: "input", a slice of at least one input, or the index of a layer."""
    if isinstance(source, slice):
        if type(source.start) is not int or type(source.stop) is not int or source.step is not None:
            _checks.wrong_type(name, "hold slices with start and stop", source)
        if not 0 <= source.start < source.stop:
            _checks.fail(name, "hold slices of at least one input", source)
        return source
    if isinstance(source, str) and source == "input":
        return source
    if isinstance(source, bool) or not isinstance(source, SupportsIndex):
        _checks.wrong_type(name, 'hold indices of layers, "input", or slices of the inputs', source)
    return _checks.integer(name, source, 0, n_layers - 1)


def _outputs(given: Any, n_layers: int) -> tuple[int, ...]:
    if given is None:
        return (n_layers - 1,)
    if not isinstance(given, Sequence) or not given:
        _checks.wrong_type("outputs", "be a sequence of indices of layers", given)
    return tuple(_checks.integer("outputs", i, 0, n_layers - 1) for i in given)


def _check_inputs(network: Network, i: int, layer: Layer, sources: Sequence[int | slice]) -> None:
    total = sum(width_of(network, source) for source in sources)
    if total != layer.n_in:
        said = " and ".join(
            f"layer {s} has {width_of(network, s)} neurons"
            if isinstance(s, int)
            else f"the network gives it {width_of(network, s)} inputs"
            for s in sources
        )
        raise ValueError(f"layer {i} takes {layer.n_in} inputs, but {said}")
    for source, delays in delays_of_sources(network, i):
        if isinstance(source, int) and source >= i and delays.min() < 1:
            which = (
                "its own spikes" if source == i else f"the spikes of layer {source}, which runs later,"
            )
            remedy = "use recurrent weights, or" if source == i else "list that layer first, or"
            raise ValueError(
                f"layer {i} receives {which} without a delay; {remedy} delay these inputs by at least 1"
            )


def delays_of_sources(network: Network, i: int) -> Iterator[tuple[int | slice, NDArray[np.int64]]]:
    """Yield each source of layer i with the delays of its inputs."""
    layer = network.layers[i]
    delays, first = np.broadcast_to(np.asarray(layer.delay, np.int64), (layer.n_in,)), 0
    for source in network.connections[i]:
        n = width_of(network, source)
        yield source, delays[first : first + n]
        first += n


# Parameters that are saved as arrays if a layer has them; the others are in the header.
_ARRAYS = ("weights", "bias", "recurrent", "delay")


def _described(layer: Layer) -> dict[str, Any]:
    lif = lif_of("network", layer)
    neuron = {name: np.asarray(value).tolist() for name, value in asdict(lif).items()}
    gain = np.asarray(layer.gain).tolist()
    entry = {"kind": type(layer).__name__, "gain": gain, "neuron": neuron, "arrays": _arrays(layer)}
    if isinstance(layer, Conv2d):
        entry |= {"input_size": layer.input_size, "stride": layer.stride, "padding": layer.padding}
    return entry if layer.sampled else entry | {"sampled": False}


def _check_keys(header: Mapping[str, Any]) -> None:
    """Raise unless a header holds the layers and, for a graph, both its connections and outputs."""
    graph = {"connections", "outputs"}
    present = set(header) - {"format", "version", "layers"}
    if present and present != graph:
        raise ValueError(f"its header has the keys {', '.join(sorted(present))}")


def _arrays(layer: Layer) -> list[str]:
    return [name for name in _ARRAYS if getattr(layer, name, None) is not None]


def _entry(number: int, entry: Mapping[str, Any], version: int) -> dict[str, Any]:
    """Return the header entry of a layer with its class and neurons; raise if anything is missing.

    Version 1 has only Dense layers, no kind, and neurons without the fields that came later. Versions 1
    and 2 do not list the arrays. Layers that are not sampled, in version 4, say so.
    """
    kind = entry.get("kind", "Dense")
    if kind not in ("Dense", "Conv2d"):
        raise ValueError(f"layer {number} is of an unknown kind, {kind!r}")
    neuron = LIF(**entry["neuron"])
    if version > 1:
        required = {"kind", "gain", "neuron"}
        required |= {"input_size", "stride", "padding"} if kind == "Conv2d" else set()
        required |= {"arrays"} if version > 2 else set()
        missing = sorted(required - set(entry))
        missing += [field.name for field in fields(LIF) if field.name not in entry["neuron"]]
        if missing:
            raise ValueError(f"layer {number} lacks {', '.join(missing)}")
    listed = entry.get("arrays")
    if listed is not None and not ("weights" in listed and set(listed) <= set(_ARRAYS)):
        raise ValueError(f"layer {number} lists unknown arrays or no weights, {listed}")
    return {**entry, "kind": Dense if kind == "Dense" else Conv2d, "neuron": neuron, "arrays": listed}


def _members(layers: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the arrays that the layers of a header can have."""
    return {f"{n}_{i}" for i, entry in enumerate(layers) for n in entry["arrays"] or _ARRAYS}


def _check_members(present: Sequence[str], layers: Sequence[Mapping[str, Any]]) -> None:
    """Raise unless a file holds the arrays that its layers list, and no others.

    A damaged name of an array would otherwise remove a bias, delays or recurrent weights silently.
    """
    unknown = set(present) - _members(layers) - {"header"}
    if unknown:
        raise ValueError(f"it holds unknown arrays, {', '.join(sorted(unknown))}")
    listed = {f"{n}_{i}" for i, entry in enumerate(layers) for n in entry["arrays"] or ["weights"]}
    missing = listed - set(present)
    if missing:
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")


def _layer(number: int, entry: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Layer:
    """Return a layer from its header entry and arrays."""
    given: dict[str, Any] = {n: arrays[f"{n}_{number}"] for n in _ARRAYS if f"{n}_{number}" in arrays}
    rest = {k: v for k, v in entry.items() if k not in ("kind", "arrays")}
    layer: Layer = entry["kind"](**given, **rest)
    return layer
