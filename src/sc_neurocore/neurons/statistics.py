"""Statistics of many spike trains: rates in time, variability of intervals and counts, correlation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.neurons.spike_trains import SpikeTrains, trains

__all__ = [
    "binned_rate_hz",
    "cross_correlogram",
    "fano_factor",
    "isi_cv",
    "isi_cv2",
    "isi_lv",
    "psth",
    "smoothed_rate_hz",
    "spike_correlation",
    "synchrony",
]


def binned_rate_hz(
    spikes: SpikeTrains, bin_ms: float, dt_ms: float | None = None
) -> NDArray[np.float64]:
    """Return firing rates in successive bins of time.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.
    bin_ms : float
        Width of a bin in ms, a multiple of the time step and at most the duration of the trains.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    ndarray of float64, shape (..., n_bins)
        Rates in Hz. Time steps after the last complete bin are not used.

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1, or `bin_ms` is not a multiple of the time step.

    Examples
    --------
    >>> from sc_neurocore.neurons import binned_rate_hz
    >>> binned_rate_hz([1, 1, 0, 0, 0, 1], bin_ms=2.0)
    array([1000.,    0.,  500.])
    """
    bits, dt = trains(spikes, dt_ms)
    steps = _steps_of("bin_ms", bin_ms, bits, dt)
    return np.asarray(_counts(bits, steps) * (1000.0 / (steps * dt)))


def smoothed_rate_hz(
    spikes: SpikeTrains, sigma_ms: float, dt_ms: float | None = None
) -> NDArray[np.float64]:
    """Return firing rates smoothed in time by a Gaussian kernel.

    With spikes s(u) and the kernel ``K(u) = exp(-(u * dt / sigma)**2 / 2)``, cut off at 5 sigma::

        rate(t) = sum_u K(t - u) s(u) / (dt * sum_u K(t - u))

    Both sums are over the time steps of the train, so that rates do not fall towards its ends.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.
    sigma_ms : float
        Standard deviation of the kernel in ms, greater than 0.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    ndarray of float64, shape (..., T)
        Rates in Hz at every time step.

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1, or `sigma_ms` is not greater than 0.

    Examples
    --------
    >>> from sc_neurocore.neurons import smoothed_rate_hz
    >>> smoothed_rate_hz([1] * 5, sigma_ms=2.0)
    array([1000., 1000., 1000., 1000., 1000.])
    """
    bits, dt = trains(spikes, dt_ms)
    sigma = _checks.positive("sigma_ms", sigma_ms) / dt
    n = bits.shape[-1]
    if n == 0:
        return np.zeros(bits.shape)
    reach = int(min(math.ceil(5 * sigma), n))
    with np.errstate(over="ignore"):
        kernel = np.exp(-np.square(np.arange(-reach, reach + 1) / sigma) / 2)
    near = _convolved(np.ones(n), kernel)
    return np.asarray(np.maximum(_convolved(bits, kernel), 0.0) / near * (1000.0 / dt))


def psth(spikes: SpikeTrains, bin_ms: float, dt_ms: float | None = None) -> NDArray[np.float64]:
    """Return the peristimulus time histogram: rates in bins of time, averaged over trials.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., n_trials, T), Bitstream, or recorded spikes
        Spike trains. The trials are the second to last axis.
    bin_ms : float
        Width of a bin in ms, as in `binned_rate_hz`.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    ndarray of float64, shape (..., n_bins)
        Mean rates in Hz.

    Raises
    ------
    TypeError, ValueError
        As in `binned_rate_hz`; also if there are no trials.

    Examples
    --------
    >>> from sc_neurocore.neurons import psth
    >>> psth([[1, 0, 0, 0], [1, 1, 0, 1]], bin_ms=2.0)
    array([750., 250.])
    """
    bits, dt = trains(spikes, dt_ms)
    _check_several(bits, "trial")
    return np.asarray(binned_rate_hz(bits, bin_ms, dt).mean(axis=-2))


def isi_cv(spikes: SpikeTrains) -> NDArray[np.float64]:
    """Return the coefficient of variation of the interspike intervals of each train.

    Standard deviation divided by mean: 0 for a regular train, ``sqrt(1 - p)`` for independent bits of
    density p, 1 for a Poisson process.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN for trains with fewer than two intervals.

    Examples
    --------
    >>> from sc_neurocore.neurons import isi_cv
    >>> isi_cv([1, 0, 0, 1, 1, 0, 0, 1])
    array(0.40406102)
    """
    bits, _ = trains(spikes)
    intervals, rows = _intervals(bits)
    mean = _means(intervals, rows, bits)
    variance = _means(np.square(intervals - mean.ravel()[rows]), rows, bits)
    return np.asarray(np.where(_several(rows, bits), np.sqrt(variance) / mean, np.nan))


def isi_cv2(spikes: SpikeTrains) -> NDArray[np.float64]:
    """Return the local variation CV2 of the interspike intervals of each train.

    Mean over successive intervals, with which slow changes of the rate count little::

        2 * |I[k+1] - I[k]| / (I[k+1] + I[k])

    (G. R. Holt et al., Journal of Neurophysiology 75, 1996). It is 1 for a Poisson process.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN for trains with fewer than two intervals.

    Examples
    --------
    >>> from sc_neurocore.neurons import isi_cv2
    >>> isi_cv2([1, 0, 0, 1, 1, 0, 0, 1])
    array(1.)
    """
    bits, _ = trains(spikes)
    ratio, rows = _contrast(bits)
    return _means(2 * np.abs(ratio), rows, bits)


def isi_lv(spikes: SpikeTrains) -> NDArray[np.float64]:
    """Return the local variation LV of the interspike intervals of each train.

    Mean over successive intervals::

        3 * ((I[k+1] - I[k]) / (I[k+1] + I[k]))**2

    (S. Shinomoto, K. Shima, J. Tanji, Neural Computation 15, 2003). It is 1 for a Poisson process.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN for trains with fewer than two intervals.

    Examples
    --------
    >>> from sc_neurocore.neurons import isi_lv
    >>> isi_lv([1, 0, 0, 1, 1, 0, 0, 1])
    array(0.75)
    """
    bits, _ = trains(spikes)
    ratio, rows = _contrast(bits)
    return _means(3 * np.square(ratio), rows, bits)


def fano_factor(
    spikes: SpikeTrains, window_ms: float | None = None, dt_ms: float | None = None
) -> NDArray[np.float64]:
    """Return the Fano factor: the variance of spike counts divided by their mean.

    It is ``1 - p`` for independent bits of density p, and 1 for a Poisson process. The variance is that
    of the population, without Bessel's correction.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.
    window_ms : float, optional
        Count the spikes of each train in successive windows of this width. By default the spikes of
        whole trains are counted, and compared over the trials, the second to last axis.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    ndarray of float64
        Of shape (...) with `window_ms`, otherwise without the axis of trials. NaN without spikes.

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1, the window is not a multiple of the time step, or there are no trials.

    Examples
    --------
    >>> from sc_neurocore.neurons import fano_factor
    >>> fano_factor([1, 1, 0, 0, 1, 0], window_ms=2.0)
    array(0.66666667)
    """
    bits, dt = trains(spikes, dt_ms)
    if window_ms is None:
        _check_several(bits, "trial")
        counts = np.moveaxis(bits.sum(axis=-1, dtype=np.int64), -1, 0)
    else:
        counts = np.moveaxis(_counts(bits, _steps_of("window_ms", window_ms, bits, dt)), -1, 0)
    mean = counts.mean(axis=0)
    return np.asarray(_ratio(counts.var(axis=0), mean))


def cross_correlogram(
    spikes: SpikeTrains, others: SpikeTrains, max_lag_ms: float, dt_ms: float | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return how many pairs of spikes of two trains have which lag.

    Parameters
    ----------
    spikes, others : array_like of 0 and 1, shape (..., T), Bitstream, or recorded spikes
        Spike trains of equal duration, whose batch shapes broadcast.
    max_lag_ms : float
        Largest lag in ms, at least 0 and below the duration of the trains.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    counts : ndarray of int64, shape (..., 2 * n + 1)
        Number of pairs, where n is the largest lag in time steps.
    lags : ndarray of float64, shape (2 * n + 1,)
        Lags in ms: positive if the spike of `others` comes later.

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1, their durations or time steps differ, or `max_lag_ms` is out of range.

    Examples
    --------
    >>> from sc_neurocore.neurons import cross_correlogram
    >>> counts, lags = cross_correlogram([1, 0, 0, 1, 0], [0, 1, 0, 0, 1], max_lag_ms=1.0)
    >>> counts, lags
    (array([0, 0, 2]), array([-1.,  0.,  1.]))
    """
    first, dt = trains(spikes, dt_ms)
    second, dt_of_others = trains(others, dt_ms)
    n = first.shape[-1]
    if second.shape[-1] != n or dt_of_others != dt:
        contract = f"have {n} time steps of {dt} ms, as spikes has"
        _checks.fail("others", contract, f"{second.shape[-1]} of {dt_of_others} ms")
    _checks.broadcast("others", first[..., 0:0], "spikes", second[..., 0:0])
    lag = _checks.non_negative("max_lag_ms", max_lag_ms) / dt
    if lag >= max(n, 1):
        _checks.fail("max_lag_ms", f"be below the duration of the trains, {n * dt} ms", max_lag_ms)
    most = round(lag) if abs(round(lag) - lag) < 1e-9 else math.floor(lag)
    size = 2 ** (n + most).bit_length()
    spectrum = np.conj(np.fft.rfft(first, size)) * np.fft.rfft(second, size)
    pairs = np.rint(np.fft.irfft(spectrum, size)).astype(np.int64)
    steps = np.arange(-most, most + 1)
    return pairs[..., steps], np.asarray(steps * dt, np.float64)


def spike_correlation(
    spikes: SpikeTrains, bin_ms: float, dt_ms: float | None = None
) -> NDArray[np.float64]:
    """Return Pearson's correlations of the binned spike counts of all pairs of trains.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., n, T), Bitstream, or recorded spikes
        Spike trains; the neurons are the second to last axis.
    bin_ms : float
        Width of a bin in ms, as in `binned_rate_hz`.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    ndarray of float64, shape (..., n, n)
        NaN for trains with equal counts in all bins.

    Raises
    ------
    TypeError, ValueError
        As in `binned_rate_hz`; also if there are no neurons.

    Examples
    --------
    >>> from sc_neurocore.neurons import spike_correlation
    >>> spike_correlation([[1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1]], bin_ms=1.0)
    array([[ 1.,  1., -1.],
           [ 1.,  1., -1.],
           [-1., -1.,  1.]])
    """
    bits, dt = trains(spikes, dt_ms)
    _check_several(bits, "neuron")
    counts = _counts(bits, _steps_of("bin_ms", bin_ms, bits, dt))
    centered = counts - counts.mean(axis=-1, keepdims=True)
    products = centered @ np.swapaxes(centered, -1, -2)
    scale = np.sqrt(np.diagonal(products, axis1=-2, axis2=-1))
    return np.asarray(
        np.clip(_ratio(products, scale[..., :, np.newaxis] * scale[..., np.newaxis, :]), -1.0, 1.0)
    )


def synchrony(spikes: SpikeTrains, bin_ms: float, dt_ms: float | None = None) -> NDArray[np.float64]:
    """Return the synchrony chi of a population, in [0, 1].

    With the counts c[i, t] of neuron i in bins of time::

        chi = sqrt(var_t(mean_i(c)) / mean_i(var_t(c)))

    It is 1 if all neurons have the same counts, and about ``1 / sqrt(n)`` if n neurons are independent
    (D. Golomb, J. Rinzel, Physica D 72, 1994).

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., n, T), Bitstream, or recorded spikes
        Spike trains; the neurons are the second to last axis.
    bin_ms : float
        Width of a bin in ms, as in `binned_rate_hz`.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    ndarray of float64, shape (...)
        NaN if no count changes in time.

    Raises
    ------
    TypeError, ValueError
        As in `binned_rate_hz`; also if there are no neurons.

    Examples
    --------
    >>> from sc_neurocore.neurons import synchrony
    >>> synchrony([[1, 0, 1, 0], [1, 0, 1, 0]], bin_ms=1.0)
    array(1.)
    """
    bits, dt = trains(spikes, dt_ms)
    _check_several(bits, "neuron")
    counts = _counts(bits, _steps_of("bin_ms", bin_ms, bits, dt))
    together = counts.mean(axis=-2).var(axis=-1)
    return np.asarray(np.sqrt(_ratio(together, counts.var(axis=-1).mean(axis=-1))))


def _check_several(bits: NDArray[np.uint8], what: str) -> None:
    """Raise unless the second to last axis exists and is not empty."""
    if bits.ndim < 2 or bits.shape[-2] == 0:
        _checks.fail("spikes", f"have at least one {what} on the second to last axis", bits.shape)


def _steps_of(name: str, width: float, bits: NDArray[np.uint8], dt: float) -> int:
    """Return the width of a bin in time steps."""
    steps = _checks.positive(name, width) / dt
    n = bits.shape[-1]
    if steps > n * (1 + 1e-9):
        _checks.fail(name, f"be at most the duration of the trains, {n * dt} ms", width)
    if round(steps) < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        _checks.fail(name, f"be a multiple of the time step, {dt} ms", width)
    return round(steps)


def _counts(bits: NDArray[np.uint8], steps: int) -> NDArray[np.int64]:
    """Return the number of spikes in each bin of so many time steps, shape (..., n_bins)."""
    n = bits.shape[-1] // steps
    bins = bits[..., : n * steps].reshape(*bits.shape[:-1], n, steps)
    return np.asarray(bins.sum(axis=-1, dtype=np.int64))


def _convolved(
    values: NDArray[np.uint8] | NDArray[np.float64], kernel: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the values convolved in time with a symmetric kernel, as if they were 0 outside."""
    n, reach = values.shape[-1], len(kernel) // 2
    size = 2 ** (n + reach).bit_length()
    circle = np.zeros(size)  # whose left half is at the end
    circle[: reach + 1] = kernel[reach:]
    circle[size - reach :] = kernel[:reach]
    spectrum = np.fft.rfft(values, size) * np.fft.rfft(circle)
    return np.asarray(np.fft.irfft(spectrum, size)[..., :n])


def _intervals(bits: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the intervals of all trains one after another in time steps, and the train of each."""
    rows, steps = np.nonzero(bits.reshape(-1, bits.shape[-1]) if bits.size else np.zeros((0, 1)))
    same = rows[1:] == rows[:-1]
    return np.diff(steps)[same], rows[1:][same]


def _contrast(bits: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return (I[k+1] - I[k]) / (I[k+1] + I[k]) of all trains, and the train of each."""
    intervals, rows = _intervals(bits)
    same = rows[1:] == rows[:-1]
    return (np.diff(intervals) / (intervals[1:] + intervals[:-1]))[same], rows[1:][same]


def _means(
    values: NDArray[np.number], rows: NDArray[np.intp], bits: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Return the mean of the values of each train; NaN if it has none."""
    batch = bits.shape[:-1]
    sums = np.bincount(rows, values, math.prod(batch))
    return np.asarray(_ratio(sums, np.bincount(rows, None, math.prod(batch))).reshape(batch))


def _several(rows: NDArray[np.intp], bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whether each train has at least two intervals."""
    batch = bits.shape[:-1]
    return np.asarray(np.bincount(rows, None, math.prod(batch)).reshape(batch) > 1)


def _ratio(numerator: NDArray[np.number], denominator: NDArray[np.number]) -> NDArray[np.float64]:
    """Return the ratio; NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(denominator > 0, np.divide(numerator, denominator), np.nan))
