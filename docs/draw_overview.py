"""Draw the picture of the landing page from the bits of a small network: docs/pictures/overview.svg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import both_themes
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from sc_neurocore import LIF, Dense, Network, Role, encode, simulate, stream_key
from sc_neurocore.plot._style import color, ink

LENGTH = 32


def strip(axes: Axes, x: float, y: float, bits: NDArray[np.uint8], on: str) -> None:
    """Draw bits as squares in a row."""
    off = matplotlib.rcParams["grid.color"]
    for i, bit in enumerate(bits):
        axes.add_patch(Rectangle((x + 0.1 * i, y), 0.085, 0.2, lw=0, color=on if bit else off))


def arrow(axes: Axes, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow."""
    axes.add_patch(
        FancyArrowPatch(begin, end, arrowstyle="-|>", mutation_scale=10, color=ink(), lw=1.2)
    )


def and_gate(axes: Axes, x: float, y: float) -> None:
    """Draw an AND gate."""
    points = [(x, y - 0.3), (x, y + 0.3), (x + 0.25, y + 0.3), (x + 0.65, y + 0.3), (x + 0.65, y - 0.3),
              (x + 0.25, y - 0.3), (x, y - 0.3)]  # fmt: skip
    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.CURVE4, Outline.CURVE4,
             Outline.CURVE4, Outline.CLOSEPOLY]  # fmt: skip
    axes.add_patch(PathPatch(Outline(points, codes), fc=axes.get_facecolor(), ec=ink(), lw=1.4))


def main() -> None:
    """Draw the picture for light and dark pages."""
    matplotlib.rcParams |= {"svg.hashsalt": "overview", "svg.fonttype": "path"}
    both_themes.save(
        Path(__file__).parent / "pictures" / "overview.svg", drawn, metadata={"Date": None}
    )


def drawn() -> Figure:
    """Return the picture in the current style."""
    x = encode(0.75, LENGTH, key=stream_key(3, Role.INPUT))
    w = encode(0.5, LENGTH, key=stream_key(3, Role.WEIGHT))
    product = x & w
    network = Network([Dense([[0.5, 0.4, 0.3]], gain=0.35, neuron=LIF(tau_mem=10.0))])
    run = simulate(network, [0.75, 0.6, 0.9], LENGTH, seed=3, record=True)
    spikes = run.spikes[0][0].bits()

    figure = Figure((8.8, 2.5))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 13.2)
    axes.set_ylim(0.1, 3.85)
    axes.set_axis_off()

    def say(at: tuple[float, float], text: str, size: float = 9.5, **options: Any) -> None:
        axes.text(*at, text, color=ink(), size=size, **options)

    say((0.15, 3.5), "values are bitstreams", weight="bold")
    say((4.75, 3.5), "products are AND gates", weight="bold")
    say((9.15, 3.5), "neurons turn sums into spikes", weight="bold")
    for y, name, stream in ((2.7, "input 0.75", x), (1.6, "weight 0.5", w)):
        say((0.15, y + 0.3), f"{name}: {int(stream.counts())} ones in {LENGTH} bits")
        strip(axes, 0.15, y, stream.bits(), color(0))
    arrow(axes, (3.4, 2.8), (4.0, 2.37))
    arrow(axes, (3.4, 1.7), (4.0, 2.13))
    and_gate(axes, 4.0, 2.25)
    arrow(axes, (4.57, 2.25), (5.1, 2.25))
    say((5.15, 2.45), f"product: {int(product.counts())} ones, 0.375 expected")
    strip(axes, 5.15, 2.15, product.bits(), color(0))
    say((5.15, 1.3), "other inputs and weights", size=8.5)
    arrow(axes, (8.4, 2.25), (8.88, 2.25))
    arrow(axes, (7.9, 1.4), (8.93, 2.0))
    axes.add_patch(Circle((9.2, 2.2), 0.33, fc=axes.get_facecolor(), ec=ink(), lw=1.4))
    say((9.2, 2.2), "LIF", size=8.5, ha="center", va="center")
    arrow(axes, (9.53, 2.2), (9.9, 2.2))
    say((9.9, 2.45), f"{int(spikes.sum())} spikes in {LENGTH} steps")
    strip(axes, 9.95, 2.1, spikes, color(1))
    say(
        (0.15, 0.45),
        "Simulated, predicted, trained and built as Verilog: the same bits everywhere.",
        size=9.5,
    )
    return figure


if __name__ == "__main__":
    main()
