"""Networks as data: chains of layers, saved to a file and read from it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._files import read_arrays, replacing
from sc_neurocore.networks.layers import Conv2d, Dense, Layer
from sc_neurocore.neurons.lif import LIF

FORMAT = "sc-neurocore network"
FORMAT_VERSION = 2


@dataclass(frozen=True, eq=False)
class Network:
    """Layers, each fed with the spikes of the one before at the same time step.

    A layer with delays sees its inputs later, one with recurrent weights also its own spikes of the
    step before.

    Parameters
    ----------
    layers : sequence of Dense or Conv2d

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> simulate(network, [[1.0, 0.0], [0.0, 1.0]], length=200, seed=1).counts
    array([[61,  2],
           [ 0, 53]])
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
        object.__setattr__(self, "layers", layers)

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return self.layers[0].n_in

    @property
    def n_out(self) -> int:
        """Number of output neurons."""
        return self.layers[-1].n_out

    @property
    def shape(self) -> str:
        """The sizes of all layers, as "64-100-10"."""
        return "-".join(str(n) for n in (self.n_in, *(layer.n_out for layer in self.layers)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to one .npz file: whole or not at all."""
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
        """Read a network that `save` wrote. Nothing in the file is executed.

        Raises
        ------
        ValueError
            If the file is damaged, of another kind or of a newer version.
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
            return cls(tuple(_layer(i, said, arrays) for i, said in layers))
        except _DAMAGED as error:
            raise ValueError(
                f"path must be a network saved by sc-neurocore, got {os.fspath(path)!r} ({error})"
            ) from error

    def __repr__(self) -> str:
        return f"Network({self.shape}: {', '.join(map(repr, self.layers))})"


# What a header raises that is no header.
_DAMAGED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)

# What of a layer is saved as an array of its own, if it has it; the rest is in the header.
_ARRAYS = ("weights", "bias", "recurrent", "delay")


def _described(layer: Layer) -> dict[str, Any]:
    said = {"kind": type(layer).__name__, "gain": layer.gain, "neuron": asdict(layer.neuron)}
    if isinstance(layer, Conv2d):
        said |= {"input_size": layer.input_size, "stride": layer.stride, "padding": layer.padding}
    return said


def _layer(number: int, said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Layer:
    """Return a layer of version 1, which knew no kinds, or 2."""
    given: dict[str, Any] = {n: arrays[f"{n}_{number}"] for n in _ARRAYS if f"{n}_{number}" in arrays}
    rest = {k: v for k, v in said.items() if k not in ("kind", "neuron")}
    kind = said.get("kind", "Dense")
    if kind not in ("Dense", "Conv2d"):
        raise ValueError(f"layer {number} is of an unknown kind, {kind!r}")
    if "weights" not in given:
        raise ValueError(f"weights_{number} is missing")
    neuron = LIF(**said["neuron"])
    return (Dense if kind == "Dense" else Conv2d)(**given, **rest, neuron=neuron)
