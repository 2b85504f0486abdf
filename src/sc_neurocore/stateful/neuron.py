"""LIF neuron that is advanced one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.neurons import (
    LIF,
)
from sc_neurocore.neurons.lif import (
    Reset,
    single,
)
from sc_neurocore.stateful._fixed import FixedParameters
from sc_neurocore.streams import (
    Role,
    stream_key,
)
from sc_neurocore.streams.keys import (
    checked_seed,
)

__all__ = ["StochasticLIFNeuron"]


class StochasticLIFNeuron(FixedParameters):
    """Single LIF neuron with mutable state, see `LIF` for its update and its parameters.

    `step`, `run` and `process_bitstream` continue from the current state and give the same spikes, bit
    for bit, for the same currents.

    Parameters
    ----------
    v_rest, v_reset, v_threshold, tau_mem, dt, noise_std, resistance : float
        See `LIF`.
    refractory_period : int
        See `LIF`.
    seed : int, optional
        Seed of the noise in [0, 2**128). Drawn from system entropy by default; read it back from
        `seed`.
    tau_syn : float
        See `LIF`.
    reset : {"value", "subtract"}
        See `LIF`.

    Attributes
    ----------
    lif : LIF
        Parameters of the neuron, each of which is also an attribute of the neuron.
    seed : int
        Seed of the noise.
    step : callable
        ``step(input_current) -> int`` advances by one time step and returns 1 for a spike, otherwise 0.
        The native method, because a Python method around it would take longer than the step.

    Examples
    --------
    >>> from sc_neurocore import StochasticLIFNeuron
    >>> neuron = StochasticLIFNeuron(tau_mem=20.0, seed=42)
    >>> sum(neuron.step(0.08) for _ in range(200))
    10
    """

    lif: LIF
    seed: int
    step: Callable[[float], int]

    def __init__(
        self,
        v_rest: float = 0.0,
        v_reset: float = 0.0,
        v_threshold: float = 1.0,
        tau_mem: float = 20.0,
        dt: float = 1.0,
        noise_std: float = 0.0,
        resistance: float = 1.0,
        refractory_period: int = 0,
        seed: int | None = None,
        *,
        tau_syn: float = 0.0,
        reset: Reset = "value",
    ) -> None:
        lif = LIF(
            v_rest, v_reset, v_threshold, tau_mem, dt, noise_std, resistance, refractory_period,
            tau_syn, reset,
        )  # fmt: skip
        single("neuron", lif)
        seed = checked_seed("seed", seed)
        self._neuron = _native.Neuron(lif.parameters[0], stream_key(seed, Role.NOISE))
        vars(self).update(lif=lif, seed=seed, step=self._neuron.step)

    def __getattr__(self, name: str) -> Any:
        """Return a parameter of the neuron, which is one of `lif`."""
        if name in LIF.__dataclass_fields__ and name != "reset":  # which users would call
            return getattr(self.lif, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def v(self) -> float:
        """Membrane potential, a float; it can be set."""
        return self._neuron.v

    @v.setter
    def v(self, v: float) -> None:
        neuron = self._neuron
        neuron.restore(_checks.finite("v", v), neuron.refractory, neuron.i, neuron.t)

    def run(self, currents: ArrayLike) -> NDArray[np.uint8]:
        """Advance by one time step for each current.

        Parameters
        ----------
        currents : array_like, shape (T,)
            Input currents.

        Returns
        -------
        ndarray of uint8, shape (T,)
            1 for a spike, otherwise 0.
        """
        return self._neuron.run(_checks.array("currents", currents, [1], borrow=True))

    def process_bitstream(self, bits: ArrayLike, input_scale: float = 1.0) -> NDArray[np.uint8]:
        """Advance by one time step for each bit, with the current ``input_scale * bit``.

        Parameters
        ----------
        bits : array_like of 0 and 1, shape (T,)
            Input bitstream.
        input_scale : float
            Current of a 1.

        Returns
        -------
        ndarray of uint8, shape (T,)
            1 for a spike, otherwise 0.
        """
        scale = _checks.finite("input_scale", input_scale)
        return self._neuron.run(_checks.bits("bits", bits) * np.float64(scale))

    def reset_state(self) -> None:
        """Return to the state after construction and to the first noise sample."""
        self._neuron.reset()

    def get_state(self) -> dict[str, Any]:
        """Return the state.

        Returns
        -------
        dict
            With the keys "v", the membrane potential, "refractory", the remaining time steps of the
            refractory period, and, if `tau_syn` is not 0, "i", the synaptic current.
        """
        state = {"v": self._neuron.v, "refractory": self._neuron.refractory}
        return state | {"i": self._neuron.i} if self.lif.tau_syn else state

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self._neuron.v, self._neuron.refractory, self._neuron.i, self._neuron.t)
        return partial(type(self), **asdict(self.lif), seed=self.seed), (), state

    def __setstate__(self, state: tuple[float, int, float, int]) -> None:
        self._neuron.restore(*state)

    def __repr__(self) -> str:
        parameters = ", ".join(f"{name}={value!r}" for name, value in asdict(self.lif).items())
        return f"StochasticLIFNeuron({parameters}, seed={self.seed})"
