"""Pictures of spike trains and neurons."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.networks import Simulation
from sc_neurocore.neurons import LIF, interspike_intervals, isi_ms, measured_fi_curve, rheobase
from sc_neurocore.neurons import fi_curve as closed_form
from sc_neurocore.neurons.spike_trains import SpikeTrains, trains
from sc_neurocore.plot._style import axes_of, color, ink, legend_above

__all__ = ["fi_curve", "isi_histogram", "raster", "trace"]


def raster(
    spikes: SpikeTrains | Mapping[str, SpikeTrains],
    ax: Axes | None = None,
    *,
    dt_ms: float | None = None,
) -> Axes:
    """Draw spike trains, one row per neuron.

    Parameters
    ----------
    spikes : array_like of 0 and 1, Bitstream, recorded spikes, or mapping
        Spike trains of shape (T,) or (n_neurons, T). A mapping of names to trains draws layers above
        one another, in colors of their own; of a simulation of one input, the recorded layers.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1, or belong to several inputs, or `dt_ms` is not positive.
    """
    layers, dt = _layers(spikes, dt_ms)
    ax = axes_of(ax)
    first, length = 0, max(bits.shape[1] for bits in layers.values())
    for i, (name, bits) in enumerate(layers.items()):
        rows, steps = np.nonzero(bits)
        height = 0.4 if len(bits) < 60 else 0.5
        ax.vlines(
            steps * dt,
            first + rows - height,
            first + rows + height,
            color=color(i),
            linewidth=1.2 if length <= 300 else 0.7,
        )
        if len(layers) > 1:
            if first:
                ax.axhline(first - 0.5, color=ink(), lw=0.6, alpha=0.5)
            middle = first + (len(bits) - 1) / 2
            ax.annotate(
                name,
                (1.01, middle),
                xycoords=("axes fraction", "data"),
                va="center",
                color=color(i),
                annotation_clip=False,
            )
        first += len(bits)
    ax.set(xlabel="time (ms)", ylabel="neuron", xlim=(-0.5 * dt, (length - 0.5) * dt))
    ax.set_ylim(-0.6, first - 0.4)
    if first <= 12:
        ax.set_yticks(range(first))
    ax.grid(False)
    return ax


def trace(
    potentials: ArrayLike,
    ax: Axes | None = None,
    *,
    neuron: LIF | None = None,
    spikes: SpikeTrains | None = None,
    dt_ms: float | None = None,
) -> Axes:
    """Draw the membrane potential of a neuron in time, with its threshold and its spikes.

    Parameters
    ----------
    potentials : array_like, shape (T,)
        Membrane potential after each time step in volts, such as a row of `Recording.potentials`.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.
    neuron : LIF, optional
        Draw its threshold as a dashed line, and its resting potential as a dotted one.
    spikes : array_like of 0 and 1, shape (T,), Bitstream, or recorded spikes, optional
        Spike train, drawn as ticks above the trace.
    dt_ms : float, optional
        Duration of a time step in ms. By default that of the neuron, otherwise as in `spike_times`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If potentials are not finite numbers, or the train has another length.
    """
    v = _checks.array("potentials", potentials, [1])
    if neuron is not None:
        _checks.instance("neuron", neuron, LIF)
        dt_ms = neuron.dt if dt_ms is None else dt_ms
    bits, dt = (np.zeros(v.size, np.uint8), 1.0) if spikes is None else trains(spikes, dt_ms)
    dt = dt if dt_ms is None else _checks.positive("dt_ms", dt_ms)
    if bits.reshape(-1).shape != v.shape:
        _checks.fail("spikes", f"have {v.size} time steps, as potentials has", bits.shape)
    ax = axes_of(ax, height=2.8)
    ax.plot(np.arange(v.size) * dt, v, color=color(0), lw=1.2)
    low, high = min(v.min(initial=0.0), 0.0), v.max(initial=0.0)
    if neuron is not None and np.isfinite(neuron.v_threshold):
        low, high = min(low, neuron.v_rest, neuron.v_reset), max(high, neuron.v_threshold)
        ax.axhline(neuron.v_threshold, color=color(1), ls="--", lw=1, label="threshold")
        ax.axhline(neuron.v_rest, color=ink(), ls=":", lw=1, label="rest")
    span = high - low or 1.0
    at = np.flatnonzero(bits) * dt
    if at.size:
        ax.vlines(at, high + 0.05 * span, high + 0.2 * span, color=color(1), lw=1.2, label="spikes")
    ax.set(xlabel="time (ms)", ylabel="potential (V)", xlim=(0, max(v.size - 1, 1) * dt))
    ax.set_ylim(low - 0.05 * span, high + (0.25 if at.size else 0.1) * span)
    if ax.get_legend_handles_labels()[0]:
        legend_above(ax)
    return ax


def isi_histogram(
    spikes: SpikeTrains,
    ax: Axes | None = None,
    *,
    neuron: LIF | None = None,
    current: float | None = None,
    dt_ms: float | None = None,
) -> Axes:
    """Draw the distribution of interspike intervals beside the law of independent spikes.

    The curve is the geometric distribution of spikes that are independent from step to step, with the
    same mean interval. A neuron with a leak and a threshold is more regular.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (T,), Bitstream, or recorded spikes
        Spike train, with at least two spikes.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.
    neuron : LIF, optional
        Neuron of the train, to mark the interval `isi_ms` without noise.
    current : float, optional
        Mean input current of the neuron; required with `neuron`.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1, there are fewer than two, or only one of `neuron` and `current` is
        given.
    """
    if (neuron is None) != (current is None):
        _checks.fail("current", "be given exactly if neuron is", current)
    bits, dt = trains(spikes, dt_ms)
    steps = np.rint(interspike_intervals(bits.reshape(-1) if bits.size == bits.shape[-1] else bits))
    if steps.size == 0:
        _checks.fail("spikes", "have at least two spikes", int(bits.sum()))
    ax = axes_of(ax)
    width = max(int(np.ceil(steps.max() / 40)), 1)
    edges = np.arange(0.5, steps.max() + width + 0.5, width)
    shares = np.histogram(steps, edges)[0] / steps.size
    label = f"measured, {steps.size:,} intervals"
    ax.bar(
        edges[:-1] * dt, 100 * shares, width * dt, align="edge", color=color(0), alpha=0.8, label=label
    )
    p = 1 / steps.mean()
    survival = (1 - p) ** (edges - 0.5)
    middles = (edges[:-1] + edges[1:]) / 2 * dt
    ax.plot(middles, -100 * np.diff(survival), color=color(1), marker=".", label="independent spikes")
    if neuron is not None and current is not None:
        expected = isi_ms(neuron, current)
        if np.isfinite(expected):
            ax.axvline(expected, color=ink(), ls="--", lw=1, label="without noise")
    ax.set(xlabel="interspike interval (ms)", ylabel="share (%)", xlim=(0, edges[-1] * dt))
    ax.legend()
    return ax


def fi_curve(
    neuron: LIF,
    currents: ArrayLike,
    ax: Axes | None = None,
    *,
    steps: int = 10_000,
    seed: int | None = 0,
) -> Axes:
    """Draw the firing rate of a neuron against its input current: in closed form, and measured.

    Parameters
    ----------
    neuron : LIF
        Parameters of the neuron. Its noise shows in the measured points only.
    currents : array_like, shape (n,)
        Constant input currents.
    ax : matplotlib.axes.Axes, optional
        By default those of a new figure.
    steps : int
        Time steps of a measurement.
    seed : int, optional
        Seed of the noise.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        As in `fi_curve` and `measured_fi_curve` of `sc_neurocore.neurons`.
    """
    given = _checks.array("currents", currents, [1])
    measured = measured_fi_curve(neuron, given, steps, seed=seed)
    fine = np.linspace(given.min(), given.max(), 400) if given.size else given
    ax = axes_of(ax)
    ax.plot(fine, closed_form(neuron, fine), color=color(0), label="closed form, without noise")
    what = "measured" if not neuron.noise_std else f"measured, noise_std = {neuron.noise_std:g} V"
    ax.plot(given, measured, "o", color=color(1), mfc="none", label=what)
    start = rheobase(neuron)
    if given.size and given.min() <= start <= given.max():
        ax.axvline(start, color=ink(), ls=":", lw=1, label=f"rheobase {start:.3g}")
    ax.set(xlabel="input current", ylabel="firing rate (Hz)")
    ax.set_ylim(bottom=0)
    ax.legend()
    return ax


def _layers(
    spikes: SpikeTrains | Mapping[str, SpikeTrains], dt_ms: float | None
) -> tuple[dict[str, NDArray[np.uint8]], float]:
    """Return the trains of each layer by name, shape (n_neurons, T), and the time step."""
    if isinstance(spikes, Simulation) and spikes.recording and spikes.recording.spikes:
        dt_ms = spikes.dt_ms if dt_ms is None else dt_ms
        named = {f"layer {i}": bits for i, bits in spikes.recording.spikes.items()}
        return _layers(named, dt_ms)
    given = spikes if isinstance(spikes, Mapping) else {"": spikes}
    if not given:
        _checks.fail("spikes", "hold at least one layer", "none")
    layers, steps = {}, []
    for name, train in given.items():
        bits, dt = trains(train, dt_ms)
        if bits.size != np.prod(bits.shape[-2:]):
            remedy = "select one, such as spikes[0]"
            _checks.fail("spikes", "belong to one input", f"shape {bits.shape}", remedy)
        layers[name] = bits.reshape(-1, bits.shape[-1])
        steps.append(dt)
    if len(set(steps)) > 1:
        _checks.fail("spikes", "have one time step in all layers", f"{steps} ms")
    return layers, steps[0]
