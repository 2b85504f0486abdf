"""Collects what a simulation records, block by block of time."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._bit_layers import LayerState, Traces
from sc_neurocore.networks._plastic import PlasticLayer
from sc_neurocore.networks.layers import rules_of
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.recording import Record, Recording
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._bits import joined, unpack

# Time steps that wait to be written together: a chunk is compressed anew with every write.
_PENDING = 256


class Recorder:
    """Collects the traces of a run block by block; a context manager, which closes the file.

    Parameters
    ----------
    record : Record
    network : Network
    batch : tuple of int
    first, length : int
        First time step of the run and their number.
    seed : int
    """

    def __init__(
        self,
        record: Record,
        network: Network,
        batch: tuple[int, ...],
        first: int,
        length: int,
        seed: int,
    ) -> None:
        self._record, self._batch, self._first, self._length = record, batch, first, length
        self._neurons = record.of(network)
        self.traced = record.potentials or record.currents
        plastic = [i for i in self._neurons if rules_of(network[i])]
        if plastic and record.currents:
            _checks.fail("currents", f"be False for layer {plastic[0]}, which has a plasticity", True)
        self._spikes: dict[int, list[tuple[Words, int]]] = {i: [] for i in self._neurons}
        self._samples: dict[tuple[str, int], list[Reals]] = {}
        self._weights: dict[int, list[Reals]] = {}
        self._steps: list[NDArray[np.int64]] = []
        self._pending: dict[tuple[int, str], list[NDArray[Any]]] = {}
        self._file: Any = None if record.file is None else self._opened(record.file, seed)

    def wants_traces(self, layer: int) -> bool:
        """Return whether potentials or currents of a layer are recorded."""
        return self.traced and layer in self._neurons

    @property
    def is_idle(self) -> bool:
        """Whether nothing is recorded."""
        return not self._neurons

    def until_sample(self, t: int, steps: int) -> int:
        """Return the steps from t on to the next sample of potentials or weights, or those given."""
        if self.is_idle or not (self.traced or self._record.weights):
            return steps
        return min(steps, -t % self._record.every + 1)

    def add_weights(
        self, layer: int, plastic: PlasticLayer, state: LayerState, t: int, steps: int
    ) -> None:
        """Keep the weights of a layer after t .. t + steps - 1 if the last step is a sample."""
        if self._record.weights and layer in self._neurons and not (t + steps - 1) % self._record.every:
            assert state.plastic is not None
            weights = plastic.weights(state.plastic)[self._neurons[layer]]
            self._weights.setdefault(layer, []).append(weights)

    def add(self, layer: int, traces: Traces, t: int, steps: int) -> None:
        """Keep what is recorded of a layer in the time steps t .. t + steps - 1."""
        if layer not in self._neurons:
            return
        neurons, record = self._neurons[layer], self._record
        if record.spikes:
            words = np.ascontiguousarray(traces.spikes[:, neurons])
            if self._file is None:
                self._spikes[layer].append((words, steps))
            else:
                self._write(layer, "spikes", unpack(words, steps))
        at = np.arange(-t % record.every, steps, record.every)
        for name, values in (("potentials", traces.potentials), ("currents", traces.currents)):
            if getattr(record, name):
                assert values is not None
                some = values[:, neurons][:, :, at]
                if self._file is None:
                    self._samples.setdefault((name, layer), []).append(some)
                else:
                    self._write(layer, name, some)
        if layer == next(iter(self._neurons)):
            self._steps.append(t + at)

    def recording(self) -> Recording:
        """Return everything that was recorded."""
        if self._record.file is not None:
            return Recording(file=os.fspath(self._record.file))
        samples: dict[str, dict[int, Reals]] = {"potentials": {}, "currents": {}}
        for (name, layer), parts in self._samples.items():
            values = np.concatenate(parts, axis=-1)
            samples[name][layer] = values.reshape(*self._batch, *values.shape[1:])
        spikes = {
            layer: Bitstream(joined(parts), self._length).reshape(*self._batch, -1)
            for layer, parts in self._spikes.items()
            if parts
        }
        return Recording(
            spikes,
            samples["potentials"],
            samples["currents"],
            np.concatenate([np.zeros(0, np.int64), *self._steps]),
            weights={i: np.stack(parts, axis=-1) for i, parts in self._weights.items()},
        )

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            for layer, name in list(self._pending):
                self._write_pending(layer, name)
            self._file.close()

    def _opened(self, path: str | os.PathLike[str], seed: int) -> Any:
        try:
            import h5py
        except ImportError as error:
            raise ImportError(_checks.missing_extra("Record(file=...)", "h5py", "record")) from error
        file = h5py.File(path, "w", libver="latest")
        record = self._record
        file.attrs.update(
            length=self._length,
            every=record.every,
            first=self._first,
            seed=str(seed),
            format="sc-neurocore",
        )
        for layer, neurons in self._neurons.items():
            group = file.create_group(f"layer_{layer}")
            group["neurons"] = neurons
            for name, dtype in (("spikes", "u1"), ("potentials", "f8"), ("currents", "f8")):
                if getattr(record, name):
                    shape = (*self._batch, len(neurons))
                    group.create_dataset(
                        name, (0, *shape), dtype, maxshape=(None, *shape),
                        chunks=(max(2**16 // max(int(np.prod(shape)), 1), 1), *shape),
                        compression="lzf",
                    )  # fmt: skip
        file.swmr_mode = True
        return file

    def _write(self, layer: int, name: str, values: NDArray[Any]) -> None:
        """Append values (rows, n_neurons, time) to a dataset, once there are enough of them."""
        pending = self._pending.setdefault((layer, name), [])
        pending.append(values)
        if sum(part.shape[-1] for part in pending) >= _PENDING:
            self._write_pending(layer, name)

    def _write_pending(self, layer: int, name: str) -> None:
        values = np.concatenate(self._pending.pop((layer, name)), axis=-1)
        dataset = self._file[f"layer_{layer}/{name}"]
        if n := values.shape[-1]:
            dataset.resize(dataset.shape[0] + n, axis=0)
            dataset[-n:] = np.moveaxis(values, -1, 0).reshape(n, *dataset.shape[1:])
            dataset.flush()
