# ruff: noqa: E501
"""AXI4-Lite around designs: registers, refused accesses, resets, loaded weights, rules and the C header."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from mutants import escaped, without_place
from test_command import small, warnings_of
from test_interfaces import prove

from sc_neurocore import Dense, FixedPoint, Network, load_digits
from sc_neurocore.cli import main
from sc_neurocore.hardware import (
    Design,
    ToolFailedError,
    board_verilog,
    interface_checks,
    interface_verilog,
    run_bench,
    simulators,
    verilog,
    verilog_testbench,
    write,
)
from sc_neurocore.hardware._registers import register_table

PAGE = Path(__file__).parents[2] / "docs" / "hardware" / "index.md"
# One has registers alone, others weights, too, and values of 3 bits, above which values saturate.
firing = small("unrolled")
firing = Network([firing.network[0], replace(firing.network[1], gain=2.0)])
DESIGNS = {
    "unrolled": replace(small("unrolled"), network=firing, scores=True),
    "loadable": Design(
        firing, 8, fixed_point=FixedPoint(bits=3), simd=4, name="little", loadable=True,
        architecture="folded",
    ),
}  # fmt: skip
DESIGNS["pipelined"] = replace(DESIGNS["loadable"], pipelined=True, sparse=True, scores=True)
DESIGNS["stream"] = DESIGNS["pipelined"]  # with a port for frames of images
DESIGNS["frames"] = DESIGNS["unrolled"]  # likewise


def top(name):
    return "little_axi" if name in ("stream", "frames") else "little_axil"


@cache
def text(name):
    design = DESIGNS[name]
    images = np.random.default_rng(0).random((4, 10))
    images[:, ::3] = 0.999  # the largest value
    files = {
        **verilog(design),
        **interface_verilog(design, "axi" if top(name) == "little_axi" else "axi-lite"),
        **verilog_testbench(design, images),
    }
    return files | interface_checks(design, files, "axi" if top(name) == "little_axi" else "axi-lite")


def run(name, folder):
    files = sorted(folder.glob("*.v"))
    return simulators.run_testbench(files, f"{top(name)}_tb", folder)


def run_cocotb(name, folder):
    """Run the cocotb test of a folder, and return its exit status and output."""
    command = [sys.executable, f"{top(name)}_test.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "TESTS=" in said, said
    return done.returncode, said


@pytest.mark.parametrize("name", DESIGNS)
def test_the_wrapper_has_no_warnings(name, tmp_path):
    write(text(name), tmp_path)
    assert warnings_of(text(name), top(name), tmp_path) == []


@pytest.mark.icarus
@pytest.mark.parametrize("name", DESIGNS)
def test_the_testbench_of_the_wrapper_passes(name, tmp_path):
    write(text(name), tmp_path)
    n = 8 if DESIGNS[name].loadable else 4
    assert f"PASSED: {n} images by bus accesses" in run(name, tmp_path)


@pytest.mark.long
def test_so_it_does_in_verilator(tmp_path):
    write(text("loadable"), tmp_path)
    assert "PASSED: 8 images by bus accesses" in run_bench(tmp_path, "little_axil")


@pytest.mark.icarus
@pytest.mark.parametrize("name", DESIGNS)
def test_stalls_refused_accesses_resets_and_weights(name, tmp_path):
    write(text(name), tmp_path)
    status, said = run_cocotb(name, tmp_path)
    assert status == 0, said
    of_stream = top(name) == "little_axi"
    assert f"PASS={(7 if DESIGNS[name].pipelined else 5) + of_stream}" in said


@pytest.mark.icarus
def test_weights_of_many_parts_are_loaded_among_values(tmp_path):
    design = replace(DESIGNS["loadable"], simd=64, scores=True)  # words of 8 parts
    images = np.random.default_rng(0).random((2, 10))  # the first one with other weights is sent thrice
    files = verilog(design) | interface_verilog(design, "axi-lite") | verilog_testbench(design, images)
    write(files | interface_checks(design, files, "axi-lite"), tmp_path)
    assert "PASSED: 4 images by bus accesses" in run("loadable", tmp_path)


@pytest.mark.icarus
def test_weights_of_a_single_part_have_one_address(tmp_path):
    network = Network([Dense([[0.5, -0.5]])])
    design = Design(network, 4, fixed_point=FixedPoint(bits=3), simd=2, name="little", loadable=True)
    images = np.random.default_rng(0).random((2, 2))
    files = verilog(design) | interface_verilog(design, "axi-lite") | verilog_testbench(design, images)
    write(files | interface_checks(design, files, "axi-lite"), tmp_path)
    assert design.load_port.holes() == [1]
    assert "PASSED: 4 images by bus accesses" in run("loadable", tmp_path)
    assert warnings_of(files, "little_axil", tmp_path) == []


# File, what is there, what is put in its place.
MUTANTS = [
    ("sc_axil.v", "awvalid && wvalid && !written && !rst", "awvalid && !written && !rst"),
    ("sc_axil.v", "awvalid && wvalid && !written && !rst", "wvalid && !written && !rst"),
    ("sc_axil.v", "awvalid && wvalid && !written && !rst", "awvalid && wvalid && !rst"),
    ("sc_axil.v", "awvalid && wvalid && !written && !rst", "awvalid && wvalid && !written"),
    ("sc_axil.v", "accepted && wstrb == 4'b1111;", "accepted;"),
    ("sc_axil.v", "accepted && wstrb == 4'b1111;", "accepted && wstrb != 4'b0000;"),
    ("sc_axil.v", "bvalid = written && !rst", "bvalid = written"),
    ("sc_axil.v", "rvalid = was_read && !rst", "rvalid = was_read"),
    ("sc_axil.v", "read_ready && !was_read && !rst", "read_ready && !rst"),
    ("sc_axil.v", "read_ready && !was_read && !rst", "read_ready && !was_read"),
    ("sc_axil.v", "read_ready && !was_read && !rst", "!was_read && !rst"),
    ("sc_axil.v", "if (rst) written <= 1'b0;\n        else ", ""),
    ("sc_axil.v", "if (rst) was_read <= 1'b0;\n        else ", ""),
    ("sc_axil.v", "written ? !bready : accepted", "written ? 1'b0 : accepted"),
    ("sc_axil.v", "was_read ? !rready : read", "was_read ? 1'b0 : read"),
    ("sc_axil.v", "write_error || wstrb != 4'b1111", "write_error"),
    ("sc_axil.v", "write_error || wstrb != 4'b1111", "wstrb != 4'b1111"),
    ("sc_axil.v", "if (accepted) failed", "failed"),
    ("sc_axil.v", "if (read) begin", "begin"),
    ("sc_axil.v", "read_failed <= read_error", "read_failed <= 1'b0"),
    ("sc_axil.v", "read_error ? 32'd0 : read_data", "read_data"),
    ("little_axil.v", "to_input && in_ready", "to_input"),
    ("little_axil.v", "(to_control || to_status ||", "(to_control ||"),
    ("little_axil.v", "aresetn && write && to_control && s_axi_wdata[0]", "1'b0"),
    ("little_axil.v", "aresetn && write && to_control && s_axi_wdata[0]", "write && to_control"),
    ("little_axil.v", "if (!aresetn) interrupt <= 1'b0;\n        else ", ""),
    ("little_axil.v", "interrupt <= s_axi_wdata[1]", "interrupt <= s_axi_wdata[0]"),
    ("little_axil.v", "if (write && to_control) interrupt", "if (write) interrupt"),
    ("little_axil.v", "!aresetn || restart", "!aresetn"),
    ("little_axil.v", "!aresetn || restart", "restart"),
    ("little_axil.v", ".in_valid(write && to_input)", ".in_valid(to_input)"),
    ("little_axil.v", ".in_valid(write && to_input)", ".in_valid(write)"),
    ("little_axil.v", "write && to_status && s_axi_wdata[1]", "write && to_status"),
    ("little_axil.v", "write && to_status && s_axi_wdata[1]", "write && s_axi_wdata[1]"),
    ("little_axil.v", "write && to_status && s_axi_wdata[1]", "1'b1"),
    ("little_axil.v", "!= 29'd0 ?", "== 29'd1 ?"),
    ("little_axil.v", "out_valid && interrupt && aresetn", "out_valid && aresetn"),
    ("little_axil.v", "out_valid && interrupt && aresetn", "out_valid && interrupt"),
    ("little_axil.v", "read_data = {30'd0, out_class}", "read_data = 32'd1"),
    ("little_axil.v", "{29'd0, load_ready, out_valid, in_ready}", "{29'd0, load_ready, in_ready, out_valid}"),
    ("little_axil.v", "read_data = 32'h53434e31", "read_data = 32'h53434e30"),
    ("little_axil.v", "'d11 && !out_valid", "'d11"),
    ("little_axil.v", " && !out_valid)", ")"),
    ("little_axil.v", "of_output ? !out_valid", "of_output ? 1'b0"),
    ("little_axil.v", " || from[3:0] > 4'd2 : ", " : "),
    ("little_axil.v", "from[5] ^ from[4]", "from[5] || from[4]"),
    ("little_axil.v", "if (of_output) read_data = from[4] ?", "if (of_output) read_data = from[5] ?"),
    ("little_axil.v", "!of_output || asked", "1'b1"),
    ("little_axil.v", "s_axi_arvalid && !s_axi_arready", "1'b1"),
    ("little_axil.v", "{{16{out_potential[15]}}, out_potential}", "{16'd0, out_potential}"),
    ("little_axil.v", "wire of_output = !from[6] && ", "wire of_output = "),
    ("little_axi.v", ".clk(aclk), .rst(rst), .s_valid", ".clk(aclk), .rst(!aresetn), .s_valid"),
    ("little_axi.v", ".rst(rst), .drop(frame_error)", ".rst(rst || frame_error), .drop(1'b0)"),
    ("little_axi.v", ".rst(rst || frame_error)", ".rst(rst)"),
    ("little_axi.v", ".in_valid(in_valid),\n        .in_ready", ".in_valid(s_axis_tvalid),\n        .in_ready"),
    ("little_axi.v", "s_axis_tdata[7:3] != 5'd0", "s_axis_tdata[7:4] != 4'd0"),
    ("sc_best.v", "scores[neuron] <=", "scores[best] <="),
    ("sc_best.v", "if (valid) scores", "scores"),
    ("sc_best.v", "scores[out_neuron]", "scores[neuron]"),
    ("little_axil.v", "to_weights && load_ready", "to_weights"),
    ("little_axil.v", "&& exists", ""),
    ("little_axil.v", ".load_valid(write && to_weights)", ".load_valid(write)"),
    ("little_axil.v", ".load_valid(write && to_weights)", ".load_valid(to_weights)"),
]  # fmt: skip


def test_every_mutant_has_a_place():
    assert without_place(MUTANTS, {name: text(name) for name in DESIGNS}) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_are_caught_by_the_testbench(tmp_path):
    assert escaped(MUTANTS, {name: text(name) for name in DESIGNS}, run, tmp_path) == set()


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_of_the_registers_are_caught_by_cocotb(tmp_path):
    def run_in_python(name, folder):
        status, said = run_cocotb(name, folder)
        if status:
            raise ToolFailedError(f"FAILED: {said}")

    some = [m for m in MUTANTS if m[0] == "little_axil.v" and ("restart" in m[1] or "weights" in m[1])]
    assert len(some) == 5
    assert escaped(some, {"loadable": text("loadable")}, run_in_python, tmp_path) == set()


REFERENCE = """
import cocotb, itertools, random
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
import little_axil_test as t

@cocotb.test()
async def the_master_of_another_package(dut):
    cocotb.start_soon(Clock(dut.aclk, 10, unit="step").start())
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False)
    pauses = random.Random(1)
    for channel in (master.write_if.aw_channel, master.write_if.w_channel, master.write_if.b_channel,
                    master.read_if.ar_channel, master.read_if.r_channel):
        channel.set_pause_generator(pauses.random() < 0.4 for _ in itertools.count())
    dut.aresetn.value = 0
    for _ in range(4):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    async def word(address):
        got = await master.read(address, 4)
        assert got.resp == AxiResp.OKAY
        return int.from_bytes(got.data, "little")

    assert await word(t.ID) == 0x53434E31
    assert await word(t.VALUES) == t.N_IN
    assert (await master.read(t.INPUT, 4)).resp == AxiResp.SLVERR
    assert (await master.write(t.ID, bytes(4))).resp == AxiResp.SLVERR
    assert (await master.write(t.INPUT + 1, bytes(2))).resp == AxiResp.SLVERR
    for k, (image, wanted) in enumerate(zip(t.IMAGES, t.CLASSES)):
        if k == t.FIRST:
            for address, data in t.WORDS:
                assert (await master.write(t.WINDOW + 4 * address, data.to_bytes(4, "little"))).resp == 0
        for value in image:
            assert (await master.write(t.INPUT, value.to_bytes(4, "little"))).resp == AxiResp.OKAY
        while not await word(t.STATUS) & t.DONE:
            pass
        assert await word(t.CLASS) == wanted
        await master.write(t.STATUS, t.DONE.to_bytes(4, "little"))
"""


@pytest.mark.icarus
@pytest.mark.parametrize("name", ["unrolled", "loadable", "pipelined"])
def test_another_package_drives_the_wrapper(name, tmp_path):
    bench = text(name)["little_axil_test.py"].replace('f"{NAME}_axil_test"', '"reference"')
    write({**text(name), "reference.py": REFERENCE, "little_axil_test.py": bench}, tmp_path)
    status, said = run_cocotb(name, tmp_path)
    assert status == 0, said
    assert "PASS=1" in said


BROKEN = [
    ("awvalid && wvalid && !written && !rst", "awvalid && wvalid && !rst"),
    ("bvalid = written && !rst", "bvalid = written"),
    ("accepted && wstrb == 4'b1111;", "accepted;"),
    ("if (accepted) failed", "failed"),
    ("was_read ? !rready : read", "was_read ? 1'b0 : read"),
    ("read_ready && !was_read", "!was_read"),
    ("read_error ? 32'd0 : read_data", "read_data"),
]


def test_the_rules_of_the_bus_are_proved(tmp_path):
    files = {name: content for name, content in text("unrolled").items() if "axil" in name}
    files["little.sby"] = files.pop("little_axil.sby")
    prove(files, tmp_path)
    for old, new in BROKEN:
        assert old in files["sc_axil.v"]
        with pytest.raises(ToolFailedError, match="proof did fail"):
            prove({**files, "sc_axil.v": files["sc_axil.v"].replace(old, new)}, tmp_path)


@pytest.mark.long
def test_the_rules_of_the_bus_hold_in_simulation_and_are_seen_to_fail(tmp_path):
    def with_rules(files, folder):
        write(files, folder)
        paths = [folder / name for name in files if name.endswith(".v")]
        paths += [folder / "sc_axil_rules.sv", folder / "little_axil_bind.sv"]
        return simulators.run_testbench(paths, "little_axil_tb", folder, "verilator")

    files = text("unrolled")
    assert "PASSED" in with_rules(files, tmp_path)
    broken = files["sc_axil.v"].replace("accepted && wstrb == 4'b1111;", "accepted;")
    with pytest.raises(ToolFailedError, match="only_whole_words"):
        with_rules({**files, "sc_axil.v": broken}, tmp_path)


PROGRAM = """
#include "little_axil.h"
int main(void) {
    static uint32_t base[4096];
    const uint8_t image[LITTLE_VALUES_IS] = {1, 2, 3};
    const uint32_t words[2][2] = {{0, 7}, {5, 8}};
    base[LITTLE_STATUS / 4] = LITTLE_STATUS_READY | LITTLE_STATUS_DONE | LITTLE_STATUS_LOADABLE;
    base[LITTLE_CLASS / 4] = 2;
    little_load(base, words, 2);
    if (base[LITTLE_WEIGHTS_IS / 4] != 7 || base[LITTLE_WEIGHTS_IS / 4 + 5] != 8) return 1;
    base[LITTLE_CONTROL / 4] = LITTLE_CONTROL_INTERRUPT;
    if (little_classify(base, image) != 2 || base[LITTLE_INPUT / 4] != 0) return 2;
    return base[LITTLE_STATUS / 4] != LITTLE_STATUS_DONE || base[LITTLE_CONTROL / 4] != (LITTLE_CONTROL_RESET | LITTLE_CONTROL_INTERRUPT);
}
"""


def test_the_header_is_c_and_uses_the_registers(tmp_path):
    write({**text("loadable"), "program.c": PROGRAM}, tmp_path)
    compiler = os.environ.get("CC", "cc").split()
    options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "program.c", "-o", "program"]
    subprocess.run([*compiler, *options], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "program"]).returncode == 0


def test_outputs_of_the_designs_fire():
    for name in ("unrolled", "pipelined"):
        scores = text(name)["little_tb_scores.hex"].split()
        assert len({int(score, 16) >> 32 for score in scores}) > 2


OF_STREAM = """
#include "little_axi.h"
int main(void) {
    static uint32_t base[4096];
    const uint32_t words[1][2] = {{5, 8}};
    base[LITTLE_STATUS / 4] = LITTLE_STATUS_DONE | LITTLE_STATUS_LOADABLE;
    base[LITTLE_COUNTS_IS / 4 + 1] = 3;
    base[LITTLE_POTENTIALS_IS / 4 + 1] = 0xffffffff;
    little_load(base, words, 1);
    return little_receive(base) || little_count(base, 1) != 3 || little_potential(base, 1) != -1;
}
"""


def test_the_header_beside_a_stream_is_c(tmp_path):
    write({**text("stream"), "program.c": OF_STREAM}, tmp_path)
    compiler = os.environ.get("CC", "cc").split()
    options = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "program.c", "-o", "program"]
    subprocess.run([*compiler, *options], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "program"]).returncode == 0


BOTH = """
import cocotb, itertools, random
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamFrame, AxiStreamSource
import little_axi_test as t

@cocotb.test()
async def images_by_a_stream_and_classes_by_registers(dut):
    cocotb.start_soon(Clock(dut.aclk, 10, unit="step").start())
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False)
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, reset_active_level=False)
    pauses = random.Random(1)
    source.set_pause_generator(pauses.random() < 0.3 for _ in itertools.count())
    dut.aresetn.value = 0
    for _ in range(4):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    word = lambda value: value.to_bytes(4, "little")

    async def classes(images):
        for image in images:
            await source.send(AxiStreamFrame(bytes(image[:-1])))  # too short
            await source.send(AxiStreamFrame(bytes(image)))
        for _ in images:
            while not (await master.read(t.STATUS, 4)).data[0] & t.DONE:
                pass
            yield (await master.read(t.CLASS, 4)).data[0]
            await master.write(t.STATUS, word(t.DONE))

    found = [c async for c in classes(t.IMAGES[:t.FIRST])]
    for address, data in t.WORDS:
        assert (await master.write(t.WINDOW + 4 * address, word(data))).resp == 0
    assert found + [c async for c in classes(t.IMAGES[t.FIRST:])] == t.CLASSES
"""


@pytest.mark.icarus
def test_another_package_drives_both_ports(tmp_path):
    bench = text("stream")["little_axi_test.py"].replace('f"{NAME}_axi_test"', '"reference"')
    write({**text("stream"), "reference.py": BOTH, "little_axi_test.py": bench}, tmp_path)
    status, said = run_cocotb("stream", tmp_path)
    assert status == 0, said
    assert "PASS=1" in said


def test_the_page_lists_the_registers():
    assert register_table() in PAGE.read_text()


@pytest.mark.icarus
def test_hdl_checks_a_folder_with_a_bus(tmp_path, capsys):
    network, out = tmp_path / "little.npz", tmp_path / "out"
    small("unrolled").network.save(network)
    options = ["--interface", "axi-lite", "--loadable", "--images", "1", "--length", "4"]
    assert main(["hdl", str(network), "--out", str(out), *options]) == 0
    page = (out / "REPORT.md").read_text()
    assert "an AXI4-Lite port of 1,024 bytes" in page
    assert "writes of 32 bits, which `weight_words` returns" in page
    assert "read_verilog" in (out / "little_vivado.tcl").read_text()
    assert "little_axil" in (out / "little_quartus.tcl").read_text()
    capsys.readouterr()
    (out / "little_axil.v").write_text((out / "little_axil.v").read_text().replace("&& exists", ""))
    assert main(["hdl", "--check", str(out)]) == 3
    assert "little_axil: " in capsys.readouterr().err


def test_what_has_no_bus_or_no_port_is_refused(capsys):
    digits = load_digits()
    loadable = replace(Design(digits.network, 8, fixed_point=FixedPoint(bits=3)), loadable=True)
    with pytest.raises(ValueError, match="design must have loadable=False on a board, whose line"):
        board_verilog(loadable, "icebreaker", digits.images[:1])
    with pytest.raises(
        ValueError, match="interface must be one of 'axi-stream', 'axi-lite', 'axi', got"
    ):
        interface_verilog(loadable, "apb")
    streamed = Design(digits.network, 8, inputs="spikes")
    with pytest.raises(ValueError, match='design must have inputs="image" for an interface'):
        interface_verilog(streamed, "axi-lite")
    assert main(["hdl", "digits", "--loadable", "--architecture", "unrolled"]) == 1
    said = capsys.readouterr().err
    assert "--loadable must be used with the folded architecture, got unrolled" in said
