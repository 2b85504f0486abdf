"""Designs that end an image when its class is final output the class of all steps, in fewer clocks."""

from dataclasses import replace

import numpy as np
import pytest
from mutants import escaped, without_place
from test_command import small, warnings_of

from sc_neurocore import LIF, Dense, FixedPoint, Network, decide_early, load_digits
from sc_neurocore.cli import main
from sc_neurocore.hardware import (
    Design,
    Energy,
    Synthesis,
    quantization,
    report,
    run_bench,
    simulators,
    synthesize,
    verify_images,
    verilog,
    verilog_testbench,
    write,
)
from sc_neurocore.hardware.verify import compared_signals

DIGITS = load_digits()


def digits(length=8, bits=3, **options):
    fixed = FixedPoint(bits=bits)
    return Design(DIGITS.network, length, fixed_point=fixed, early=True, name="digits", **options)


def resting(pause):
    """A small design whose outputs rest."""
    rng = np.random.default_rng(1)
    lif = LIF(tau_mem=8.0, refractory_period=pause, v_threshold=0.6)
    layers = [
        Dense(rng.uniform(-0.5, 1, (6, 10)), 0.6, lif),
        Dense(rng.uniform(-1, 1, (3, 6)), 0.9, lif),
    ]
    options = {"architecture": "folded", "simd": 4, "pe": 2, "name": "little", "early": True}
    return Design(Network(layers), 37, **options)


def brute_force(design, images):
    """The first step after which no choice of the remaining spikes changes the class."""
    spikes = design.simulate(images, record=True).spikes[-1].bits()
    found = []
    for image in spikes:
        for t in range(1, design.length + 1):
            counts = np.sort(image[:, :t].sum(axis=1))
            left = sum(
                (s - t) % (1 + design.pause) == 1 % (1 + design.pause)
                for s in range(t + 1, design.length + 1)
            )
            if t == design.length or counts[-1] > counts[-2] + left:
                found.append(t)
                break
    return found


@pytest.mark.parametrize("pause", [0, 1, 3])
def test_images_end_as_soon_as_no_output_can_overtake(pause, tmp_path):
    design, images = resting(pause), np.random.default_rng(2).random((12, 10))
    steps = design.steps(images)
    assert steps.tolist() == brute_force(design, images)
    assert steps.min() < 0.8 * design.length
    text = {**verilog(design), **verilog_testbench(design, images)}
    write(text, tmp_path)
    assert "PASSED: 12 images" in run_bench(tmp_path, "little")
    assert warnings_of(text, "little", tmp_path) == []


def test_images_taken_as_numbers_end_early_as_well(tmp_path, built):
    first, last = DIGITS.network
    fixed = FixedPoint(bits=4, word=8)
    network = Network([replace(first, sampled=False), last])
    design = Design(network, 8, fixed_point=fixed, early=True, name="quick")
    steps = design.steps(DIGITS.images)
    assert design.clocks_of(steps.mean()) < 0.9 * replace(design, early=False).clocks
    assert steps[:20].tolist() == brute_force(design, DIGITS.images[:20])
    write({**verilog(design), **verilog_testbench(design, DIGITS.images[:20])}, tmp_path)
    assert "PASSED: 20 images" in run_bench(tmp_path, "quick")
    options = {"place": False, "across_registers": False, "keep": compared_signals(design)}
    netlist = built.netlist(design, "ice40", "quick", **options)
    seen = verify_images(design, netlist.path, DIGITS.images[:100])
    assert [part.differences for part in seen] == [0, 0]
    # The layer that takes the image computes all steps, the other one those until the end.
    assert [part.steps for part in seen] == [800, steps[:100].sum()]


def test_the_class_of_every_digit_is_that_of_all_steps(tmp_path):
    design = digits()
    write({**verilog(design), **verilog_testbench(design, DIGITS.images)}, tmp_path)
    assert "PASSED: 450 images" in run_bench(tmp_path, "digits")  # the classes of simulate
    steps = design.steps(DIGITS.images)
    assert steps.mean() < 0.85 * design.length
    assert design.clocks_of(steps.mean()) < 0.9 * replace(design, early=False).clocks
    proved = decide_early(
        design.fixed.network, DIGITS.images, design.length, seed=0, source=design.source
    )
    assert abs(steps.mean() - proved.mean_steps) < 0.5  # whose neurons are real numbers


def test_the_netlist_ends_images_as_the_model_does(tmp_path):
    design = resting(1)
    images = np.random.default_rng(3).random((32, 10))
    write(verilog(design), tmp_path)
    files = sorted(tmp_path.glob("*.v"))
    made = synthesize(files, "little", "ice40", tmp_path, place=False, keep=compared_signals(design))
    seen = verify_images(design, made.path, images)
    assert all(part.passed(layer) for part, layer in zip(seen, design.layers, strict=True))
    late = replace(design, early=False)
    assert any(part.differences for part in verify_images(late, made.path, images[:1]))


MUTANTS = [
    ("sc_readout_folded.v", "first} > {1'b0, second}", "first} >= {1'b0, second}"),
    ("sc_readout_folded.v", "+ {1'b0, left}", ""),
    ("sc_readout_folded.v", "leads ? first_so_far :", ""),
    ("sc_readout_folded.v", "(count > second_so_far) ? count : second_so_far", "second_so_far"),
    ("sc_readout_folded.v", "if (phase == 0) left", "left"),
    ("sc_readout_folded.v", "PHASE = (LENGTH - 1) % (1 + PAUSE)", "PHASE = LENGTH % (1 + PAUSE)"),
    ("sc_readout_folded.v", "MOST = (LENGTH + PAUSE)", "MOST = LENGTH"),
    ("sc_readout_folded.v", "(last || decided)", "last"),
    ("sc_readout_folded.v", "(last || EARLY != 0)", "last"),
]


def texts():
    """Return the files of a design whose neurons rest, as a set of one design."""
    design, images = resting(1), np.random.default_rng(2).random((12, 10))
    return {"little": {**verilog(design), **verilog_testbench(design, images)}}


def run(name, folder):
    return simulators.run_testbench(sorted(folder.glob("*.v")), f"{name}_tb", folder)


def test_every_mutant_has_a_place():
    assert without_place(MUTANTS, texts()) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_of_the_decision_are_caught(tmp_path):
    assert escaped(MUTANTS, texts(), run, tmp_path) == set()


def test_the_command_reports_the_mean_latency(tmp_path, capsys):
    arguments = ["hdl", "digits", "--early", "--out", str(tmp_path / "out"), "--images", "2"]
    assert main(arguments) == 0
    report = (tmp_path / "out" / "REPORT.md").read_text()
    design = digits()
    mean = design.clocks_of(design.steps(DIGITS.images).mean())
    assert f"at most {design.clocks:,} clock cycles per image" in report
    assert f"{mean:,.0f} clock cycles and" in report
    assert "time steps on average over 450 images" in report


def test_the_report_of_an_early_design_has_mean_throughput_and_energy(tmp_path):
    design = digits()
    made = Synthesis("ice40", {}, tmp_path / "none.json", 1000, 50.0)
    page = report(
        design,
        quantized=quantization(design, DIGITS.images, DIGITS.labels),
        synthesis=made,
        energy=Energy(toggles=0.0, low=1.0, middle=10.0, high=100.0),
    )
    mean = design.clocks_of(design.steps(DIGITS.images).mean())
    assert f"{design.clocks:,} clock cycles per image of 8 time steps, 151 us at 50.0 MHz." in page
    assert f"Throughput: {50e6 / (mean + 1):,.0f} images per second at 50.0 MHz." in page
    assert f"{10e-3 * mean:.3g} nJ per image" in page


def test_designs_that_cannot_end_early_are_refused():
    with pytest.raises(
        ValueError, match="early must be False unless the design is folded and reads images"
    ):
        Design(small("unrolled").network, 8, architecture="unrolled", early=True)
    silent = Network([Dense(np.ones((2, 3)), neuron=LIF(v_threshold=np.inf))])
    with pytest.raises(ValueError, match="early must be False if the last layer does not fire"):
        Design(silent, 8, architecture="folded", early=True)
