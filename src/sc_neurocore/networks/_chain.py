"""Chains of dense layers, which run in one native call: few time steps, single inputs, closed loops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._bit_layers import BitLayer, LayerState
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import Dense, Layer, neurons, of_each
from sc_neurocore.networks.network import Network
from sc_neurocore.neurons import LIF, StepNeuron, rheobase
from sc_neurocore.streams import Bernoulli, Source
from sc_neurocore.streams._bits import n_words

# Time steps up to which a chain is faster than layers that run for whole words of time: with weights
# that are kept or made for a batch, and with those made for few rows, of which layers make only the
# bits that are needed, or where nothing counts ones fast.
FEW_STEPS, _FEWEST_STEPS = 40, 8
_FEW_ROWS = 8
# Rows times time steps up to which kept weights are faster by time step than by layer.
_FEW_ROWS_KEPT = 256
# Layers that a chain can have.
_LAYERS = 60
_FLOAT = np.dtype(np.float64)


@dataclass(eq=False, slots=True)
class ChainState:
    """State of all layers in one array, as a chain updates it.

    Attributes
    ----------
    rows : int
    values : ndarray of float64
        Of each layer potentials, refractory steps (uint64) and synaptic currents, each (rows, n_out).
        Or the state of a single layer whose weights change.
    """

    rows: int
    values: Reals

    @classmethod
    def of(cls, states: Sequence[LayerState]) -> ChainState:
        """Return the states of layers joined."""
        parts = [
            part.ravel()
            for state in states
            for part in (state.v, state.refractory.view(np.float64), state.i)
        ]
        return cls(len(states[0].v), np.concatenate(parts))

    def layers(self, layers: Sequence[BitLayer]) -> tuple[LayerState, ...]:
        """Return the states of the layers, views of the array."""
        if layers[0].plastic is not None:
            return (LayerState.of_plastic(self.values, layers[0].layer.n_out, (None,)),)
        states, at = [], 0
        for layer in layers:
            n = self.rows * layer.layer.n_out
            v, refractory, i = self.values[at : at + 3 * n].reshape(3, self.rows, -1)
            before = np.zeros((self.rows, 0), np.uint64)
            states.append(LayerState(v, refractory.view(np.uint64), i, before, (None,), {}))
            at += 3 * n
        return tuple(states)


def takes(x: object, length: object, n_in: int) -> TypeGuard[Reals]:
    """Return whether arguments of a run are densities and a length that need no conversion."""
    return (
        type(x) is np.ndarray
        and x.dtype is _FLOAT
        and 1 <= x.ndim <= 2
        and x.shape[-1] == n_in
        and x.size > 0
        and type(length) is int
        and length > 0
    )


def suits(rows: int, first: int, steps: int, kept: int) -> bool:
    """Return whether a chain is the fastest way to run rows and time steps, if it keeps weights."""
    most = _FEWEST_STEPS if _native.isa() == "portable" else FEW_STEPS
    if first + steps <= kept:
        return steps <= most or rows == 1 or rows * steps <= _FEW_ROWS_KEPT
    return steps <= (most if rows >= _FEW_ROWS else _FEWEST_STEPS)


class Chain:
    """A network of dense layers one after the other, ready to run.

    Parameters
    ----------
    network : Network
    layers : sequence of BitLayer
    source : Source
        Source of the numbers for the inputs.
    input_key : int
    steps_kept : int
        Time steps whose weights are made now.
    """

    def __init__(
        self,
        network: Network,
        layers: Sequence[BitLayer],
        source: Source,
        input_key: int,
        steps_kept: int,
    ) -> None:
        self.shape, self.n_out = (network.n_in,), network.n_out
        self._layers, self._key = layers, input_key
        self._levels = float(source.levels)
        self._native = _native.Chain()
        self._rest = [part.start(1).v.ravel() for part in layers]
        for layer, part, rest in zip(network, layers, self._rest, strict=True):
            self._native.add(
                part.parameters, part.weight_key, part.noise_key, part.layer.codes,
                layer.bias is not None, part.share, part.gain, _needed(layer, part), rest,
            )  # fmt: skip
        self._bits = [part.source != Bernoulli() for part in layers]
        self.steps_kept = steps_kept
        if steps_kept:
            self._native.keep(steps_kept, self._made(0, steps_kept))
        self._n_state = 3 * sum(part.layer.n_out for part in layers)
        self._run = self._native.run
        # Weights that are kept, from a state: (x, first, steps, state in place, counts, potentials).
        self.step = partial(self._native.step, self._levels, self._key)
        self.volts = getattr(layers[-1].neuron, "volts", None)

    @classmethod
    def fits(cls, network: Network, layers: Sequence[BitLayer], source: Source) -> bool:
        """Return whether a network is a chain of dense layers, all of whose parts a chain can run."""
        return (
            network.is_chain
            and len(network) <= _LAYERS
            and type(source) is Bernoulli  # numbers of others are slow to make one by one
            and all(
                isinstance(part.layer, Dense)
                and part.layer.sampled
                and part.plastic is None
                and part.layer.recurrent is None
                and part.layer.delays is None
                and part.bits_per_step == 1
                and not isinstance(part.layer.neuron, StepNeuron)
                and not (isinstance(part.neuron, FixedLIF) and part.neuron.noise)
                for part in layers
            )
        )

    def run(
        self,
        x: Reals,
        rows: int,
        first: int,
        steps: int,
        state: ChainState | None,
        *,
        explain: bool = True,
    ) -> tuple[int, NDArray[np.int64], Reals, ChainState]:
        """Run rows of densities, from a state or from rest; `explain` says to find a silent layer.

        Returns
        -------
        silent : int
            0, or l + 1 if layer l is silent, which may be because its mean current is too small, or -1
            if a density is not in [0, 1] and the results mean nothing.
        counts : ndarray of int64, shape (rows * n_out,)
        potentials : ndarray of float64, shape (rows * n_out,)
        state : ChainState
            After the last step.
        """
        n = rows * self.n_out
        values = np.empty(rows * self._n_state) if state is None else state.values.copy()
        counts, potentials = np.zeros(n, np.int64), np.empty(n)
        bits = None if first + steps <= self.steps_kept else self._made(first, steps)
        silent = self._run(
            x, self._levels, self._key, None, first, steps, bits, state is None, explain, values,
            counts, potentials,
        )  # fmt: skip
        if self.volts is not None:
            potentials = self.volts(potentials)
        return silent, counts, potentials, ChainState(rows, values)

    def _made(self, first: int, steps: int) -> list[Words | None] | None:
        """Return the weight bits of each layer from the word of a step on, or None if the core does."""
        if not any(self._bits):
            return None
        first_word, start = divmod(first, 64)
        words = n_words(start + steps)
        made: list[Words | None] = []
        for part, own in zip(self._layers, self._bits, strict=True):
            bits = part.bits(first + steps) if own else None
            made.append(
                None
                if bits is None
                else bits.words(first_word, words).reshape(len(part.layer.matrix), -1, words)
            )
        return made


def _needed(layer: Layer, part: BitLayer) -> Reals:
    """Return the mean sum of weighted inputs above which each neuron fires."""
    if not isinstance(layer.neuron, LIF):
        return np.full(layer.n_out, math.inf)
    needed = of_each(layer, [rheobase(neuron) for neuron in neurons("network", layer)])
    if part.neuron is not layer.neuron:  # in fixed point, where inputs are rounded: ask
        return np.where(np.isfinite(needed), 1e300, math.inf)
    return needed / of_each(layer, layer.gain)
