"""The package of another project that bears our name on PyPI, by the classes that both have."""

from __future__ import annotations

from functools import partial

import numpy as np
from serve import Call, serve
from workloads import (
    CURRENT,
    LAYER_INPUTS,
    LAYER_LENGTH,
    LAYER_NEURONS,
    LAYER_STEPS,
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


X, W = rng.random(LAYER_INPUTS).tolist(), rng.random((LAYER_NEURONS, LAYER_INPUTS)).tolist()


def new_layer() -> sc.SCDenseLayer:
    return sc.SCDenseLayer(
        LAYER_NEURONS,
        X,
        W,
        0.0,
        1.0,
        0.0,
        1.0,
        length=LAYER_LENGTH,
        y_max=0.3,
        neuron_params={"noise_std": 0.02},
        base_seed=1,
    )


def layer_run() -> Call:
    layer = new_layer()

    def run() -> None:
        layer.reset()
        layer.run(LAYER_STEPS)

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
            "layer build": lambda: new_layer,
            "layer run": layer_run,
            "layer": lambda: lambda: new_layer().run(LAYER_STEPS),
            "encode": encode,
            "product": product,
        },
    )
