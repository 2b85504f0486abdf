"""Batches of training data: arrays in random order, or what a user's loader yields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sc_neurocore import _checks
from sc_neurocore.networks import Events
from sc_neurocore.streams import Bitstream


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches (x, labels) of one pass: of arrays, or of an iterable if `labels` is None."""

    x: Any
    labels: Tensor | None
    size: int  # of the batches of arrays
    shuffled: bool

    @classmethod
    def of(cls, name: str, data: Any, size: int, *, shuffled: bool) -> Batches:
        """Return the batches of a tuple of arrays, or of an iterable of batches."""
        if isinstance(data, tuple):
            if len(data) != 2:
                _checks.fail(
                    name, "be a tuple (x, labels) or an iterable of batches", f"{len(data)} items"
                )
            x, labels = _indexable(data[0]), torch.as_tensor(data[1])
            n = x.shape[0]
            if n == 0 or labels.shape[:1] != (n,):
                contract = "have one label for each input, and at least one input"
                _checks.fail(name, contract, f"{n} inputs and labels of shape {tuple(labels.shape)}")
            return cls(x, labels, size, shuffled)
        if not isinstance(data, Iterable) or isinstance(data, Iterator):
            remedy = "use a list or a DataLoader, because an iterator ends after one epoch"
            _checks.wrong_type(
                name, "be (x, labels) or batches to iterate over repeatedly", data, remedy
            )
        if not isinstance(data, Sized):
            remedy = "the schedule of the learning rate needs the number of batches"
            _checks.wrong_type(name, "have a length", data, remedy)
        if len(data) == 0:
            _checks.fail(name, "have at least one batch", "none", "use fewer inputs per batch")
        return cls(data, None, size, shuffled)

    def __len__(self) -> int:
        """Return the number of batches."""
        if self.labels is None:
            return len(self.x)
        whole, rest = divmod(len(self.labels), self.size)
        # Random order drops an incomplete batch, but no input is left out in every epoch.
        return max(whole, 1) if self.shuffled else whole + (rest > 0)

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        """Yield the batches of one pass."""
        if self.labels is None:
            for batch in islice(self.x, len(self)):
                yield _pair(batch)
            return
        n = len(self.labels)
        order = torch.randperm(n) if self.shuffled else torch.arange(n)
        for index in order[: len(self) * self.size].split(self.size):
            of_x = index if isinstance(self.x, Tensor) else index.numpy()
            yield self.x[of_x], self.labels[index]

    @property
    def generator(self) -> torch.Generator | None:
        """Generator of a loader with random numbers of its own."""
        own = None if self.labels is not None else getattr(self.x, "generator", None)
        return own if isinstance(own, torch.Generator) else None


def length_of(x: Any) -> int | None:
    """Return the number of time steps of inputs that have a length of their own."""
    if isinstance(x, Bitstream):
        return x.length
    if isinstance(x, Events):
        return x.shape[1]
    return int(x.shape[2]) if len(x.shape) == 3 else None


def _indexable(x: Any) -> Any:
    """Return inputs as a tensor in PyTorch's default type, or as a Bitstream."""
    if isinstance(x, Events):
        x = x.bitstream()
    if isinstance(x, Bitstream | Tensor):
        return x
    return torch.tensor(np.asarray(x), dtype=torch.get_default_dtype())


def _pair(batch: Any) -> tuple[Any, Tensor]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        _checks.wrong_type("data", "yield pairs (x, labels)", type(batch).__name__)
    return batch[0], torch.as_tensor(batch[1])
