"""Pictures of networks and their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.evidence import Accuracy, LayerBudget
from sc_neurocore.networks import Conv2d, Network
from sc_neurocore.networks.network import check_network
from sc_neurocore.plot._style import axes_of, color, ink, legend_above, log_lengths, on_color, paper

__all__ = ["accuracy", "classified", "confusion", "network", "noise_budget"]

_MARKERS = "osv^D<P"


def accuracy(
    curves: Sequence[Accuracy] | Mapping[str, Sequence[Accuracy]], ax: Axes | None = None
) -> Axes:
    """Draw accuracy against stream length, with the standard deviation over seeds as error bars.

    Other images would give other means: `Accuracy.interval` is the confidence for them, which is often
    wider.

    Parameters
    ----------
    curves : sequence of Accuracy, or mapping of str to sequence of Accuracy
        Result of `evaluate`, or several by name. The dashed line is the accuracy on real numbers, from
        the first curve.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If there are no curves, or a curve holds something else than Accuracy.
    """
    given = curves if isinstance(curves, Mapping) else {"bitstreams": curves}
    if not given or not all(len(rows) for rows in given.values()):
        _checks.fail("curves", "hold at least one Accuracy per curve", given)
    for name, rows in given.items():
        for row in rows:
            _checks.instance(f"curves[{name!r}]", row, Accuracy, "pass results of evaluate")
    ax = axes_of(ax)
    middle = (len(given) - 1) / 2
    for i, (name, rows) in enumerate(given.items()):
        shift = 2 ** (0.05 * (i - middle))  # so that error bars stand side by side
        means = np.array([row.mean for row in rows])
        deviations = np.nan_to_num([row.std for row in rows])
        ax.errorbar(
            [row.length * shift for row in rows],
            100 * means,
            100 * deviations,
            marker=_MARKERS[i % len(_MARKERS)],
            color=color(i),
            elinewidth=1,
            label=name,
        )
    rows = next(iter(given.values()))
    lengths = [row.length for row in rows]
    of_float = [100 * row.of_float for row in rows]
    ax.plot(lengths, of_float, color=ink(), ls="--", lw=1, label="real numbers, same steps")
    log_lengths(ax, lengths)
    ax.set_ylabel("accuracy (%) ± deviation over seeds")
    ax.legend(loc="lower right")
    return ax


def noise_budget(budgets: Sequence[LayerBudget], ax: Axes | None = None) -> Axes:
    """Draw the noise budget of a network: what each layer loses, in percent.

    Parameters
    ----------
    budgets : sequence of LayerBudget
        Result of `noise_budget`.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The sampling error is in percent of the signal, the others are shares.

    Raises
    ------
    TypeError, ValueError
        If there are no budgets, or one is not a LayerBudget.
    """
    if not len(budgets):
        _checks.fail("budgets", "hold at least one LayerBudget", budgets)
    for row in budgets:
        _checks.instance("budgets", row, LayerBudget, "pass the result of noise_budget")
    ax = axes_of(ax, height=1.6 + 0.35 * len(budgets))
    quantities = {
        "sampling error / signal": [_share(b.standard_error, b.current_std) for b in budgets],
        "currents above rheobase": [b.above_rheobase for b in budgets],
        "saturated trains": [b.saturated for b in budgets],
        "silent trains": [b.silent for b in budgets],
        "clipped weights": [b.clipped for b in budgets],
    }
    height = 0.8 / len(budgets)
    places = np.arange(len(quantities))
    for i in range(len(budgets)):
        values = 100 * np.array([values[i] for values in quantities.values()])
        at = places + (i - (len(budgets) - 1) / 2) * height
        bars = ax.barh(at, np.nan_to_num(values), height * 0.9, color=color(i), label=f"layer {i}")
        texts = [f"{value:.1f} %" if np.isfinite(value) else "no signal" for value in values]
        ax.bar_label(bars, texts, padding=3, fontsize=7.5)
    ax.set_yticks(places, list(quantities))
    ax.invert_yaxis()
    ax.set_xlim(0, 1.15 * max(ax.get_xlim()[1], 1.0))
    ax.set_xlabel("percent")
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    legend_above(ax)
    return ax


def network(network: Network, ax: Axes | None = None) -> Axes:
    """Draw the layers of a network and their connections.

    Feedback is drawn below the layers with dashed lines, connections that skip layers above them. A
    loop at a layer stands for its recurrent weights.

    Parameters
    ----------
    network : Network
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        If `network` is not a Network.
    """
    check_network(network)
    ax = axes_of(ax, 1.6 * len(network) + 2.0, 1.7)
    half = 0.62
    places = {-1: 0.0, **{i: 2.0 * (i + 1) for i in range(len(network))}}
    _box(ax, places[-1], half, "input", f"{network.n_in}", ink())
    top, bottom = 0.6, -0.6
    for i, layer in enumerate(network):
        kind = type(layer).__name__
        size = f"{layer.n_out}"
        if isinstance(layer, Conv2d):
            size = "x".join(map(str, (len(layer.weights), *layer.output_size)))
        _box(ax, places[i], half, f"{i}: {kind}", size, color(0 if kind == "Dense" else 2))
        if getattr(layer, "recurrent", None) is not None:
            _arrow(ax, (places[i] + 0.3, -0.5), (places[i] - 0.3, -0.5), -1.2, "--")
            bottom = min(bottom, -1.0)
    for i, own in enumerate(network.connections):
        for source in own:
            origin = -1 if isinstance(source, slice) else source
            start, end = places[origin], places[i]
            if origin == i - 1:
                _arrow(ax, (start + half, 0.0), (end - half, 0.0), 0.0, "-")
            elif origin < i:
                _arrow(ax, (start, 0.5), (end, 0.5), -0.9 / (end - start), "-")
                top = max(top, 1.05)
            else:
                span = max(start - end, 1.0)
                _arrow(ax, (start + 0.15, -0.5), (end - 0.15, -0.5), -0.9 / span, "--")
                bottom = min(bottom, -1.1)
    for i in network.outputs:
        _arrow(ax, (places[i] + half, 0.32), (places[i] + half + 0.4, 0.32), 0.0, "-")
        ax.text(places[i] + half + 0.45, 0.32, "output", va="center", fontsize=8)
    ax.set_xlim(-half - 0.1, places[len(network) - 1] + half + 1.2)
    ax.set_ylim(bottom, top)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def confusion(labels: ArrayLike, classes: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw how often inputs of each class are classified as which.

    Parameters
    ----------
    labels, classes : array_like of int, shape (n,)
        Correct classes, and classes that were found, such as `Simulation.classes`.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Cells hold counts; their color is the share of the row.

    Raises
    ------
    TypeError, ValueError
        If the arrays do not hold integers of 0 or more, or have not the same shape (n,).
    """
    right, found = (_classes(name, v) for name, v in (("labels", labels), ("classes", classes)))
    if right.shape != found.shape:
        _checks.fail("classes", f"have the shape of labels, {right.shape}", found.shape)
    n = int(max(right.max(initial=0), found.max(initial=0))) + 1
    counts = np.bincount(right * n + found, minlength=n * n).reshape(n, n)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax = axes_of(ax, 4.6, 4.0)
    cmap = colormaps["Blues"]
    image = ax.imshow(shares, cmap=cmap, vmin=0, vmax=1)
    bar = ax.figure.colorbar(image, ax=ax, label="share of the class")
    bar.outline.set_visible(False)
    if n <= 20:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                shade = on_color(float(shares[i, j]), 0, 1, cmap)
                ax.text(j, i, str(count), ha="center", va="center", fontsize=7.5, color=shade)
        ax.set_xticks(range(n))
        ax.set_yticks(range(n))
    ax.set(xlabel="classified as", ylabel="correct class")
    ax.set_title(f"{np.mean(right == found):.1%} of {right.size:,} correct" if right.size else "")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def classified(
    images: ArrayLike, labels: ArrayLike, classes: ArrayLike, ax: Axes | None = None
) -> Axes:
    """Draw images with their classes below them, and mark those that are wrong.

    Parameters
    ----------
    images : array_like, shape (n, side * side)
        Square images with values in [0, 1].
    labels, classes : array_like of int, shape (n,)
        Correct classes, and classes that were found.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If the images are not square, or the arrays have not one entry per image.
    """
    pixels = _checks.array("images", images, [2])
    side = round(pixels.shape[1] ** 0.5)
    if side * side != pixels.shape[1] or not len(pixels):
        _checks.fail("images", "have the shape (n, side * side), n at least 1", pixels.shape)
    right, found = (_classes(name, v) for name, v in (("labels", labels), ("classes", classes)))
    for name, values in (("labels", right), ("classes", found)):
        if values.shape != (len(pixels),):
            _checks.fail(name, f"have one entry for each of the {len(pixels)} images", values.shape)
    columns = int(np.ceil(np.sqrt(2 * len(pixels))))
    rows = -(-len(pixels) // columns)
    ax = axes_of(ax, 0.9 * columns, 1.1 * rows)
    for k, image in enumerate(pixels):
        x, y = k % columns, 1.28 * (k // columns)
        tile = image.reshape(side, side)
        ax.imshow(tile, cmap="gray_r", vmin=0, vmax=1, extent=(x + 0.05, x + 0.95, y + 0.95, y + 0.05))
        good = right[k] == found[k]
        ax.text(
            x + 0.5,
            y + 0.99,
            str(found[k]) if good else f"{found[k]}, is {right[k]}",
            ha="center",
            va="top",
            fontsize=8,
            color=ink() if good else color(1),
            weight="normal" if good else "bold",
        )
        if not good:
            ax.add_patch(
                FancyBboxPatch(
                    (x + 0.05, y + 0.05), 0.9, 0.9, "square,pad=0", fill=False, ec=color(1), lw=1.5
                )
            )
    ax.set_xlim(0, columns)
    ax.set_ylim(1.28 * rows, 0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _classes(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Return classes as int64, shape (n,)."""
    numbers = _checks.counting(name, values).astype(np.int64)
    if numbers.ndim != 1:
        _checks.fail(name, "have one axis", f"shape {numbers.shape}")
    return numbers


def _box(ax: Axes, x: float, half: float, title: str, text: str, shade: str) -> None:
    """Draw a rounded box with two lines of text around (x, 0)."""
    box = FancyBboxPatch(
        (x - half, -0.5),
        2 * half,
        1.0,
        "round,pad=0,rounding_size=0.12",
        fc=paper(ax),
        ec=shade,
        lw=1.5,
    )
    ax.add_patch(box)
    ax.text(x, 0.17, title, ha="center", va="center", fontsize=9, color=shade, weight="bold")
    ax.text(x, -0.2, text, ha="center", va="center", fontsize=9)


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], bend: float, style: str
) -> None:
    """Draw an arrow; its arc is `bend` times its length high, half above the straight line."""
    arrow = FancyArrowPatch(
        start,
        end,
        connectionstyle=f"arc3,rad={bend}",
        arrowstyle="-|>",
        mutation_scale=9,
        color=ink(),
        ls=style,
        lw=1.1,
        shrinkA=0,
        shrinkB=0,
    )
    ax.add_patch(arrow)
