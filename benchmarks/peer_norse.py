"""Norse: LIFBox cells, neurons whose currents jump, with gradients of surrogates, float32."""

from __future__ import annotations

import math
from functools import partial
from importlib.metadata import version

import torch
from norse.torch.functional.lif_box import (
    LIFBoxFeedForwardState,
    LIFBoxParameters,
    lif_box_feed_forward_step,
)
from peer_torch import train_data, training_step, weighted
from serve import Call, serve, threads
from workloads import LEAK, TRAIN


def train(sizes: tuple[int, ...] | None, steps: int, batch: int) -> Call:
    layers = weighted(sizes)
    parameters = [p for layer in layers for p in layer.parameters()]
    for weights in parameters:
        weights.data /= LEAK  # a step moves a potential by its leak times its input
    neurons = [
        LIFBoxParameters(tau_mem_inv=torch.tensor(LEAK), v_th=torch.tensor(threshold))
        for threshold in [1.0] * (len(layers) - 1) + [math.inf]
    ]
    x, labels = train_data(sizes, batch)

    def potentials() -> torch.Tensor:
        states = [LIFBoxFeedForwardState(v=torch.tensor(0.0)) for _ in neurons]
        for _ in range(steps):
            s = torch.bernoulli(x)
            for i, (layer, neuron) in enumerate(zip(layers, neurons, strict=True)):
                s, states[i] = lif_box_feed_forward_step(layer(s), states[i], neuron, 1.0)
        return states[-1].v

    return training_step(parameters, potentials, labels)


if __name__ == "__main__":
    torch.set_num_threads(threads())
    torch.manual_seed(0)
    serve(version("norse"), {case: partial(train, *of_case) for case, of_case in TRAIN.items()})
