"""Fill in the table of howto/learning.md, and draw its pictures.

python docs/draw_plasticity.py

The windows are simulated here. The table and the weights come from docs/diehl_cook.json and
docs/diehl_cook.npz, which ``examples/diehl_cook.py --write`` makes. A test compares the page with them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import both_themes
import numpy as np
from draw_results import PICTURES, filled, table
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sc_neurocore import LIF, Bitstream, Dense, Network, simulate
from sc_neurocore.plasticity import STDP, StochasticSTDP, TripletSTDP, stdp_window

HERE = Path(__file__).parent
PAGE, FIGURES = HERE / "howto" / "learning.md", HERE / "diehl_cook.json"
RULES: dict[str, STDP | TripletSTDP | StochasticSTDP] = {
    "STDP": STDP(a_plus=0.01, a_minus=0.008, bounds="hard"),
    "TripletSTDP": TripletSTDP(bounds="hard"),
    "StochasticSTDP, mean of 1,000": StochasticSTDP(p_plus=0.5, p_minus=0.3, level=1 / 64),
}
TIMES = np.arange(-60, 61, 3)
SYNAPSES = 1000


def measured(rule: Any) -> NDArray[np.float64]:
    """Return the mean change of weights by an output spike at each of the times after an input spike.

    Each input fires once. Two more inputs, with weights of 1, make all neurons fire once; the others
    have negative weights, so that they do not.
    """
    when = 70
    bits = np.zeros((len(TIMES) + 2, 140), np.uint8)
    bits[np.arange(len(TIMES)), when - TIMES] = 1
    bits[-2:, when] = 1
    weights = np.full((SYNAPSES, len(bits)), -0.5)
    weights[:, -2:] = 1.0
    layer = Dense(weights, neuron=LIF(tau_mem=1.0, v_threshold=0.5), plasticity=rule)
    run = simulate(Network([layer]), Bitstream.from_bits(bits), seed=1)
    assert run.state is not None
    return np.asarray(np.abs(run.state.weights[0][:, :-2]).mean(axis=0) - 0.5)


def windows(seen: dict[str, NDArray[np.float64]]) -> Figure:
    """Return windows as simulated and as their laws."""
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axes = figure.subplots()
    fine = np.linspace(-60, 60, 1201)
    for k, (name, rule) in enumerate(RULES.items()):
        axes.plot(fine, stdp_window(rule, fine), color=f"C{k}", lw=1, label=f"{name}: law")
        axes.plot(TIMES, seen[name], ".", color=f"C{k}", label="simulated")
    axes.axhline(0, color=plt.rcParams["axes.edgecolor"], lw=0.5)
    axes.set(xlabel="output spike after input spike (ms)", ylabel="change of the weight")
    axes.legend(fontsize=8)
    return figure


def weights() -> Figure:
    """Return the weights of some neurons before and after learning."""
    found = np.load(FIGURES.with_suffix(".npz"))
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("before", "after"), strict=True):
        tiles = found[name][:25].reshape(5, 5, 28, 28).transpose(0, 2, 1, 3).reshape(140, 140)
        axes.imshow(tiles, cmap="gray_r", interpolation="nearest", vmin=0, vmax=255)
        axes.set(title=name, xticks=[], yticks=[])
    return figure


def accuracy_table(found: dict[str, Any]) -> str:
    """Return the accuracy of the network on bitstreams and on real weights."""
    lines = [
        [name, f"{row['images']:,}", str(row["epochs"]), f"{row['accuracy']:.1%}".replace("%", " %")]
        for name, row in found.items()
    ]
    return table(["weights", "images", "epochs", "accuracy on 1,000 test images"], lines)


def tables() -> dict[str, str]:
    """Return the table of the page by its name."""
    return {"diehl_cook": accuracy_table(json.loads(FIGURES.read_text()))}


if __name__ == "__main__":
    seen = {name: measured(rule) for name, rule in RULES.items()}
    both_themes.save(PICTURES / "learning_window.png", lambda: windows(seen))
    both_themes.save(PICTURES / "learning_weights.png", weights)
    PAGE.write_text(filled(PAGE.read_text(), tables()))
