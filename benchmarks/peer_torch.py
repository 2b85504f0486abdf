"""PyTorch by hand: a matrix product, leak, threshold and reset per step. Also draws snnTorch's data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import torch
from serve import Call, serve, threads
from torch.nn import functional
from workloads import BATCH, LEAK, NET_GAIN, NET_STEPS, SIZES, TRAIN_DENSITY


def images() -> torch.Tensor:
    return torch.rand(BATCH, SIZES[0])


def weights() -> list[torch.Tensor]:
    return [NET_GAIN * (2 * torch.rand(n_out, n_in) - 1) for n_in, n_out in pairwise(SIZES)]


def network() -> Call:
    x = images()
    ws = [w.T.contiguous() for w in weights()]

    def run() -> torch.Tensor:
        v = [torch.zeros(BATCH, n) for n in SIZES[1:]]
        counts = torch.zeros(BATCH, SIZES[-1])
        with torch.inference_mode():
            for _ in range(NET_STEPS):
                s = (torch.rand_like(x) < x).float()
                for i, w in enumerate(ws):
                    v[i] = torch.addmm(v[i], s, w, beta=1 - LEAK)
                    s = (v[i] >= 1.0).float()
                    v[i] = v[i] * (1.0 - s)
                counts += s
        return counts

    return run


def weighted(sizes: tuple[int, ...] | None) -> list[torch.nn.Module]:
    """Return the layers of weights of a training step."""
    if sizes is not None:
        return [torch.nn.Linear(n_in, n_out, bias=False) for n_in, n_out in pairwise(sizes)]
    return [
        torch.nn.Conv2d(1, 16, 5, stride=2, bias=False),
        torch.nn.Conv2d(16, 32, 5, stride=2, bias=False),
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(512, 10, bias=False)),
    ]


def train_data(sizes: tuple[int, ...] | None, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return densities and labels of a training step."""
    x, labels = torch.rand(batch, 784), torch.randint(10, (batch,))
    x *= torch.rand_like(x) < TRAIN_DENSITY
    return x if sizes else x.view(-1, 1, 28, 28), labels


def training_step(
    parameters: Iterable[torch.Tensor], potentials: Callable[[], torch.Tensor], labels: torch.Tensor
) -> Call:
    """Return a training step: forward, backward and Adam, of a network whose last potentials count."""
    optimizer = torch.optim.Adam(parameters, lr=1e-3)

    def run() -> None:
        loss = functional.cross_entropy(potentials(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


if __name__ == "__main__":
    torch.set_num_threads(threads())
    torch.manual_seed(0)
    serve(torch.__version__, {"network": network})
