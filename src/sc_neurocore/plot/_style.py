"""The style of pictures, and axes to draw into."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.rcsetup import cycler

from sc_neurocore import _checks

__all__ = ["style"]

# M. Okabe, K. Ito, "Color Universal Design" (2008): distinct for all kinds of color vision. Those of
# the dark theme are the lighter ones, in the same order of hues.
_CYCLES = {
    "light": ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F"],
    "dark": ["#56B4E9", "#F28E4B", "#2FC59B", "#E3A3C5", "#F0E442", "#5C9BE0", "#AAAAAA"],
}
_PAPER = {"light": "#FFFFFF", "dark": "#14181E"}
_INK = {"light": "#1F2329", "dark": "#E6E8EB"}
_GRID = {"light": "#D9DCE0", "dark": "#343A43"}


def style(theme: Literal["light", "dark"] = "light") -> AbstractContextManager[None]:
    """Return a context in which Matplotlib draws in the style of this package.

    Its colors are distinct for all kinds of color vision, and the lines readable in print.

    Parameters
    ----------
    theme : {"light", "dark"}
        Dark ink on white paper, or light ink on dark paper.

    Returns
    -------
    context manager
        Within its block, new figures and axes have the style; afterwards the old settings are back.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, plot
    >>> with plot.style("dark"):
    ...     axes = plot.raster([[0, 1, 0, 1], [1, 0, 0, 1]])
    >>> axes.get_xlabel()
    'time (ms)'
    >>> from matplotlib import pyplot
    >>> pyplot.close("all")
    """
    name = _checks.choice("theme", theme, tuple(_CYCLES))
    return mpl.rc_context(_settings(name))


def _settings(theme: str) -> dict[Any, Any]:
    ink, paper, grid = _INK[theme], _PAPER[theme], _GRID[theme]
    return {
        "axes.axisbelow": True,
        "axes.edgecolor": ink,
        "axes.facecolor": paper,
        "axes.grid": True,
        "axes.labelcolor": ink,
        "axes.labelsize": 9,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=_CYCLES[theme]),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "errorbar.capsize": 2.5,
        "figure.facecolor": paper,
        "figure.titlesize": 11,
        "figure.titleweight": "bold",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "grid.color": grid,
        "grid.linewidth": 0.6,
        "image.cmap": "cividis",
        "legend.fontsize": 8,
        "legend.frameon": False,
        "lines.linewidth": 1.5,
        "lines.markersize": 4.5,
        "pdf.fonttype": 42,
        "savefig.facecolor": paper,
        "svg.fonttype": "none",
        "text.color": ink,
        "xtick.color": ink,
        "xtick.labelsize": 8,
        "ytick.color": ink,
        "ytick.labelsize": 8,
    }


def axes_of(ax: Axes | None, width: float = 6.0, height: float = 3.6) -> Axes:
    """Return the given axes, or those of a new figure of so many inches."""
    if ax is None:
        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    _checks.instance("ax", ax, Axes, "pass one of matplotlib's Axes, or None for a new figure")
    return ax


def color(i: int) -> str:
    """Return color i of the cycle, as it is now: Matplotlib looks up "C0" only when it draws."""
    cycle = mpl.rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    return to_hex(cycle[i % len(cycle)])


def legend_above(ax: Axes) -> None:
    """Put the legend above the axes, where it hides nothing."""
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)


def ink() -> str:
    """Return the color of text, for lines that belong to no curve."""
    return str(mpl.rcParams["text.color"])


def paper(ax: Axes) -> Any:
    """Return the color of the background."""
    return ax.get_facecolor()


def paper_to_ink(ax: Axes) -> ListedColormap:
    """Return a map of two colors: 0 is the background, 1 the ink."""
    return ListedColormap([paper(ax), ink()])


def log_lengths(ax: Axes, lengths: list[int]) -> None:
    """Set up a logarithmic axis of stream lengths, with ticks at the powers of two among them."""
    powers = [n for n in lengths if n & (n - 1) == 0]
    ticks = sorted(set(powers if len(powers) > 1 else lengths))
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.minorticks_off()
    ax.set_xlabel("stream length (time steps)")


def on_color(value: float, low: float, high: float, cmap: Any) -> str:
    """Return black or white, whichever is readable on the color of a value."""
    red, green, blue, _ = cmap((value - low) / (high - low))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "#FFFFFF"
