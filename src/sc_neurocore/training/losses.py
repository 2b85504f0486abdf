"""Losses of classifiers whose outputs are potentials, spike counts or spike times."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sc_neurocore import _checks

__all__ = ["cross_entropy", "latency_loss", "rate_loss"]


def cross_entropy(scores: Tensor, labels: Tensor, length: int, *, sharpness: float = 2.0) -> Tensor:
    """Return the mean cross entropy of potentials or spike counts that were summed over a stream.

    With L = `length` and the sharpness a, the loss of an input with label y is::

        -log softmax(a / sqrt(L) * scores)[y]

    The sampling noise of a sum over L steps grows as ``sqrt(L)``. Dividing by it makes the noise of the
    logits the same at every length, so that one learning rate and one initial gain suit all lengths,
    and longer streams, whose scores are more certain, give more certain probabilities.

    Parameters
    ----------
    scores : Tensor, shape (batch, n_classes)
        Output of an `SCNetwork`: potentials of a readout that never fires, or spike counts.
    labels : Tensor of int, shape (batch,)
        Classes in [0, n_classes).
    length : int
        Time steps of the scores.
    sharpness : float
        Factor a of the logits, greater than 0.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    TypeError, ValueError
        If an argument has another type, shape or range.

    Examples
    --------
    >>> import torch
    >>> from sc_neurocore.training import cross_entropy
    >>> float(cross_entropy(torch.zeros(1, 4), torch.tensor([2]), length=16).exp())
    4.0
    """
    factor = _checks.positive("sharpness", sharpness)
    factor /= math.sqrt(_checks.length_of_stream("length", length))
    _check_scores("scores", scores, ("batch", "n_classes"))
    loss: Tensor = functional.cross_entropy(scores * factor, _classes(labels, scores))
    return loss


def rate_loss(
    counts: Tensor, labels: Tensor, length: int, *, low: float = 0.05, high: float = 0.5
) -> Tensor:
    """Return the mean squared distance of firing rates from the rates that the labels ask for.

    With the target rate `high` for the neuron of the label and `low` for all others::

        mean((counts / L - target)**2)

    as in the spike-rate loss of S. B. Shrestha, G. Orchard, "SLAYER: Spike layer error reassignment in
    time", 2018. Unlike `cross_entropy` it bounds the number of output spikes.

    Parameters
    ----------
    counts : Tensor, shape (batch, n_classes)
        Spike counts, `Outputs.counts`.
    labels : Tensor of int, shape (batch,)
        Classes in [0, n_classes).
    length : int
        Time steps of the counts.
    low, high : float
        Target rates in spikes per time step, ``0 <= low < high <= 1``.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    TypeError, ValueError
        If an argument has another type, shape or range.

    Examples
    --------
    >>> import torch
    >>> from sc_neurocore.training import rate_loss
    >>> float(rate_loss(torch.tensor([[8.0, 0.0]]), torch.tensor([0]), length=16, low=0.0))
    0.0
    """
    low, high = _checks.ordered("low", low, "high", high)
    if low < 0 or high > 1:
        _checks.fail("low and high", "lie in [0, 1]", (low, high))
    length = _checks.length_of_stream("length", length)
    _check_scores("counts", counts, ("batch", "n_classes"))
    target = torch.full_like(counts, low)
    target.scatter_(1, _classes(labels, counts)[:, None], high)
    loss: Tensor = functional.mse_loss(counts / length, target)
    return loss


def latency_loss(spikes: Tensor, labels: Tensor, *, tau: float) -> Tensor:
    """Return the mean cross entropy of the times to the first spike: the earliest neuron should win.

    With T_j, the number of time steps before the first spike of neuron j, which is the length of the
    train if the neuron is silent, the loss of an input with label y is::

        -log softmax(-T / tau)[y],    T_j = sum_t prod_{u <= t} (1 - s_j[u])

    The sum is the number of steps before the first spike for spikes s of 0 and 1, and its expectation
    for independent spikes of probability s. So its derivative with respect to a spike says by how many
    steps the first spike moves if the spike is removed or added; only spikes up to the second one
    matter. A softmax of negative spike times is the loss of H. Mostafa, "Supervised learning based on
    temporal coding in spiking neural networks", 2018.

    Parameters
    ----------
    spikes : Tensor, shape (time, batch, n_classes)
        Spikes of the output layer, 0 or 1.
    labels : Tensor of int, shape (batch,)
        Classes in [0, n_classes).
    tau : float
        Difference of spike times, in steps, that changes the odds of two classes by a factor e.

    Returns
    -------
    Tensor
        A scalar.

    Raises
    ------
    TypeError, ValueError
        If an argument has another type, shape or range.

    Examples
    --------
    >>> import torch
    >>> from sc_neurocore.training import latency_loss
    >>> spikes = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 1.0]]])  # in steps 1 and 2
    >>> loss = latency_loss(spikes, torch.tensor([0]), tau=1.0)
    >>> round(float((-loss).exp()), 4)  # 1 / (1 + exp(-1))
    0.7311
    """
    tau = _checks.positive("tau", tau)
    _check_scores("spikes", spikes, ("time", "batch", "n_classes"))
    times = (1 - spikes).cumprod(0).sum(0)
    loss: Tensor = functional.cross_entropy(times / -tau, _classes(labels, times))
    return loss


def _check_scores(name: str, values: Any, axes: tuple[str, ...]) -> None:
    _checks.instance(name, values, Tensor)
    if values.ndim != len(axes):
        _checks.fail(name, f"have shape ({', '.join(axes)})", tuple(values.shape))


def _classes(labels: Any, scores: Tensor) -> Tensor:
    """Return labels as int64, one for each row of scores."""
    _checks.instance("labels", labels, Tensor)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        _checks.wrong_type("labels", "hold integers", labels.dtype)
    if labels.shape != scores.shape[:1]:
        _checks.fail("labels", f"have shape ({len(scores)},)", tuple(labels.shape))
    wrong = (labels < 0) | (labels >= scores.shape[1])
    if wrong.any():
        _checks.fail("labels", f"lie in [0, {scores.shape[1]})", int(labels[wrong][0]))
    return labels.to(scores.device, torch.int64)
