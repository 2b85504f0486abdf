"""snnTorch: Linear and Leaky modules without gradients, float32."""

from __future__ import annotations

import math
from functools import partial
from importlib.metadata import version

import snntorch
import torch
from peer_torch import images, train_data, training_step, weighted, weights
from serve import Call, serve, threads
from workloads import (
    BATCH,
    CURRENT,
    LEAK,
    NET_STEPS,
    NEURONS,
    NOISE,
    SIZES,
    STEPS,
    STEPS_OF_ONE,
    TRAIN,
)


def leaky() -> snntorch.Leaky:
    return snntorch.Leaky(beta=1 - LEAK, threshold=1.0, reset_mechanism="zero")


def step(noise_std: float) -> Call:
    neuron = leaky()
    current = torch.full((1,), CURRENT)

    def run() -> None:
        with torch.inference_mode():
            v = torch.zeros(1)
            for _ in range(STEPS_OF_ONE):
                here = current + noise_std * torch.randn(1) if noise_std else current
                _, v = neuron(here, v)

    return run


def population(noise_std: float, own: bool) -> Call:
    neurons = leaky()
    currents = torch.full((STEPS, NEURONS if own else 1), CURRENT)

    def run() -> torch.Tensor:
        spikes = torch.empty(STEPS, NEURONS, dtype=torch.bool)
        with torch.inference_mode():
            v = torch.zeros(NEURONS)
            for t in range(STEPS):
                here = currents[t]
                if noise_std:
                    here = here + noise_std * torch.randn(NEURONS)
                fired, v = neurons(here, v)
                spikes[t] = fired
        return spikes

    return run


def network() -> Call:
    x = images()
    linear = []
    for w in weights():
        linear.append(torch.nn.Linear(w.shape[1], w.shape[0], bias=False))
        linear[-1].weight.data = w
    neurons = [leaky() for _ in linear]

    def run() -> torch.Tensor:
        v = [torch.zeros(BATCH, n) for n in SIZES[1:]]
        counts = torch.zeros(BATCH, SIZES[-1])
        with torch.inference_mode():
            for _ in range(NET_STEPS):
                s = torch.bernoulli(x)
                for i in range(len(linear)):
                    s, v[i] = neurons[i](linear[i](s), v[i])
                counts += s
        return counts

    return run


def train(sizes: tuple[int, ...] | None, steps: int, batch: int) -> Call:
    layers = weighted(sizes)
    slope = snntorch.surrogate.fast_sigmoid()
    neurons = [
        snntorch.Leaky(beta=1 - LEAK, threshold=threshold, reset_mechanism="zero", spike_grad=slope)
        for threshold in [1.0] * (len(layers) - 1) + [math.inf]
    ]
    parameters = [p for layer in layers for p in layer.parameters()]
    x, labels = train_data(sizes, batch)

    def potentials() -> torch.Tensor:
        v = [neuron.init_leaky() for neuron in neurons]
        for _ in range(steps):
            s = torch.bernoulli(x)
            for i, (layer, neuron) in enumerate(zip(layers, neurons, strict=True)):
                s, v[i] = neuron(layer(s), v[i])
        return v[-1]

    return training_step(parameters, potentials, labels)


if __name__ == "__main__":
    torch.set_num_threads(threads())
    torch.manual_seed(0)
    serve(
        version("snntorch"),
        {
            "step": partial(step, 0.0),
            "step noise": partial(step, NOISE),
            "population shared": partial(population, 0.0, False),
            "population own": partial(population, 0.0, True),
            "population shared noise": partial(population, NOISE, False),
            "population own noise": partial(population, NOISE, True),
            "network": network,
            **{case: partial(train, *of_case) for case, of_case in TRAIN.items()},
        },
    )
