"""The leaky integrate-and-fire neuron: frozen parameters; the state is an argument and a result."""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.streams import (
    Bitstream,
)
from sc_neurocore.streams.keys import entropy

__all__ = ["LIF", "LIFState"]

Reset = Literal["value", "subtract"]

# Parameters that may differ between neurons.
_PER_NEURON = (
    "v_rest",
    "v_reset",
    "v_threshold",
    "tau_mem",
    "noise_std",
    "resistance",
    "refractory_period",
    "tau_syn",
)


@dataclass(frozen=True, eq=False)
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

    Every number but `dt` is one for all neurons, or an array of shape (n_neurons,) with one for each.
    With arrays, ``neuron[j]`` has the parameters of neuron j; closed forms and objects that hold a
    single neuron accept only such a neuron.

    Parameters
    ----------
    v_rest : float or array_like
        Resting potential, to which v decays without input.
    v_reset : float or array_like
        Reset potential, below `v_threshold`.
    v_threshold : float or array_like
        Firing threshold. With inf the neuron never fires: a leaky integrator, used as a readout.
    tau_mem : float or array_like
        Membrane time constant in ms, at least `dt`. With inf there is no leak: integrate and fire.
    dt : float
        Time step in ms, greater than 0.
    noise_std : float or array_like
        Standard deviation of the Gaussian noise that is added to v in each step, at least 0.
    resistance : float or array_like
        Membrane resistance, greater than 0.
    refractory_period : int or array_like of int
        Refractory period in time steps, in [0, 2**32].
    tau_syn : float or array_like
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
    >>> LIF(tau_mem=[10.0, 30.0])[1]
    LIF(tau_mem=30.0)
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

    if TYPE_CHECKING:  # what is accepted; a field holds an array where one was given

        def __init__(
            self,
            v_rest: ArrayLike = 0.0,
            v_reset: ArrayLike = 0.0,
            v_threshold: ArrayLike = 1.0,
            tau_mem: ArrayLike = 20.0,
            dt: float = 1.0,
            noise_std: ArrayLike = 0.0,
            resistance: ArrayLike = 1.0,
            refractory_period: ArrayLike = 0,
            tau_syn: ArrayLike = 0.0,
            reset: Reset = "value",
        ) -> None: ...

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in _DEFAULTS}
        arrays = {k: _per_neuron(k, given[k]) for k in _PER_NEURON if _has_axes(given[k])}
        if not arrays:
            _keep(self, _checked(given))
            return
        n = max(map(len, arrays.values()))
        for name, values in arrays.items():
            if len(values) != n:
                _checks.fail(name, f"hold one value for each of the {n} neurons", len(values))
        table = given | {k: v.tolist() for k, v in arrays.items()}
        # The first neuron checks what is common. Others are checked one by one only if one is wrong,
        # for its error.
        checked = _checked_rows(table, list(arrays), 1)[0]
        if not _are_right(checked | arrays):
            _checked_rows(table, list(arrays), n)
        for name, array in arrays.items():
            values = array.astype(np.int64 if name == "refractory_period" else np.float64)
            values.flags.writeable = False
            checked[name] = values
        _keep(self, checked)

    @property
    def n_neurons(self) -> int | None:
        """Number of neurons that have parameters of their own; None if all parameters are common."""
        return next((len(v) for v in self._values() if isinstance(v, np.ndarray)), None)

    def __getitem__(self, index: SupportsIndex) -> LIF:
        """Return a neuron of a population with arrays as parameters."""
        n, j = self.n_neurons, operator.index(index)
        if n is None:
            raise TypeError("neuron must have arrays as parameters to be indexed")
        if not -n <= j < n:
            raise IndexError(f"index must be one of {n} neurons, got {j}")
        of_one = {
            name: v[j].item() if isinstance(v, np.ndarray) else v
            for name, v in zip(_DEFAULTS, self._values(), strict=True)
        }
        return LIF(**of_one)

    def _values(self) -> list[Any]:
        return [getattr(self, name) for name in _DEFAULTS]

    def _compared(self) -> tuple[Any, ...]:
        values = self._values()
        return tuple(tuple(v.tolist()) if isinstance(v, np.ndarray) else v for v in values)

    def __eq__(self, other: object) -> bool:
        """Return whether the other neuron has equal parameters."""
        return self._compared() == other._compared() if isinstance(other, LIF) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        changed = [
            f"{name}=array of {len(v)}" if isinstance(v, np.ndarray) else f"{name}={v!r}"
            for name, v in zip(_DEFAULTS, self._values(), strict=True)
            if isinstance(v, np.ndarray) or v != _DEFAULTS[name]
        ]
        return f"LIF({', '.join(changed)})"

    @property
    def parameters(self) -> list[_native.LIFParameters]:
        """Parameters of the kernels: of each neuron, or one for all. Not for users."""
        n = self.n_neurons or 1
        each = {
            name: value.tolist() if isinstance(value, np.ndarray) else [value] * n
            for name, value in zip(_DEFAULTS, self._values(), strict=True)
        }
        return [
            _native.LIFParameters(
                leak=self.dt / each["tau_mem"][j],
                v_rest=each["v_rest"][j],
                gain=each["resistance"][j] * self.dt,
                noise_std=each["noise_std"][j],
                v_threshold=each["v_threshold"][j],
                v_reset=each["v_reset"][j],
                refractory_period=each["refractory_period"][j],
                syn_leak=self.dt / each["tau_syn"][j] if each["tau_syn"][j] else 0.0,
                subtracts=self.reset == "subtract",
            )
            for j in range(n)
        ]

    def initial_state(self, n_neurons: int = 1) -> LIFState:
        """Return the state of `n_neurons` neurons at rest, at time step 0.

        Neurons with parameters of their own determine the number; `n_neurons` is then not used.
        """
        n = self.n_neurons or _checks.integer("n_neurons", n_neurons, 1)
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
        given = _checks.array("currents", currents, [1, 2], borrow=True, finite=False)
        # With parameters for all neurons, the core looks at rows of currents as it reads them.
        if self.n_neurons is not None or given.ndim == 1 or len(given) == 1:
            _checks.array("currents", given, [1, 2], borrow=True)
        if given.size == 0:
            _checks.fail("currents", "have at least one time step", f"shape {given.shape}")
        if key is None:
            key = entropy(64) if np.any(np.greater(self.noise_std, 0)) else 0
        key = _checks.power_range("key", key, 64)
        rows = np.atleast_2d(given)
        if state is None:
            state = self.initial_state(len(rows))
        _checks.instance("state", state, LIFState)
        if self.n_neurons not in (None, len(state.v)):
            _checks.fail("state", f"hold the {self.n_neurons} neurons of the LIF", len(state.v))
        if len(rows) not in (1, n := len(state.v)):
            contract = f"have one row, or one row for each of the {n} neurons of the state"
            _checks.fail("currents", contract, len(rows))
        try:
            return run_periodic(self, rows, 0, rows.shape[1], state, key)
        except ValueError as error:  # a potential is not finite
            wrong = error
        _checks.array("currents", given, [1, 2], borrow=True)
        raise wrong


_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(LIF)}


def arrays_of(neuron: LIF) -> dict[str, Any]:
    """Return by name the parameters that are arrays, with one value for each neuron."""
    values = {name: getattr(neuron, name) for name in _DEFAULTS}
    return {name: v for name, v in values.items() if isinstance(v, np.ndarray)}


def _keep(lif: LIF, values: dict[str, Any]) -> None:
    for name, value in values.items():
        object.__setattr__(lif, name, value)


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of one neuron; TypeError or ValueError if one is wrong."""
    checked: dict[str, Any] = {
        "v_rest": _checks.finite("v_rest", given["v_rest"]),
        "tau_mem": _checks.positive("tau_mem", given["tau_mem"], infinite=True),
        "dt": _checks.positive("dt", given["dt"]),
        "noise_std": _checks.non_negative("noise_std", given["noise_std"]),
        "resistance": _checks.positive("resistance", given["resistance"]),
        "refractory_period": _checks.integer("refractory_period", given["refractory_period"], 0, 2**32),
        "tau_syn": _checks.non_negative("tau_syn", given["tau_syn"]),
        "reset": _checks.choice("reset", given["reset"], get_args(Reset)),
    }
    checked["v_reset"], checked["v_threshold"] = _checks.ordered(
        "v_reset", given["v_reset"], "v_threshold", given["v_threshold"], open_end=True
    )
    dt, tau_mem, tau_syn = checked["dt"], checked["tau_mem"], checked["tau_syn"]
    if dt > tau_mem:
        _checks.fail("dt", "be at most tau_mem, or the leak overshoots", f"{dt} > {tau_mem}")
    if 0 < tau_syn < dt:
        _checks.fail("dt", "be at most tau_syn, or the decay overshoots", f"{dt} > {tau_syn}")
    return checked


def _checked_rows(given: dict[str, Any], arrays: list[str], n: int) -> list[dict[str, Any]]:
    """Return the parameters of each of n neurons; an error names the neuron."""
    j = 0
    try:
        rows = []
        for j in range(n):
            rows.append(_checked(given | {name: given[name][j] for name in arrays}))
        return rows
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} (neuron {j})") from None


def _are_right(values: dict[str, Any]) -> bool:
    """Return whether `_checked` accepts all neurons of arrays."""
    if any(v.dtype.kind == "b" for v in values.values() if isinstance(v, np.ndarray)):
        return False
    period = np.asarray(values["refractory_period"])
    v_reset, v_threshold, tau_mem, tau_syn, noise_std, resistance = (
        np.asarray(values[name], np.float64)
        for name in ("v_reset", "v_threshold", "tau_mem", "tau_syn", "noise_std", "resistance")
    )
    with np.errstate(invalid="ignore", over="ignore"):
        right = [
            np.isfinite(np.asarray(values["v_rest"], np.float64)),
            np.isfinite(v_reset) & (v_reset < v_threshold),
            (v_threshold == np.inf) | np.isfinite(v_threshold - v_reset),
            tau_mem >= values["dt"],
            np.isfinite(tau_syn) & ((tau_syn == 0) | (tau_syn >= values["dt"])),
            np.isfinite(noise_std) & (noise_std >= 0),
            np.isfinite(resistance) & (resistance > 0),
            (period.dtype.kind in "iu") & (period >= 0) & (period <= 2**32),
        ]
    return all(np.all(each) for each in right)


def _has_axes(value: Any) -> bool:
    return isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0


def _per_neuron(name: str, values: Any) -> NDArray[Any]:
    """Return values of each neuron; inf is allowed, and checked later."""
    array = _checks.numbers(name, "be a real number or hold one per neuron", values)
    if array.ndim != 1 or array.size == 0:
        _checks.fail(name, "be a number or have shape (n_neurons,)", f"shape {array.shape}")
    return array


def single(name: str, neuron: Any) -> LIF:
    """Return a LIF neuron; raise unless it is one and its parameters are single numbers."""
    _checks.instance(name, neuron, LIF, f"pass {name}.lif" if hasattr(neuron, "lif") else "")
    if neuron.n_neurons is not None:
        _checks.fail(name, "be a single neuron", neuron, f"pass {name}[j] for that of neuron j")
    lif: LIF = neuron
    return lif


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
    if neuron.n_neurons is None:
        (parameters,) = neuron.parameters
        words = _native.lif(parameters, key, currents, position, state.t, steps, v, refractory, i)
    else:
        columns = (position + np.arange(steps)) % currents.shape[1]
        drive = np.broadcast_to(currents[:, columns].T, (1, steps, len(v)))
        (words,), _ = _native.neurons(
            neuron.parameters, key, np.ascontiguousarray(drive), np.ones(len(v)), None, None, 1, 0, 1,
            state.t, steps, v[np.newaxis], refractory[np.newaxis], i[np.newaxis],
            np.zeros((1, 0), np.uint64), False,
        )  # fmt: skip
    return Bitstream(words, steps), LIFState(v, refractory, state.t + steps, i)
