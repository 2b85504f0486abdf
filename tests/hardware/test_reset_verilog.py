"""Asynchronous resets: which processes have one, pulses between clock edges, netlists."""

import re
from dataclasses import replace

import numpy as np
import pytest
from test_networks_verilog import (
    active_inputs,
    design,
    frames,
    images_of_numbers,
    inputs,
    numbers,
    own_parameters,
    past,
    pools,
    run,
)  # fmt: skip

from sc_neurocore import LIF, Dense, Network
from sc_neurocore.cli import main
from sc_neurocore.hardware import (
    Design,
    ToolFailedError,
    board_verilog,
    interface_checks,
    interface_verilog,
    verify_images,
    verilog,
    verilog_testbench,
    write,
)
from sc_neurocore.hardware.simulators import lint, run_testbench
from sc_neurocore.hardware.verify import compared_signals


def asynchronous(kind, architecture="folded", **options):
    return replace(design(kind, architecture), reset="asynchronous", **options)


def one_input():
    """The layers are cleared in one clock cycle, that in which the only value is read."""
    rng = np.random.default_rng(8)
    neuron = LIF(tau_mem=4.0, refractory_period=1)
    layers = [Dense(rng.uniform(0.5, 1, shape), 1.5, neuron) for shape in ((4, 1), (2, 4))]
    return Design(Network(layers), 12, architecture="folded", simd=2, name="any", reset="asynchronous")


MADE = {
    "unrolled": lambda: asynchronous(own_parameters, "unrolled"),
    "folded": lambda: asynchronous(own_parameters),
    "one input": one_input,
    "at the same time": lambda: asynchronous(pools, pipelined=True),
    "numbers": lambda: asynchronous(numbers),
    "images of numbers": lambda: asynchronous(images_of_numbers),
    "several bits per step": lambda: asynchronous(past, loadable=True),
    "frames": lambda: asynchronous(frames),
    "active inputs": lambda: asynchronous(active_inputs),
}
SOON = "unrolled", "one input", "at the same time", "numbers"


@pytest.mark.parametrize("name", MADE)
def test_every_process_with_a_reset_waits_for_it_or_none_does(name):
    made = MADE[name]()
    for reset in ("synchronous", "asynchronous"):
        text = verilog(replace(made, reset=reset))
        modules = "\n".join(text[name] for name in text if name.endswith(".v"))
        processes = re.split(r"\balways\b", modules)[1:]
        resettable = [process for process in processes if re.match(r"[^;]*?\bif \(rst\)", process)]
        assert len(resettable) >= 1
        for process in processes:
            waits = process.startswith(" @(posedge clk or posedge rst)")
            assert waits == (reset == "asynchronous" and process in resettable)
            body = re.split(r"\n\n|\bassign\b|\bwire\b|\bgenerate\b|\bendmodule\b", process)[0]
            assert process in resettable or not re.search(r"\brst\b", body)


@pytest.mark.parametrize("name", MADE)
def test_the_text_has_no_warnings(name, tmp_path):
    write(verilog(MADE[name]()), tmp_path)
    assert lint(sorted(tmp_path.glob("*.v")), "any") == []


@pytest.mark.parametrize(
    ("name", "simulator"),
    [
        pytest.param(name, simulator, id=f"{name}-{simulator}", marks=marks)
        for name in MADE
        for simulator, marks in (
            ("verilator", [] if name in SOON else pytest.mark.long),
            ("icarus", [pytest.mark.icarus]),
        )
    ],
)
def test_resets_between_clock_edges_end_images(name, simulator, tmp_path):
    made = MADE[name]()
    run(made, inputs(made, 4), tmp_path, simulator)


@pytest.mark.icarus
@pytest.mark.parametrize("name", ["unrolled", "at the same time", "frames"])
def test_a_synchronous_design_does_not_pass_the_testbench(name, tmp_path):
    made = MADE[name]()
    bench = verilog_testbench(made, inputs(made, 4))
    write({**verilog(replace(made, reset="synchronous")), **bench}, tmp_path)
    with pytest.raises(ToolFailedError, match="FAILED"):
        run_testbench(sorted(tmp_path.glob("*.v")), "any_tb", tmp_path, "icarus")


@pytest.mark.icarus
@pytest.mark.parametrize(("interface", "suffix"), [("axi-stream", "axis"), ("axi-lite", "axil")])
def test_wrappers_reset_designs_of_both_kinds(interface, suffix, tmp_path):
    made = MADE["numbers"]()
    text = verilog(made) | interface_verilog(made, interface) | verilog_testbench(made, inputs(made, 4))
    text |= interface_checks(made, text, interface)
    write(text, tmp_path)
    bench = f"any_{suffix}_tb"
    files = [tmp_path / name for name in text if name.endswith(".v") and name != "any_tb.v"]
    assert "PASSED: 4 images" in run_testbench(files, bench, tmp_path, "icarus")


@pytest.mark.parametrize("interface", ["axi-stream", "axi", "board"])
def test_what_surrounds_a_design_has_no_warnings(interface, tmp_path):
    made = asynchronous(pools, pipelined=True)
    if interface == "board":
        text, top = board_verilog(made, "icebreaker", inputs(made, 1)), "any_icebreaker"
    else:
        text = interface_verilog(made, interface)
        top = {"axi-stream": "any_axis", "axi": "any_axi"}[interface]
    text = {name: t for name, t in text.items() if name.endswith(".v") and not name.endswith("_tb.v")}
    write(verilog(made) | text, tmp_path)
    assert lint(sorted(tmp_path.glob("*.v")), top) == []


@pytest.mark.parametrize("target", ["ice40", "ecp5", "generic", "xilinx"])
def test_netlists_compute_the_bits_of_the_model(target, built):
    made = one_input()
    options = {"place": False, "across_registers": False, "keep": compared_signals(made)}
    netlist = built.netlist(made, target, "any", **options)
    with_reset = {
        "ice40": r"SB_DFFE?[RS]",
        "ecp5": "TRELLIS_FF",
        "generic": r"\$_DFF_PP[01]_",
        "xilinx": "FD[CP]E",
    }
    assert any(re.fullmatch(with_reset[target], kind) for kind in netlist.cells)
    registers = sum(n for kind, n in netlist.cells.items() if re.match("SB_DFF|FD|.*_D?FF", kind))
    assert netlist.flip_flops == registers > 0
    layers = verify_images(made, netlist.path, inputs(made, 64))
    assert [seen.differences for seen in layers] == [0, 0]
    assert all(seen.spikes > 0 for seen in layers)


def test_the_command_has_the_choice(tmp_path, capsys):
    replace(one_input(), reset="synchronous").network.save(tmp_path / "net.npz")
    arguments = ["hdl", str(tmp_path / "net.npz"), "--out", str(tmp_path / "out"), "--images", "2"]
    for reset in ("synchronous", "asynchronous"):
        assert main([*arguments, "--reset", reset]) == 0
        text = (tmp_path / "out" / "sc_control.v").read_text()
        assert ("posedge rst" in text) == (reset == "asynchronous")
    with pytest.raises(
        ValueError, match="reset must be one of 'synchronous', 'asynchronous', got 'both'"
    ):
        replace(one_input(), reset="both")
