"""The neuron of the tutorial: LIF, advanced one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.neurons.lif import LIF
from sc_neurocore.streams.keys import Role, checked_seed, stream_key


class StochasticLIFNeuron:
    """A LIF neuron that is stepped by hand.

    The equation and the parameters are those of `LIF`. Stepping, running and processing a bitstream
    give the same spikes bit for bit.

    Parameters
    ----------
    v_rest, v_reset, v_threshold, tau_mem, dt, noise_std, resistance, refractory_period
    tau_syn, reset
        See `LIF`.
    seed : int, optional
        Of the noise, in [0, 2**128). By default drawn from the system's entropy; `seed` tells it.

    Attributes
    ----------
    step : callable
        ``step(input_current) -> int`` advances one time step and returns 1 for a spike, else 0. It is
        the native method itself: a Python method around it would cost more than the step.

    Examples
    --------
    >>> from sc_neurocore import StochasticLIFNeuron
    >>> neuron = StochasticLIFNeuron(tau_mem=20.0, seed=42)
    >>> sum(neuron.step(0.08) for _ in range(200))
    10
    """

    __slots__ = ("_neuron", "lif", "seed", "step")

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
        reset: str = "value",
    ) -> None:
        self.lif = LIF(
            v_rest, v_reset, v_threshold, tau_mem, dt, noise_std, resistance, refractory_period,
            tau_syn, reset,
        )  # fmt: skip
        self.seed = checked_seed("seed", seed)
        self._neuron = _native.Neuron(self.lif._parameters, stream_key(self.seed, Role.NOISE))
        self.step = self._neuron.step

    @property
    def v(self) -> float:
        """The membrane potential."""
        return self._neuron.v

    def run(self, currents: ArrayLike) -> NDArray[np.uint8]:
        """Advance one step for each current and return the spikes, uint8 of shape (T,)."""
        return self._neuron.run(_checks.array("currents", currents, [1], borrow=True))

    def process_bitstream(self, bits: ArrayLike, input_scale: float = 1.0) -> NDArray[np.uint8]:
        """Run on the current input_scale * bit of each bit; uint8 of shape (T,)."""
        scale = _checks.finite("input_scale", input_scale)
        return self._neuron.run(_checks.bits("bits", bits) * np.float64(scale))

    def reset_state(self) -> None:
        """Return to rest and to the first sample of the noise."""
        self._neuron.reset()

    def get_state(self) -> dict[str, Any]:
        """Return {"v": potential, "refractory": steps left in which nothing fires}.

        With a tau_syn also {"i": synaptic current}.
        """
        state = {"v": self._neuron.v, "refractory": self._neuron.refractory}
        return state | {"i": self._neuron.i} if self.lif.tau_syn else state

    def __reduce__(self) -> tuple[Any, ...]:
        state = (self._neuron.v, self._neuron.refractory, self._neuron.i, self._neuron.t)
        return partial(type(self), **asdict(self.lif), seed=self.seed), (), state

    def __setstate__(self, state: tuple[float, int, float, int]) -> None:
        self._neuron.restore(*state)

    def __repr__(self) -> str:
        parameters = repr(self.lif).removeprefix("LIF(").removesuffix(")")
        return f"StochasticLIFNeuron({parameters}, seed={self.seed})"
