"""AXI4-Stream around designs, the rules of the interface, and the files that users verify them with."""

import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from mutants import escaped, without_place
from test_command import small, warnings_of

from sc_neurocore import FixedPoint
from sc_neurocore.cli import main
from sc_neurocore.hardware import (
    Design,
    ToolFailedError,
    interface_checks,
    interface_verilog,
    run_bench,
    simulators,
    tools,
    verilog,
    verilog_testbench,
    write,
)

N_IMAGES = 5


@pytest.fixture(scope="module", params=["unrolled", "folded", "pipelined"])
def text(request):
    """Return every file of a small design, by name."""
    pipelined = request.param == "pipelined"
    design = replace(small("folded" if pipelined else request.param), pipelined=pipelined)
    images = np.random.default_rng(0).random((N_IMAGES, 10))
    text = {
        **verilog(design),
        **interface_verilog(design),
        **verilog_testbench(design, images),
    }
    return text | interface_checks(design, text, "axi-stream")


def changed(text, file, old, new):
    assert old in text[file], (file, old)
    return {**text, file: text[file].replace(old, new)}


def run_cocotb(folder):
    """Run the cocotb test of a folder, and return its exit status and output."""
    command = [sys.executable, "little_axis_test.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "TESTS=" in said, said
    return done.returncode, said


def test_the_wrapper_has_no_warnings(text, tmp_path):
    write(text, tmp_path)
    assert warnings_of(text, "little_axis", tmp_path) == []


def test_the_testbench_of_the_wrapper_passes(text, tmp_path):
    write(text, tmp_path)
    assert "PASSED: 5 images as frames" in run_bench(tmp_path, "little_axis")


@pytest.mark.icarus
def test_so_it_does_in_icarus(text, tmp_path):
    write(text, tmp_path)
    files = sorted(tmp_path.glob("*.v"))
    assert "PASSED" in simulators.run_testbench(files, "little_axis_tb", tmp_path, "icarus")


@pytest.mark.icarus
def test_gaps_late_reads_broken_frames_and_resets(text, tmp_path):
    write(text, tmp_path)
    status, said = run_cocotb(tmp_path)
    assert status == 0, said
    assert "PASS=4" in said


MUTANTS = [
    ("sc_frames.v", "s_valid && !dropping && fits", "s_valid && fits"),
    ("sc_frames.v", "s_valid && !dropping && fits", "s_valid && !dropping"),
    ("sc_frames.v", "s_last == at_last", "1'b1"),
    ("sc_frames.v", "dropping <= !s_last", "dropping <= 1'b0"),
    ("sc_frames.v", "dropping <= !s_last", "dropping <= 1'b1"),
    ("sc_frames.v", "frame_error <= taken && !dropping && !fits", "frame_error <= taken && !fits"),
    ("sc_frames.v", "at_last ? {COUNT{1'b0}} : ", ""),
    ("little_axis.v", "!aresetn || frame_error", "!aresetn"),
    ("little_axis.v", ".drop(frame_error)", ".drop(1'b0)"),
    ("little_axis.v", ".rst(!aresetn), .drop", ".rst(!aresetn || frame_error), .drop"),
    ("sc_control.v", "if (rst) begin", "if (rst && state != RUN) begin"),
    ("sc_pipeline.v", "if (rst) begin", "if (rst && state != RUN) begin"),
    ("little_axis.v", ".out_ready(m_axis_tready)", ".out_ready(1'b1)"),
]
IN_VERILOG = [
    ("little_axis.v", "out_valid && aresetn", "out_valid"),
    ("little_axis.v", "!= 5'd0 ?", "== 5'd31 ?"),
    ("little_axis.v", "{6'b0, out_class}", "8'd3"),
    ("little_axis.v", "m_axis_tlast = 1'b1", "m_axis_tlast = 1'b0"),
]


def run(name, folder):
    return run_bench(folder, "little_axis")


@pytest.fixture(scope="module")
def narrow():
    """Return the files of designs of few bits, by name."""
    design = Design(small("folded").network, 8, fixed_point=FixedPoint(bits=3), name="little")
    images = np.random.default_rng(0).random((N_IMAGES, 10))
    images[:, ::3] = 0.999  # the largest value, above which values saturate
    files = {}
    for name, options in (("unrolled", {}), ("pipelined", {"pipelined": True, "loadable": True})):
        made = replace(design, architecture="folded" if options else "unrolled", **options)
        text = {**verilog(made), **interface_verilog(made), **verilog_testbench(made, images)}
        files[name] = text | interface_checks(made, text, "axi-stream")
    return files


def test_every_mutant_has_a_place(narrow):
    assert without_place(MUTANTS + IN_VERILOG, narrow) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_of_the_wrapper_are_caught(text, tmp_path):
    def run_in_python(name, folder):
        status, said = run_cocotb(folder)
        if status:
            raise ToolFailedError(f"FAILED: {said}")

    designs = {"little": text}
    some = [mutant for mutant in MUTANTS if not without_place([mutant], designs)]
    if "sc_control.v" in text:  # a last value that is wrong is dropped by the reset that follows
        some.remove(("sc_frames.v", "s_valid && !dropping && fits", "s_valid && !dropping"))
    assert len(some) > 8
    assert escaped(some, designs, run_in_python, tmp_path) == set()


@pytest.mark.long
def test_mutants_are_caught_by_the_testbench_in_verilog(narrow, tmp_path):
    for name, files in narrow.items():
        write(files, tmp_path / name)
        assert "PASSED" in run(name, tmp_path / name)
    assert escaped(MUTANTS + IN_VERILOG, narrow, run, tmp_path) == set()


REFERENCE = """
import cocotb, itertools, random
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from little_axis_test import CLASSES, IMAGES

@cocotb.test()
async def frames_of_another_package(dut):
    cocotb.start_soon(Clock(dut.aclk, 10, unit="step").start())
    bus = lambda name: AxiStreamBus.from_prefix(dut, name)
    source = AxiStreamSource(bus("s_axis"), dut.aclk, dut.aresetn, reset_active_level=False)
    sink = AxiStreamSink(bus("m_axis"), dut.aclk, dut.aresetn, reset_active_level=False)
    pauses = random.Random(1)
    source.set_pause_generator(pauses.random() < 0.3 for _ in itertools.count())
    sink.set_pause_generator(pauses.random() < 0.8 for _ in itertools.count())
    dut.aresetn.value = 0
    for _ in range(4):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    for image in IMAGES:
        await source.send(AxiStreamFrame(bytes(image[:-1])))  # too short
        await source.send(AxiStreamFrame(bytes(image)))
    assert [list((await sink.recv()).tdata) for _ in IMAGES] == [[c] for c in CLASSES]
"""


@pytest.mark.icarus
def test_another_package_drives_the_wrapper(text, tmp_path):
    bench = text["little_axis_test.py"].replace('f"{NAME}_axis_test"', '"reference"')
    write({**text, "reference.py": REFERENCE, "little_axis_test.py": bench}, tmp_path)
    status, said = run_cocotb(tmp_path)
    assert status == 0, said
    assert "PASS=1" in said


BROKEN = [
    ("sc_control.v", "state == TAKE && !rst", "state == TAKE"),
    ("sc_control.v", "state == TAKE && !rst", "(state == TAKE || state == RUN) && !rst"),
    ("sc_control.v", "LAST_VALUE = N_IN - 1", "LAST_VALUE = N_IN - 2"),
    ("sc_control.v", "if (out_ready) state <= TAKE", "state <= TAKE"),
    ("sc_pipeline.v", "!full[half_in] && !rst", "!full[half_in]"),
    ("sc_pipeline.v", "full[half_in] && ", "1'b0 && "),
    ("sc_pipeline.v", "&& !rst && !drop", "&& !rst"),
    ("sc_pipeline.v", "drop || whole", "whole"),
    ("sc_pipeline.v", "LAST_VALUE = N_IN - 1", "LAST_VALUE = N_IN - 2"),
    ("sc_pipeline.v", "OFFER: if (out_ready)", "OFFER: if (1'b1)"),
]


def broken(text):
    """Return versions of a design that break a rule, the first one that of resets."""
    return [changed(text, *mutant) for mutant in BROKEN if mutant[0] in text]


def with_rules(text, folder):
    """Run the testbench with the rules bound to the design."""
    write(text, folder)
    files = [folder / name for name in text if name.endswith(".v")]
    files += [folder / "sc_rules.sv", folder / "little_bind.sv"]
    return simulators.run_testbench(files, "little_tb", folder, "verilator")


def test_the_rules_hold_in_simulation_and_are_seen_to_fail(text, tmp_path):
    assert "PASSED" in with_rules(text, tmp_path)
    with pytest.raises(ToolFailedError, match="in_ready_low_in_reset"):
        with_rules(broken(text)[0], tmp_path)


def prove(text, folder):
    """Prove the rules for the first clock cycles, as the SymbiYosys file asks."""
    write(text, folder)
    (read,) = re.findall(r"^read -formal (.*)$", text["little.sby"], flags=re.MULTILINE)
    (prepared,) = re.findall(r"^prep .*$", text["little.sby"], flags=re.MULTILINE)
    options = "-verify -prove-asserts -set-init-def -set-def-inputs -tempinduct-baseonly"
    tools.yosys(
        [
            f"read_verilog -formal -sv {read}",
            f"{prepared} -flatten",
            "async2sync",
            "chformal -lower",
            "opt",
            f"sat {options} -tempinduct -maxsteps 20",
        ],
        folder,
    )


def test_the_rules_are_proved(text, tmp_path):
    prove(text, tmp_path)
    for wrong in broken(text):
        with pytest.raises(ToolFailedError, match="proof did fail"):
            prove(wrong, tmp_path)


def test_the_core_file_names_the_wrapper_as_top_and_no_testbench_as_its_part(tmp_path):
    small("unrolled").network.save(tmp_path / "little.npz")
    for options, top in (([], "little"), (["--interface", "axi-lite"], "little_axil")):
        out = tmp_path / top
        assert main(["hdl", str(tmp_path / "little.npz"), "--out", str(out), *options]) == 0
        core = (out / "little.core").read_text()
        assert re.findall(r"toplevel: (\w+)", core) == [top, "little_tb"]
        rtl = re.search(r"rtl:\n    files: \[(.*)\]", core)[1].split(", ")
        assert f"{top}.v" in rtl
        assert not [name for name in rtl if "_tb" in name]


@pytest.mark.icarus
def test_the_core_file_runs_the_testbench(text, tmp_path):
    write(text, tmp_path)
    command = [
        sys.executable,
        "-m",
        "fusesoc.main",
        "--cores-root",
        ".",
        "run",
        "--target=sim",
        "little",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "PASSED: 5 images" in done.stdout, done.stdout + done.stderr


@pytest.mark.icarus
def test_hdl_checks_a_folder_as_it_lies(tmp_path, capsys):
    network, out = tmp_path / "little.npz", tmp_path / "out"
    small("unrolled").network.save(network)
    assert main(["hdl", str(network), "--out", str(out), "--interface", "axi-stream"]) == 0
    assert {"little_axis.v", "little_axis_test.py", "little.core", "little.sby"} <= {
        path.name for path in out.iterdir()
    }
    capsys.readouterr()
    assert main(["hdl", "--check", str(out)]) == 0
    said = capsys.readouterr().out
    assert "little: PASSED: 5 images" in said
    assert "little_axis: PASSED: 5 images as frames" in said
    control = out / "sc_control.v"
    control.write_text(control.read_text().replace("if (rst) begin", "if (rst && state != RUN) begin"))
    assert main(["hdl", "--check", str(out)]) == 3  # as a failed check of hdl --verify
    assert "little_axis: testbench ended" in capsys.readouterr().err
    (out / "little_axis_tb.v").unlink()
    assert main(["hdl", "--check", str(out)]) == 3
    assert "a reset must end an image" in capsys.readouterr().err
    control.write_text("module sc_control endmodule")
    assert main(["hdl", "--check", str(out)]) == 1
    capsys.readouterr()
    (out / "little_tb_layer0.hex").unlink()
    assert main(["hdl", "--check", str(out)]) == 1
    assert "the memory files of its modules, got no little_tb_layer0.hex" in capsys.readouterr().err


def test_a_folder_without_verilog_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"folder must contain the Verilog of a design, got .*nothing"):
        run_bench(tmp_path / "nothing", "little")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hdl"], "hdl must have a NETWORK or --check FOLDER, got neither"),
        (["hdl", "digits", "--check", "."], "--check must be used without NETWORK, got 'digits'"),
        (["hdl", "--check", "nowhere"], "--check must contain a testbench NAME_tb.v, got nowhere"),
    ],
)
def test_wrong_use_of_check_is_refused(arguments, message, capsys):
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
