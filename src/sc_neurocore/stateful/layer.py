"""Dense layer of LIF neurons driven by a stochastic current."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.neurons import (
    LIF,
    LIFState,
    SilentLayerWarning,
    firing_rate_hz,
    rheobase,
)
from sc_neurocore.neurons.lif import (
    run_periodic,
)
from sc_neurocore.operators.current import Accumulate
from sc_neurocore.stateful._fixed import FixedParameters
from sc_neurocore.stateful.synapse import Coding, encoded_trace
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Interval,
    Role,
    stream_key,
)
from sc_neurocore.streams.keys import (
    checked_seed,
)
from sc_neurocore.streams.source import (
    Sources,
)

__all__ = ["SCDenseLayer"]


class SCDenseLayer(FixedParameters):
    """Layer of LIF neurons driven by products of input and weight bitstreams.

    With weights of shape (n_inputs,) all neurons share one current; with weights of shape (n_neurons,
    n_inputs) each neuron has its own. Currents are computed as in `BitstreamCurrentSource`, the neurons
    are those of `LIF`, and each neuron has its own noise.

    Successive calls of `run` continue the simulation. `reset` returns to the start, with the same
    noise.

    Parameters
    ----------
    n_neurons : int
        Number of neurons, from 1 to ``2**32``.
    x_inputs : array_like, shape (n_inputs,)
        Input values. Values outside [x_min, x_max] saturate.
    weight_values : array_like, shape (n_inputs,) or (n_neurons, n_inputs)
        Weights in [w_min, w_max].
    x_min, x_max : float
        Range of the inputs: x_min is encoded as probability 0, x_max as probability 1.
    w_min, w_max : float
        Range of the weights, encoded likewise.
    length : int
        Length of the streams in bits. The current repeats after this number of time steps.
    y_min, y_max : float
        Range of the current, which only ``accumulate="sum"`` can exceed, see `current_trace`.
    dt_ms : float
        Duration of a time step in ms. Sets the `dt` of the neurons and the unit of the firing rates.
    neuron_params : mapping, optional
        Parameters of `LIF` by name.
    base_seed : int, optional
        Seed in [0, 2**128). Drawn from system entropy by default; read it back from `base_seed`.
    accumulate : {"mean", "sum", "or"}
        Operation that adds up the products, see `current_trace`.
    coding : {"unipolar", "sign_magnitude"}
        Whether products are those of probabilities or of signed values, see `BitstreamCurrentSource`.
    source : Source or tuple of 2
        Source of the random numbers, or one source for the inputs and one for the weights. A single
        source stands for its pair, `Source.pair`.

    Attributes
    ----------
    lif : LIF
        Parameters of the neurons.
    n_neurons, length, dt_ms, base_seed
        See Parameters.

    Examples
    --------
    >>> from sc_neurocore import SCDenseLayer
    >>> layer = SCDenseLayer(
    ...     n_neurons=4, x_inputs=[0.3, 0.7], weight_values=[0.5, 0.6], x_min=0.0, x_max=1.0,
    ...     w_min=0.0, w_max=1.0, length=2048, y_max=0.3, base_seed=42,
    ... )
    >>> layer.run(T=500)
    >>> layer.get_spike_trains().shape
    (4, 500)
    >>> layer.summary()["avg_firing_rate_hz"]
    50.0
    """

    n_neurons: int
    length: int
    dt_ms: float
    base_seed: int
    lif: LIF
    _state: LIFState
    _spikes: list[Bitstream]
    _fired: bool

    def __init__(
        self,
        n_neurons: int,
        x_inputs: ArrayLike,
        weight_values: ArrayLike,
        x_min: float,
        x_max: float,
        w_min: float,
        w_max: float,
        length: int = 1024,
        y_min: float = 0.0,
        y_max: float = 0.1,
        dt_ms: float = 1.0,
        neuron_params: Mapping[str, Any] | None = None,
        base_seed: int | None = None,
        *,
        accumulate: Accumulate = "mean",
        coding: Coding = "unipolar",
        source: Sources = Bernoulli(),
    ) -> None:
        params = {} if neuron_params is None else neuron_params
        _checks.instance("neuron_params", params, Mapping)
        vars(self).update(
            n_neurons=_checks.integer("n_neurons", n_neurons, 1),
            length=_checks.length_of_stream("length", length),
            dt_ms=(dt_ms := _checks.positive("dt_ms", dt_ms)),
            base_seed=checked_seed("base_seed", base_seed),
            lif=_lif(params, dt_ms),
        )
        if self.n_neurons > 2**32:
            _checks.fail("n_neurons", "be at most 2**32", self.n_neurons)
        weights = _checks.array("weight_values", weight_values, [1, 2])
        if weights.ndim == 2 and len(weights) != self.n_neurons:
            _checks.fail(
                "weight_values", f"have a row for each of the {n_neurons} neurons", len(weights)
            )
        inputs = _checks.array("x_inputs", x_inputs, [1])
        self._x_min, x_max = _checks.ordered("x_min", x_min, "x_max", x_max)
        self._has_input = bool((inputs > self._x_min).any())
        self._y_min, self._y_max = _checks.ordered("y_min", y_min, "y_max", y_max)
        self._trace = np.atleast_2d(
            encoded_trace(
                x_inputs=inputs,
                x_interval=Interval(self._x_min, x_max),
                weight_values=weights,
                w_interval=Interval(*_checks.ordered("w_min", w_min, "w_max", w_max)),
                length=self.length,
                y_min=self._y_min,
                y_max=self._y_max,
                seed=self.base_seed,
                accumulate=accumulate,
                coding=coding,
                source=source,
            )
        )
        self._noise_key = stream_key(self.base_seed, Role.NOISE)
        self.reset()

    def run(self, T: int) -> None:
        """Advance by T time steps and record the spikes.

        Parameters
        ----------
        T : int
            Number of time steps, at least 0.

        Warns
        -----
        SilentLayerWarning
            If no neuron has fired since the start although the threshold is finite. The message gives
            the reason and, if there is one, a remedy: the `y_max` above which the mean current exceeds
            the rheobase, and ``accumulate="or"`` if that is enough.
        """
        steps = _checks.integer("T", T, 0)
        if steps == 0:
            return
        _checks.length_of_stream("T", steps)
        position = self._state.t % self.length
        with _checks.allocating(f"{self.n_neurons} spike trains of {steps} steps", "run fewer steps"):
            spikes, self._state = run_periodic(
                self.lif, self._trace, position, steps, self._state, self._noise_key
            )
        self._spikes.append(spikes)
        self._fired = self._fired or bool(spikes.words.any())
        if not self._fired and self.lif.v_threshold < math.inf:
            warnings.warn(self._silence(), SilentLayerWarning, stacklevel=2)

    def get_spike_trains(self) -> NDArray[np.uint8]:
        """Return all spikes since the start, an array of uint8 of shape (n_neurons, steps)."""
        trains = [spikes.bits() for spikes in self._spikes]
        return np.concatenate(trains, axis=1) if trains else np.zeros((self.n_neurons, 0), np.uint8)

    def _spike_trains(self) -> tuple[NDArray[np.uint8], float]:
        return self.get_spike_trains(), self.dt_ms

    def current_trace(self) -> NDArray[np.float64]:
        """Return the current over one period, shape (1, length) or (n_neurons, length)."""
        return self._trace.copy()

    def summary(self) -> dict[str, Any]:
        """Return spike counts and firing rates since the start.

        Returns
        -------
        dict
            With the keys "n_neurons", "stats" and "avg_firing_rate_hz". "stats" is a list with a
            dictionary for each neuron, of the keys "neuron", "total_spikes" and "firing_rate_hz".
        """
        trains = self.get_spike_trains()
        totals, rates = trains.sum(axis=1), firing_rate_hz(trains, self.dt_ms)
        stats = [
            {"neuron": i, "total_spikes": int(n), "firing_rate_hz": float(rate)}
            for i, (n, rate) in enumerate(zip(totals, rates, strict=True))
        ]
        return {
            "n_neurons": self.n_neurons,
            "stats": stats,
            "avg_firing_rate_hz": float(rates.mean()),
        }

    def reset(self) -> None:
        """Return to the state after construction and delete the recorded spikes."""
        with _checks.allocating(f"{self.n_neurons} neurons", "use a smaller n_neurons"):
            self._state = self.lif.initial_state(self.n_neurons)
        self._spikes = []
        self._fired = False

    def __copy__(self) -> SCDenseLayer:
        other = object.__new__(type(self))
        vars(other).update(vars(self), _spikes=self._spikes.copy())
        return other

    def __repr__(self) -> str:
        return (
            f"<SCDenseLayer: {self.n_neurons} neurons, length={self.length}, "
            f"base_seed={self.base_seed}, {self._state.t} steps run>"
        )

    def _silence(self) -> str:
        """Return why no neuron has fired, and what to change."""
        mean, needed = float(self._trace.mean(axis=1).max()), rheobase(self.lif)
        if mean > needed:
            return (
                f"no neuron fired: the mean current {mean:.4g} exceeds the rheobase {needed:.4g} too "
                "little or too briefly; run longer, or raise y_max"
            )
        if not self._has_input:
            return (
                "no neuron fired because all inputs are zero, so the current stays at y_min, "
                f"{self._y_min:.4g}; raise x_inputs above x_min, {self._x_min:.4g}"
            )
        any_product = self._trace != self._y_min
        if not any_product.any():
            return (
                "no neuron fired because all products of inputs and weights are zero, so the current "
                f"stays at y_min, {self._y_min:.4g}; raise weight_values or x_inputs"
            )
        span = self._y_max - self._y_min
        share = (mean - self._y_min) / span
        if share <= 0:  # of signed products
            return (
                f"no neuron fired: the mean current {mean:.4g} does not exceed the rheobase "
                f"{needed:.4g}, the smallest constant current that fires; raise positive weights"
            )
        y_max = self._y_min + (needed - self._y_min) / share
        remedy = f"raise y_max above {_rounded_up(y_max):.4g} (now {self._y_max:.4g})"
        # The OR of the products is 1 wherever the current exceeds y_min, whatever the adder was.
        mean_of_or = self._y_min + span * float(any_product.mean(axis=1).max())
        if mean_of_or > needed and not (self._trace < self._y_min).any():
            remedy += f', or set accumulate="or" (mean current {mean_of_or:.4g})'
        return (
            f"no neuron fired: the mean current {mean:.4g} does not exceed the rheobase {needed:.4g}, "
            f"the smallest constant current that fires; {remedy}"
        )


def _rounded_up(x: float) -> float:
    """Return x rounded up to four digits."""
    digits = 3 - math.floor(math.log10(abs(x))) if x else 0
    return math.ceil(x * 10.0**digits) / 10.0**digits


def _lif(params: Mapping[str, Any], dt_ms: float) -> LIF:
    _checks.known_keys("neuron_params", params, [field.name for field in fields(LIF)])
    if _checks.finite("neuron_params['dt']", params.get("dt", dt_ms)) != dt_ms:
        _checks.fail("neuron_params['dt']", f"equal dt_ms, {dt_ms}", params["dt"])
    return LIF(**{"dt": dt_ms, **params})
