"""The noise of a step, for layers with several kinds of inputs, equals that of recorded currents."""

import numpy as np
import pytest

from sc_neurocore import (
    LIF,
    Bernoulli,
    Conv2d,
    Dense,
    Network,
    Record,
    Sobol,
    noise_budget,
    simulate,
)

RNG = np.random.default_rng(7)
LENGTH, ROWS, SEEDS = 128, 4, 8
NEURON, REACH = LIF(tau_mem=8.0, v_threshold=2.0, v_rest=0.5, resistance=0.5), 1.5


def weights(*shape):
    return RNG.uniform(-0.6, 1, shape)


RECURRENT = Dense(weights(6, 12), 0.4, NEURON, recurrent=weights(6, 6))
# The same layer as a graph, whose recorded currents include those of its own spikes.
LOOP = Dense(np.hstack([RECURRENT.weights, RECURRENT.recurrent]), 0.4, NEURON, delay=[0] * 12 + [1] * 6)
FIRST = Dense(weights(6, 12), 0.4, NEURON)
# Receives some of the inputs, in another lane than theirs, beside spikes; both late.
SKIP = Dense(weights(5, 10), RNG.uniform(0.2, 0.6, 5), NEURON, delay=[0, 45] * 3 + [1, 2, 3, 40])
PADDED = Conv2d(weights(3, 1, 3, 3), (4, 3), 0.5, NEURON, bias=weights(3), padding=1)
LATE = Conv2d(weights(3, 1, 3, 2), (4, 3), 0.5, NEURON, delay=RNG.integers(0, 64, 12))
# A kernel over positions with densities and positions with spikes.
MIXED = Conv2d(weights(2, 1, 2, 2), (6, 3), 0.5, NEURON)
CONSTANT = RNG.random((ROWS, 12))
PHASE = RNG.random((ROWS, 12, 1))
IN_TIME = 0.5 + 0.5 * np.sin(2 * np.pi * (PHASE + np.arange(LENGTH) / 50))

NETWORKS = {
    "recurrent": Network([LOOP], connections=[["input", 0]]),
    "bias": Network([Dense(weights(6, 12), 0.4, NEURON, bias=weights(6))]),
    "skip": Network([FIRST, SKIP], connections=["input", [0, slice(4, 8)]]),
    "padded": Network([PADDED]),
    "late": Network([LATE]),
    "mixed": Network([FIRST, MIXED], connections=["input", [0, "input"]]),
}
NETWORKS["feedback"] = Network(
    [Dense(SKIP.weights, SKIP.gain, NEURON, delay=[1, 9, 1, 2, 5, 3, 0, 0, 30, 1]),
     Dense(weights(6, 5), 3.0, NEURON)],
    connections=[[1, slice(8, 12)], 0],
)  # fmt: skip


def late(x, delays):
    result = np.zeros_like(x)
    for i, d in enumerate(delays):
        result[:, i, d:] = x[:, i, : x.shape[2] - d]
    return result


def expected_currents(network, number, x, run):
    """Return the currents given the spikes of a run: densities and spikes times real weights."""
    layer = network[number]
    spikes = [train.bits().astype(float) for train in run.recording.spikes.values()]
    sources = [x[:, s] if isinstance(s, slice) else spikes[s] for s in network.connections[number]]
    inputs = late(np.concatenate(sources, axis=1), np.broadcast_to(layer.delay, layer.n_in))
    given = layer.patches(inputs)
    if layer.bias is not None:
        given = np.concatenate([given, np.ones_like(given[:, :1])], axis=1)
    current = layer.matrix @ given
    scale = np.broadcast_to(layer.gain, len(layer.matrix))[:, np.newaxis]
    return layer.flatten(current * scale)


def errors_of(network, x, seed, source, k):
    """Return the errors of the last layer's currents in units of the threshold, and its run."""
    length = LENGTH if x.ndim == 2 else None
    number = len(network) - 1 if network is not NETWORKS["feedback"] else 0
    run = simulate(
        network, x, length, seed=seed, source=source, bits_per_step=k,
        record=Record(spikes=True, currents=True),
    )  # fmt: skip
    in_time = np.broadcast_to(x if x.ndim == 3 else x[..., np.newaxis], (ROWS, 12, LENGTH))
    currents = run.recording.currents[number]
    exact = expected_currents(network, number, in_time, run)
    return (currents - exact) * NEURON.resistance / REACH, number


@pytest.mark.parametrize("k", [1, 4, 16])
@pytest.mark.parametrize("x", [CONSTANT, IN_TIME], ids=["constant", "in time"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_noise_of_bernoulli_streams_is_that_of_recorded_currents(name, x, k):
    network = NETWORKS[name]
    errors, number = errors_of(network, x, 1, Bernoulli(), k)
    length = LENGTH if x.ndim == 2 else None
    budget = noise_budget(network, x, length, seed=1, bits_per_step=k)[number]
    squares = (errors**2).mean(axis=1)  # of independent rows and steps
    sigma = squares.std() / np.sqrt(squares.size)
    assert abs(budget.step_noise**2 - squares.mean()) <= 5 * sigma
    in_thresholds = budget.standard_error * NEURON.resistance / REACH
    assert in_thresholds == pytest.approx(budget.step_noise / np.sqrt(LENGTH), rel=1e-9)


@pytest.mark.parametrize("k", [1, 4, 16])
@pytest.mark.parametrize("x", [CONSTANT, IN_TIME], ids=["constant", "in time"])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_noise_of_sobol_streams_is_that_of_recorded_currents(name, x, k):
    network = NETWORKS[name]
    runs = [errors_of(network, x, seed, Sobol(), k) for seed in range(SEEDS)]
    errors, number = [run[0] for run in runs], runs[0][1]
    length = LENGTH if x.ndim == 2 else None
    budget = noise_budget(network, x, length, seed=1, source=Sobol(), bits_per_step=k)[number]
    squares = np.array([(of**2).mean() for of in errors])
    # The budget measures 4,096 products, whose squares have a standard deviation of up to twice theirs.
    sigma = np.sqrt((squares.std() / squares.mean()) ** 2 / SEEDS + 2**2 / 4096)
    assert abs(budget.step_noise**2 / squares.mean() - 1) <= 5 * sigma
    # Rows share their numbers: as if there were one row of at least 5 neurons.
    means = np.sqrt(np.mean([(of.mean(axis=2) ** 2).mean() for of in errors]))
    predicted = budget.standard_error * NEURON.resistance / REACH
    assert abs(means / predicted - 1) <= 5 / np.sqrt(2 * SEEDS * 5)


def test_recurrent_weights_are_a_loop_with_a_delay_of_one_step():
    for x in (CONSTANT, IN_TIME):
        for source in (Bernoulli(), Sobol()):
            length = LENGTH if x.ndim == 2 else None
            of = [
                noise_budget(network, x, length, seed=1, source=source, bits_per_step=4)
                for network in (Network([RECURRENT]), NETWORKS["recurrent"])
            ]
            assert of[0] == of[1]
