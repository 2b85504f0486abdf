"""Observe this package and the sc-neurocore on PyPI, and fill in the table of coming-from-3x.md.

python docs/observe_3x.py PYTHON

PYTHON is the interpreter of an environment into which `pip install sc-neurocore` installed the other
package. Both are observed from outside, by the same code: constructors, methods and what they return.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

import sc_neurocore as sc

PAGE = Path(__file__).parent / "coming-from-3x.md"
UNIT: dict[str, Any] = {"x_min": 0.0, "x_max": 1.0, "w_min": 0.0, "w_max": 1.0}


def default_length(kind: Any) -> str:
    """Return the default length of a class."""
    return f"{inspect.signature(kind).parameters['length'].default} bits"


def noise_per_step(dt: float) -> str:
    """Return the standard deviation of the steps of a potential without leak, at noise_std = 0.1."""
    neuron = sc.StochasticLIFNeuron(v_threshold=1e9, tau_mem=1e12, dt=dt, noise_std=0.1, seed=1)
    potentials = [neuron.v for _ in range(20_000) if neuron.step(0.0) == 0]
    return f"{np.diff(potentials).std():.2f}"


def noise_of_layer() -> str:
    """Return the default `noise_std` of a layer, from how often noise alone crosses a threshold."""
    threshold = 0.02
    layer = sc.SCDenseLayer(
        n_neurons=3, x_inputs=[0.0], weight_values=[0.5], length=64, base_seed=1,
        neuron_params={"tau_mem": 1.0, "v_threshold": threshold}, **UNIT,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the layer is silent here, without noise
        layer.run(30_000)
    rate = float(layer.get_spike_trains().mean())
    return f"{threshold / NormalDist().inv_cdf(1 - rate):.2f}" if rate else "0"


def refractory_potentials() -> str:
    """Return the potential in and after a refractory period of 2 steps, at v_reset = -0.5."""
    neuron = sc.StochasticLIFNeuron(v_reset=-0.5, tau_mem=10.0, refractory_period=2, seed=1)
    while not neuron.step(0.3):
        pass
    potentials = [neuron.v for _ in range(3) if neuron.step(0.3) == 0]
    return ", ".join(f"{v:.2f}" for v in potentials)


def past_the_end() -> str:
    """Return how the current goes on after the last bit of a stream."""
    repeats, holds = True, True
    for seed in range(20):
        source = sc.BitstreamCurrentSource(
            x_inputs=[0.5], weight_values=[1.0], length=8, seed=seed, **UNIT
        )
        current = [source.step() for _ in range(24)]
        repeats = repeats and current[8:] == current[:8] * 2
        holds = holds and set(current[8:]) == {current[7]}
    return {(True, False): "repeats the stream", (False, True): "holds the last value"}[repeats, holds]


def same_seed() -> str:
    """Return the density of the AND of 0.5 and 0.5 from an encoder and a synapse of one seed."""
    bits = sc.BitstreamEncoder(length=4096, seed=7).encode(0.5)
    synapse = sc.BitstreamSynapse(w_min=0.0, w_max=1.0, length=4096, w=0.5, seed=7)
    return f"{synapse.apply(bits).mean():.2f}"


def assigned_weight() -> str:
    """Return the density of a weight's stream after the assignment of another weight."""
    synapse = sc.BitstreamSynapse(w_min=0.0, w_max=1.0, length=4096, w=0.25, seed=7)
    synapse.w = 0.75
    return f"{synapse.effective_weight_probability():.2f}"


def noise_after_reset() -> str:
    """Return whether `reset_state` returns to the first noise."""
    neuron = sc.StochasticLIFNeuron(noise_std=0.1, v_threshold=1e9, seed=3)
    first = [neuron.v for _ in range(5) if neuron.step(0.0) == 0]
    neuron.reset_state()
    again = [neuron.v for _ in range(5) if neuron.step(0.0) == 0]
    return "the same" if first == again else "continues"


def unnamed_seed() -> str:
    """Return the attribute `seed` of a neuron that was created without one."""
    seed = sc.StochasticLIFNeuron().seed
    return "None" if seed is None else "the drawn seed"


OBSERVATIONS: dict[str, Callable[[], str]] = {
    "default `length` of `BitstreamEncoder`": lambda: default_length(sc.BitstreamEncoder),
    "default `length` of `BitstreamSynapse`": lambda: default_length(sc.BitstreamSynapse),
    "default `length` of `BitstreamCurrentSource`": lambda: default_length(sc.BitstreamCurrentSource),
    "default `length` of `SCDenseLayer`": lambda: default_length(sc.SCDenseLayer),
    "default `noise_std` of the neurons of `SCDenseLayer`": noise_of_layer,
    "noise per step, `noise_std=0.1`, `dt=0.25`": lambda: noise_per_step(0.25),
    "noise per step, `noise_std=0.1`, `dt=1`": lambda: noise_per_step(1.0),
    "noise per step, `noise_std=0.1`, `dt=4`": lambda: noise_per_step(4.0),
    "potential in two refractory steps and the next, `v_rest=0`, `v_reset=-0.5`": refractory_potentials,
    "current of `BitstreamCurrentSource.step` after `length` steps": past_the_end,
    "AND of 0.5 and 0.5, from an encoder and a synapse with equal seeds": same_seed,
    "density of the stream of a weight of 0.25 after `synapse.w = 0.75`": assigned_weight,
    "noise after `StochasticLIFNeuron.reset_state`": noise_after_reset,
    "`seed` of a neuron created without one": unnamed_seed,
}


def observed() -> dict[str, str]:
    """Return every observation of the sc_neurocore that this interpreter imports."""
    return {what: look() for what, look in OBSERVATIONS.items()}


def table(other: dict[str, str], number: str, here: dict[str, str]) -> str:
    """Return the table of the page."""
    rows = [f"| {what} | {other[what]} | {here[what]} |" for what in OBSERVATIONS]
    return "\n".join([f"| observation | {number} | this package |", "|---|---|---|", *rows])


def main() -> None:
    """Fill in the page, or print the observations of this interpreter if there is no argument."""
    if len(sys.argv) < 2:
        print(json.dumps([version("sc-neurocore"), observed()]))
        return
    command = [sys.argv[1], __file__]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number, other = json.loads(answer.splitlines()[-1])
    start, end = "<!-- observed -->", "<!-- /observed -->"
    before, _, rest = PAGE.read_text().partition(start)
    filled = f"{before}{start}\n\n{table(other, number, observed())}\n\n{end}{rest.partition(end)[2]}"
    PAGE.write_text(filled)


if __name__ == "__main__":
    main()
