"""Draw the picture of the landing page from the bits of a small network.

Writes docs/pictures/overview.svg and, for phones, overview_narrow.svg.
"""

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

from sc_neurocore import LIF, Bitstream, Dense, Network, Role, encode, simulate, stream_key
from sc_neurocore.plot._style import color, ink

LENGTH = 32
BELOW = "Simulated, predicted, trained and built as Verilog: the same bits everywhere."


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
    """Draw both forms of the picture for light and dark pages."""
    matplotlib.rcParams |= {"svg.hashsalt": "overview", "svg.fonttype": "path"}
    pictures = Path(__file__).parent / "pictures"
    both_themes.save(pictures / "overview.svg", wide, metadata={"Date": None})
    both_themes.save(pictures / "overview_narrow.svg", narrow, metadata={"Date": None})


def streams() -> tuple[Bitstream, Bitstream, NDArray[np.uint8]]:
    """Return an input, a weight, and the spikes of a neuron."""
    x = encode(0.75, LENGTH, key=stream_key(3, Role.INPUT))
    w = encode(0.5, LENGTH, key=stream_key(3, Role.WEIGHT))
    network = Network([Dense([[0.5, 0.4, 0.3]], gain=0.35, neuron=LIF(tau_mem=10.0))])
    run = simulate(network, [0.75, 0.6, 0.9], LENGTH, seed=3, record=True)
    return x, w, run.spikes[0][0].bits()


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of so many units, of which a bit of a strip takes 0.1."""
    figure = Figure((width * 2 / 3, height * 2 / 3))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_axis_off()
    return figure, axes


def say(axes: Axes, at: tuple[float, float], text: str, size: float = 9.5, **options: Any) -> None:
    """Write a text."""
    axes.text(*at, text, color=ink(), size=size, **options)


def neuron(axes: Axes, x: float, y: float) -> None:
    """Draw a neuron."""
    axes.add_patch(Circle((x, y), 0.33, fc=axes.get_facecolor(), ec=ink(), lw=1.4))
    say(axes, (x, y), "LIF", size=8.5, ha="center", va="center")


def wide() -> Figure:
    """Return the picture from left to right, in the current style."""
    x, w, spikes = streams()
    product = x & w
    figure, axes = canvas(13.2, 3.75)
    say(axes, (0.15, 3.4), "values are bitstreams", weight="bold")
    say(axes, (4.75, 3.4), "products are AND gates", weight="bold")
    say(axes, (9.15, 3.4), "neurons turn sums into spikes", weight="bold")
    for y, name, stream in ((2.6, "input 0.75", x), (1.5, "weight 0.5", w)):
        say(axes, (0.15, y + 0.3), f"{name}: {int(stream.counts())} ones in {LENGTH} bits")
        strip(axes, 0.15, y, stream.bits(), color(0))
    arrow(axes, (3.4, 2.7), (4.0, 2.27))
    arrow(axes, (3.4, 1.6), (4.0, 2.03))
    and_gate(axes, 4.0, 2.15)
    arrow(axes, (4.57, 2.15), (5.1, 2.15))
    say(axes, (5.15, 2.35), f"product: {int(product.counts())} ones, 0.375 expected")
    strip(axes, 5.15, 2.05, product.bits(), color(0))
    say(axes, (5.15, 1.2), "other inputs and weights", size=8.5)
    arrow(axes, (8.4, 2.15), (8.88, 2.15))
    arrow(axes, (7.9, 1.3), (8.93, 1.9))
    neuron(axes, 9.2, 2.1)
    arrow(axes, (9.53, 2.1), (9.9, 2.1))
    say(axes, (9.9, 2.35), f"{int(spikes.sum())} spikes in {LENGTH} steps")
    strip(axes, 9.95, 2.0, spikes, color(1))
    say(axes, (0.15, 0.35), BELOW)
    return figure


def narrow() -> Figure:
    """Return the picture from top to bottom, in the current style."""
    x, w, spikes = streams()
    product = x & w
    figure, axes = canvas(5.4, 8.6)
    say(axes, (0.15, 8.2), "values are bitstreams", weight="bold")
    for y, name, stream in ((7.3, "input 0.75", x), (6.3, "weight 0.5", w)):
        say(axes, (0.15, y + 0.32), f"{name}: {int(stream.counts())} ones in {LENGTH} bits")
        strip(axes, 0.15, y, stream.bits(), color(0))
    arrow(axes, (3.4, 7.4), (4.0, 6.98))
    arrow(axes, (3.4, 6.4), (4.0, 6.74))
    and_gate(axes, 4.0, 6.86)
    axes.plot([4.5, 4.9, 4.9], [6.86, 6.86, 4.5], color=ink(), lw=1.2, solid_joinstyle="round")
    arrow(axes, (4.9, 4.5), (3.45, 4.5))
    say(axes, (0.15, 5.3), "products are AND gates", weight="bold")
    say(axes, (0.15, 4.72), f"product: {int(product.counts())} ones, 0.375 expected")
    strip(axes, 0.15, 4.4, product.bits(), color(0))
    arrow(axes, (1.2, 4.3), (1.2, 3.05))
    say(axes, (2.0, 3.6), "other inputs and weights", size=8.5)
    arrow(axes, (1.95, 3.6), (1.43, 2.99))
    neuron(axes, 1.2, 2.72)
    axes.plot([1.2, 1.2], [2.39, 2.2], color=ink(), lw=1.2)
    say(axes, (1.75, 2.62), "neurons turn sums into spikes", weight="bold")
    arrow(axes, (1.2, 2.25), (1.2, 1.75))
    strip(axes, 0.15, 1.45, spikes, color(1))
    say(axes, (1.4, 1.85), f"{int(spikes.sum())} spikes in {LENGTH} steps")
    say(axes, (0.15, 0.3), BELOW.replace(": ", ":\n"), linespacing=1.4)
    return figure


if __name__ == "__main__":
    main()
