"""Train a spiking 64-100-10 classifier of handwritten digits for stochastic computing.

Every forward pass samples Bernoulli bits of inputs and weights, as the network later runs with, and
steps leaky integrate-and-fire neurons through them. The result is saved as a
:class:`sc_neurocore.Network`, together with the held-out images. Hyper-parameters were chosen by
cross-validation on the training images only.

Data: scikit-learn's copy of the test set of UCI ML "Optical recognition of handwritten digits",
E. Alpaydin and C. Kaynak, licensed CC BY 4.0, https://doi.org/10.24432/C50P49.

Run ``python examples/train_digits.py`` after ``pip install torch==2.13.0 scikit-learn tqdm``.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.nn import functional
from tqdm import trange

from sc_neurocore import LIF, Dense, Network

DATA_DIR = Path(__file__).resolve().parents[1] / "src" / "sc_neurocore" / "data"
SEED, SPLIT_SEED, TEST_IMAGES = 0, 2024, 450
HIDDEN = 100
TAU = (8.0, 8.0)
EPOCHS, BATCH, LEARNING_RATE = 400, 64, 0.06
TRAIN_LENGTHS = (16, 32)
TEST_LENGTHS, SAMPLING_SEEDS = (8, 16, 32, 64, 128), 10
SURROGATE_WIDTH = 0.5
AVERAGE_DECAY = 0.997  # of the running mean of the parameters, which is saved
FLOAT_SHARE = 0.2  # of batches without sampling, so that neurons fire without noise too
PLAIN_SHARE = 0.3  # of images that are not augmented
WEIGHT_STEPS = 2**12  # saved weights are multiples of 1/WEIGHT_STEPS


class Parameters(NamedTuple):
    """Signed weights (outputs, inputs) of both layers and the logarithms of their gains."""

    w1: Tensor
    w2: Tensor
    log_gain: Tensor


class LIFLayer(torch.autograd.Function):
    """Leaky integrate-and-fire neurons (threshold 1, rest and reset 0) over a whole sequence.

    A backward pass written by hand is much faster than recording each step.
    """

    @staticmethod
    def forward(ctx: Any, current: Tensor, tau: float) -> tuple[Tensor, Tensor]:
        """Return spikes, shaped like `current` (time first), and the final potential."""
        potential, spikes = torch.empty_like(current), torch.empty_like(current)
        v = torch.zeros_like(current[0])
        for t in range(len(current)):
            torch.add(current[t], v, alpha=1 - 1 / tau, out=potential[t])
            spikes[t] = potential[t] >= 1
            v = potential[t] * (1 - spikes[t])
        ctx.save_for_backward(potential, spikes)
        ctx.tau = tau
        return spikes, v

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Propagate through time; a reset stops gradients, a spike has the slope of a fast sigmoid."""
        potential, spikes = ctx.saved_tensors
        slope = (1 + (potential - 1).abs() / SURROGATE_WIDTH).square().reciprocal()
        through_spike = grads[0] * slope / SURROGATE_WIDTH
        carry = (1 - spikes) * (1 - 1 / ctx.tau)
        grad = torch.empty_like(potential)
        grad[-1] = through_spike[-1] + grads[1] * (1 - spikes[-1])
        for t in range(len(grad) - 2, -1, -1):
            torch.addcmul(through_spike[t], grad[t + 1], carry[t], out=grad[t])
        return grad, None


def sample_weights(w: Tensor, length: int) -> Tensor:
    """Return signed weight bits (length, *w.shape), which all images of a batch share.

    The mean of the bits is `w`, so gradients pass straight through to `w`.
    """
    value = w.detach()
    bits = (torch.rand(length, *value.shape) < value.abs()) * value.sign()
    return w + (bits - value)


def simulate(
    x: Tensor, p: Parameters, length: int, *, sampled: bool = True, shared_inputs: bool = False
) -> tuple[Tensor, Tensor]:
    """Run the network from rest.

    Parameters
    ----------
    x : Tensor
        Images (batch, 64) in [0, 1].
    p : Parameters
        Weights and gains.
    length : int
        Stream length in time steps.
    sampled : bool
        Whether to sample bits. If False, use their means.
    shared_inputs : bool
        Whether all images use the same random numbers, as in the simulator. Independent numbers are
        better for training.

    Returns
    -------
    counts, potential : Tensor
        Output spike counts and last output potentials, each (batch, 10).
    """
    gain = p.log_gain.exp()
    if sampled:
        rows = 1 if shared_inputs else len(x)
        bits = (torch.rand(length, rows, x.shape[1]) < x).float()
        current = torch.bmm(bits, sample_weights(p.w1, length).mT)
        hidden, _ = LIFLayer.apply(gain[0] * current, TAU[0])
        current = torch.bmm(hidden, sample_weights(p.w2, length).mT)
    else:
        hidden, _ = LIFLayer.apply((gain[0] * (x @ p.w1.T)).repeat(length, 1, 1), TAU[0])
        current = hidden @ p.w2.T
    spikes, potential = LIFLayer.apply(gain[1] * current, TAU[1])
    return spikes.sum(0), potential


def augment(x: Tensor) -> Tensor:
    """Rotate, scale, shear and shift most images slightly."""
    n = len(x)

    def spread(limit: float, *shape: int) -> Tensor:
        return (2 * torch.rand(n, *shape) - 1) * limit

    angle, scale, shift = spread(math.radians(8)), 1 + spread(0.08, 2), spread(0.125, 2)
    cos, sin = angle.cos(), angle.sin()
    row0 = torch.stack([cos * scale[:, 0], spread(0.1) - sin, shift[:, 0]], 1)
    row1 = torch.stack([sin, cos * scale[:, 1], shift[:, 1]], 1)
    grid = functional.affine_grid(torch.stack([row0, row1], 1), [n, 1, 8, 8], align_corners=False)
    moved = functional.grid_sample(x.view(n, 1, 8, 8), grid, align_corners=False).view(n, 64)
    return torch.where(torch.rand(n, 1) < PLAIN_SHARE, x, moved.clamp(0, 1))


def train(x: Tensor, y: Tensor) -> Parameters:
    """Return trained parameters, averaged over the last steps, with rounded weights."""
    w1, w2 = torch.rand(HIDDEN, 64) - 0.5, torch.rand(10, HIDDEN) - 0.5
    live = Parameters(w1, w2, torch.tensor([0.4, 0.15]).log())
    mean = Parameters(*(p.clone() for p in live))
    for p in live:
        p.requires_grad_()
    groups = [{"params": live[:2]}, {"params": live[2:], "lr": LEARNING_RATE / 10}]
    optimizer = torch.optim.Adam(groups, lr=LEARNING_RATE, betas=(0.9, 0.99))
    batches = len(x) // BATCH
    peak = [group["lr"] for group in optimizer.param_groups]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=EPOCHS * batches, pct_start=0.1, cycle_momentum=False
    )
    progress = trange(EPOCHS, desc="epochs")
    for _ in progress:
        total = 0.0
        for index in torch.randperm(len(x))[: batches * BATCH].view(batches, BATCH):
            length = TRAIN_LENGTHS[int(torch.randint(len(TRAIN_LENGTHS), ()))]
            sampled = float(torch.rand(())) >= FLOAT_SHARE
            counts, potential = simulate(augment(x[index]), live, length, sampled=sampled)
            # The potential is a fraction of a spike, so there is a gradient even where counts tie.
            # Sampling noise of a rate falls as 1/sqrt(length); the logits grow accordingly.
            logits = (counts + potential) * (4 / math.sqrt(length))
            loss = functional.cross_entropy(logits, y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for w in live[:2]:
                    w.clamp_(-1, 1)  # a probability and a sign
                for average, p in zip(mean, live, strict=True):
                    average.lerp_(p, 1 - AVERAGE_DECAY)
            total += loss.item()
        progress.set_postfix(loss=f"{total / batches:.3f}")
    w1, w2 = ((w * WEIGHT_STEPS).round() / WEIGHT_STEPS for w in mean[:2])
    return Parameters(w1, w2, mean.log_gain)


@torch.no_grad()
def report(x: Tensor, y: Tensor, p: Parameters) -> None:
    """Print the accuracy by stream length, with sampling over several seeds and without."""

    def percent(scores: Tensor) -> float:
        # NumPy's argmax returns the first of equal values; PyTorch's does not guarantee that.
        return 100 * float(np.mean(scores.numpy().argmax(1) == y.numpy()))

    print(f"{'length':>6} {'counts':>13} {'counts + v':>13} {'float':>7}   (accuracy in %)")
    for length in TEST_LENGTHS:
        runs = [simulate(x, p, length, shared_inputs=True) for _ in range(SAMPLING_SEEDS)]
        by_count = [percent(counts) for counts, _ in runs]
        by_both = [percent(counts + v) for counts, v in runs]
        exact = percent(simulate(x, p, length, sampled=False)[0])
        columns = (f"{np.mean(a):6.2f} +- {np.std(a):4.2f}" for a in (by_count, by_both))
        print(f"{length:6d} {' '.join(columns)} {exact:7.2f}")


def main() -> None:
    """Train the network, report its accuracy on held-out images, and save both."""
    parser = argparse.ArgumentParser(description="Train the digits network.")
    parser.add_argument("--out", type=Path, default=DATA_DIR, help="output directory")
    out: Path = parser.parse_args().out
    torch.set_num_threads(1)  # a fixed order of sums gives the same weights on every run
    torch.manual_seed(SEED)

    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=TEST_IMAGES, stratify=labels, random_state=SPLIT_SEED
    )
    p = train(torch.tensor(x_train / 16, dtype=torch.float32), torch.tensor(y_train))
    torch.manual_seed(SEED)
    report(torch.tensor(x_test / 16, dtype=torch.float32), torch.tensor(y_test), p)

    gains = p.log_gain.exp().tolist()
    layers = [
        Dense(w.double().numpy(), gain=gain, neuron=LIF(tau_mem=tau))
        for w, gain, tau in zip((p.w1, p.w2), gains, TAU, strict=True)
    ]
    out.mkdir(parents=True, exist_ok=True)
    Network(layers).save(str(out / "digits.npz"))
    np.savez_compressed(
        out / "digits_test.npz", images=x_test.astype(np.uint8), labels=y_test.astype(np.uint8)
    )


if __name__ == "__main__":
    main()
