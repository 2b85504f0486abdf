"""Predicted errors agree with simulation within 10 %, and mean errors within 5 sigma."""

import numpy as np
import pytest

from sc_neurocore import (
    LFSR,
    LIF,
    Bernoulli,
    Bitstream,
    BitstreamCurrentSource,
    Dense,
    Halton,
    Hammersley,
    Network,
    Permutation,
    Ramp,
    Role,
    Sobol,
    VanDerCorput,
    Weyl,
    dot_error,
    encode,
    encode_error,
    encode_pair,
    length_for_density,
    length_for_product,
    noise_budget,
    product_error,
    simulate,
    stream_key,
)
from sc_neurocore.evidence import current_error, product_error_table
from sc_neurocore.streams import RotatedLFSR, operands

N = 20_000
SOURCES = [Sobol(), Hammersley(6), LFSR(6), Weyl(64), VanDerCorput(3)]


def assert_predicts(predicted, errors, relative=0.10):
    """Assert that the root mean square of the errors is within 10 % of the prediction."""
    measured = float(np.sqrt(np.mean(np.square(errors))))
    assert measured == pytest.approx(float(predicted), rel=relative)


@pytest.mark.parametrize("length", [1, 7, 64, 1000])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
def test_the_error_of_a_bernoulli_density(length, p):
    x = encode(np.full(N, p), length, key=1)
    assert_predicts(encode_error(p, length), x.probability() - p)


@pytest.mark.parametrize("length", [5, 64, 999])
@pytest.mark.parametrize(("p", "q"), [(0.3, 0.4), (0.9, 0.8), (0.05, 0.6)])
def test_the_error_of_a_bernoulli_product(length, p, q):
    x, w = encode_pair(np.full(N, p), q, length, key=2)
    assert_predicts(product_error(p, q, length), (x & w).probability() - p * q)


@pytest.mark.parametrize("length", [7, 50, 60, 99, 100, 130, 200])
def test_a_permutation_has_the_error_of_drawing_without_replacement(length):
    source, p = Permutation(100), 0.3
    errors = encode(np.full(N, p), length, key=3, source=source).probability() - p
    predicted = encode_error(p, length, source=source)
    if length % 100 == 0:
        assert predicted == 0
        assert np.abs(errors).max() <= 1e-15
    else:
        assert_predicts(predicted, errors)


@pytest.mark.parametrize("length", [1, 7, 50, 79, 80, 81, 120, 160, 200])
def test_a_product_of_permutations_has_the_error_found_by_counting(length):
    source = Permutation(80)
    x, w = encode_pair(np.full(N, 0.3), 0.65, length, key=4, source=source)
    errors = (x & w).probability() - 0.3 * 0.65
    predicted = product_error(0.3, 0.65, length, source=source)
    assert_predicts(predicted, errors, 0.05)
    if length == 80:
        assert predicted == pytest.approx(np.sqrt(0.3 * 0.7 * 0.65 * 0.35 / 79))


def test_a_product_with_zero_has_no_error():
    for source in (Bernoulli(), Permutation(64), Sobol()):
        assert product_error([0, 0.5, 1], [0.5, 0, 0], 64, source=source).tolist() == [0, 0, 0]


X = np.array([0.5, 0.8, 0.3, 0.9, 0.1])
W = np.array([0.6, 0.4, 0.9, 0.2, 0.7])
# Equal operands, ends, fractions that few bits represent, and others.
P, Q = np.array([(0.5, 0.5), (1, 1), (0, 0.7), (1, 0.3), (0.7, 0.7), (0.123, 0.877), (0.01, 0.99)]).T
FIXED = [Hammersley(8, randomized=False), Sobol(randomized=False), Ramp(100), RotatedLFSR(8)]


def errors_by_key(n, operands, length, source):
    """Return the errors of the products of operands under n keys, shape (n, *shape)."""
    p, q = operands
    errors = []
    for key in range(n):
        x, w = encode_pair(p, q, length, key=key, source=source)
        errors.append((x & w).probability() - p * q)
    return np.array(errors)


@pytest.mark.parametrize("source", [*SOURCES, LFSR(16), Halton(), *FIXED], ids=repr)
@pytest.mark.parametrize("length", [63, 64, 100, 256])
@pytest.mark.filterwarnings("ignore::sc_neurocore.streams.source.PeriodWarning")
def test_errors_are_predicted_at_the_operands(source, length):
    n = 1 if source in FIXED else 700
    measured = np.sqrt((errors_by_key(n, (P, Q), length, source) ** 2).mean(axis=0))
    predicted = product_error(P, Q, length, source=source)
    assert np.allclose(predicted, measured, rtol=0.12, atol=1e-9)
    of_p = operands(source)[0]
    densities = [encode(P, length, key=stream_key(k, Role.INPUT), source=of_p) for k in range(n)]
    errors = np.array([x.probability() for x in densities]) - P
    measured = np.sqrt((errors**2).mean(axis=0))
    assert np.allclose(encode_error(P, length, source=of_p), measured, rtol=0.12, atol=1e-9)


@pytest.mark.parametrize("n", [1, 40, 512])
@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize(
    ("source", "length"),
    [
        (Sobol(), 256), (LFSR(6), 64), (LFSR(16), 256), (LFSR(8), 255), (Hammersley(8), 200),
        (Hammersley(8, randomized=False), 256), (VanDerCorput(3), 100), (Weyl(100), 100),
        (Permutation(64), 64), (RotatedLFSR(8), 256), ((Bernoulli(), Hammersley(8)), 256),
    ],
    ids=repr,
)  # fmt: skip
def test_the_error_of_a_dot_product_is_predicted(source, length, n, equal):
    p, q = (np.full((2, n), 0.5) if equal else np.random.default_rng(7).random((2, n))).astype(float)
    errors = errors_by_key(300, (p, q), length, source).sum(axis=-1)
    measured = np.sqrt((errors**2).mean())
    assert float(dot_error(p, q, length, source=source)) == pytest.approx(measured, rel=0.16, abs=1e-9)


def test_the_sampling_noise_of_a_prediction_is_no_bias():
    # 65,536 products, whose errors are independent: a mean that is only sampled would add up linearly.
    p, q = np.random.default_rng(1).random((2, 65_536))
    for source, measured in ((Sobol(), 0.69), (LFSR(16), 7.5)):
        assert float(dot_error(p, q, 256, source=source)) == pytest.approx(measured, rel=0.15)


def test_many_operands_are_represented_by_some():
    p, q = np.random.default_rng(2).random((2, 300_000))
    some = dot_error(p[:100_000], q[:100_000], 64, source=Sobol()) * np.sqrt(3)
    assert float(dot_error(p, q, 64, source=Sobol())) == pytest.approx(float(some), rel=0.1)


@pytest.mark.parametrize("accumulate", ["mean", "sum", "or"])
def test_the_error_of_the_mean_current(accumulate):
    length = 200

    def current(seed):
        return BitstreamCurrentSource(
            X, 0, 1, W, 0, 1, length, y_min=-0.1, y_max=0.4, seed=seed, accumulate=accumulate
        ).full_current_estimate()

    z = X * W
    level = {"mean": z.mean(), "sum": z.sum(), "or": 1 - np.prod(1 - z)}[accumulate]
    errors = np.array([current(seed) for seed in range(1500)]) - (-0.1 + 0.5 * level)
    predicted = current_error(X, W, length, y_min=-0.1, y_max=0.4, accumulate=accumulate)
    assert_predicts(predicted, errors)


def test_errors_broadcast():
    assert encode_error([[0.1, 0.2]], 10).shape == (1, 2)
    assert product_error([[0.1], [0.2]], [0.3, 0.4, 0.5], 10, source=Sobol()).shape == (2, 3)
    assert dot_error(np.zeros((4, 1, 6)), np.zeros((3, 6)), 10).shape == (4, 3)
    assert current_error(np.zeros((4, 1, 6)), np.zeros((3, 6)), 10).shape == (4, 3)


def test_the_table_of_products_holds_every_pair_of_levels():
    source = Hammersley(5, randomized=False)
    table = product_error_table(32, source=source)
    assert table.shape == (33, 33)
    x, w = encode_pair(11 / 32, 20 / 32, 32, key=0, source=source)
    assert table[11, 20] == pytest.approx(float((x & w).probability()) - 11 * 20 / 32**2, abs=1e-12)
    assert not table[[0, 32]].any()
    register = product_error_table(31, source=LFSR(5))
    assert register.shape == (32, 32)


@pytest.mark.parametrize(("error", "confidence"), [(0.05, 0.95), (0.02, 0.9), (0.1, 0.999)])
def test_hoeffdings_length_suffices_at_every_p(error, confidence):
    length = length_for_density(error, confidence)
    for p in (0.1, 0.5, 0.8):
        missed = np.abs(encode(np.full(N, p), length, key=9).probability() - p) > error
        allowed = 1 - confidence
        assert missed.mean() <= allowed + 5 * np.sqrt(allowed * (1 - allowed) / N)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_length_by_the_normal_law_has_its_confidence(p):
    # Counts are integers, which adds at most the probability of one count.
    length = length_for_density(0.02, 0.9, p=p)
    inside = np.abs(encode(np.full(N, p), length, key=9).probability() - p) <= 0.02
    step = 1 / np.sqrt(2 * np.pi * p * (1 - p) * length)
    assert abs(inside.mean() - 0.9) <= step + 5 * np.sqrt(0.09 / N)
    assert length < length_for_density(0.02, 0.9)


@pytest.mark.parametrize("source", [Bernoulli(), Sobol(), Hammersley.for_length], ids=str)
def test_the_length_of_a_product_suffices_at_every_operand(source):
    error = 0.02
    length = length_for_product(error, 0.95, source=source)
    at = source(length) if callable(source) else source
    for p, q in ((0.7, 0.7), (0.5, 0.5), (0.3, 0.9), (0.71, 0.99)):
        x, w = encode_pair(np.full(N, p), np.full(N, q), length, key=10, source=at.pair())
        inside = (np.abs((x & w).probability() - p * q) <= error).mean()
        assert inside >= 0.95 - 5 * np.sqrt(0.0475 / N)


def test_the_length_of_a_product_is_that_of_its_operands():
    assert length_for_product(0.01, p=0.1, q=0.1) < length_for_product(0.01, p=0.7, q=0.7)
    assert length_for_product(0.01, p=1, q=1) == 8
    assert length_for_product(0.004, source=Hammersley.for_length) * 16 <= length_for_product(0.004)
    with pytest.raises(ValueError, match=r"p and q must be given both or neither, got p=0\.5, q=None"):
        length_for_product(0.01, p=0.5)


def test_a_length_beyond_the_period_of_a_source_is_refused():
    with pytest.raises(
        ValueError, match=r"error must be an error that this source reaches .* got 0\.001; the"
    ):
        length_for_product(0.001, source=Weyl(32))


# --- the budget of a network

RNG = np.random.default_rng(0)
NEURON = LIF(tau_mem=5.0, refractory_period=1)
LAYERS = [Dense(RNG.uniform(-1, 1, (30, 20)), 0.3, NEURON), Dense(RNG.uniform(-1, 1, (6, 30)), 0.4)]
INPUTS = RNG.random((8, 20))


def mean_currents(layer, x, length, seed, number, source):
    """Return the mean currents of a layer from their definition, counts of signed products."""
    of_weights = source.sequences(2 + number)[-1]
    key = stream_key(seed, Role.WEIGHT, number)
    streams = (np.arange(layer.n_out)[:, None] << 32) + np.arange(layer.n_in)
    w = encode(np.abs(layer.weights), length, key=key, source=of_weights, streams=streams)
    w = w.bits().astype(float)
    products = np.einsum("bit,jit->bji", x.bits().astype(float), w) / length
    return layer.gain * (products * np.sign(layer.weights)).sum(axis=-1)


@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=repr)
def test_the_budget_of_the_first_layer_is_the_spread_of_its_currents(source):
    length, layer = 64, LAYERS[0]
    (budget,) = noise_budget(Network([layer]), INPUTS, length, seed=1, source=source)
    exact = layer.gain * INPUTS @ layer.weights.T
    errors = []
    for seed in range(60):
        key = stream_key(seed, Role.INPUT)
        x = encode(INPUTS, length, key=key, source=source.pair()[0], streams=np.arange(20))
        errors.append(mean_currents(layer, x, length, seed, 0, source) - exact)
    assert_predicts(budget.standard_error, errors)
    assert budget.current_std == pytest.approx(exact.std())
    above = exact > (NEURON.v_threshold - NEURON.v_rest) / (NEURON.resistance * NEURON.tau_mem)
    assert budget.above_rheobase == pytest.approx(above.mean())


@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=repr)
def test_the_budget_of_a_later_layer_counts_only_the_weights(source):
    length, layer = 100, LAYERS[1]
    network = Network(LAYERS)
    budget = noise_budget(network, INPUTS, length, seed=1, source=source)[1]
    spikes = simulate(network, INPUTS, length, seed=1, source=source, record=True).spikes[0]
    exact = layer.gain * spikes.probability() @ layer.weights.T
    errors = [mean_currents(layer, spikes, length, s, 1, source) - exact for s in range(60)]
    assert_predicts(budget.standard_error, errors)


def test_the_step_deviation_is_that_of_single_time_steps():
    layer = LAYERS[0]
    (budget,) = noise_budget(Network([layer]), INPUTS, 64, seed=1)
    steps = []
    for seed in range(400):
        x = encode(INPUTS, 1, key=stream_key(seed, Role.INPUT), streams=np.arange(20))
        steps.append(mean_currents(layer, x, 1, seed, 0, Bernoulli()))
    assert_predicts(budget.step_std, np.array(steps) - layer.gain * INPUTS @ layer.weights.T)


def test_saturated_silent_and_clipped_trains_and_weights_are_counted():
    neuron = LIF(refractory_period=2)
    network = Network([Dense([[1.0, 1.0], [-1.0, -0.5], [0.5, 0.25]], gain=50.0, neuron=neuron)])
    (budget,) = noise_budget(network, [[1.0, 1.0], [0.0, 0.0]], 64, seed=1)
    assert budget.saturated == pytest.approx(1 / 6)  # neuron 0 under the first input
    assert budget.silent == pytest.approx(4 / 6)
    assert budget.clipped == pytest.approx(3 / 6)


def test_packed_inputs_add_no_sampling_noise():
    network = Network(LAYERS[:1])
    ones = Bitstream.from_bits(np.ones((20, 64), np.uint8))
    (given,) = noise_budget(network, ones, seed=1)
    (encoded,) = noise_budget(network, np.ones(20), 64, seed=1)
    assert given.standard_error == pytest.approx(encoded.standard_error)


@pytest.mark.parametrize(
    ("source", "length"),
    [
        ((Bernoulli(), Hammersley(8, randomized=False)), 64),
        ((Bernoulli(), Ramp(8)), 60),
        ((LFSR(8), VanDerCorput(randomized=False)), 20),
        ((Permutation(64), Ramp(64)), 96),
        ((Ramp(64), Permutation(64)), 96),
    ],
    ids=str,
)
@pytest.mark.parametrize("n", [1, 300])
@pytest.mark.filterwarnings("ignore::sc_neurocore.PeriodWarning")
def test_a_fixed_and_a_randomized_operand_have_the_bias_of_the_fixed_one(source, length, n):
    """Mean squares over 100 keys, within 5 sigma of a chi-squared mean, or 10 %."""
    of_p, of_q = operands(source)
    p, q = np.full(n, 0.7), np.full(n, 0.4)
    squares = []
    for s in range(100):
        x = encode(p, length, key=stream_key(s, Role.INPUT), source=of_p)
        w = encode(q, length, key=stream_key(s, Role.WEIGHT), source=of_q)
        squares.append(((x & w).probability().sum() - p @ q) ** 2)
    measured = np.sqrt(np.mean(squares))
    predicted = float(dot_error(p, q, length, source=source))
    sigma = np.std(squares) / 10 / (2 * measured)
    assert abs(predicted - measured) < max(5 * sigma, 0.1 * measured)
