"""Networks as data: chains of layers, saved to and loaded from files."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import DAMAGED, read_arrays, replacing
from sc_neurocore.networks.layers import Conv2d, Dense, Layer
from sc_neurocore.neurons import (
    LIF,
)

__all__ = ["Network"]

FORMAT = "sc-neurocore network"
FORMAT_VERSION = 2


@dataclass(frozen=True, eq=False)
class Network:
    """A chain of layers. Each layer receives the spikes of the previous one at the same time step.

    A layer with delays receives its inputs later. A layer with recurrent weights also receives its own
    spikes of the previous time step.

    Networks are immutable sequences of layers: `len`, iteration and indexing work, and a slice is a
    network. Two networks are equal if all their layers are equal; networks cannot be hashed.

    Parameters
    ----------
    layers : sequence of Dense or Conv2d
        At least one; each has as many inputs as the previous layer has neurons.

    Raises
    ------
    TypeError
        If a layer is not a `Dense` or a `Conv2d`.
    ValueError
        If there are no layers, or the sizes of two successive layers do not match.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> simulate(network, [[1.0, 0.0], [0.0, 1.0]], length=200, seed=1).counts
    array([[61,  2],
           [ 0, 53]])
    >>> len(network), network[0]
    (1, Dense(2 -> 2, gain=0.5, neuron=LIF()))
    """

    layers: Sequence[Layer]

    def __post_init__(self) -> None:
        if isinstance(self.layers, Dense | Conv2d):
            _checks.wrong_type("layers", "be a sequence of Dense or Conv2d", self.layers)
        layers = tuple(self.layers)
        if not layers:
            _checks.fail("layers", "hold at least one layer", "none")
        for i, layer in enumerate(layers):
            if not isinstance(layer, Dense | Conv2d):
                _checks.wrong_type(f"layers[{i}]", "be a Dense or a Conv2d", layer)
            if i > 0 and layer.n_in != layers[i - 1].n_out:
                raise ValueError(
                    f"layer {i} takes {layer.n_in} inputs, but layer {i - 1} has "
                    f"{layers[i - 1].n_out} neurons"
                )
            if layer.neuron.dt != layers[0].neuron.dt:
                contract = f"have the time step of layer 0, {layers[0].neuron.dt} ms, in every layer"
                _checks.fail("layers", contract, f"{layer.neuron.dt} ms in layer {i}")
        object.__setattr__(self, "layers", layers)

    @property
    def n_in(self) -> int:
        """Number of inputs of the first layer."""
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        """Number of neurons of the last layer."""
        return self.layers[-1].n_out

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
            return Network(self.layers[index])
        return self.layers[operator.index(index)]

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Return whether both networks have equal layers."""
        return self.layers == other.layers if isinstance(other, Network) else NotImplemented

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one .npz file atomically: if writing fails, an existing file is kept.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "layers": [_described(layer) for layer in self.layers],
        }
        arrays: dict[str, Any] = {
            f"{name}_{i}": np.asarray(getattr(layer, name))
            for i, layer in enumerate(self.layers)
            for name in _ARRAYS
            if getattr(layer, name, None) is not None
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
            If the file is damaged, is not a saved network, or has a newer format version.
        """
        try:
            header = json.loads(str(read_arrays(path, {"header"})["header"]))
            if header["format"] != FORMAT:
                raise ValueError(f"its format is {header['format']!r}")
            if header["version"] > FORMAT_VERSION:
                raise ValueError(
                    f"its version is {header['version']}, this release reads {FORMAT_VERSION}"
                )
            layers = list(enumerate(header["layers"]))
            arrays = read_arrays(path, {f"{name}_{i}" for i, _ in layers for name in _ARRAYS})
            return cls(tuple(_layer(i, entry, arrays) for i, entry in layers))
        except DAMAGED as error:
            raise ValueError(
                f"path must be a network saved by sc-neurocore, got {os.fspath(path)!r} ({error})"
            ) from error

    def __repr__(self) -> str:
        return f"Network({self.shape}: {', '.join(map(repr, self.layers))})"


# Parameters that are saved as arrays if a layer has them; the others are in the header.
_ARRAYS = ("weights", "bias", "recurrent", "delay")


def _described(layer: Layer) -> dict[str, Any]:
    entry = {"kind": type(layer).__name__, "gain": layer.gain, "neuron": asdict(layer.neuron)}
    if isinstance(layer, Conv2d):
        entry |= {"input_size": layer.input_size, "stride": layer.stride, "padding": layer.padding}
    return entry


def _layer(number: int, entry: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Layer:
    """Return a layer from its header entry and arrays. Version 1 has only Dense layers, no kind."""
    given: dict[str, Any] = {n: arrays[f"{n}_{number}"] for n in _ARRAYS if f"{n}_{number}" in arrays}
    rest = {k: v for k, v in entry.items() if k not in ("kind", "neuron")}
    kind = entry.get("kind", "Dense")
    if kind not in ("Dense", "Conv2d"):
        raise ValueError(f"layer {number} is of an unknown kind, {kind!r}")
    if "weights" not in given:
        raise ValueError(f"weights_{number} is missing")
    neuron = LIF(**entry["neuron"])
    return (Dense if kind == "Dense" else Conv2d)(**given, **rest, neuron=neuron)
