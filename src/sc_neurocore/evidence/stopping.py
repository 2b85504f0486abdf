"""Early decisions: classifying an image before its streams end.

Precision grows with time, so clear inputs do not need every bit ("early decision termination": K. Kim
et al., DAC 2016, doi:10.1145/2897937.2898011). The class of an image is final when no further bits can
change it; its streams also stop early when a change is unlikely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import Bar, progress_bar
from sc_neurocore._tables import html_table
from sc_neurocore.evidence._intervals import at_most, cases_needed
from sc_neurocore.evidence.evaluation import images_of
from sc_neurocore.networks import (
    Network,
    PreparedNetwork,
    Record,
    prepare,
)
from sc_neurocore.networks._inputs import InputLike, Inputs
from sc_neurocore.networks.layers import of_each
from sc_neurocore.streams import (
    Bernoulli,
)
from sc_neurocore.streams._bits import n_words
from sc_neurocore.streams.keys import checked_seed
from sc_neurocore.streams.source import (
    Sources,
)

__all__ = ["EarlyDecisions", "decide_early"]

# Margins tried for a risk, in standard deviations, safest first. They are fixed in advance, so that the
# test needs no correction for several tries.
_MARGINS = np.arange(160, 0, -1) / 20

# Counts and words of spikes that are held at a time: about 100 MB.
_HELD = 2**21


@dataclass(frozen=True, eq=False)
class EarlyDecisions:
    """Classes of images and the time steps after which their streams stopped. `print` shows a summary.

    Attributes
    ----------
    length : int
        Number of time steps of a complete stream.
    seed : int
        Seed that repeats the run.
    margin : float
        Lead, in standard deviations, at which the streams of an image stop early; infinite if they stop
        only when its class is final.
    classes : ndarray of int64, shape (n_images,)
        Classes when the streams stopped.
    full_classes : ndarray of int64, shape (n_images,)
        Classes after all time steps, by `Simulation.classes`.
    steps : ndarray of int64, shape (n_images,)
        Time steps before the streams stopped, in [1, length].
    """

    length: int
    seed: int
    margin: float
    classes: NDArray[np.int64]
    full_classes: NDArray[np.int64]
    steps: NDArray[np.int64]

    @property
    def mean_steps(self) -> float:
        """Mean of `steps` over the images."""
        return float(self.steps.mean())

    @property
    def changed(self) -> float:
        """Proportion of images whose class differs from the class after all time steps."""
        return float((self.classes != self.full_classes).mean())

    def __repr__(self) -> str:
        return (
            f"EarlyDecisions({self.steps.size} images, mean_steps={self.mean_steps:.1f} of "
            f"{self.length}, changed={self.changed:.4f}, margin={self.margin:.4g}, seed={self.seed})"
        )

    def _repr_html_(self) -> str:
        header = ("images", "length", "mean steps", "most steps", "changed", "margin", "seed")
        mean, changed, margin = f"{self.mean_steps:.1f}", f"{self.changed:.2%}", f"{self.margin:.4g}"
        row = (self.steps.size, self.length, mean, self.steps.max(), changed, margin, self.seed)
        return html_table(header, [row])

    def __str__(self) -> str:
        quarter, half, most, last = (round(q) for q in np.quantile(self.steps, [0.25, 0.5, 0.75, 1]))
        return (
            f"{self.steps.size} images decided after {self.mean_steps:.1f} of {self.length} steps on "
            f"average (quartiles {quarter}, {half}, {most}; maximum {last}), {self.changed:.2%} changed"
        )


def decide_early(
    network: Network,
    images: InputLike,
    length: int | None = None,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    bits_per_step: int = 1,
    risk: float = 0.0,
    calibration: InputLike | None = None,
    confidence: float = 0.95,
    progress: bool = False,
) -> EarlyDecisions:
    """Return the classes of images, with streams that stop as early as possible.

    Without a risk, streams stop when the class of their image is final, however ties are broken: when
    the output with the most spikes leads every other output by more spikes than that one can still
    fire. In r remaining time steps outside the refractory period an output can fire
    ``r / (1 + refractory_period)`` spikes, rounded up.

    With a risk, streams also stop early when a later change of the class is unlikely; see Notes.

    Parameters
    ----------
    network : Network
        Streams stop only at the end if its last layer does not fire.
    images : array_like, Bitstream or Events
        Densities in [0, 1] of shape (n_images, n_in) or, changing in time, (n_images, n_in, steps); or
        spike trains, as in `simulate`.
    length : int, optional
        Number of time steps of a complete stream. Required for densities that are constant in time.
    seed : int, optional
        As in `simulate`. Calibration images use the same random numbers.
    source : Source or tuple of Source
        As in `simulate`.
    bits_per_step : int
        As in `simulate`.
    risk : float
        Permitted probability of a changed class, in [0, 1). With 0, no class changes.
    calibration : array_like, Bitstream or Events, optional
        Required for a risk above 0: a random sample of images that were not used to train or select
        this network. A risk of 0.01 requires at least 299 images at a confidence of 0.95.
    confidence : float
        Confidence of the calibration, in (0, 1).
    progress : bool
        Show a progress bar (requires the extra `progress`).

    Returns
    -------
    EarlyDecisions

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `calibration` is missing.
    ValueError
        If shapes do not match, a value is outside its range, or there are too few calibration images.

    Notes
    -----
    With a risk, streams also stop when after t of T time steps the first output, with n1 spikes,
    leads the second, with n2 spikes, by::

        n1 - n2 >= margin * sqrt((n1 + n2) * (1 - t / T))

    For Poisson processes with constant rates, the square root is the standard deviation of the present
    lead around the final lead scaled to t. The guarantee does not depend on this assumption. Margins of
    a fixed grid are tested from 8 downwards. A margin passes if, by the exact binomial test on the
    calibration images, the probability of a changed class is at most `risk`. The search stops at the
    first margin that fails, so that the confidence needs no correction (fixed sequence testing), and
    the last margin that passed is used.

    With the given confidence in the draw of the calibration images, at most a proportion `risk` of
    other images from the same distribution change their class, for this network, length, source and
    seed. Nothing is guaranteed for images from another distribution, such as the training images.

    The result shows what hardware saves if it stops early. The simulation itself runs to the end.

    Examples
    --------
    >>> from sc_neurocore import decide_early, load_digits
    >>> digits = load_digits()
    >>> proved = decide_early(digits.network, digits.images, 64, seed=1)
    >>> proved.changed, proved.mean_steps < 48
    (0.0, True)
    """
    inputs = images_of("images", network, images)
    length = inputs.steps(length, "images")
    if (risk := _checks.non_negative("risk", risk)) >= 1:
        _checks.fail("risk", "be below 1", risk)
    confidence = _checks.below_one("confidence", confidence)
    seed = checked_seed("seed", seed)
    trial = inputs[:0]
    if risk > 0:
        if calibration is None:
            _checks.wrong_type("calibration", "be given for a risk above 0", calibration)
        trial = images_of("calibration", network, calibration)
        trial.steps(length, "calibration")
        if len(trial) < (needed := cases_needed(risk, confidence)):
            contract = f"hold at least {needed} images for a risk of {risk}"
            _checks.fail("calibration", contract, len(trial))
    prepared = prepare(network, seed=seed, source=source, bits_per_step=bits_per_step)
    with progress_bar(len(trial) + len(inputs), "decide", "image", show=progress) as bar:
        margin = np.inf
        if risk > 0:
            changes = np.zeros(_MARGINS.size, np.int64)
            for leads in _leads(prepared, trial, length, bar):
                changes += [int((leads.decided(m)[0] != leads.full).sum()) for m in _MARGINS]
            margin = _least_margin(changes, len(trial), risk, confidence)
        decided, full = [], []
        for leads in _leads(prepared, inputs, length, bar):
            decided.append(leads.decided(margin))
            full.append(leads.full)
    classes, steps = (np.concatenate(part) for part in zip(*decided, strict=True))
    return EarlyDecisions(length, seed, float(margin), classes, np.concatenate(full), steps)


@dataclass(frozen=True, eq=False)
class _Leads:
    """Leads of a block of images after each time step, shape (n, T), and the final classes."""

    leaders: NDArray[np.int64]
    margins: NDArray[
        np.float64
    ]  # largest lead so far, in standard deviations; inf once the class is final
    full: NDArray[np.int64]

    @classmethod
    def of(
        cls, bits: NDArray[np.uint8], pause: int | NDArray[np.int64], full: NDArray[np.int64]
    ) -> _Leads:
        """Return the leads of output bits (n, n_out, T); `pause` (n_out,) is the refractory period."""
        pause = np.broadcast_to(pause, bits.shape[1])[:, np.newaxis]
        length = bits.shape[-1]
        counts = np.cumsum(bits, axis=-1, dtype=np.int64)
        gone = np.arange(1, length + 1)
        leaders = counts.argmax(axis=1)[:, np.newaxis]
        most = np.take_along_axis(counts, leaders, axis=1)[:, 0]
        others = counts.copy()
        np.put_along_axis(others, leaders, -1, axis=1)
        second = np.maximum(others.max(axis=1), 0)
        fired = np.where(bits, gone, -pause)  # the step after the spike
        ready = np.maximum(np.maximum.accumulate(fired, axis=-1) + pause, gone)
        others += -(-np.maximum(length - ready, 0) // (1 + pause))
        np.put_along_axis(others, leaders, -1, axis=1)
        left = 1 - gone / length
        with np.errstate(divide="ignore", invalid="ignore"):
            margins = np.nan_to_num((most - second) / np.sqrt((most + second) * left), posinf=0.0)
        margins[most > others.max(axis=1)] = np.inf
        margins[:, -1] = np.inf
        return cls(leaders[:, 0], np.maximum.accumulate(margins, axis=1), full)

    def decided(self, margin: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the classes of all images and the time steps after which their streams stop."""
        at = (self.margins >= margin).argmax(axis=1)
        last = at == self.leaders.shape[1] - 1
        leaders = np.take_along_axis(self.leaders, at[:, np.newaxis], axis=1)[:, 0]
        return np.where(last, self.full, leaders), at + 1


def _leads(prepared: PreparedNetwork, images: Inputs, length: int, bar: Bar) -> Iterator[_Leads]:
    """Yield the leads block by block of images; all rows use the same random numbers."""
    network = prepared.network
    words = sum(layer.n_out for layer in network) * n_words(length)
    size = max(_HELD // (words + network.n_out * length), 1)
    pause = np.concatenate(
        [
            of_each(network[i], getattr(network[i].neuron, "refractory_period", 0))
            for i in network.outputs
        ]
    ).astype(np.int64)
    for first in range(0, len(images), size):
        block = images[first : first + size]
        with _checks.allocating(f"the spikes of {length} steps", "use a shorter length"):
            result = prepared.run(block, length, record=Record(layers=sorted(set(network.outputs))))
            spikes = [result.recording.spikes[i] for i in network.outputs]  # type: ignore[union-attr]
            bits = np.concatenate([train.bits() for train in spikes], axis=1)
            leads = _Leads.of(bits, pause, result.classes)
        yield leads
        bar.update(len(block))


def _least_margin(changes: NDArray[np.int64], n: int, risk: float, confidence: float) -> float:
    """Return the last margin before the first one whose changes do not prove the risk."""
    margin = np.inf
    for candidate, changed in zip(_MARGINS, changes, strict=True):
        if at_most(int(changed), n, risk) > 1 - confidence:
            break
        margin = candidate
    return float(margin)
