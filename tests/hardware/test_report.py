"""What a report tells: errors against counts made here, energy against toggles counted by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sc_neurocore import LIF, Dense, FixedPoint, Network, load_digits, simulate, simulate_float
from sc_neurocore.hardware import (
    Design,
    Synthesis,
    Verification,
    energy,
    energy_of,
    quantization,
    report,
    trace,
)
from sc_neurocore.hardware.netlist import Run

DIGITS = load_digits()
LEAKY = LIF(tau_mem=8.0)


def one_neuron(weights, lif=LEAKY, bias=None, length=64, **number):
    layer = Dense([weights], neuron=lif, bias=None if bias is None else [bias])
    return Design(Network([layer]), length, fixed_point=FixedPoint(**number))


def rms(a, b):
    return np.sqrt(((np.array(a) - np.array(b)) ** 2).mean())


def test_the_accuracies_are_those_of_the_three_networks():
    design = Design(DIGITS.network, 8, fixed_point=FixedPoint(bits=3, word=8))
    q = quantization(design, DIGITS.images, DIGITS.labels)
    wanted = [
        simulate_float(design.network, DIGITS.images, 8),
        simulate(design.network, DIGITS.images, 8, source=design.source),
        simulate(
            design.network, DIGITS.images, 8, source=design.source, fixed_point=design.fixed_point
        ),
    ]
    right = [float((run.classes == DIGITS.labels).mean()) for run in wanted]
    assert [q.of_float, q.of_streams, q.of_fixed] == right
    assert len(set(right)) == 3
    assert q.n_images == len(DIGITS.images)
    unlabeled = quantization(design, DIGITS.images)
    same = [float((run.classes == wanted[0].classes).mean()) for run in wanted[1:]]
    assert [unlabeled.of_float, unlabeled.of_streams, unlabeled.of_fixed] == [None, *same]


def test_weights_are_rounded_by_half_a_unit_and_those_of_one_are_clipped():
    # In units of 1/8: 4.5 is a tie, 7.6 becomes 8, which is cut to 7.
    design = one_neuron([0.5, -1.0, 7.6 / 8, -4.5 / 8, 0.01], bits=3)
    (layer,) = quantization(design, [[0.5] * 5]).layers
    assert layer.clipped == 2 / 5
    assert layer.rounding == 1 / 8
    rng = np.random.default_rng(0)
    design = one_neuron(rng.uniform(-7.4 / 8, 7.4 / 8, 1000), bits=3)
    (layer,) = quantization(design, [[0.5] * 1000]).layers
    assert layer.clipped == 0
    assert 0.98 / 16 < layer.rounding <= 1 / 16


def test_threshold_and_leak_tell_their_relative_errors():
    # A one adds 2 units of 1/2 V; a threshold of 3.2 V above rest is 7 units, 3.5 V.
    lif = LIF(tau_mem=10.0, v_rest=-1.0, v_reset=-1.0, v_threshold=2.2)
    design = one_neuron([0.5], lif, fraction=1, leak_bits=2)
    (layer,) = quantization(design, [[0.5]]).layers
    assert design.layers[0].neuron.unit == 0.5
    assert layer.threshold == pytest.approx(3.5 / 3.2 - 1)
    # 0.1 in two bits is 3/32.
    assert layer.leak == pytest.approx(3 / 32 / 0.1 - 1)
    design = one_neuron([0.5], LIF(tau_mem=np.inf, v_threshold=np.inf))
    (layer,) = quantization(design, [[0.5]]).layers
    assert (layer.threshold, layer.leak) == (0.0, 0.0)


def test_saturation_is_the_share_of_sums_that_leave_the_word():
    # Integrators of four bits: 1, 2, ... 7 and the same downwards, then every sum that still counts.
    lif = LIF(tau_mem=np.inf, v_threshold=np.inf)
    weights = [[0.6, 0.0], [0.0, -0.6], [0.4, -0.3]]
    layers = [Dense(weights, neuron=lif)]
    design = Design(Network(layers), 100, fixed_point=FixedPoint(word=4, fraction=0))
    images = np.random.default_rng(1).random((3, 2))
    below = above = 0
    for image in images:
        for counts in trace(design, image)[0].counts.tolist():
            v = 0
            for count in counts:
                below, above = below + (v + count < -8), above + (v + count > 7)
                v = min(max(v + count, -8), 7)
    (layer,) = quantization(design, images).layers
    assert min(below, above) > 10
    assert layer.below == pytest.approx(below / (3 * 3 * 100))
    assert layer.above == pytest.approx(above / (3 * 3 * 100))


def test_errors_of_rates_and_sums_are_those_of_a_direct_count():
    rng = np.random.default_rng(2)
    layers = [
        Dense(rng.uniform(-1, 1, (6, 9)), gain=0.4, neuron=LEAKY, bias=rng.random(6)),
        Dense(rng.uniform(-1, 1, (3, 6)), gain=0.5, neuron=LEAKY),
    ]
    design = Design(Network(layers), 48, fixed_point=FixedPoint(bits=4, word=10))
    images = rng.random((7, 9))
    q = quantization(design, images)
    real = [simulate_float(Network(layers[:k]), images, 48).counts / 48 for k in (1, 2)]
    for k, row in enumerate(q.layers):
        fixed, sums, expected = [], [], []
        for image in images:
            seen = trace(design, image)
            before = np.append(image, 1.0) if k == 0 else seen[0].spikes.bits().mean(axis=1)
            weights = layers[k].weights
            if k == 0:
                weights = np.column_stack([weights, layers[0].bias])
            expected.append(weights @ before)
            sums.append(seen[k].counts.mean(axis=1))
            fixed.append(seen[k].spikes.bits().mean(axis=1))
        assert row.rate == pytest.approx(real[k].mean())
        assert row.error_of_fixed == pytest.approx(rms(fixed, real[k]))
        assert row.error_of_sums == pytest.approx(rms(sums, expected))
        assert row.error_of_fixed > 0
    streams = simulate(design.network, images, 48, source=design.source).counts / 48
    assert q.layers[1].error_of_streams == pytest.approx(rms(streams, real[1]))


def test_long_streams_and_words_leave_no_error_of_sums():
    # 0.25, 0.5 and 0.75 lie between the numbers: over a period of all pairs the products are exact.
    layer = Dense([[0.5, -0.25], [0.75, 0.5]], gain=1 / 8, neuron=LEAKY)
    design = Design(Network([layer]), 2**16)
    (row,) = quantization(design, [[0.25, 0.75], [0.5, 0.5]]).layers
    assert row.error_of_sums < 1e-3
    assert row.rounding == row.clipped == 0


def test_sums_of_numbers_err_by_the_rounding_of_weights_inputs_and_the_last_place():
    rng = np.random.default_rng(3)
    layers = [
        Dense(rng.uniform(-1, 1, (6, 9)), gain=0.4, neuron=LEAKY, bias=rng.random(6), sampled=False),
        Dense(rng.uniform(-1, 1, (3, 6)), gain=0.5, neuron=LEAKY),
    ]
    for lif in (LEAKY, replace(LEAKY, tau_syn=4.0)):
        layers[0] = replace(layers[0], neuron=lif)
        for bits_per_step in (1, 4):
            design = Design(Network(layers), 8, bits_per_step=bits_per_step)
            q = quantization(design, rng.random((7, 9)))
            last_place = 0.5 / design.fixed.neurons[0].one
            assert 0 < q.layers[0].error_of_sums <= 19 * 2.0**-8 + last_place
            assert f"| {design.fixed.neurons[0].one} |\n| 1 " in report(design)


# --- energy


def netlist(top, path):
    """Write an image's worth of hardware that only moves its input on: y = in_data, z = not in_data."""
    ports = {
        name: {"direction": way, "bits": bits}
        for name, way, bits in (
            ("clk", "input", [2]), ("rst", "input", [3]), ("in_valid", "input", [4]),
            ("in_data", "input", list(range(10, 18))), ("out_ready", "input", [5]),
            ("y", "output", list(range(20, 28))),
        )
    }  # fmt: skip
    cells = {
        str(k): {"type": "$_NOT_", "connections": {"A": [10 + k], "Y": [20 + k]}} for k in range(8)
    }
    path.write_text(json.dumps({"modules": {top: {"ports": ports, "netnames": {}, "cells": cells}}}))
    return Synthesis("generic", {"$_NOT_": 8}, path)


def test_toggles_are_those_of_the_values_of_an_image(tmp_path):
    design = one_neuron([0.5] * 4, length=3)
    made = netlist("network", tmp_path / "network.json")
    # 0, then four codes a clock apart, then 0 until the class is there.
    codes = [0b1, 0b11, 0b11, 0b10000000]
    toggles = 1 + 1 + 0 + 3 + 1
    assert energy_of(design, made, np.array(codes) / 256).toggles == toggles / design.clocks
    # Lanes are images; a short count ends while values go in.
    two = np.array([codes, [0, 0, 0, 0]]) / 256
    assert energy_of(design, made, two).toggles == toggles / 2 / design.clocks
    assert energy_of(design, made, np.array(codes) / 256, clocks=2).toggles == 2 / 2


def a_run(toggles, clocks):
    return Run({"y": np.zeros((1 + clocks, 1, 1), np.uint8)}, 1, toggles)


def test_energy_lies_between_its_ends_and_grows_with_toggles_cells_and_accesses():
    def of(toggles, cells, lane_clocks=10, accesses=0):
        run = replace(a_run(toggles, lane_clocks), of_memories=((accesses, 0),))
        return energy(run, cells)

    # 30 toggles a clock at 0.2 pJ; 100 cells at 14 and 198 fJ; 4 accesses at 1, 2.5 and 5 pJ.
    e = of(300, 100, accesses=40)
    assert (e.toggles, e.accesses, e.clock, e.static_microwatt) == (30.0, 4.0, 52.0, 1368.0)
    assert (e.logic, e.memory) == pytest.approx((6.0, 10.0))
    most = 52 * 7680 / 5280
    assert (e.low, e.middle) == pytest.approx((52 + 1.4 + 4, 52 + 6 + 10))
    assert e.high == pytest.approx(most + 19.8 + 20)
    assert e.static(100.0) == pytest.approx(13.68)
    double = of(600, 200, accesses=80)
    assert double.middle - 52 == pytest.approx(2 * (e.middle - 52))
    assert double.high - most == pytest.approx(2 * (e.high - most))
    assert of(600, 200, lane_clocks=20, accesses=80) == of(300, 200, accesses=40)
    for toggles in (0, 1, 10**3, 10**6):
        few = of(toggles, 7)
        assert 52 <= few.low <= few.middle <= few.high


# --- text


def test_the_report_tells_all_that_it_is_given(tmp_path):
    design = Design(DIGITS.network, 32, name="digits")
    cells = {"SB_CARRY": 5, "SB_DFF": 1200, "SB_DFFE": 34, "SB_LUT4": 811, "SB_RAM40_4K": 30}
    made = Synthesis("ice40", cells, tmp_path / "none.json", 1389, 61.0)
    q = quantization(design, DIGITS.images, DIGITS.labels)
    page = report(
        design,
        quantized=q,
        verified=(Verification(1000, 200, 0, 3000, 4, 5, 6), Verification(7)),
        synthesis=made,
        netlist=(Verification(30051, 32, 0, 4000), Verification(30051, 32, 0, 321)),
        energy=energy(replace(a_run(1000, 10), of_memories=((200, 0), (50, 50))), 1389),
        said="PASSED: 5 images",
    )
    for said in (
        "Latency: 30,049 clock cycles per image of 32 time steps, 493 us at 61.0 MHz.",
        "Throughput: 2,030 images per second at 61.0 MHz.",
        "folded, 8 inputs of 1 neuron per clock cycle",
        "| 0 | 64 | 100 | 1/8 | 71 | 64 |",
        "Result: PASSED: 5 images",
        f"Accuracy on 450 images: {100 * q.of_float:.2f} % in real numbers",
        f"| 1 | {q.layers[1].error_of_sums:.4f} | {q.layers[1].rate:.4f} |",
        "| 0 | 1,000 | 200 | 0 | 3,000 | 4 | 5 | 6 |",
        "Synthesized for ice40 with Yosys: 811 LUTs, 1,234 flip-flops, 30 SB_RAM40_4K.",
        "1,389 logic cells, 61.0 MHz (median of 3 placements).",
        "| SB_LUT4 | 811 |",
        "testbench images for 30,051 clock cycles",
        "0 differences in 4,321 spikes.",
        # 52 pJ, 100 toggles of 0.2 pJ and 30 accesses of 2.5 pJ, times 30,049 clocks.
        "4.42 uJ per image (range 3.05 uJ to 15 uJ), that is 147 pJ per clock cycle (range 101 to 501)",
        "| clock tree | 52.0 |",
        "| logic | 20.0 | 100 toggles",
        "| block memories | 75.0 | 30.0 accesses",
        "adds 1,368 uW (Lattice DS1040, typical), at 61.0 MHz 674 nJ per image.",
        "tinyvision-ai-inc/ice40_power",
        "order of magnitude",
    ):
        assert said in page, said


def test_the_report_tells_no_more_than_it_is_given(tmp_path):
    design = one_neuron([0.5, 0.25], bias=0.5, length=7)
    page = report(design)
    assert "unrolled.\n" in page
    assert "| 0 | 2 and a bias | 1 |" in page
    assert [line for line in page.splitlines() if line.startswith("#")] == ["# network", "## Testbench"]
    made = Synthesis("generic", {"$_AND_": 3, "$_DFF_P_": 2}, tmp_path / "none.json")
    assert "Synthesized for generic with Yosys: 3 gates, 2 flip-flops, no memories." in report(
        design, synthesis=made
    )
    made = replace(made, target="ice40", logic_cells=9999)
    # 2 values, 7 steps, 4 clocks to the class, and one in which it is taken.
    assert "Throughput: 3,000,000 images per second at 42.0 MHz." in report(
        design, synthesis=replace(made, mhz=42.0)
    )
    assert "Too large for an iCE40 HX8K: 9,999 logic cells." in report(design, synthesis=made)
    made = replace(made, logic_cells=None)
    assert "Not placed, so the clock rate is unknown." in report(design, synthesis=made)
    unlabeled = quantization(design, [[0.5, 0.5]])
    assert "on 1 images without labels" in report(design, quantized=unlabeled)


def test_images_and_labels_that_do_not_fit_are_named():
    design = one_neuron([0.5, 0.25])
    with pytest.raises(ValueError, match="labels must hold an integer for each of the 2 images"):
        quantization(design, [[0.5, 0.5], [0.1, 0.2]], [0])
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 0\], got 1 at index 1"):
        quantization(design, [[0.5, 0.5], [0.1, 0.2]], [0, 1])
    with pytest.raises(ValueError, match=r"images must have 2 dimensions|images must"):
        quantization(design, [0.5, 0.5])
    with pytest.raises(ValueError, match="images must have shape"):
        quantization(design, [[0.5]])
