"""Losses equal their equations, and their gradients finite differences."""

import math

import numpy as np
import pytest
import torch
from error_table import test_of

from sc_neurocore import LIF
from sc_neurocore.training import (
    SCLinear,
    SCNetwork,
    cross_entropy,
    latency_loss,
    rate_loss,
)

LABELS = torch.tensor([2, 0, 1])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def scores(seed=0):
    return torch.randn(3, 4, dtype=torch.float64, generator=generator(seed)) * 5


def spikes(length, density, seed=0):
    shape = length, 3, 4
    return (torch.rand(shape, generator=generator(seed), dtype=torch.float64) < density).double()


def difference(loss, x, index, step=1e-6):
    """Central difference of a loss in one element."""
    up, down = x.clone(), x.clone()
    up[index] += step
    down[index] -= step
    return float(loss(up) - loss(down)) / (2 * step)


LOSSES = {
    "cross entropy": (lambda x: cross_entropy(x, LABELS, 16), scores()),
    "sharper": (lambda x: cross_entropy(x, LABELS, 64, sharpness=5.0), scores(1)),
    "rate": (lambda x: rate_loss(x, LABELS, 20), scores().abs()),
    "latency": (lambda x: latency_loss(x, LABELS, tau=3.0), spikes(30, 0.1)),
    "of probabilities": (lambda x: latency_loss(x, LABELS, tau=3.0), spikes(9, 0.5) * 0.3 + 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_differences(name):
    loss, x = LOSSES[name]
    given = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(given), given)
    assert gradient.abs().max() > 1e-3
    for index in np.ndindex(*x.shape):
        assert float(gradient[index]) == pytest.approx(difference(loss, x, index), abs=1e-7)


def test_the_cross_entropy_is_that_of_scores_over_the_root_of_the_length():
    x, n = scores(), 25
    logits = 2.0 / math.sqrt(n) * x.numpy()
    exponentials = np.exp(logits)
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(3), LABELS.numpy()]).mean()
    assert float(cross_entropy(x, LABELS, n)) == pytest.approx(expected)


def test_the_rate_loss_is_0_at_its_targets_only():
    counts = torch.full((3, 4), 0.05 * 40, dtype=torch.float64)
    counts[torch.arange(3), LABELS] = 0.5 * 40
    assert float(rate_loss(counts, LABELS, 40)) == 0.0
    counts[0, 0] += 4
    assert float(rate_loss(counts, LABELS, 40)) == pytest.approx((4 / 40) ** 2 / 12)


def test_the_latency_is_the_index_of_the_first_spike_or_the_length():
    trains = spikes(20, 0.08, seed=3)
    first = np.where(trains.any(0), trains.argmax(0), len(trains))
    assert (first == len(trains)).any()
    logits = -first / 2.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(3), LABELS.numpy()]).mean()
    assert float(latency_loss(trains, LABELS, tau=2.5)) == pytest.approx(expected)


def test_the_derivative_by_a_spike_is_the_change_of_the_latency():
    # One neuron per input, spikes at steps 3 and 7 of 10: the sum is linear in each spike.
    train = torch.zeros(10, dtype=torch.float64)
    train[[3, 7]] = 1
    train.requires_grad_()
    (gradient,) = torch.autograd.grad((1 - train).cumprod(0).sum(), train)
    expected = [-3.0, -2.0, -1.0, -4.0, *[0.0] * 6]  # earlier by so many steps, later by 4 if removed
    assert gradient.tolist() == expected


@pytest.mark.parametrize("name", ["cross entropy", "rate"])
def test_a_network_learns_two_patterns(name):
    torch.manual_seed(0)
    x = torch.tensor([[0.9, 0.8, 0.1, 0.2], [0.1, 0.2, 0.9, 0.8]])
    labels = torch.tensor([0, 1])
    model = SCNetwork(SCLinear(4, 8, gain=0.8), SCLinear(8, 2, gain=0.8, neuron=LIF(tau_mem=4.0)))
    loss = cross_entropy if name == "cross entropy" else rate_loss
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    values = []
    for _ in range(60):
        value = loss(model.run(x, 32).counts, labels, 32)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < values[0] / 2
    assert model.eval()(x, 64, 1).argmax(1).tolist() == [0, 1]


X, TRAINS = torch.zeros(2, 3), torch.zeros(4, 2, 3)
Y = torch.tensor([0, 2])

test_errors = test_of([
    (lambda: cross_entropy([0.0], Y, 8), TypeError, "scores must be a Tensor, got [0.0]"),
    (lambda: cross_entropy(TRAINS, Y, 8), ValueError,
     "scores must have shape (batch, n_classes), got (4, 2, 3)"),
    (lambda: cross_entropy(X, [0, 2], 8), TypeError, "labels must be a Tensor, got [0, 2]"),
    (lambda: cross_entropy(X, Y.float(), 8), TypeError, "labels must hold integers, got torch.float32"),
    (lambda: cross_entropy(X, Y[:1], 8), ValueError, "labels must have shape (2,), got (1,)"),
    (lambda: cross_entropy(X, Y + 1, 8), ValueError, "labels must lie in [0, 3), got 3"),
    (lambda: cross_entropy(X, Y, 0), ValueError, "length must be at least 1, got 0"),
    (lambda: cross_entropy(X, Y, 8, sharpness=0), ValueError,
     "sharpness must be greater than 0, got 0.0"),
    (lambda: rate_loss(X, Y, 8, low=0.5, high=0.2), ValueError,
     "low must be less than high, got low=0.5, high=0.2"),
    (lambda: rate_loss(X, Y, 8, high=1.5), ValueError,
     "low and high must lie in [0, 1], got (0.05, 1.5)"),
    (lambda: latency_loss(X, Y, tau=1.0), ValueError,
     "spikes must have shape (time, batch, n_classes), got (2, 3)"),
    (lambda: latency_loss(TRAINS, Y, tau=0.0), ValueError, "tau must be greater than 0, got 0.0"),
])  # fmt: skip
