"""This package, under the same conditions as its peers."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import numpy as np
from layers import layer_cases
from serve import Call, serve
from workloads import (
    BATCH,
    CURRENT,
    DOT_INPUTS,
    DOT_W,
    DOT_X,
    LAYER_INPUTS,
    LAYER_NEURONS,
    LEAK,
    LEARN_ACTIVE,
    LEARN_CALLS,
    LEARN_DENSITY,
    LEARN_IMAGES,
    LEARN_SIZES,
    LEARN_STEP_DENSITY,
    LEARN_STEP_SIZES,
    LEARN_STEPS,
    LENGTH,
    LOOP_SIZES,
    LOOP_STEPS,
    NET_GAIN,
    NET_STEPS,
    NEURONS,
    NOISE,
    SHORT_BATCH,
    SHORT_STEPS,
    SINGLE_STEPS,
    SIZES,
    STEPS,
    STEPS_OF_ONE,
    TRAIN,
    VALUES,
)

import sc_neurocore as sc
from sc_neurocore.plasticity import STDP, Competition, Homeostasis

rng = np.random.default_rng(0)


def step(noise_std: float) -> Call:
    one_step = sc.StochasticLIFNeuron(noise_std=noise_std, seed=1).step

    def run() -> None:
        for _ in range(STEPS_OF_ONE):
            one_step(CURRENT)

    return run


def population(noise_std: float, own: bool) -> Call:
    lif = sc.LIF(noise_std=noise_std)
    currents = np.full((NEURONS, STEPS) if own else STEPS, CURRENT)
    return partial(lif.run, currents, lif.initial_state(NEURONS), key=1)


def net_of(sizes: tuple[int, ...], gain: float) -> sc.Network:
    return sc.Network(
        [sc.Dense(rng.uniform(-1, 1, (n_out, n_in)), gain=gain) for n_in, n_out in pairwise(sizes)]
    )


def network() -> Call:
    net = net_of(SIZES, NET_GAIN)
    return partial(sc.simulate, net, rng.random((BATCH, SIZES[0])), NET_STEPS, seed=1)


def short(kept: bool) -> Call:
    net, x = net_of(SIZES, 0.1), rng.random((SHORT_BATCH, SIZES[0]))
    if kept:
        return partial(sc.prepare(net, seed=1, steps_kept=SHORT_STEPS).run, x, SHORT_STEPS)
    return partial(sc.simulate, net, x, SHORT_STEPS, seed=1)


def train(sizes: tuple[int, ...] | None, steps: int, batch: int) -> Call:
    import torch
    from peer_torch import train_data, training_step

    from sc_neurocore.training import SCConv2d, SCLinear, SCNetwork

    torch.set_num_threads(sc.get_threads())
    torch.manual_seed(0)
    fires, readout = sc.LIF(tau_mem=1 / LEAK), sc.LIF(tau_mem=1 / LEAK, v_threshold=math.inf)
    if sizes is None:
        model = SCNetwork(
            SCConv2d(1, 16, 5, (28, 28), gain=0.6, neuron=fires, stride=2),
            SCConv2d(16, 32, 5, (12, 12), gain=0.3, neuron=fires, stride=2),
            SCLinear(512, 10, gain=0.2, neuron=readout),
        )
    else:
        layers = [
            SCLinear(n_in, n_out, gain=0.2, neuron=neuron)
            for (n_in, n_out), neuron in zip(pairwise(sizes), (fires, readout), strict=True)
        ]
        model = SCNetwork(*layers)
    x, labels = train_data((model.n_in,), batch)
    return training_step(model.parameters(), lambda: model(x, steps), labels)


def single() -> Call:
    prepared = sc.prepare(net_of(SIZES, 0.1), seed=1, steps_kept=SINGLE_STEPS)
    return partial(prepared.run, rng.random(SIZES[0]), SINGLE_STEPS)


def loop() -> Call:
    prepared = sc.prepare(net_of(LOOP_SIZES, 0.2), seed=1, steps_kept=LOOP_STEPS)
    x = rng.random(LOOP_SIZES[0])

    def run() -> None:
        state = None
        for _ in range(LOOP_STEPS):
            state = prepared.run(x, 1, state=state).state

    return run


def learn() -> Call:
    w = rng.uniform(0, 0.3, LEARN_SIZES[::-1])
    x = np.zeros((LEARN_IMAGES, LEARN_SIZES[0]))
    for row in x:
        row[rng.permutation(len(row))[:LEARN_ACTIVE]] = rng.uniform(0, LEARN_DENSITY, LEARN_ACTIVE)
    rules = (
        STDP(0.05, 1e-4, bounds="hard", pairing="nearest"),
        Homeostasis(total=78.4, period=LEARN_STEPS),
        Competition(inhibition=2.0, threshold_step=0.02, tau_threshold=1e7),
    )
    neuron = sc.LIF(tau_mem=100.0, refractory_period=5)
    net = sc.Network([sc.Dense(w, gain=0.03, neuron=neuron, plasticity=rules)])
    prepared = sc.prepare(net, seed=1)
    state = prepared.run(x, LEARN_STEPS).state
    return partial(prepared.run, x, LEARN_STEPS, state=state)


def learn_step() -> Call:
    w = rng.uniform(0, 1, LEARN_STEP_SIZES[::-1])
    net = sc.Network([sc.Dense(w, gain=0.2, plasticity=STDP())])
    prepared, x = sc.prepare(net, seed=1), np.full(LEARN_STEP_SIZES[0], LEARN_STEP_DENSITY)

    def run() -> None:
        state = None
        for _ in range(LEARN_CALLS):
            state = prepared.run(x, 1, state=state).state

    return run


def encode() -> Call:
    return partial(sc.encode, rng.random(VALUES), LENGTH, key=1)


def product() -> Call:
    x, y = (sc.encode(rng.random(VALUES), LENGTH, key=key) for key in (1, 2))
    return lambda: (x & y).counts()


def dot() -> Call:
    x, w = (sc.encode(rng.random((n, DOT_INPUTS)), LENGTH, key=n) for n in (DOT_X, DOT_W))
    return partial(sc.dot, x, w)


if __name__ == "__main__":
    serve(
        sc.__version__,
        {
            "step": partial(step, 0.0),
            "step noise": partial(step, NOISE),
            "population shared": partial(population, 0.0, False),
            "population own": partial(population, 0.0, True),
            "population shared noise": partial(population, NOISE, False),
            "population own noise": partial(population, NOISE, True),
            "network": network,
            "short": partial(short, False),
            "short kept": partial(short, True),
            **{case: partial(train, *of_case) for case, of_case in TRAIN.items()},
            "single": single,
            "loop": loop,
            "learn": learn,
            "learn step": learn_step,
            **layer_cases(rng.random(LAYER_INPUTS), rng.random((LAYER_NEURONS, LAYER_INPUTS))),
            "encode": encode,
            "product": product,
            "dot": dot,
        },
    )
