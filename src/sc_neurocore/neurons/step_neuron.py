"""Neuron models of a user's own, given by a function of one time step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._types import Reals, Words
from sc_neurocore.streams._bits import pack

__all__ = ["StepNeuron"]

Step = Callable[[MutableMapping[str, Reals], Reals], NDArray[np.bool_]]


@dataclass(frozen=True)
class StepNeuron:
    """Neuron model that a function defines, for layers of a network.

    In each time step ``step(state, current)`` is called once for all neurons of a layer and all inputs
    of a batch. It changes the arrays of the state, in place or by new ones, and returns which neurons
    fire. Python then loops over the time steps, so that a layer of such neurons is much slower than one
    of `LIF`; a function that Numba compiles reduces the time of each step, not the number of calls.

    `simulate` and `simulate_float` run such layers. Functions that need the equations of `LIF` (fixed
    point, hardware, training, NIR, files, noise budgets) refuse them.

    Parameters
    ----------
    step : callable
        Function of the state, a mapping of names to arrays of float64, and of the input currents, an
        array of float64. All arrays have shape (rows, n_neurons). It returns an array of bool of this
        shape. It must not use random numbers of its own, or results cannot be repeated.
    initial_state : mapping of str to float
        Names of the state variables and their values before the first step. "v" is required: the
        membrane potential, which is reported.
    dt : float
        Time step in ms, greater than 0; all layers of a network have the same.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If "v" is missing or a value is not finite.

    Examples
    --------
    The quadratic neuron of Izhikevich (IEEE Trans. Neural Networks 14, 2003) with a step of 1 ms:

    >>> import numpy as np
    >>> from sc_neurocore import Dense, Network, simulate
    >>> from sc_neurocore.neurons import StepNeuron
    >>> def izhikevich(state, current):
    ...     v, u = state["v"], state["u"]
    ...     for _ in range(2):
    ...         v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
    ...     u = u + 0.02 * (0.2 * v - u)
    ...     fires = v >= 30.0
    ...     state["v"], state["u"] = np.where(fires, -65.0, v), np.where(fires, u + 8.0, u)
    ...     return fires
    >>> neuron = StepNeuron(izhikevich, {"v": -65.0, "u": -13.0})
    >>> simulate(Network([Dense([[0.5, 0.3]], 20.0, neuron)]), [1.0, 1.0], 1000, seed=1).counts
    array([46])
    """

    step: Step
    initial_state: Mapping[str, float] = field(hash=False)
    dt: float = 1.0

    def __post_init__(self) -> None:
        if not callable(self.step):
            _checks.wrong_type("step", "be a function of the state and the currents", self.step)
        _checks.instance("initial_state", self.initial_state, Mapping)
        if "v" not in self.initial_state:
            contract = 'have a value for "v", the membrane potential'
            _checks.fail("initial_state", contract, dict(self.initial_state))
        values = {
            str(k): _checks.finite(f"initial_state[{k!r}]", v) for k, v in self.initial_state.items()
        }
        object.__setattr__(self, "initial_state", values)
        object.__setattr__(self, "dt", _checks.positive("dt", self.dt))

    def start(self, rows: int, n_neurons: int) -> dict[str, Reals]:
        """Return the state before the first step, arrays of shape (rows, n_neurons)."""
        return {name: np.full((rows, n_neurons), value) for name, value in self.initial_state.items()}

    def run(self, state: dict[str, Reals], currents: Reals) -> tuple[Words, Reals]:
        """Return packed spikes (rows, n, n_words) and potentials (rows, steps, n) under currents.

        The currents have shape (rows, steps, n); the state is updated.
        """
        spikes = np.empty(currents.shape, np.bool_)
        potentials = np.empty(currents.shape)
        shape = currents[:, 0].shape
        for t in range(currents.shape[1]):
            fired: Any = np.asarray(self.step(state, currents[:, t].copy()))
            if fired.shape != shape or fired.dtype != np.bool_:
                contract = f"return an array of bool of shape {shape}"
                _checks.fail("step", contract, f"{fired.dtype} of shape {fired.shape}")
            if state.keys() != self.initial_state.keys():
                contract = f"keep the state variables {', '.join(self.initial_state)}"
                _checks.fail("step", contract, ", ".join(state))
            for name, values in state.items():
                state[name] = np.asarray(values, np.float64)
                if state[name].shape != shape:
                    _checks.fail("step", f"leave state[{name!r}] of shape {shape}", np.shape(values))
            spikes[:, t], potentials[:, t] = fired, state["v"]
        return pack(np.swapaxes(spikes, 1, 2)), potentials
