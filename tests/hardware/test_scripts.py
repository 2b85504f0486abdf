"""Scripts for Vivado and Quartus, interpreted with commands that record their arguments."""

import numpy as np
import pytest
from test_command import small

from sc_neurocore.cli import main
from sc_neurocore.hardware import interface_verilog, vendor_scripts, verilog, verilog_testbench, write

try:
    import tkinter  # not part of Python on Debian and Ubuntu: python3-tk
except ImportError:
    tkinter = None

# Commands with their options, those with a value marked, as in the manuals: Vivado Design Suite Tcl
# Command Reference Guide (UG835), Quartus Prime Scripting Reference (ECHELON).
VIVADO = {
    "read_verilog": {},
    "read_xdc": {},
    "synth_design": {"-top": 1, "-part": 1, "-mode": 1},
    "opt_design": {},
    "place_design": {},
    "phys_opt_design": {},
    "route_design": {},
    "write_checkpoint": {"-force": 0},
    "report_utilization": {"-file": 1},
    "report_timing_summary": {"-file": 1},
    "get_timing_paths": {"-max_paths": 1, "-setup": 0},
    "get_property": {},
}
QUARTUS = {
    "project_new": {"-overwrite": 0},
    "set_global_assignment": {"-name": 1},
    "set_instance_assignment": {"-name": 1, "-to": 1},
    "execute_flow": {"-compile": 0},
    "project_close": {},
}


def interpret(script, commands, arguments=(), returns=None):
    """Run a script and return its calls of commands as (name, options, other arguments)."""
    assert tkinter is not None, "needed: tkinter (Debian, Ubuntu: apt install python3-tk)"
    interpreter, calls = tkinter.Tcl(), []

    def recorder(name, options):
        def call(*words):
            words, given, rest = list(words), {}, []
            while words:
                word = str(words.pop(0))
                if word.startswith("-"):
                    assert word in options, f"{name} has no option {word}"
                    given[word] = str(words.pop(0)) if options[word] else True
                else:
                    rest.append(word)
            calls.append((name, given, rest))
            return (returns or {}).get(name, "")

        return call

    for name, options in commands.items():
        interpreter.createcommand(name, recorder(name, options))
    for package in ("project", "flow"):
        interpreter.eval(f"package provide ::quartus::{package} 1.0")
    interpreter.eval("rename puts {}; proc puts {text} {}")
    words = interpreter.eval("list " + " ".join(f"{{{word}}}" for word in arguments))
    interpreter.setvar("argv", words)
    interpreter.eval(f"array set quartus [list args {{{words}}}]")
    interpreter.call("source", str(script))
    return calls


@pytest.fixture(scope="module", params=[None, "axi-stream", "axi-lite"], ids=["plain", "axis", "axil"])
def folder(request, tmp_path_factory):
    """A folder with a design and its scripts, and the top module."""
    design, place = small("folded"), tmp_path_factory.mktemp("scripts")
    text = verilog(design)
    if request.param:
        text |= interface_verilog(design, request.param)
    text |= vendor_scripts(design, text, request.param)
    write({**text, **verilog_testbench(design, np.full((1, 10), 0.5))}, place)
    tops = {None: "little", "axi-stream": "little_axis", "axi-lite": "little_axil"}
    return place, tops[request.param]


def modules(folder):
    return sorted(p.name for p in folder.glob("*.v") if p.name != "little_tb.v")


@pytest.mark.icarus
def test_vivado_reads_every_module_and_meets_the_clock(folder, monkeypatch):
    place, top = folder
    monkeypatch.chdir(place)
    calls = interpret("little_vivado.tcl", VIVADO, ["xcku5p", "made"], {"get_property": "0.5"})
    assert [name for name, _, _ in calls] == list(VIVADO)
    by_name = {name: (options, rest) for name, options, rest in calls}
    assert sorted(by_name["read_verilog"][1][0].split()) == modules(place)
    assert by_name["read_xdc"][1] == ["little.sdc"]
    made = by_name["synth_design"][0]
    assert made == {"-top": top, "-part": "xcku5p", "-mode": "out_of_context"}
    assert by_name["report_utilization"][0]["-file"] == "made/utilization.txt"
    with pytest.raises(tkinter.TclError, match=f"{top} is slower than the clock"):
        interpret("little_vivado.tcl", VIVADO, returns={"get_property": "-0.1"})


@pytest.mark.icarus
def test_quartus_reads_every_module_and_compiles(folder, monkeypatch):
    place, top = folder
    monkeypatch.chdir(place)
    calls = interpret("little_quartus.tcl", QUARTUS, ["Arria 10", "10AX115"])
    assert [calls[0][2], *(name for name, _, _ in calls[-2:])] == [
        ["little"],
        "execute_flow",
        "project_close",
    ]
    set_to = [(o["-name"], *rest) for name, o, rest in calls if name == "set_global_assignment"]
    assert sorted(file for name, file in set_to if name == "VERILOG_FILE") == modules(place)
    assert {
        ("FAMILY", "Arria 10"),
        ("DEVICE", "10AX115"),
        ("TOP_LEVEL_ENTITY", top),
        ("SDC_FILE", "little.sdc"),
    } <= set(set_to)
    pins = {o["-to"]: rest for name, o, rest in calls if name == "set_instance_assignment"}
    assert pins == {"*": ["ON"], "clk" if top == "little" else "aclk": ["OFF"]}


@pytest.mark.icarus
def test_the_constraint_is_a_clock_of_a_port_of_the_top(folder):
    place, top = folder
    options = {"create_clock": {"-name": 1, "-period": 1}, "get_ports": {}}
    calls = interpret(place / "little.sdc", options, returns={"get_ports": "port"})
    assert [rest for name, _, rest in calls] == [[calls[1][1]["-name"]], ["port"]]
    assert f"input wire {calls[1][1]['-name']}," in (place / f"{top}.v").read_text()


@pytest.mark.icarus
def test_a_broken_script_is_noticed(tmp_path):
    for k, text in enumerate(["synth_design -tops x", "set x [lindex $argv 0", "no_such_command"]):
        script = tmp_path / f"{k}.tcl"
        script.write_text(text)
        with pytest.raises((tkinter.TclError, AssertionError)):
            interpret(script, VIVADO)


def test_the_command_writes_the_scripts(tmp_path):
    network, out = tmp_path / "little.npz", tmp_path / "out"
    small("unrolled").network.save(network)
    assert main(["hdl", str(network), "--out", str(out)]) == 0
    assert {"little_vivado.tcl", "little_quartus.tcl", "little.sdc"} <= {p.name for p in out.iterdir()}
