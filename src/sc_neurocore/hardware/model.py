"""Model of a design: counts, potentials, spikes and saturations of its layers at each time step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Words
from sc_neurocore.hardware.design import Design, LayerDesign
from sc_neurocore.networks._inputs import with_always_on
from sc_neurocore.streams import Bitstream

__all__ = ["LayerTrace", "LayerTracer", "trace"]


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """State of a layer at each time step.

    Attributes
    ----------
    counts : ndarray of int32, shape ``(*batch, n_out, steps)``
        Signed number of products that are 1, per neuron.
    potentials : ndarray of int32, shape ``(*batch, n_out, steps)``
        Potentials at the end of the step, in units of the last place.
    spikes : Bitstream, batch shape ``(*batch, n_out)``
    saturations : ndarray of uint64, shape ``(*batch, n_out, 2)``
        Number of sums that saturated at the lower and at the upper end of the word.
    """

    counts: NDArray[np.int32]
    potentials: NDArray[np.int32]
    spikes: Bitstream
    saturations: Words


class LayerTracer:
    """Model of a layer or a batch of copies, which is run block by block.

    Parameters
    ----------
    layer : LayerDesign
    batch : tuple of int
        Batch shape of the inputs.

    Attributes
    ----------
    layer : LayerDesign
    v : ndarray of int32
        Potentials after the last block, in units of the last place.
    refractory : ndarray of uint64
        Remaining refractory steps after the last block.
    """

    def __init__(self, layer: LayerDesign, batch: tuple[int, ...] = ()) -> None:
        self.layer = layer
        self._shape = *batch, layer.n_out
        self.v = np.zeros(math.prod(self._shape), np.int32)
        self.refractory = np.zeros(self.v.size, np.uint64)
        self._step = 0

    def run(self, x: Words, steps: int) -> LayerTrace:
        """Run the next block and return its trace.

        Parameters
        ----------
        x : ndarray of uint64, shape ``(*batch, n_in, n_words)``
            Packed inputs without the bias.
        steps : int
            Number of time steps, a multiple of 64 in every block but the last.
        """
        layer = self.layer
        x = x.reshape(-1, *x.shape[-2:])
        if layer.has_bias:
            x = with_always_on(x, steps)
        magnitudes = layer.magnitudes.ravel()
        bits = layer.numbers.words(magnitudes, self._step // 64, steps).reshape(
            *layer.negative.shape, -1
        )
        counts = np.zeros((self.v.size, steps), np.int32)
        for sign, chosen in ((1, ~layer.negative), (-1, layer.negative)):
            ones = _native.channel_counts(x, bits * chosen[:, :, np.newaxis], steps)
            counts += sign * ones.view(np.int32).reshape(counts.shape)
        saturations = np.zeros((self.v.size, 2), np.uint64)
        potentials, spikes = _native.fixed_trace(
            layer.neuron._integers, counts, self.v, self.refractory, saturations
        )
        self._step += steps
        shape = self._shape
        return LayerTrace(
            counts.reshape(*shape, steps),
            potentials.reshape(*shape, steps),
            Bitstream(spikes.reshape(*shape, -1), steps),
            saturations.reshape(*shape, 2),
        )


def trace(design: Design, x: ArrayLike | Bitstream) -> tuple[LayerTrace, ...]:
    """Return the trace of every layer of a design for one image.

    The spikes and the last potentials equal those of `Design.simulate`.

    Parameters
    ----------
    design : Design
    x : array_like of shape (n_in,), or Bitstream of batch shape (n_in,)
        Densities in [0, 1], or input spikes.

    Raises
    ------
    ValueError
        If x has another shape.
    """
    if isinstance(x, Bitstream):
        if x.shape != (design.n_in,):
            _checks.fail("x", f"have batch shape ({design.n_in},)", x.shape)
        words, steps = x.words, x.length
    else:
        codes = design.codes(x)
        if codes.ndim != 1:
            _checks.fail("x", f"have shape ({design.n_in},)", codes.shape)
        words, steps = design.encoder.words(codes, 0, design.length), design.length
    layers = []
    for layer in design.layers:
        layers.append(LayerTracer(layer).run(np.ascontiguousarray(words), steps))
        words = layers[-1].spikes.words
    return tuple(layers)
