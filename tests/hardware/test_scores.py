"""Ports that read the spike counts and potentials of the outputs."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from test_axil import firing
from test_command import small, warnings_of
from test_network_mutants import DESIGNS as OF_ALL_KINDS

from sc_neurocore import Bitstream, load_digits
from sc_neurocore.cli import main
from sc_neurocore.hardware import (
    Design,
    board_verilog,
    interface_checks,
    interface_verilog,
    run_bench,
    simulators,
    synthesize,
    verilog,
    verilog_testbench,
    write,
)
from sc_neurocore.hardware.netlist import Netlist

folded = replace(small("folded"), network=firing, scores=True)
DESIGNS = {
    "unrolled": replace(small("unrolled"), network=firing, scores=True),
    "folded": folded,
    "early": replace(folded, early=True),
    "pipelined": replace(folded, pipelined=True, sparse=True, loadable=True),
    "past": replace(OF_ALL_KINDS["past"], scores=True),
}


@cache
def text(name):
    design = DESIGNS[name]
    x = np.random.default_rng(1).random((5, design.n_in))
    if design.inputs == "spikes":
        bits = np.random.default_rng(4).random((4, design.n_in, design.length)) < 0.5
        x = Bitstream.from_bits(bits)
    return {**verilog(design), **verilog_testbench(design, x)}


@pytest.mark.icarus
@pytest.mark.parametrize("name", DESIGNS)
def test_counts_and_potentials_are_those_of_the_model(name, tmp_path):
    write(text(name), tmp_path)
    top = DESIGNS[name].name
    said = simulators.run_testbench(sorted(tmp_path.glob("*.v")), f"{top}_tb", tmp_path)
    assert "PASSED" in said
    scores = [int(line, 16) for line in text(name)[f"{top}_tb_scores.hex"].split()]
    assert len({score >> 32 for score in scores}) > 2
    assert any(score & 1 << 31 for score in scores)  # a negative potential
    assert warnings_of(text(name), top, tmp_path) == []


@pytest.mark.parametrize("name", ["early", "pipelined"])
def test_so_they_are_in_verilator(name, tmp_path):
    write(text(name), tmp_path)
    assert "PASSED" in run_bench(tmp_path, "little")


def test_the_vectors_are_those_of_simulate():
    design = DESIGNS["folded"]
    x = np.random.default_rng(1).random((5, design.n_in))
    codes = design.codes(x) / 2**design.fixed_point.bits
    seen = design.simulate(codes)
    scores = np.array([int(line, 16) for line in text("folded")["little_tb_scores.hex"].split()])
    assert np.array_equal(scores.reshape(5, -1) >> 32, seen.counts)
    potentials = (scores & 0xFFFFFFFF).astype(np.uint32).view(np.int32).reshape(5, -1)
    assert np.array_equal(design.fixed.neurons[-1].volts(potentials.astype(float)), seen.potentials)


@pytest.mark.parametrize("name", ["unrolled", "pipelined"])
def test_netlists_give_them_too(name, tmp_path):
    design = replace(DESIGNS[name], loadable=False)
    files = verilog(design)
    write(files, tmp_path)
    paths = [tmp_path / file for file in files if file.endswith(".v")]
    made = synthesize(paths, "little", "ice40", tmp_path, place=False, across_registers=False)
    images = np.random.default_rng(3).random((64, 10))
    clocks = design.clocks + 1
    ports = design.stimulus(images, clocks + 5)
    ports["out_ready"] = np.zeros_like(ports["out_ready"])
    for n in range(3):
        ports["out_neuron"][clocks + n, :, 0] = n & 1, n >> 1
    run = Netlist.read(made.path, "little").run(ports)
    seen = design.simulate(design.codes(images) / 2**design.fixed_point.bits)
    for n in range(3):
        digits = run.at(np.array([clocks + n + 1]), "out_count")[0]
        counts = (digits.astype(int) << np.arange(len(digits))[:, np.newaxis]).sum(axis=0)
        assert np.array_equal(counts, seen.counts[:, n])
    assert seen.counts.any()


def test_the_stream_passes_them_on(tmp_path):
    design = replace(DESIGNS["pipelined"], loadable=False)
    images = np.random.default_rng(0).random((5, 10))
    files = {
        **verilog(design), **interface_verilog(design), **verilog_testbench(design, images),
    }  # fmt: skip
    files |= interface_checks(design, files, "axi-stream")
    write(files, tmp_path)
    assert warnings_of(files, "little_axis", tmp_path) == []
    assert "PASSED: 5 images as frames" in run_bench(tmp_path, "little_axis")


def test_the_command_adds_the_ports(tmp_path, capsys):
    small("unrolled").network.save(tmp_path / "little.npz")
    options = ["--images", "4", "--length", "6", "--interface", "axi-lite", "--scores", "--loadable"]
    out = tmp_path / "out"
    given = [str(tmp_path / "little.npz"), "--pipelined", *options, "--out", str(out)]
    assert main(["hdl", *given]) == 0
    assert "folded" in capsys.readouterr().out
    assert "little_count(" in (out / "little_axil.h").read_text()
    assert "count and the last potential of each output" in (out / "REPORT.md").read_text()
    assert main(["hdl", "--check", str(out)]) == 0
    assert "little: PASSED: 8 images" in capsys.readouterr().out
    assert main(["hdl", *given, "--architecture", "unrolled"]) == 1
    assert "--loadable must be used with the folded architecture" in capsys.readouterr().err


def test_what_has_no_scores_is_refused():
    digits = load_digits()
    with pytest.raises(TypeError, match="scores must be a bool, got 1"):
        Design(digits.network, 8, scores=1)
    design = Design(digits.network, 8, scores=True)
    with pytest.raises(ValueError, match="design must have scores=False on a board, whose line"):
        board_verilog(design, "icebreaker", digits.images[:1])
