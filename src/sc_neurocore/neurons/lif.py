"""The leaky integrate-and-fire neuron: frozen parameters; the state is an argument and a result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams.keys import entropy

__all__ = ["LIF", "LIFState"]

Reset = Literal["value", "subtract"]


@dataclass(frozen=True)
class LIF:
    """Parameters of a leaky integrate-and-fire (LIF) neuron in discrete time.

    In each time step an input current I updates the synaptic current i and the membrane potential v::

        i <- i - i * (dt / tau_syn) + I        (i <- I if tau_syn = 0)
        v <- v - (v - v_rest) * (dt / tau_mem) + (resistance * dt) * i + N(0, noise_std**2)

    If then ``v >= v_threshold``, the neuron fires and v is reset::

        v <- v_reset                           (reset="value")
        v <- v - (v_threshold - v_reset)       (reset="subtract")

    In the next `refractory_period` steps v keeps this value and the neuron does not fire; i is still
    updated. All operations are in float64 and in this order.

    Parameters
    ----------
    v_rest : float
        Resting potential, to which v decays without input.
    v_reset : float
        Reset potential, below `v_threshold`.
    v_threshold : float
        Firing threshold. With inf the neuron never fires: a leaky integrator, used as a readout.
    tau_mem : float
        Membrane time constant in ms, at least `dt`. With inf there is no leak: integrate and fire.
    dt : float
        Time step in ms, greater than 0.
    noise_std : float
        Standard deviation of the Gaussian noise that is added to v in each step, at least 0.
    resistance : float
        Membrane resistance, greater than 0.
    refractory_period : int
        Refractory period in time steps, in [0, 2**32].
    tau_syn : float
        Time constant of the synaptic current in ms, at least `dt`; 0 for none.
    reset : {"value", "subtract"}
        Reset of v by a spike. "subtract" keeps the part of v that exceeds the threshold.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    TypeError
        If a parameter has the wrong type.

    Examples
    --------
    >>> from sc_neurocore import LIF
    >>> spikes, state = LIF(tau_mem=20.0).run([0.08] * 100)
    >>> spikes
    Bitstream(shape=(1,), length=100, p=[0.05])
    """

    v_rest: float = 0.0
    v_reset: float = 0.0
    v_threshold: float = 1.0
    tau_mem: float = 20.0
    dt: float = 1.0
    noise_std: float = 0.0
    resistance: float = 1.0
    refractory_period: int = 0
    tau_syn: float = 0.0
    reset: Reset = "value"

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "v_rest": _checks.finite("v_rest", self.v_rest),
            "tau_mem": _checks.positive("tau_mem", self.tau_mem, infinite=True),
            "dt": _checks.positive("dt", self.dt),
            "noise_std": _checks.non_negative("noise_std", self.noise_std),
            "resistance": _checks.positive("resistance", self.resistance),
            "refractory_period": _checks.integer("refractory_period", self.refractory_period, 0, 2**32),
            "tau_syn": _checks.non_negative("tau_syn", self.tau_syn),
            "reset": _checks.choice("reset", self.reset, get_args(Reset)),
        }
        checked["v_reset"], checked["v_threshold"] = _checks.ordered(
            "v_reset", self.v_reset, "v_threshold", self.v_threshold, open_end=True
        )
        if checked["dt"] > checked["tau_mem"]:
            _checks.fail(
                "dt",
                "be at most tau_mem, or the leak overshoots",
                f"{checked['dt']} > {checked['tau_mem']}",
            )
        if 0 < checked["tau_syn"] < checked["dt"]:
            _checks.fail(
                "dt",
                "be at most tau_syn, or the decay overshoots",
                f"{checked['dt']} > {checked['tau_syn']}",
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def _parameters(self) -> _native.LIFParameters:
        return _native.LIFParameters(
            leak=self.dt / self.tau_mem,
            v_rest=self.v_rest,
            gain=self.resistance * self.dt,
            noise_std=self.noise_std,
            v_threshold=self.v_threshold,
            v_reset=self.v_reset,
            refractory_period=self.refractory_period,
            syn_leak=self.dt / self.tau_syn if self.tau_syn else 0.0,
            subtracts=self.reset == "subtract",
        )

    def initial_state(self, n_neurons: int = 1) -> LIFState:
        """Return the state of `n_neurons` neurons at rest, at time step 0."""
        n = _checks.integer("n_neurons", n_neurons, 1)
        return LIFState(np.full(n, self.v_rest), np.zeros(n, np.uint64), 0)

    def run(
        self, currents: ArrayLike, state: LIFState | None = None, *, key: int | None = None
    ) -> tuple[Bitstream, LIFState]:
        """Simulate a population of neurons on given currents.

        Parameters
        ----------
        currents : array_like, shape (T,) or (n_neurons, T)
            Input current of each time step, T at least 1. With shape (T,), all neurons receive the same
            current.
        state : LIFState, optional
            State at the start. By default at rest, with one neuron for each row of `currents`.
        key : int, optional
            Key of the noise in [0, 2**64), from `stream_key` with `Role.NOISE`. The noise of a neuron
            depends only on the key, the neuron's row and the time step, so give each population its own
            key, and pass the same key again to continue with the same noise. Drawn from system entropy
            by default; without noise the key has no effect. The noise repeats after 2**34 time steps.

        Returns
        -------
        spikes : Bitstream
            Spikes of batch shape (n_neurons,) and length T.
        state : LIFState
            State after the last step, from which another run can continue.
        """
        given = _checks.array("currents", currents, [1, 2], borrow=True)
        if given.size == 0:
            _checks.fail("currents", "have at least one time step", f"shape {given.shape}")
        if key is None:
            key = entropy(64) if self.noise_std > 0 else 0
        key = _checks.power_range("key", key, 64)
        rows = np.atleast_2d(given)
        if state is None:
            state = self.initial_state(len(rows))
        _checks.instance("state", state, LIFState)
        if len(rows) not in (1, n := len(state.v)):
            contract = f"have one row, or one row for each of the {n} neurons of the state"
            _checks.fail("currents", contract, len(rows))
        return run_periodic(self, rows, 0, rows.shape[1], state, key)


@dataclass(frozen=True)
class LIFState:
    """State of a population of LIF neurons.

    Parameters
    ----------
    v : ndarray of float64, shape (n_neurons,)
        Membrane potentials.
    refractory : ndarray of uint64, shape (n_neurons,)
        Remaining time steps of the refractory period.
    t : int
        Number of time steps so far, at least 0.
    i : ndarray of float64, shape (n_neurons,)
        Synaptic currents, by default 0; not used if `tau_syn` is 0.
    """

    v: NDArray[np.float64]
    refractory: NDArray[np.uint64]
    t: int
    i: NDArray[np.float64] = None  # type: ignore[assignment]  # an array after __post_init__

    def __post_init__(self) -> None:
        v = _checks.array("v", self.v, [1])
        refractory = _checks.counting("refractory", self.refractory)
        i = np.zeros(v.shape) if self.i is None else _checks.array("i", self.i, [1])
        for name, values in (("refractory", refractory), ("i", i)):
            if values.shape != v.shape:
                _checks.fail(name, f"have the shape of v, {v.shape}", values.shape)
        object.__setattr__(self, "i", i)
        object.__setattr__(self, "v", v)
        object.__setattr__(self, "refractory", refractory)
        object.__setattr__(self, "t", _checks.integer("t", self.t, 0))


def run_periodic(
    neuron: LIF, currents: NDArray[np.float64], position: int, steps: int, state: LIFState, key: int
) -> tuple[Bitstream, LIFState]:
    """Return the spikes of a population on periodic currents, and its state; nothing is checked.

    Parameters
    ----------
    neuron : LIF
    currents : ndarray of float64, shape (1, period) or (n_neurons, period)
        Input currents of one period.
    position : int
        Column of `currents` at the first step.
    steps : int
    state : LIFState
    key : int
    """
    v, refractory, i = state.v.copy(), state.refractory.copy(), state.i.copy()
    words = _native.lif(neuron._parameters, key, currents, position, state.t, steps, v, refractory, i)
    return Bitstream(words, steps), LIFState(v, refractory, state.t + steps, i)
