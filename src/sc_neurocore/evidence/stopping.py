"""Early decisions: when the class of an image is known before its streams end.

Precision grows with time, so that clear inputs need not wait for the last bit ("early decision
termination": K. Kim et al., DAC 2016, doi:10.1145/2897937.2898011). An image is decided when no further
bits can change its class, or when it is unlikely that they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._progress import Bar, progress_bar
from sc_neurocore.evidence._intervals import at_most, cases_needed
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.simulation import simulate
from sc_neurocore.streams.keys import checked_seed
from sc_neurocore.streams.source import Bernoulli, Sources

# Leads that are tried against a risk, in standard deviations, from the safest on: fixed beforehand, so
# that the test may go on to the next without a correction.
_MARGINS = np.arange(160, 0, -1) / 20

# Counts and words of spikes that are held at a time: some 100 MB.
_HELD = 2**21


@dataclass(frozen=True, eq=False)
class EarlyDecisions:
    """Classes of images and when they were known; printable.

    Attributes
    ----------
    length : int
        Bits of a whole stream.
    seed : int
        What repeats the run.
    margin : float
        Lead, in standard deviations, at which an image is decided; infinite where only a proof does.
    classes : ndarray of int64, shape (n_images,)
        As decided.
    full_classes : ndarray of int64, shape (n_images,)
        After all bits, by `Simulation.classes`.
    steps : ndarray of int64, shape (n_images,)
        Bits that went by before the decision, in [1, length].
    """

    length: int
    seed: int
    margin: float
    classes: NDArray[np.int64]
    full_classes: NDArray[np.int64]
    steps: NDArray[np.int64]

    @property
    def mean_steps(self) -> float:
        """Mean of the steps over the images."""
        return float(self.steps.mean())

    @property
    def changed(self) -> float:
        """Share of the classes that differ from those after all bits."""
        return float((self.classes != self.full_classes).mean())

    def __str__(self) -> str:
        quarter, half, most, last = (round(q) for q in np.quantile(self.steps, [0.25, 0.5, 0.75, 1]))
        return (
            f"{self.steps.size} images decided after {self.mean_steps:.1f} of {self.length} steps in "
            f"the mean (quarters by {quarter}, {half}, {most} and {last}), {self.changed:.2%} otherwise"
        )


def decide_early(
    network: Network,
    images: ArrayLike,
    length: int,
    *,
    seed: int | None = None,
    source: Sources = Bernoulli(),
    risk: float = 0.0,
    calibration: ArrayLike | None = None,
    confidence: float = 0.95,
    progress: bool = False,
) -> EarlyDecisions:
    """Return the classes of images, each as soon as it is known.

    Without a risk an image is decided when the output with the most spikes leads each other one by
    more than that one can still fire: in r steps that are left and not refractory, r / (1 +
    refractory_period) spikes, rounded up. No further bits change the class then, whatever ties mean.

    With a risk it is also decided when the lead of the first output over the second, of n1 and n2
    spikes after t of T steps, is at least

        n1 - n2 >= margin * sqrt((n1 + n2) * (1 - t / T)).

    Were spikes Poisson processes that go on at the rates seen so far, the lead at T, scaled to t, would
    vary by that root around the present one. Nothing depends on that: the margin is the least of a
    grid, walked from 8 down, at which the share of changed classes among the calibration images shows,
    by the exact binomial test, that the probability of a change is at most the risk. The walk ends at
    the first margin that fails, which keeps the confidence without a correction (fixed sequence
    testing). So: with the given confidence in the draw of the calibration images, the classes of at
    most a share `risk` of other images of the same origin differ from those after all bits, for this
    network, length, source and seed. It says nothing of images of another origin, and training images
    are of another one.

    This tells what hardware saves that stops. The simulation itself runs to the end; to stop, it
    would have to hand out and take back, after each 64 steps, the state of every layer (potentials,
    refractory steps) for those images that are left: the bits are addressed by time already.

    Parameters
    ----------
    network : Network
        An output layer that does not fire is decided at the end only.
    images : array_like, shape (n_images, n_in)
        Densities in [0, 1].
    length : int
        Bits of a whole stream.
    seed : int, optional
        As in `simulate`; the calibration images meet the same random numbers.
    source : Source or tuple
        As in `simulate`.
    risk : float
        In [0, 1). 0: a proof alone decides.
    calibration : array_like, shape (n, n_in), optional
        Needed for a risk: images that are in no way chosen by this network. A risk of 0.01 takes at
        least 299 with a confidence of 0.95.
    confidence : float
        In (0, 1).
    progress : bool
        Show a bar (extra: progress).

    Returns
    -------
    EarlyDecisions

    Examples
    --------
    >>> from sc_neurocore import decide_early, load_digits
    >>> digits = load_digits()
    >>> proved = decide_early(digits.network, digits.images, 64, seed=1)
    >>> proved.changed, proved.mean_steps < 48
    (0.0, True)
    """
    _checks.instance("network", network, Network)
    inputs = _checks.array("images", images, [2], borrow=True)
    if len(inputs) == 0:
        _checks.fail("images", "hold at least one image", f"shape {inputs.shape}")
    length = _checks.length_of_stream("length", length)
    if (risk := _checks.non_negative("risk", risk)) >= 1:
        _checks.fail("risk", "be below 1", risk)
    confidence = _checks.below_one("confidence", confidence)
    seed = checked_seed("seed", seed)
    trial = np.empty((0, inputs.shape[1]))
    if risk > 0:
        if calibration is None:
            _checks.wrong_type("calibration", "be given for a risk above 0", calibration)
        trial = _checks.array("calibration", calibration, [2], borrow=True)
        if len(trial) < (needed := cases_needed(risk, confidence)):
            contract = f"hold at least {needed} images for a risk of {risk}"
            _checks.fail("calibration", contract, len(trial))
    with progress_bar(len(trial) + len(inputs), "decide", "image", show=progress) as bar:
        margin = np.inf
        if risk > 0:
            changes = np.zeros(_MARGINS.size, np.int64)
            for leads in _leads(network, trial, length, seed, source, bar):
                changes += [int((leads.decided(m)[0] != leads.full).sum()) for m in _MARGINS]
            margin = _least_margin(changes, len(trial), risk, confidence)
        decided, full = [], []
        for leads in _leads(network, inputs, length, seed, source, bar):
            decided.append(leads.decided(margin))
            full.append(leads.full)
    classes, steps = (np.concatenate(part) for part in zip(*decided, strict=True))
    return EarlyDecisions(length, seed, float(margin), classes, np.concatenate(full), steps)


@dataclass(frozen=True, eq=False)
class _Leads:
    """What is known of a block of images after each step, shape (n, T), and their classes at last."""

    leaders: NDArray[np.int64]
    margins: NDArray[np.float64]  # the largest lead so far, in standard deviations; inf once proved
    full: NDArray[np.int64]

    @classmethod
    def of(cls, bits: NDArray[np.uint8], pause: int, full: NDArray[np.int64]) -> _Leads:
        """Return those of output bits (n, n_out, T) with `pause` refractory steps after a spike."""
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
        """Return the classes of all images and the steps after which they were decided."""
        at = (self.margins >= margin).argmax(axis=1)
        last = at == self.leaders.shape[1] - 1
        leaders = np.take_along_axis(self.leaders, at[:, np.newaxis], axis=1)[:, 0]
        return np.where(last, self.full, leaders), at + 1


def _leads(
    network: Network, images: NDArray[np.float64], length: int, seed: int, source: Sources, bar: Bar
) -> Iterator[_Leads]:
    """Yield the leads of one block of images after another; rows of a batch meet the same numbers."""
    spikes = sum(layer.n_out for layer in network.layers) * -(-length // 64)
    size = max(_HELD // (spikes + network.n_out * length), 1)
    pause = network.layers[-1].neuron.refractory_period
    for first in range(0, len(images), size):
        block = images[first : first + size]
        result = simulate(network, block, length, seed=seed, source=source, record=True)
        yield _Leads.of(result.spikes[-1].bits(), pause, result.classes)
        bar.update(len(block))


def _least_margin(changes: NDArray[np.int64], n: int, risk: float, confidence: float) -> float:
    """Return the last margin before the first whose changes do not show the risk."""
    margin = np.inf
    for candidate, changed in zip(_MARGINS, changes, strict=True):
        if at_most(int(changed), n, risk) > 1 - confidence:
            break
        margin = candidate
    return float(margin)
