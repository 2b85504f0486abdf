"""Evidence about networks in time: bits per step, spike trains, and every kind of layer."""

import numpy as np
import pytest

from sc_neurocore import (
    LFSR,
    LIF,
    Bernoulli,
    Bitstream,
    Conv2d,
    Dense,
    Network,
    Sobol,
    decide_early,
    evaluate,
    load_digits,
    noise_budget,
    plan,
    simulate,
    simulate_float,
)
from sc_neurocore.evidence import Accuracy, sufficient_bits_per_step
from sc_neurocore.networks import Record

RNG = np.random.default_rng(31)
DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:60], DIGITS.labels[:60]
NETWORK = DIGITS.network
TRAINS = Bitstream.from_bits((RNG.random((60, 64, 40)) < IMAGES[:, :, None]).astype(np.uint8))


def test_spike_trains_are_evaluated_as_they_are_and_cut_to_a_length():
    whole = evaluate(NETWORK, TRAINS, LABELS, seeds=[1, 2])
    assert [row.length for row in whole] == [40]
    right = np.array([simulate(NETWORK, TRAINS, seed=s).classes == LABELS for s in (1, 2)])
    assert np.array_equal(whole[0].right, right)
    (half,) = evaluate(NETWORK, TRAINS, LABELS, [16], seeds=[1])
    cut = TRAINS.between(0, 16)
    assert np.array_equal(half.right[0], simulate(NETWORK, cut, seed=1).classes == LABELS)
    with pytest.raises(ValueError, match="lengths must be at most that of the images, 40, got 41"):
        evaluate(NETWORK, TRAINS, LABELS, [41])
    with pytest.raises(TypeError, match="length must be given unless images has a length"):
        evaluate(NETWORK, IMAGES, LABELS)


def test_bits_per_step_reach_the_simulation():
    (row,) = evaluate(NETWORK, IMAGES, LABELS, [8], seeds=[3], bits_per_step=4, source=Sobol())
    run = simulate(NETWORK, IMAGES, 8, seed=3, source=Sobol(), bits_per_step=4)
    assert np.array_equal(row.right[0], run.classes == LABELS)
    assert (row.bits_per_step, row.cost) == (4, 32)
    assert "bits_per_step=4" in repr(row)


def test_rows_carry_agreement_and_spikes_relative_to_real_numbers():
    rows = evaluate(NETWORK, TRAINS, LABELS, [16, 40], seeds=[3, 4], bits_per_step=[1, 8])
    assert [(row.length, row.bits_per_step) for row in rows] == [(16, 1), (16, 8), (40, 1), (40, 8)]
    for row in rows:
        (alone,) = evaluate(
            NETWORK, TRAINS, LABELS, [row.length], seeds=[3, 4], bits_per_step=row.bits_per_step
        )
        assert np.array_equal(alone.right, row.right)
        cut = TRAINS.between(0, row.length)
        real = simulate_float(NETWORK, cut)
        runs = [simulate(NETWORK, cut, seed=s, bits_per_step=row.bits_per_step) for s in (3, 4)]
        assert np.array_equal(row.same, [run.classes == real.classes for run in runs])
        assert row.agreement == row.same.mean()
        ratios = [run.counts.sum() / real.counts.sum() for run in runs]
        assert np.array_equal(row.spike_ratios, ratios)
        assert row.spike_ratio == np.mean(ratios)
    with pytest.raises(ValueError, match="bits_per_step must hold at least one value, got none"):
        evaluate(NETWORK, TRAINS, LABELS, bits_per_step=[])


def test_the_rows_of_a_plan_agree_with_the_longest_run_and_count_spikes_of_equal_ones():
    (made,) = plan(NETWORK, IMAGES, LABELS, 0.0, sources={"Sobol": Sobol()}, seeds=[1], lengths=[4, 64])
    longest = simulate_float(NETWORK, IMAGES, 64).classes
    for row in made.tried:
        run = simulate(NETWORK, IMAGES, row.length, seed=1, source=Sobol())
        assert np.array_equal(row.same[0], run.classes == longest)
        spikes = simulate_float(NETWORK, IMAGES, row.length).counts.sum()
        assert row.spike_ratio == run.counts.sum() / spikes


def test_outputs_that_never_fire_have_no_ratio_of_spikes():
    readout = Network([Dense(NETWORK[0].weights, NETWORK[0].gain, LIF(v_threshold=np.inf))])
    labels = np.zeros(60, int)
    (row,) = evaluate(readout, IMAGES, labels, [8], seeds=[1])
    assert np.isnan(row.spike_ratio)
    assert 0 < row.agreement <= 1
    old = Accuracy(8, row.right, row.float_right)
    assert np.isnan(old.agreement)
    assert np.isnan(old.spike_ratio)


def test_a_plan_tries_pairs_in_the_order_of_their_cost():
    (made,) = plan(
        NETWORK, IMAGES, LABELS, 0.0, sources={"Bernoulli": Bernoulli()}, seeds=[0], lengths=[8, 4],
        bits_per_step=[8, 1, 2],
    )  # fmt: skip
    pairs = [(row.length, row.bits_per_step) for row in made.tried]
    every = [(4, 1), (4, 2), (8, 1), (8, 2), (4, 8), (8, 8)]
    assert pairs == every[: len(pairs)]
    assert made.bits_per_step == (None if made.length is None else pairs[-1][1])
    assert "steps of" in str(made) or pairs[-1][1] == 1
    (of_trains,) = plan(
        NETWORK, TRAINS, LABELS, 0.2, sources={"Sobol": Sobol()}, seeds=[0], bits_per_step=[1, 16]
    )
    assert of_trains.tried[0].length == 40


def test_early_decisions_of_spike_trains_end_in_the_class_of_the_simulation():
    early = decide_early(NETWORK, TRAINS, seed=1, bits_per_step=2)
    run = simulate(NETWORK, TRAINS, seed=1, bits_per_step=2)
    assert np.array_equal(early.full_classes, run.classes)
    assert early.changed == 0
    assert early.mean_steps < 40


# Noise of a time step


LIF8 = LIF(tau_mem=8.0, v_threshold=2.0, v_rest=0.5, resistance=0.5)
CONV = Conv2d(RNG.uniform(-1, 1, (3, 2, 3, 3)), (6, 6), [0.3, 0.6, 0.1], LIF8, bias=[0.5, 0, 0.2])
DENSE = Dense(RNG.uniform(-1, 1, (8, 72)), RNG.uniform(0.2, 0.8, 8), LIF8, bias=RNG.uniform(-1, 1, 8))
BITS = Bitstream.from_bits((RNG.random((6, 72, 256)) < 0.3).astype(np.uint8))


@pytest.mark.parametrize("k", [1, 4, 16])
@pytest.mark.parametrize("source", [Bernoulli(), Sobol(), LFSR(12)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("layer", [CONV, DENSE], ids=["conv", "dense"])
def test_the_noise_of_a_step_is_that_of_recorded_currents(layer, source, k):
    network = Network([layer])
    (budget,) = noise_budget(network, BITS, seed=1, source=source, bits_per_step=k)
    record = Record(currents=True)
    errors = []
    signal = BITS.bits().astype(float)
    rows = layer.patches(signal)
    rows = np.concatenate([rows, np.ones_like(rows[:, :1])], axis=1)
    exact = layer.flatten(np.einsum("bit,ji->bjt", rows, layer.matrix))
    exact *= np.repeat(layer.gain, layer.positions)[:, None]
    for seed in range(12):
        run = simulate(
            network, BITS, seed=seed, source=source, bits_per_step=k, record=record
        )  # fmt: skip
        errors.append(run.recording.currents[0] - exact)
    measured = np.sqrt(np.mean(np.square(errors))) * 0.5 / 1.5
    assert budget.step_noise == pytest.approx(measured, rel=0.12)


def test_more_bits_per_step_lower_the_noise_and_faster_without_randomness():
    network = Network([DENSE])
    of = {
        (name, k): noise_budget(network, BITS, seed=1, source=source, bits_per_step=k)[0].step_noise
        for name, source in (("Bernoulli", Bernoulli()), ("Sobol", Sobol()))
        for k in (1, 16, 64)
    }
    assert of["Bernoulli", 16] == pytest.approx(of["Bernoulli", 1] / 4, rel=1e-9)
    assert of["Sobol", 64] < 0.4 * of["Bernoulli", 64]


def test_recurrent_weights_and_graphs_have_a_budget():
    recurrent = Dense(
        RNG.uniform(-1, 1, (5, 72)), 0.3, LIF(tau_mem=8.0), recurrent=RNG.uniform(-1, 1, (5, 5))
    )
    last = Dense(RNG.uniform(-1, 1, (2, 77)), 0.3, LIF(v_threshold=np.inf))
    network = Network([recurrent, last], connections=["input", ["input", 0]])
    for x in (BITS, BITS.probability(), BITS.bits().astype(float)):
        length = 256 if isinstance(x, np.ndarray) and x.ndim == 2 else None
        first, second = noise_budget(network, x, length, seed=1)
        assert first.step_noise > 0
        assert np.isnan(second.step_noise)
    weights = np.concatenate([recurrent.weights, recurrent.recurrent], axis=1)
    run = simulate(network, BITS, seed=1, record=True)
    own = run.spikes[0].bits()
    before = np.concatenate([np.zeros_like(own[..., :1]), own[..., :-1]], axis=-1)
    rates = np.concatenate([BITS.probability(), before.mean(axis=-1)], axis=1)
    law = 0.3**2 * (rates @ (np.abs(weights) * (1 - np.abs(weights))).T).mean()
    (first, _) = noise_budget(network, BITS, seed=1)
    assert first.step_noise == pytest.approx(np.sqrt(law), rel=1e-12)


@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=["Bernoulli", "Sobol"])
def test_the_recommended_bits_are_the_first_power_of_two_below_the_limit(source):
    network = Network([DENSE, Dense(RNG.uniform(-1, 1, (4, 8)), 0.5, LIF(v_threshold=np.inf))])
    k = sufficient_bits_per_step(network, BITS, step_noise=0.1, seed=1, source=source)
    noises = [
        noise_budget(network, BITS, seed=1, source=source, bits_per_step=n)[0].step_noise
        for n in (k // 2, k)
    ]
    assert noises[1] <= 0.1 < noises[0]
    with pytest.raises(ValueError, match="step_noise must be reachable with 4096 bits per step"):
        sufficient_bits_per_step(network, BITS[:1], step_noise=1e-6, seed=1)
    with pytest.raises(ValueError, match="step_noise must be greater than 0"):
        sufficient_bits_per_step(network, BITS, step_noise=0)


def test_the_noise_of_rows_that_differ_is_weighed_by_their_gains():
    """One noisy row with a large gain, seven exact ones with a small gain."""
    rows = RNG.choice([-1.0, 1.0], (8, 40))
    rows[0] = RNG.uniform(0.3, 0.7, 40)
    network = Network([Dense(rows, [3.0] + [0.01] * 7)])
    x = Bitstream.from_bits(np.ones((2, 40, 32), np.uint8))
    exact = rows.sum(axis=1) * network[0].gain
    for k in (8, 32):
        (budget,) = noise_budget(network, x, seed=1, source=Sobol(), bits_per_step=k)
        errors = [
            simulate(
                network, x, seed=s, source=Sobol(), bits_per_step=k, record=Record(currents=True)
            ).recording.currents[0]
            - exact[:, None]
            for s in range(20)
        ]
        measured = np.sqrt(np.mean(np.square(errors)))
        assert budget.step_noise == pytest.approx(measured, rel=0.15)
