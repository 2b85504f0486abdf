"""Plots of spikes and accuracies with Matplotlib (requires the extra `plot`).

Every function draws into given axes, or a given figure, and returns None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.evidence.evaluation import Accuracy
from sc_neurocore.neurons import (
    spike_times,
)

__all__ = ["accuracy", "classified", "raster"]


def raster(axes: Axes, spikes: ArrayLike, dt_ms: float = 1.0) -> None:
    """Draw spike trains, one row per neuron.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    spikes : array_like of 0 and 1, shape (T,) or (n_neurons, T)
    dt_ms : float
        Time step in milliseconds, greater than 0.

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1, or `dt_ms` is not a positive number.
    """
    trains = np.atleast_2d(_checks.bit_array("spikes", spikes))
    axes.eventplot([spike_times(t, dt_ms) for t in trains], linelengths=0.8, linewidths=1.0)
    axes.set(xlabel="time (ms)", ylabel="neuron", xlim=(0, trains.shape[1] * dt_ms))
    axes.set_yticks(range(len(trains)))


def accuracy(axes: Axes, curves: Mapping[str, Sequence[Accuracy]]) -> None:
    """Draw accuracy against stream length, with the standard deviation over seeds as error bars.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    curves : mapping of str to sequence of Accuracy
        One curve per name. The dashed line is the accuracy on real numbers, from the first curve.
    """
    for name, rows in curves.items():
        lengths = [row.length for row in rows]
        means = np.array([row.mean for row in rows])
        deviations = np.nan_to_num([row.std for row in rows])
        axes.errorbar(lengths, 100 * means, 100 * deviations, marker="o", capsize=3, label=name)
    rows = next(iter(curves.values()))
    lengths = [row.length for row in rows]
    axes.plot(lengths, [100 * row.of_float for row in rows], "k--", label="float, same steps")
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.set(xlabel="stream length (time steps)", ylabel="accuracy (%)")
    axes.grid(alpha=0.3)
    axes.legend()


def classified(
    figure: Figure, images: NDArray[np.float64], labels: ArrayLike, classes: ArrayLike
) -> None:
    """Draw images with their classes as titles, in red where the class is wrong.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    images : ndarray of float64, shape (n, side * side)
        Square images with values in [0, 1].
    labels, classes : array_like of int, shape (n,)
        Correct classes, and classes to show.
    """
    side = round(images.shape[1] ** 0.5)
    columns = int(np.ceil(np.sqrt(2 * len(images))))
    grid = figure.subplots(-(-len(images) // columns), columns, squeeze=False)
    pairs = zip(images, np.asarray(labels), np.asarray(classes), strict=True)
    for axes in grid.flat:
        axes.axis("off")
    for axes, (image, label, guess) in zip(grid.flat, pairs, strict=False):
        axes.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        right = label == guess
        title = str(guess) if right else f"{guess}, is {label}"
        axes.set_title(title, color="black" if right else "red", fontsize=9)
