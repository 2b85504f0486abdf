"""The leaky integrate-and-fire neuron: frozen parameters, state passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.streams.bitstream import Bitstream
from sc_neurocore.streams.keys import entropy


@dataclass(frozen=True)
class LIF:
    """Parameters of a discrete-time leaky integrate-and-fire neuron.

    At each step

        i <- i - i * (dt / tau_syn) + I        (i = I for tau_syn = 0)
        v <- v - (v - v_rest) * (dt / tau_mem) + (resistance * dt) * i + N(0, noise_std**2)

    and where v >= v_threshold the neuron fires and v <- v_reset, or v <- v - (v_threshold - v_reset)
    for reset="subtract". For the next refractory_period steps v stays where that put it and nothing
    fires, while i goes on. All arithmetic is float64, in this order.

    Parameters
    ----------
    v_rest, v_reset, v_threshold : float
        Voltages; v_reset lies below v_threshold. With v_threshold = inf the neuron never fires: a leaky
        integrator, for readouts.
    tau_mem, dt : float
        Membrane time constant and time step in ms, dt <= tau_mem. With tau_mem = inf there is no leak:
        integrate and fire.
    noise_std : float
        Standard deviation of the noise added at each step.
    resistance : float
    refractory_period : int
        In steps.
    tau_syn : float
        Time constant in ms of a synaptic current with exponential decay, dt <= tau_syn; 0: none.
    reset : {"value", "subtract"}
        Whether a spike sets v to v_reset, or lowers it by as much as from threshold to there.

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
    reset: str = "value"

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "v_rest": _checks.finite("v_rest", self.v_rest),
            "tau_mem": _checks.positive("tau_mem", self.tau_mem, infinite=True),
            "dt": _checks.positive("dt", self.dt),
            "noise_std": _checks.non_negative("noise_std", self.noise_std),
            "resistance": _checks.positive("resistance", self.resistance),
            "refractory_period": _checks.integer("refractory_period", self.refractory_period, 0, 2**32),
            "tau_syn": _checks.non_negative("tau_syn", self.tau_syn),
            "reset": _checks.choice("reset", self.reset, ("value", "subtract")),
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
        """Return the state at rest of a population."""
        n = _checks.integer("n_neurons", n_neurons, 1)
        return LIFState(np.full(n, self.v_rest), np.zeros(n, np.uint64), 0)

    def run(
        self, currents: ArrayLike, state: LIFState | None = None, *, key: int | None = None
    ) -> tuple[Bitstream, LIFState]:
        """Return the spikes of a population under given currents, and its state afterwards.

        Parameters
        ----------
        currents : array_like, shape (T,) or (n_neurons, T)
            One axis: all neurons of the state see the same current.
        state : LIFState, optional
            By default at rest, a neuron for each row of currents.
        key : int, optional
            A key of `stream_key` with `Role.NOISE`. The noise of a neuron depends on the key, the
            neuron's row and the step alone, so each population needs a key of its own. By default
            drawn from system entropy if there is noise. The noise repeats after 2**34 steps.

        Returns
        -------
        spikes : Bitstream
            Of batch shape (n_neurons,) and length T.
        state : LIFState
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
            contract = f"have one row, or one for each of the {n} neurons of the state"
            _checks.fail("currents", contract, len(rows))
        return self.run_periodic(rows, 0, rows.shape[1], state, key)

    def run_periodic(
        self,
        currents: NDArray[np.float64],
        position: int,
        steps: int,
        state: LIFState,
        key: int,
    ) -> tuple[Bitstream, LIFState]:
        """Run on currents that repeat, of shape (1 or n_neurons, period), from a column on."""
        v, refractory, i = state.v.copy(), state.refractory.copy(), state.i.copy()
        words = _native.lif(self._parameters, key, currents, position, state.t, steps, v, refractory, i)
        return Bitstream(words, steps), LIFState(v, refractory, state.t + steps, i)


@dataclass(frozen=True)
class LIFState:
    """State of a population: potentials and refractory steps left, shape (n,), and the time step.

    i are the synaptic currents, shape (n,), zeros by default; without a tau_syn they mean nothing.
    """

    v: NDArray[np.float64]
    refractory: NDArray[np.uint64]
    t: int
    i: NDArray[np.float64] = None  # type: ignore[assignment]  # an array from here on

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
