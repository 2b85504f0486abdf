"""Pictures of bitstreams, their errors and their correlation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore import streams as sources_of
from sc_neurocore.evidence import encode_error, product_error
from sc_neurocore.evidence._sources import SourceByLength, source_at
from sc_neurocore.plot._style import axes_of, color, ink, log_lengths, on_color, paper_to_ink
from sc_neurocore.streams import Bernoulli, Bitstream, Hammersley, Role, encode, stream_key
from sc_neurocore.streams.source import Sources

__all__ = ["bitstream", "error_by_length", "scc_matrix"]

_MARKERS = "osv^D<P"


def bitstream(
    streams: Bitstream | ArrayLike, ax: Axes | None = None, *, p: ArrayLike | None = None
) -> Axes:
    """Draw the bits of streams as strips, and below them their running estimates of the density.

    Parameters
    ----------
    streams : Bitstream or array_like of 0 and 1
        Of batch shape () or (n,), with n at most 7; the last axis of an array is time.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.
    p : float or array_like, shape (n,), optional
        Encoded probabilities. The dashed line is p; the band is one standard error of independent bits,
        ``p +- sqrt(p * (1 - p) / t)`` after t steps.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If `streams` are not bits of such a batch shape, or p is not in [0, 1].
    """
    if not isinstance(streams, Bitstream):
        streams = Bitstream.from_bits(streams)
    if len(streams.shape) > 1 or not 0 < len(bits := np.atleast_2d(streams.bits())) <= 7:
        _checks.fail("streams", "have the batch shape () or (n,) with n from 1 to 7", streams.shape)
    exact = None
    if p is not None:
        exact = np.atleast_1d(_checks.array("p", p, [0, 1]))
        _checks.within("p", exact, 0.0, 1.0)
        exact, _ = _checks.broadcast("streams", exact, "p", np.zeros(len(bits)))
    ax = axes_of(ax)
    t = np.arange(1, streams.length + 1)
    height, gap = 0.13, 0.03
    for i, row in enumerate(bits):
        own = color(i)
        bottom = 1.06 + (len(bits) - 1 - i) * (height + gap)
        extent = (0.5, streams.length + 0.5, bottom, bottom + height)
        ax.imshow(
            row[np.newaxis], aspect="auto", cmap=paper_to_ink(ax), vmin=0, vmax=1, extent=extent,
            interpolation="nearest",
        )  # fmt: skip
        ax.plot([0.5, streams.length + 0.5], [bottom - gap / 3] * 2, color=own, lw=1.5)
        if exact is not None:
            value = float(exact[i])
            error = np.sqrt(value * (1 - value) / t)
            ax.fill_between(t, value - error, value + error, color=own, alpha=0.15, lw=0)
            ax.axhline(value, color=own, ls="--", lw=1)
        ax.plot(t, np.cumsum(row) / t, color=own, drawstyle="steps-mid")
    ax.set_xlim(0.5, streams.length + 0.5)
    ax.set_ylim(-0.02, 1.08 + len(bits) * (height + gap))
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.set(xlabel="time step", ylabel="running estimate")
    return ax


def error_by_length(
    p: ArrayLike,
    lengths: Sequence[int],
    ax: Axes | None = None,
    *,
    q: ArrayLike | None = None,
    sources: Mapping[str, SourceByLength] | None = None,
    seeds: Sequence[int] = range(64),
) -> Axes:
    """Draw the error of densities or of products against the stream length: measured, and by the law.

    Points are root mean squares over the values and the seeds. Lines are the standard errors of
    `encode_error` or `product_error`.

    Parameters
    ----------
    p : float or array_like
        Encoded probabilities.
    lengths : sequence of int
        Stream lengths in time steps.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.
    q : float or array_like, optional
        Second operands: draw the error of the products, the AND of the two streams.
    sources : mapping of str to Source, tuple of Source, or function of the length, optional
        Sources by name. By default `Bernoulli` and `Hammersley.for_length`.
    seeds : sequence of int
        Seeds of the measurements.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    first = np.atleast_1d(_checks.array("p", p, range(33)))
    second = None
    if q is not None:
        second = np.atleast_1d(_checks.array("q", q, range(33)))
        first, second = _checks.broadcast("q", first, "p", second)
    steps = [_checks.length_of_stream("lengths", n) for n in lengths]
    if not steps:
        _checks.fail("lengths", "hold at least one length", "none")
    if sources is None:
        sources = {"Bernoulli": Bernoulli(), "Hammersley": Hammersley.for_length}
    if not len(seeds):
        _checks.fail("seeds", "hold at least one seed", "none")
    ax = axes_of(ax)
    for i, (name, source) in enumerate(sources.items()):
        laws, measured = [], []
        for n in steps:
            own = source_at(source, n)
            if second is None:
                single = own if isinstance(own, sources_of.Source) else own[0]
                law = encode_error(first, n, source=single)
                streams = [
                    encode(first, n, key=stream_key(s, Role.INPUT), source=single) for s in seeds
                ]
                exact = first
            else:
                law = product_error(first, second, n, source=own)
                streams = [_product(first, second, n, s, own) for s in seeds]
                exact = first * second
            laws.append(np.sqrt(np.mean(np.square(law))))
            errors = [stream.probability() - exact for stream in streams]
            measured.append(np.sqrt(np.mean(np.square(errors))))
        ax.plot(steps, laws, color=color(i), lw=1)
        ax.plot(steps, measured, _MARKERS[i % len(_MARKERS)], color=color(i), label=name)
    ax.plot([], [], color=ink(), lw=1, label="standard error, by law")
    log_lengths(ax, steps)
    ax.set_yscale("log")
    ax.set_ylabel("root mean square error")
    ax.legend()
    return ax


def scc_matrix(
    streams: Bitstream, ax: Axes | None = None, *, names: Sequence[str] | None = None
) -> Axes:
    """Draw the stochastic computing correlation (SCC) of all pairs of streams.

    Parameters
    ----------
    streams : Bitstream
        Of batch shape (n,).
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.
    names : sequence of str, optional
        Names of the streams, by default their indices.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        As in `sc_neurocore.streams.scc_matrix`, or if there are not as many names as streams.
    """
    matrix = sources_of.scc_matrix(streams)
    n = len(matrix)
    labels = [str(i) for i in range(n)] if names is None else [str(name) for name in names]
    if len(labels) != n:
        _checks.fail("names", f"hold one name for each of the {n} streams", len(labels))
    ax = axes_of(ax, 4.6, 3.8)
    cmap = colormaps["RdBu_r"].with_extremes(bad="#9A9A9A")
    image = ax.imshow(np.ma.masked_invalid(matrix), cmap=cmap, vmin=-1, vmax=1)
    bar = ax.figure.colorbar(image, ax=ax, label="SCC", ticks=[-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)
    if n <= 10:
        for (i, j), value in np.ndenumerate(matrix):
            known = np.isfinite(value)
            text = f"{value:+.2f}" if known else "constant"
            shade = on_color(float(value), -1, 1, cmap) if known else "#000000"
            ax.text(j, i, text, ha="center", va="center", fontsize=8 if known else 6, color=shade)
    if n <= 40:
        ax.set_xticks(range(n), labels)
        ax.set_yticks(range(n), labels)
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _product(
    p: NDArray[np.float64], q: NDArray[np.float64], length: int, seed: int, source: Sources
) -> Bitstream:
    """Return the product of two streams of each pair of values."""
    x, w = sources_of.encode_pair(p, q, length, key=stream_key(seed, Role.INPUT), source=source)
    return x & w
