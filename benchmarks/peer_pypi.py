"""Another project of the same name on PyPI, by the classes that both have."""

from __future__ import annotations

from functools import partial

import numpy as np
from layers import layer_cases
from serve import Call, serve
from workloads import (
    CURRENT,
    LAYER_INPUTS,
    LAYER_NEURONS,
    LENGTH,
    NOISE,
    STEPS_OF_ONE,
    VALUES,
)

import sc_neurocore as sc

rng = np.random.default_rng(0)


def step(noise_std: float) -> Call:
    neuron = sc.StochasticLIFNeuron(noise_std=noise_std, seed=1)

    def run() -> None:
        for _ in range(STEPS_OF_ONE):
            neuron.step(CURRENT)

    return run


def encode() -> Call:
    encoder = sc.BitstreamEncoder(0.0, 1.0, length=LENGTH, seed=1)
    values = rng.random(VALUES).tolist()
    return lambda: [encoder.encode(x) for x in values]


def product() -> Call:
    encoder = sc.BitstreamEncoder(0.0, 1.0, length=LENGTH, seed=1)
    x, y = ([encoder.encode(p) for p in rng.random(VALUES).tolist()] for _ in range(2))
    return lambda: [np.count_nonzero(a & b) for a, b in zip(x, y, strict=True)]


if __name__ == "__main__":
    serve(
        sc.__version__,
        {
            "step": partial(step, 0.0),
            "step noise": partial(step, NOISE),
            **layer_cases(
                rng.random(LAYER_INPUTS).tolist(), rng.random((LAYER_NEURONS, LAYER_INPUTS)).tolist()
            ),
            "encode": encode,
            "product": product,
        },
    )
