"""Accuracy and its errors, the shortest stream length, early decisions."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

from sc_neurocore import (
    LIF,
    Bernoulli,
    Dense,
    FixedPoint,
    Hammersley,
    Network,
    Permutation,
    Sobol,
    decide_early,
    evaluate,
    load_digits,
    plan,
    simulate,
    simulate_float,
)
from sc_neurocore.evidence import Accuracy, stopping
from sc_neurocore.evidence._intervals import (
    at_most,
    cases_needed,
    paired_difference,
    wilson,
)
from sc_neurocore.evidence.evaluation import SOURCES
from sc_neurocore.evidence.stopping import _Leads

DIGITS = load_digits()
NETWORK, IMAGES, LABELS = DIGITS


def small_network(refractory_period=0, n_out=3):
    weights = np.random.default_rng(1).uniform(-1, 1, (n_out, 5))
    neuron = LIF(tau_mem=4.0, refractory_period=refractory_period)
    return Network([Dense(weights, gain=0.6, neuron=neuron)])


# --- statistics


@pytest.mark.parametrize(("right", "n"), [(0, 5), (3, 7), (441, 450), (450, 450)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_wilsons_interval_equals_scipys(right, n, confidence):
    expected = stats.binomtest(right, n).proportion_ci(confidence, method="wilson")
    assert wilson(right, n, confidence) == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "p"), [(0, 9, 0.3), (4, 225, 0.05), (30, 40, 0.9), (3, 10**5, 1e-4)]
)
def test_the_binomial_tail_equals_scipys(k, n, p):
    assert at_most(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-9)
    assert at_most(n, n, p) == 1.0


@pytest.mark.parametrize(("k", "n"), [(0, 60), (2, 225), (17, 300)])
def test_the_tail_reaches_the_error_at_the_bound_of_clopper_and_pearson(k, n):
    bound = stats.binomtest(k, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert at_most(k, n, bound) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(("p", "confidence"), [(0.01, 0.95), (0.5, 0.5), (0.02, 0.999)])
def test_the_cases_needed_are_the_fewest_that_bound_a_probability_without_a_hit(p, confidence):
    n = cases_needed(p, confidence)
    assert at_most(0, n, p) <= 1 - confidence < at_most(0, n - 1, p)


@pytest.mark.parametrize(("first", "second", "n"), [(3, 9, 450), (40, 20, 160), (1, 0, 30), (5, 5, 12)])
def test_the_paired_interval_ends_at_the_limits_of_the_score_test(first, second, n):
    z = stats.norm.ppf(0.975)
    for end in paired_difference(first, second, n, 0.95):
        # The likelihood at a given difference, maximized by scipy over the second proportion.
        def negative(share, d=end):
            both = max(1 - 2 * share - d, 1e-300)
            return -(
                first * math.log(max(share + d, 1e-300))
                + second * math.log(max(share, 1e-300))
                + (n - first - second) * math.log(both)
            )

        bounds = (max(0.0, -end), (1 - end) / 2)
        share = optimize.minimize_scalar(negative, bounds=bounds, options={"xatol": 1e-12}).x
        score = (first - second - n * end) / math.sqrt(n * (2 * share + end * (1 - end)))
        assert abs(score) == pytest.approx(z, rel=1e-4)


def test_the_paired_interval_is_symmetric_and_has_a_closed_form_at_no_difference():
    low, high = paired_difference(3.5, 9.25, 450, 0.9)
    assert paired_difference(9.25, 3.5, 450, 0.9) == pytest.approx((-high, -low), abs=1e-12)
    z2 = stats.norm.ppf(0.975) ** 2
    end = z2 / (450 + z2)
    assert paired_difference(0, 0, 450, 0.95) == pytest.approx((-end, end), abs=1e-12)
    assert paired_difference(450, 0, 450, 0.95)[1] == pytest.approx(1.0)


def test_the_paired_interval_reaches_zero_with_mcnemars_test():
    first, second, n = 12, 4, 200
    z = (first - second) / math.sqrt(first + second)
    low, _ = paired_difference(first, second, n, 2 * stats.norm.cdf(z) - 1)
    assert low == pytest.approx(0, abs=1e-9)


# --- accuracy


def test_an_accuracy_has_its_mean_spread_and_error():
    right = np.array([[1, 1, 0, 1], [1, 0, 0, 1]], bool)
    row = Accuracy(8, right, np.array([1, 1, 1, 0], bool))
    assert row.by_seed.tolist() == [0.75, 0.5]
    assert (row.mean, row.of_float, row.loss) == (0.625, 0.75, 0.125)
    assert row.std == pytest.approx(np.std([0.75, 0.5], ddof=1))
    assert row.standard_error == pytest.approx(math.sqrt(0.625 * 0.375 / 4))
    assert row.interval(0.9) == wilson(2.5, 4, 0.9)
    assert row.loss_interval(0.9) == paired_difference(1.5, 1.0, 4, 0.9)
    assert math.isnan(Accuracy(8, right[:1], right[0]).std)


def test_evaluate_returns_the_correct_images_of_each_seed():
    rows = evaluate(*DIGITS, [5, 70], seeds=[3, 9], source=Sobol())
    for row, length in zip(rows, (5, 70), strict=True):
        assert row.length == length
        for right, seed in zip(row.right, (3, 9), strict=True):
            classes = simulate(NETWORK, IMAGES, length, seed=seed, source=Sobol()).classes
            np.testing.assert_array_equal(right, classes == LABELS)
        np.testing.assert_array_equal(
            row.float_right, simulate_float(NETWORK, IMAGES, length).classes == LABELS
        )


def test_evaluate_in_fixed_point_is_the_simulation_in_fixed_point():
    # Words so short that their rounding costs accuracy.
    fixed_point, counters = FixedPoint(bits=2, word=6, leak_bits=1), Hammersley(8, 1, randomized=False)
    (row,) = evaluate(*DIGITS, [16], seeds=[4], source=counters, fixed_point=fixed_point)
    run = simulate(NETWORK, IMAGES, 16, seed=4, source=counters, fixed_point=fixed_point)
    assert np.array_equal(row.right[0], run.classes == LABELS)
    (plain,) = evaluate(*DIGITS, [16], seeds=[4], source=counters)
    assert np.array_equal(row.float_right, plain.float_right)
    assert row.mean < plain.mean - 0.01


def test_the_shipped_network_keeps_its_accuracy_on_bitstreams():
    row, short = evaluate(*DIGITS, [64, 8])
    assert row.mean >= 0.96
    assert row.of_float >= 0.98
    assert short.mean < row.mean


def test_every_source_classifies_digits():
    for name, source in SOURCES.items():
        rows = evaluate(*DIGITS, [16, 100], seeds=[1], source=source)
        assert min(row.mean for row in rows) > 0.9, name


# --- the shortest length


def test_a_plan_ends_at_the_first_length_that_keeps_the_accuracy():
    sources = {"a": Bernoulli(), "b": Permutation.for_length}
    lengths = (32, 4, 8, 16, 64)
    reference = simulate_float(NETWORK, IMAGES, 64).classes == LABELS
    for row, source in zip(
        plan(*DIGITS, 0.01, sources=sources, lengths=lengths, seeds=[1, 2]),
        sources.values(),
        strict=True,
    ):
        tried = [found.length for found in row.tried]
        assert tried == sorted(lengths)[: len(tried)]
        assert row.length == tried[-1]
        for found in row.tried:
            (same,) = evaluate(*DIGITS, [found.length], seeds=[1, 2], source=source)
            np.testing.assert_array_equal(found.right, same.right)
            np.testing.assert_array_equal(found.float_right, reference)
            assert (found.loss <= 0.01) == (found.length == row.length)
        assert row.sure == (row.interval[1] <= 0.01)
        assert f"{row.length} bits" in str(row)


def test_a_plan_without_a_length_says_so():
    (row,) = plan(*DIGITS, 0.0, sources={"x": Bernoulli()}, lengths=[2, 3], seeds=[1])
    assert row.length is None
    assert not row.sure
    assert str(row).startswith("x: more than 3 bits; ")


def test_a_small_loss_on_many_images_is_sure():
    (row, _) = plan(*DIGITS, 0.2, lengths=[64], seeds=[1])
    assert (row.length, row.sure) == (64, True)


# --- early decisions


def allowed(bits, pause):
    """Whether spikes are at least pause steps apart."""
    times = np.flatnonzero(bits)
    return bool((np.diff(times) > pause).all())


def trains(length, pause):
    return [b for b in itertools.product((0, 1), repeat=length) if allowed(b, pause)]


@pytest.mark.parametrize("pause", [0, 1, 2])
def test_a_class_is_proved_if_no_continuation_changes_it(pause):
    length = 6
    every = trains(length, pause)
    for pair in itertools.product(every, repeat=2):
        leads = _Leads.of(np.array([pair], np.uint8), pause, np.array([-1]))
        for t in range(1, length):
            ahead = leads.leaders[0, t - 1]
            # The most that the other can still fire while the leader stays silent.
            most = max(sum(b) for b in every if b[:t] == pair[1 - ahead][:t])
            certain = sum(pair[ahead][:t]) > most
            proved_now = np.isinf(leads.margins[0, t - 1])
            before = t > 1 and np.isinf(leads.margins[0, t - 2])
            assert proved_now == (certain or before)


@pytest.mark.parametrize("pause", [0, 2])
def test_every_continuation_of_three_outputs_keeps_a_proved_class(pause):
    length, stop = 6, 4
    every = trains(length, pause)
    for prefix in itertools.product(sorted({b[:stop] for b in every}), repeat=3):
        ends = [[b for b in every if b[:stop] == part] for part in prefix]
        first = np.array([[e[0] for e in ends]], np.uint8)
        leads = _Leads.of(first, pause, np.array([0]))
        if np.isinf(leads.margins[0, stop - 1]):
            counts = np.array([[sum(b) for b in whole] for whole in itertools.product(*ends)])
            winner = int(leads.decided(np.inf)[0][0])
            others = np.delete(counts, winner, axis=1)
            assert (counts[:, [winner]] > others).all()  # no tie: the rule for ties does not matter


@pytest.mark.parametrize("source", [Bernoulli(), Sobol(), Permutation(16)])
@pytest.mark.parametrize("period", [0, 1, 5])
def test_without_a_risk_no_class_changes(source, period):
    network = small_network(period)
    x = np.random.default_rng(0).random((200, 5))
    for length in (1, 7, 64, 100):
        found = decide_early(network, x, length, seed=4, source=source)
        full = simulate(network, x, length, seed=4, source=source).classes
        np.testing.assert_array_equal(found.classes, full)
        np.testing.assert_array_equal(found.full_classes, full)
        assert found.margin == np.inf
        assert found.changed == 0
        assert found.steps.min() >= 1
        assert found.steps.max() <= length


def test_the_refractory_period_brings_proofs_forward():
    x = np.random.default_rng(0).random((200, 5))
    bits = simulate(small_network(3), x, 60, seed=1, record=True).spikes[-1].bits()
    full = np.zeros(200, int)
    told, untold = (_Leads.of(bits, pause, full).decided(np.inf)[1] for pause in (3, 0))
    assert (told <= untold).all()
    assert (told < untold).mean() > 0.5


def decided_by_hand(bits, margin, full):
    """The rule of early decisions, image by image and step by step, without refractory steps."""
    classes, steps = [], []
    length = bits.shape[-1]
    for image, last in zip(bits, full, strict=True):
        for t in range(1, length + 1):
            counts = image[:, :t].sum(axis=1, dtype=np.int64)
            order = np.argsort(-counts, kind="stable")
            lead = int(counts[order[0]]) - int(counts[order[1]])
            spread = math.sqrt(counts[order[:2]].sum() * (1 - t / length))
            if t == length or lead > length - t or (lead > 0 and lead / spread >= margin):
                classes.append(last if t == length else order[0])
                steps.append(t)
                break
    return classes, steps


def test_a_risk_decides_at_the_returned_margin():
    x = IMAGES[:225]
    found = decide_early(NETWORK, IMAGES[225:], 48, seed=2, risk=0.03, calibration=x)
    result = simulate(NETWORK, IMAGES[225:], 48, seed=2, record=True)
    classes, steps = decided_by_hand(result.spikes[-1].bits(), found.margin, result.classes)
    np.testing.assert_array_equal(found.classes, classes)
    np.testing.assert_array_equal(found.steps, steps)


def test_the_margin_is_the_last_one_before_calibration_fails():
    x, risk = IMAGES[:225], 0.03
    found = decide_early(NETWORK, IMAGES[225:], 48, seed=2, risk=risk, calibration=x)
    result = simulate(NETWORK, x, 48, seed=2, record=True)
    bits, full = result.spikes[-1].bits(), result.classes

    def shown(margin):
        classes, _ = decided_by_hand(bits, margin, full)
        return stats.binom.cdf(int((classes != full).sum()), 225, risk) <= 0.05

    grid = stopping._MARGINS
    (at,) = np.flatnonzero(grid == found.margin)
    assert all(shown(margin) for margin in grid[at - 5 : at + 1])
    assert not shown(grid[at + 1])


def test_margins_after_the_first_failure_are_not_tested():
    changes = np.zeros(stopping._MARGINS.size, int)
    changes[3] = 100
    assert stopping._least_margin(changes, 225, 0.02, 0.95) == stopping._MARGINS[2]


def test_ties_to_the_end_are_left_to_the_simulation():
    leads = _Leads.of(np.ones((2, 3, 8), np.uint8), 0, np.array([2, 1]))
    for margin in (np.inf, 0.05):
        classes, steps = leads.decided(margin)
        assert classes.tolist() == [2, 1]
        assert steps.tolist() == [8, 8]


def test_more_risk_is_never_slower_and_any_risk_is_faster_than_a_proof():
    runs = [decide_early(NETWORK, IMAGES[225:], 64, seed=3)]
    runs += [
        decide_early(NETWORK, IMAGES[225:], 64, seed=3, risk=risk, calibration=IMAGES[:225])
        for risk in (0.02, 0.05, 0.1)
    ]
    for safer, bolder in itertools.pairwise(runs):
        assert (bolder.steps <= safer.steps).all()
    assert runs[1].mean_steps < 0.5 * runs[0].mean_steps


def test_the_risk_holds_for_images_of_the_same_distribution():
    # 60 independent draws; each exceeds its risk with a probability of at most 0.05.
    network, risk, n = small_network(), 0.1, 100
    draws = np.random.default_rng(5).random((60, n, 5))
    others = np.random.default_rng(6).random((4000, 5))
    exceeded = [
        decide_early(network, others, 32, seed=s, risk=risk, calibration=x).changed > risk
        for s, x in enumerate(draws)
    ]
    assert sum(exceeded) <= 60 * 0.05 + 5 * math.sqrt(60 * 0.05 * 0.95)


def test_blocks_of_images_change_nothing(monkeypatch):
    whole = decide_early(NETWORK, IMAGES[225:], 70, seed=1, risk=0.02, calibration=IMAGES[:225])
    monkeypatch.setattr(stopping, "_HELD", 20_000)
    parts = decide_early(NETWORK, IMAGES[225:], 70, seed=1, risk=0.02, calibration=IMAGES[:225])
    assert parts.margin == whole.margin
    np.testing.assert_array_equal(parts.classes, whole.classes)
    np.testing.assert_array_equal(parts.steps, whole.steps)


def test_one_output_is_decided_at_the_first_step_that_settles_it():
    found = decide_early(small_network(n_out=1), np.ones((3, 5)), 9, seed=1)
    assert found.classes.tolist() == [0, 0, 0]
    assert found.steps.tolist() == [1, 1, 1]


def test_early_decisions_print_their_distribution():
    found = decide_early(NETWORK, IMAGES, 64, seed=1)
    half = round(np.quantile(found.steps, 0.5))
    text = str(found)
    assert f"450 images decided after {found.mean_steps:.1f} of 64 steps" in text
    assert f", {half}, " in text
    assert "0.00% changed" in text
    assert decide_early(NETWORK, IMAGES[:2], 4).seed != decide_early(NETWORK, IMAGES[:2], 4).seed
