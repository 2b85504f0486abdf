"""Layers and networks in Verilog against the model: every spike and every potential."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from designs import one_layer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sc_neurocore import LIF, Bitstream, Dense, FixedPoint, Hammersley, Network, load_digits
from sc_neurocore.hardware import Design, Verification, trace, verilog, verilog_testbench, write
from sc_neurocore.hardware.model import LayerTracer
from sc_neurocore.hardware.simulators import run_testbench
from sc_neurocore.hardware.verify import verify_layer


@pytest.mark.long
def test_ten_million_clocks_of_an_unrolled_layer():
    design = one_layer(8, 4, "unrolled", 1 / 24)
    seen = verify_layer(design, 0, 10_000_000)
    assert seen.passed(design.layers[0]), seen
    assert seen.clocks >= 10_000_000
    assert seen.spikes > 100_000


@pytest.mark.long
def test_ten_thousand_steps_of_a_large_folded_layer():
    design = one_layer(784, 128, "folded", 1 / 100, simd=16)
    seen = verify_layer(design, 0, 10_000 * (49 * 128 + 3))
    assert seen.passed(design.layers[0]), seen
    assert seen.steps >= 10_000
    assert seen.spikes > 10_000


SATURATING = {
    "subtract": (LIF(tau_mem=16.0, reset="subtract", v_reset=-0.3), FixedPoint(word=9, fraction=4)),
    "value": (LIF(tau_mem=8.0, refractory_period=3, v_reset=-0.5), FixedPoint(word=9, fraction=4)),
    "never fires": (LIF(tau_mem=np.inf, v_threshold=np.inf), FixedPoint(word=10, fraction=3)),
    "multiplied leak": (LIF(tau_mem=20.0, refractory_period=1), FixedPoint(word=9, fraction=4)),
}


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k == "value" else pytest.mark.long) for k in SATURATING]
)
def test_potentials_saturate_at_both_ends_as_the_model_does(kind, architecture):
    lif, fixed_point = SATURATING[kind]
    rng = np.random.default_rng(1)
    weights = rng.uniform(-1, 1, (6, 12))
    weights[0], weights[1] = 1.0, -1.0
    weights[2, :3] = 1.0, -1.0, 0.0
    layer = Dense(weights, gain=1 / 15, neuron=lif, bias=rng.uniform(-1, 1, 6))
    design = Design(Network([layer]), 99, fixed_point=fixed_point, architecture=architecture, simd=4)
    seen = verify_layer(design, 0, 200_000)
    assert seen.passed(design.layers[0]), seen
    assert seen.below > 100
    assert seen.above > 100


@pytest.mark.long
@settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    n_in=st.integers(1, 40),
    n_out=st.integers(1, 9),
    bits=st.integers(2, 10),
    word=st.integers(8, 24),
    fraction=st.integers(0, 4),
    tau=st.sampled_from([1.0, 2.0, 5.0, 16.0, 100.0, np.inf]),
    leak_bits=st.integers(1, 9),
    threshold=st.integers(2, 30),
    reset=st.integers(-6, 1),
    subtract=st.booleans(),
    refractory=st.integers(0, 5),
    has_bias=st.booleans(),
    simd=st.sampled_from([1, 2, 8, 16]),
    architecture=st.sampled_from(["unrolled", "folded"]),
    axis=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
def test_any_layer_computes_the_bits_of_the_model(
    n_in, n_out, bits, word, fraction, tau, leak_bits, threshold, reset, subtract, refractory,
    has_bias, simd, architecture, axis, seed,
):  # fmt: skip
    rng = np.random.default_rng(seed)
    weights = rng.choice([-1.0, 0.0, 1.0, 0.3, -0.7, rng.uniform(-1, 1)], (n_out, n_in))
    lif = LIF(
        v_threshold=threshold / 2,
        v_reset=reset / 2,
        tau_mem=tau,
        refractory_period=refractory,
        reset="subtract" if subtract else "value",
    )
    bias = rng.uniform(-1, 1, n_out) if has_bias else None
    design = Design(
        Network([Dense(weights, neuron=lif, bias=bias)]),
        77,
        fixed_point=FixedPoint(bits, word, fraction, leak_bits),
        source=Hammersley(bits + axis, axis, randomized=False),
        architecture=architecture,
        simd=simd,
        name="any_layer",
    )
    seen = verify_layer(design, 0, 20_000, seed=seed)
    assert seen.differences == 0, seen


def run(design, images, folder, simulator="icarus"):
    write({**verilog(design), **verilog_testbench(design, images)}, folder)
    said = run_testbench(sorted(folder.glob("*.v")), f"{design.name}_tb", folder, simulator)
    assert f"PASSED: {len(images)} images" in said, said
    return said


@pytest.mark.parametrize("simulator", [pytest.param("icarus", marks=pytest.mark.icarus), "verilator"])
@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
def test_networks_take_images_and_give_classes(tmp_path, architecture, simulator):
    rng = np.random.default_rng(2)
    lif = LIF(tau_mem=8.0, refractory_period=1)
    sizes = [(6, 10), (4, 6), (5, 4)]
    layers = [
        Dense(rng.uniform(-1, 1, s), gain=0.4, neuron=lif, bias=rng.uniform(-1, 1, s[0])) for s in sizes
    ]
    design = Design(
        Network(layers), 37, architecture=architecture, simd=4, pe=2 if architecture == "folded" else 1
    )
    run(design, rng.random((7, 10)), tmp_path, simulator)


@pytest.mark.long
def test_the_digits_network_classifies_test_images_bit_by_bit(tmp_path):
    digits = load_digits()
    design = Design(digits.network, 32, name="digits")
    images = digits.images[:60]
    run(design, images, tmp_path, "verilator")
    classes = design.simulate(images).classes
    assert (classes == digits.labels[:60]).mean() > 0.9


@pytest.mark.long
def test_both_architectures_compute_the_same_bits(tmp_path):
    # Both against one model, on the same inputs; then the vectors of both are those of one trace.
    digits = load_digits()
    small = Network([replace(digits.network.layers[0], weights=digits.network.layers[0].weights[:12])])
    texts = []
    for architecture in ("unrolled", "folded"):
        design = Design(small, 16, architecture=architecture, name="both")
        run(design, digits.images[:3], tmp_path / architecture, "verilator")
        layers = [trace(design, image) for image in digits.images[:3]]
        texts.append([(t.potentials.tobytes(), t.spikes.words.tobytes()) for (t,) in layers])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
@pytest.mark.parametrize(
    ("layer", "bits"),
    [
        pytest.param(Dense([[0.5, -0.5]], neuron=LIF(v_rest=1.01)), 8, id="rest above the threshold"),
        pytest.param(Dense([[0.5, -0.5]], gain=0.5), 14, id="14 bits"),
        pytest.param(Dense([[0.0, 0.0]]), 8, id="silent"),
    ],
)
def test_unusual_networks_pass_their_testbench(tmp_path, layer, bits, architecture):
    fixed_point = FixedPoint(bits=bits, word=24)
    design = Design(Network([layer]), 32, fixed_point=fixed_point, architecture=architecture)
    said = run(design, np.array([[0.9, 0.1], [1.0, 0.0]]), tmp_path, "verilator")
    assert ("PASSED: 2 images, 0 spikes" in said) == (not layer.matrix.any())


@pytest.mark.icarus
def test_a_testbench_can_fail(tmp_path):
    digits = load_digits()
    design = Design(digits.network, 8, name="digits")
    text = {**verilog(design), **verilog_testbench(design, digits.images[:2])}
    for name, wrong, said in (
        ("digits_tb_classes.hex", lambda t: t.replace(t[0], "9"), "class"),
        ("digits_tb_layer0.hex", lambda t: t.replace("0000", "0002", 1), "layer 0, line"),
        ("digits_layer1_0.hex", lambda t: t[::-1].strip() + "\n", "layer 1, line"),
    ):
        write({**text, name: wrong(text[name])}, tmp_path)
        with pytest.raises(RuntimeError, match=r"(?s)(differences|status)") as raised:
            run_testbench(sorted(tmp_path.glob("*.v")), "digits_tb", tmp_path)
        assert "FAILED" in str(raised.value)
        assert said in str(raised.value)
        write(text, tmp_path)


def test_a_layer_counts_as_silent_only_if_it_never_fires():
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        lif = LIF(
            tau_mem=rng.choice([1.0, 2.0, 16.0, np.inf]),
            v_threshold=rng.choice([0.5, 1.0, 3.0]),
            v_rest=rng.choice([0.0, 0.0, 1.2]),
        )
        weights = rng.choice([-1.0, -0.5, 0.0, 0.9, 1.0], (2, 3))
        dense = Dense(weights, gain=rng.choice([0.1, 0.3, 1.0]), neuron=lif)
        (layer,) = Design(Network([dense]), 64).layers
        fired = 0
        for excited in ~layer.negative:
            x = Bitstream.from_bits(np.repeat(excited[:, np.newaxis], 1000, axis=1))
            fired += LayerTracer(layer).run(x.words, 1000).spikes.counts().sum()
        can_pass = Verification().passed(layer)
        assert not (can_pass and fired), (dense, fired)
        seen.add(can_pass)
    assert seen == {False, True}


def test_parameters_of_other_objects_are_named():
    for name in ("bits", "word", "leak_bits"):
        with pytest.raises(TypeError, match=rf"no parameter {name}; pass fixed_point=FixedPoint"):
            Design(Network([Dense([[0.5]])]), 8, **{name: 3})
    with pytest.raises(TypeError, match="Design has no parameter steps; pass length="):
        Design(Network([Dense([[0.5]])]), steps=8)
    assert "pipelined" in inspect.signature(Design).parameters
