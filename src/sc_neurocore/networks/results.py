"""What a simulation returns, and the state from which another can continue."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._tables import html_table
from sc_neurocore._types import Reals
from sc_neurocore.networks._bit_layers import LayerState
from sc_neurocore.networks._chain import ChainState
from sc_neurocore.networks._wired import WiredNetwork
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.recording import Recording
from sc_neurocore.streams import Bitstream

__all__ = ["Simulation", "SimulationState"]


@dataclass(frozen=True, eq=False)
class Simulation:
    """Result of a simulation of a network on a batch of inputs.

    Attributes
    ----------
    counts : ndarray of int64, shape (..., n_out)
        Number of spikes of each output neuron.
    potentials : ndarray of float64, shape (..., n_out)
        Membrane potentials of the output neurons in volts, after the last time step.
    length : int
        Number of time steps.
    seed : int or None
        Seed that repeats the run; None for `simulate_float`, which draws no random numbers.
    recording : Recording or None
        Recorded activity of the layers, if asked for by `record`.
    state : SimulationState or None
        State after the last time step, to continue from; None for `simulate_float`.
    dt_ms : float
        Duration of a time step in ms.
    """

    counts: NDArray[np.int64]
    potentials: NDArray[np.float64]
    length: int
    seed: int | None
    recording: Recording | None = None
    state: SimulationState | None = None
    dt_ms: float = 1.0

    @property
    def spikes(self) -> tuple[Bitstream, ...]:
        """Spikes of each recorded layer, of batch shape (..., n_neurons); empty unless recorded."""
        return () if self.recording is None else tuple(self.recording.spikes.values())

    @property
    def classes(self) -> NDArray[np.int64]:
        """Index of the output neuron with the most spikes, of shape (...).

        Ties are broken by the highest potential, then by the lowest index. Output neurons that never
        fire are therefore compared by their potentials.
        """
        most = self.counts == self.counts.max(axis=-1, keepdims=True)
        return np.asarray(np.where(most, self.potentials, -np.inf).argmax(axis=-1))

    def _spike_trains(self) -> tuple[NDArray[np.uint8], float]:
        if not self.spikes:
            remedy = "pass record=True to simulate, or read the file of the recording"
            _checks.fail("spikes", "be recorded in memory", self, remedy)
        return np.concatenate([layer.bits() for layer in self.spikes], axis=-2), self.dt_ms

    def __repr__(self) -> str:
        return (
            f"Simulation(counts of shape {self.counts.shape}, length={self.length}, seed={self.seed})"
        )

    def _repr_html_(self) -> str:
        *batch, n_out = self.counts.shape
        mean = f"{self.counts.mean():.4g}"
        header = ("inputs", "outputs", "time steps", "mean count", "recorded layers", "seed")
        return html_table(
            header, [(math.prod(batch), n_out, self.length, mean, len(self.spikes), self.seed)]
        )


@dataclass(frozen=True, eq=False)
class SimulationState:
    """State of a network after a simulation, from which another can continue.

    A state is made by a simulation, and passed to the next one as its argument `state`. It is not
    changed by it: several simulations can continue from one state.

    Attributes
    ----------
    steps : int
        Number of time steps so far.
    seed : int
    batch : tuple of int
        Shape of the batch, () or (n,); () if weights change.
    """

    steps: int
    seed: int
    batch: tuple[int, ...]
    _layers: tuple[LayerState, ...] | ChainState = field(repr=False)
    _options: dict[str, object] = field(repr=False)
    _wired: WiredNetwork | None = field(repr=False)

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:  # without the network
        parts = (self.steps, self.seed, self.batch, self._layers, self._options, None)
        return SimulationState, parts

    @property
    def _of(self) -> WiredNetwork:
        if self._wired is None:
            remedy = "continue from it with simulate, or read them before it is stored"
            _checks.fail("state", "not be read from a file to show its weights", self, remedy)
        return self._wired

    @property
    def weights(self) -> tuple[Reals, ...]:
        """Weights of each layer at this point, shape (n_out, n_in) for `Dense`."""
        return tuple(layer.weights for layer in self.network)

    @property
    def traces(self) -> tuple[dict[str, Reals], ...]:
        """Other variables of the rules by which the weights of each layer change, by name.

        "pre" and "post" are traces of inputs and of neurons, "pre_slow" and "post_slow" those of
        triplets, "threshold" the rise of thresholds, "rate" the average rate in spikes per step, and
        "eligibility", of shape (n_out, n_in), waits for a reward.
        """
        return tuple(
            {}
            if layer.plastic is None or own.plastic is None
            else layer.plastic.traces(own.plastic, self.steps)
            for layer, own in zip(self._of.layers, self._states(), strict=True)
        )

    @property
    def network(self) -> Network:
        """The network with the weights and thresholds at this point, which change no more."""
        network = self._of.network
        if not self._of.learns:
            return network
        layers = [
            layer.layer
            if layer.plastic is None or own.plastic is None
            else layer.plastic.learned(own.plastic)
            for layer, own in zip(self._of.layers, self._states(), strict=True)
        ]
        return Network(layers, network.connections, network.outputs)

    def _states(self) -> tuple[LayerState, ...]:
        own = self._layers
        return own.layers(self._of.layers) if isinstance(own, ChainState) else own
