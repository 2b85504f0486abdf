"""Inputs of a network: their checks and forms, and the input that is always on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from sc_neurocore import _checks
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks.events import Events
from sc_neurocore.networks.layers import Conv2d
from sc_neurocore.networks.network import Network
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams._bits import cut, ones, unpack


@dataclass(frozen=True, eq=False)
class Inputs:
    """Checked inputs of a network: densities, densities in time, or spike trains.

    Attributes
    ----------
    values : ndarray of float64 or Bitstream
        Densities of shape (rows, n_in), densities in time of shape (rows, n_in, steps), or spike trains
        of batch shape (rows, n_in).
    batch : tuple of int
        Shape of the batch, () or (rows,).
    length : int or None
        Number of time steps; None for densities that are constant in time.
    """

    values: Reals | Bitstream
    batch: tuple[int, ...]
    length: int | None

    @classmethod
    def of(cls, name: str, x: InputLike, network: Network, *, batched: bool = False) -> Inputs:
        """Return the inputs of a network; raise if they do not fit.

        If `batched`, a single input is refused.
        """
        inputs = cls.of_size(name, x, network.n_in, batched=batched, image=image_of(network))
        for i, layer in enumerate(network):
            if not layer.sampled:
                inputs.check_constant(name, i)
        return inputs

    def check_constant(self, name: str, i: int) -> None:
        """Raise unless the inputs are densities that are constant in time, as layer i needs them."""
        if isinstance(self.values, Bitstream) or self.values.ndim == 3:
            given = "spikes" if isinstance(self.values, Bitstream) else f"shape {self.values.shape}"
            contract = f"be densities constant in time for layer {i}, with sampled=False"
            _checks.fail(name, contract, given)

    @classmethod
    def of_size(
        cls,
        name: str,
        x: InputLike,
        n_in: int,
        *,
        batched: bool,
        image: tuple[int, int, int] | None,
    ) -> Inputs:
        """Return inputs of a number, or of images of a shape (channels, rows, columns)."""
        ndims = (2,) if batched else (1, 2)
        if isinstance(x, Inputs):
            return x
        if isinstance(x, Events):
            x = x.bitstream()
        if isinstance(x, Bitstream):
            check_streams(name, x, n_in, ndims=ndims)
            return cls(x.reshape(-1, n_in), x.shape[:-1], x.length)
        if _changes_in_time(x, n_in):
            in_time = checked_densities(name, x, None, ndims=(3,))
            return cls(in_time, in_time.shape[:1], in_time.shape[2])
        densities = checked_densities(name, x, n_in, ndims=ndims, image=image)
        return cls(densities.reshape(-1, n_in), densities.shape[:-1], None)

    def steps(self, length: Any, name: str = "x") -> int:
        """Return the number of time steps: that of the inputs, or a length that must be given."""
        if self.length is None:
            if length is None:
                contract = f"be given unless {name} has a length of its own"
                _checks.wrong_type("length", contract, length)
            return _checks.length_of_stream("length", length)
        if length is not None and length != self.length:
            contract = f"be omitted or equal the length of {name}, {self.length}"
            _checks.fail("length", contract, length)
        return self.length

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values) if isinstance(self.values, np.ndarray) else self.values.shape[0]

    def __getitem__(self, rows: Any) -> Inputs:
        """Return some rows, of an index array or a slice."""
        values = self.values[rows]
        return Inputs(values, (len(values) if isinstance(values, np.ndarray) else values.shape[0],),
                      self.length)  # fmt: skip

    def until(self, length: int) -> Inputs:
        """Return the first `length` steps of inputs that have as many."""
        if self.length is None or self.length == length:
            return self
        values = self.values
        part: Reals | Bitstream
        if isinstance(values, Bitstream):
            part = Bitstream(cut(values.words, 0, length), length)
        else:
            part = values[:, :, :length]
        return Inputs(part, self.batch, length)

    def mean(self) -> Reals:
        """Return the mean density of each input, shape (rows, n_in)."""
        if isinstance(self.values, Bitstream):
            return self.values.probability()
        return self.values if self.values.ndim == 2 else self.values.mean(axis=2)

    def reals(self, first: int, steps: int) -> Reals:
        """Return the densities of a block of time, shape (rows, n_in, steps), or 1 if constant."""
        if isinstance(self.values, Bitstream):
            words = cut(self.values.words, first, first + steps)
            return unpack(words, steps).astype(np.float64)
        if self.values.ndim == 2:
            return self.values[:, :, np.newaxis]
        return np.ascontiguousarray(self.values[:, :, first : first + steps])


InputLike = ArrayLike | Bitstream | Events | Inputs


def _changes_in_time(x: Any, n_in: int) -> bool:
    """Return whether x has shape (batch, n_in, steps), with more than one time step."""
    try:
        shape = np.shape(x)
    except (ValueError, TypeError, RuntimeError):  # not an array, which the check of densities reports
        return False
    return len(shape) == 3 and shape[1] == n_in and shape[2] > 1


def checked_densities(
    name: str,
    values: ArrayLike,
    n_in: int | None,
    *,
    ndims: Sequence[int] = (1, 2),
    image: tuple[int, int, int] | None = None,
) -> Reals:
    """Return the inputs of a network as densities in [0, 1]: a float64 array that is only read.

    Parameters
    ----------
    name : str
        Name of the caller's argument, for error messages.
    values : array_like
    n_in : int or None
        Required size of the last axis. With None every size is accepted.
    ndims : sequence of int
        Accepted numbers of axes; by default (n_in,) and (batch, n_in). Images with more axes are
        flattened if their order is known.
    image : (int, int, int), optional
        Channels, rows and columns of the images that a `Conv2d` takes. By default only images of one
        channel are flattened, as others have their channels first or last.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is wrong, there are no values, or a value is outside [0, 1] or not finite.
    """
    if _are_densities(values, n_in, ndims):
        return values
    densities = _checks.array(name, values, ndims if n_in is None else range(65), borrow=True)
    if n_in is not None and densities.ndim > 1 and densities.shape[-1] != n_in:
        given = densities.shape
        if 2 in ndims and densities.size == len(densities) * n_in:
            densities = densities.reshape(-1, n_in)
        elif 1 in ndims and densities.size == n_in:
            densities = densities.reshape(n_in)
        if densities.shape != given:
            _check_image(name, given, given[densities.ndim - 1 :], n_in, ndims, image)
    if n_in is not None and (densities.ndim not in ndims or densities.shape[-1] != n_in):
        remedy = f"densities that change in time have shape (batch, {n_in}, steps)"
        in_time = remedy if densities.ndim == 3 and n_in in densities.shape else ""
        _checks.fail(name, input_contract(n_in, ndims), densities.shape, in_time)
    if densities.size == 0:
        _checks.fail(name, "hold at least one input", f"shape {densities.shape}")
    _checks.within(name, densities, 0.0, 1.0, "scale the inputs to densities", given=values)
    if densities.min() < 0 or densities.max() > 1:
        densities = np.clip(densities, 0.0, 1.0)
    return densities


def _are_densities(values: Any, n_in: int | None, ndims: Sequence[int]) -> TypeGuard[Reals]:
    """Return whether values are such densities already, which two looks tell."""
    if type(values) is not np.ndarray or values.dtype != np.float64 or values.size == 0:
        return False
    fits = values.ndim in ndims and values.shape[-1] == n_in and values.flags.aligned
    return bool(fits and values.min() >= 0 and values.max() <= 1)


def _check_image(
    name: str,
    given: tuple[int, ...],
    shape: tuple[int, ...],
    n_in: int,
    ndims: Sequence[int],
    image: tuple[int, int, int] | None,
) -> None:
    """Raise unless a flattened image of this shape has the order (channel, row, column)."""
    sides = [n for n in shape if n > 1]
    if sides == [n_in] or not sides:
        return
    if image is None:
        if len(sides) > 2:
            remedy = "flatten images with channels in the order (channel, row, column)"
            _checks.fail(name, input_contract(n_in, ndims), given, remedy)
        return
    channels, *size = image
    if shape != image and (channels > 1 or shape not in (tuple(size), (*size, 1))):
        contract = f"{input_contract(n_in, ndims)} or (batch, {', '.join(map(str, image))})"
        _checks.fail(name, contract, given, "the order of axes is (channel, row, column)")


def image_of(network: Network) -> tuple[int, int, int] | None:
    """Return channels, rows and columns of a network's inputs if a Conv2d receives them."""
    every = (slice(0, network.n_in),)
    for layer, sources in zip(network, network.connections, strict=True):
        if isinstance(layer, Conv2d) and tuple(sources) == every:
            return (int(layer.weights.shape[1]), *layer.input_size)
    return None


def check_streams(name: str, x: Bitstream, n_in: int, *, ndims: Sequence[int] = (1, 2)) -> None:
    """Raise ValueError unless streams have batch shape (n_in,) or (batch, n_in) and are not empty."""
    if len(x.shape) not in ndims or x.shape[-1] != n_in or 0 in x.shape:
        swapped = x.length == n_in and "units come first and time last, so swap the axes"
        _checks.fail(name, input_contract(n_in, ndims), f"batch shape {x.shape}", swapped or "")


def input_contract(n_in: int, ndims: Sequence[int] = (1, 2)) -> str:
    """Return the words of an error message for the shapes of inputs with 1 or 2 axes."""
    shapes = {1: f"({n_in},)", 2: f"(batch, {n_in})"}
    return "have shape " + " or ".join(shapes[n] for n in ndims)


def with_always_on(x: Words, length: int) -> Words:
    """Return packed inputs (rows, n_in, n_words) and, after them, one input that is 1 at every step.

    Its weight is the bias, the last column of a layer's `matrix`. The result has shape
    (rows, n_in + 1, n_words).
    """
    return np.concatenate([x, ones((len(x), 1), length)], axis=1)
