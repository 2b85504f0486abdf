"""Binary designs compute the integers of their models, and quantization keeps the classes."""

import itertools

import numpy as np
import pytest

from sc_neurocore import LIF, Dense, Network, load_digits
from sc_neurocore.hardware import (
    IntegerDesign,
    IntegerNetwork,
    quantized,
    spiking_design,
    synthesize,
    write,
)
from sc_neurocore.hardware._rivals import quantized_weights, signed_digits
from sc_neurocore.hardware.netlist import Netlist

DIGITS = load_digits()


def small(reset="value", shape=(7, 6, 3), taus=8.0):
    """A network whose inputs do not fill the last word of four."""
    rng = np.random.default_rng(5)
    lif = LIF(tau_mem=taus, reset=reset)
    layers = [
        Dense(rng.uniform(-0.5, 1, (n_out, n_in)), gain=0.5, neuron=lif)
        for n_in, n_out in itertools.pairwise(shape)
    ]
    return Network(layers)


def integers(bits=4, shape=(7, 6, 3), offset=True):
    rng = np.random.default_rng(6)
    weights = tuple(rng.integers(-7, 8, (n_out, n_in)) for n_in, n_out in itertools.pairwise(shape))
    offsets = tuple(rng.integers(-30, 30, len(w)) if offset else np.full(len(w), 9) for w in weights)
    return IntegerNetwork(weights, offsets, (3,) * (len(shape) - 2), (bits,) * len(weights))


def binarized(shape=(7, 6, 3)):
    rng = np.random.default_rng(7)
    weights = tuple(rng.choice([-1, 1], (n_out, n_in)) for n_in, n_out in itertools.pairwise(shape))
    offsets = rng.integers(-9, 9, shape[1]), np.array([0, 1, -1])
    return IntegerNetwork(weights, offsets, (0,), (4, 1))


def spikes(product, folded=True, **options):
    return spiking_design(
        small(**options), 9, product=product, bits=3, folded=folded, simd=4, name="rival"
    )


DESIGNS = {
    "integers": IntegerDesign(integers(), simd=4, name="rival"),
    "integers with one offset": IntegerDesign(integers(offset=False), simd=2, name="rival"),
    "three layers": IntegerDesign(integers(3, (5, 4, 6, 3)), simd=2, name="rival"),
    "binarized": IntegerDesign(binarized(), simd=4, name="rival"),
    "bit by bit": IntegerDesign(integers(), simd=0, name="rival"),
    "one shot": IntegerDesign(integers(), simd=0, serial=False, name="rival"),
    "binarized, bit by bit": IntegerDesign(binarized(), simd=0, name="rival"),
    "stochastic": spikes("stochastic"),
    "numbers": spikes("numbers"),
    "numbers, subtracting": spikes("numbers", reset="subtract"),
    "binary": spikes("binary"),
    "binary, subtracting": spikes("binary", reset="subtract"),
    "binary, one layer": spikes("binary", shape=(7, 3)),
    "binary, without leak": spikes("binary", taus=np.inf),
    "binary, unrolled": spikes("binary", folded=False),
}
QUICK = ["integers", "binarized", "bit by bit", "stochastic", "numbers", "binary"]


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in DESIGNS]
)
def test_a_netlist_computes_every_integer_of_its_model(name, tmp_path):
    design = DESIGNS[name]
    n_in = design.loading
    images = np.random.default_rng(1).random((16, n_in))
    write(design.verilog, tmp_path)
    files = [tmp_path / file for file in design.verilog if file.endswith(".v")]
    made = synthesize(files, "rival_core", "generic", tmp_path, place=False)
    # Half an image of zeros is ended by a reset; then two images follow without a gap.
    start, per_image = 1 + n_in + 2, design.clocks + 1
    clocks = start + 2 * per_image
    codes = design.codes(images)
    data = np.zeros((clocks, design.in_bits, len(images)), bool)
    digits = codes.T[:, np.newaxis] >> np.arange(design.in_bits)[:, np.newaxis] & 1
    data[start : start + n_in] = digits
    data[start + per_image : start + per_image + n_in] = digits[:, :, ::-1]
    on = np.ones((clocks, 1, 1), bool)
    reset = np.zeros_like(on)
    reset[[0, start - 1]] = True
    out = Netlist.read(made.path, "rival_core").run(
        {"rst": reset, "in_valid": on, "in_data": data, "out_ready": on}
    )
    seen = out.outputs
    done = np.flatnonzero(seen["out_valid"][:, 0, 0])
    assert done.tolist() == [start + design.clocks, start + per_image + design.clocks]
    classes = (
        seen["out_class"][done].astype(int) << np.arange(seen["out_class"].shape[1])[:, None]
    ).sum(1)
    wanted = design.classes(images)
    assert len(set(wanted.tolist())) > 1
    assert classes.tolist() == [wanted.tolist(), wanted[::-1].tolist()]
    at = np.flatnonzero(seen["seen_valid"][:, 0, 0])
    at = at[at >= start]
    values = seen["seen"][at[: len(at) // 2]].astype(np.int64).transpose(2, 0, 1)
    expected = design.results(images)
    if not design.folded:  # the last layer's neurons side by side
        last = len(wanted) and 3
        expected = expected.reshape(len(images), len(at) // 2, -1)[:, :, -last:]
        values = values.reshape(len(images), len(at) // 2, last, -1)
    width = values.shape[-1]
    numbers = (values << np.arange(width)).sum(-1)
    numbers -= (numbers >> (width - 1)) << width
    np.testing.assert_array_equal(numbers.reshape(len(images), -1), expected.reshape(len(images), -1))
    assert expected.min() < 0 < expected.max()


def test_the_stochastic_products_of_a_shared_data_path_are_those_of_the_design():
    design = spiking_design(DIGITS.network, 8, product="stochastic", bits=3)
    run = design.design.simulate(DIGITS.images[:20], record=True)
    np.testing.assert_array_equal(design.classes(DIGITS.images[:20]), run.classes)
    potentials, fired = design._traces(DIGITS.images[:20])[0]
    np.testing.assert_array_equal(fired, run.spikes[0].bits())
    assert potentials.shape == (20, 100, 8)


def test_signed_digits_are_exact_and_never_neighbors():
    for value in range(-300, 301):
        digits = signed_digits(value)
        assert sum(sign << place if sign > 0 else -(1 << place) for sign, place in digits) == value
        places = sorted(place for _, place in digits)
        assert all(b - a > 1 for a, b in itertools.pairwise(places))


def test_the_unit_of_weights_has_less_error_than_that_of_the_largest_weight():
    weights = DIGITS.network.layers[0].matrix
    for most in (1, 3, 7):
        codes, unit = quantized_weights(weights, most)
        assert np.abs(codes).max() <= most
        largest = np.abs(weights).max() / most
        plain = np.rint(weights / largest) * largest
        assert ((codes * unit - weights) ** 2).sum() <= ((plain - weights) ** 2).sum()


@pytest.mark.parametrize("bits", [3, 4, 8])
def test_integer_networks_of_the_digits_lose_less_than_two_points(bits):
    # 5 sigma of the difference of two classifiers that disagree on at most 3 % of 450 images.
    network = quantized(DIGITS.network, DIGITS.images, bits)
    right = (network.classes(DIGITS.images) == DIGITS.labels).mean()
    assert right > 0.982 - 5 * np.sqrt(0.03 / 450)


def test_networks_that_a_shared_data_path_lacks_are_named():
    lif = LIF(tau_mem=8.0)
    with pytest.raises(ValueError, match="network must have no bias in a shared data path"):
        spiking_design(
            Network([Dense([[0.5, 0.5]], bias=[0.1], neuron=lif)]), 4, product="binary", bits=3
        )
    layers = [Dense([[0.5, 0.5]], neuron=lif), Dense([[0.5]], neuron=LIF(tau_mem=20.0))]
    with pytest.raises(ValueError, match="network must have equal leaks"):
        spiking_design(Network(layers), 4, product="binary", bits=3)
    with pytest.raises(ValueError, match="product must be"):
        spiking_design(Network(layers), 4, product="ternary", bits=3)
    with pytest.raises(ValueError, match="weight_bits must be at least 2"):
        quantized(DIGITS.network, DIGITS.images, 4, weight_bits=1)
