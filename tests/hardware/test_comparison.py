"""Comparisons of designs: costs, energies of library cells, and the search for operating points."""

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sc_neurocore import Dense, FixedPoint, Network, load_digits
from sc_neurocore.circuits import Circuit
from sc_neurocore.cli import _compare, main
from sc_neurocore.hardware import (
    Candidate,
    CellSynthesis,
    Cost,
    Design,
    Energy,
    IntegerDesign,
    IntegerNetwork,
    Library,
    candidates,
    cell_energy,
    cheapest,
    circuit_verilog,
    measure_cell_cost,
    measure_cost,
    operating_points,
    pareto_front,
    synthesize_cells,
    verilog,
    write,
)
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.networks import average_pool2d
from sc_neurocore.operators import multiply, stanh

DIGITS = load_digits()
LIBRARY = """
library (little) {
  capacitive_load_unit (1, ff);
  voltage_unit : "1V"; leakage_power_unit : "1nW"; nom_voltage : 2.0;
  cell (inv) { area : 2; cell_leakage_power : 3;
    pin (A) { direction : "input"; capacitance : 4; }
    pin (Y) { direction : "output"; function : "A'";
      internal_power () { related_pin : "A";
        rise_power (t) { index_1 ("0.1, 0.5"); index_2 ("0, 8"); values ("10, 18", "99, 99"); }
        fall_power (t) { index_1 ("0.1, 0.5"); index_2 ("0, 8"); values ("20, 28", "99, 99"); } } } }
  cell (buf) { area : 3; pin (A) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "A"; } }
  cell (nand) { area : 3;
    pin (A) { direction : input; capacitance : 1; }
    pin (B) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "!(A & B)"; } }
  cell (nor) { area : 3;
    pin (A) { direction : input; capacitance : 1; }
    pin (B) { direction : input; capacitance : 1; }
    pin (Y) { direction : output; function : "(!A) B'"; } }
  cell (flop) { area : 9; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) { direction : input; clock : true; capacitance : 1;
      internal_power () { rise_power (s) { values ("6"); } fall_power (s) { values ("2"); } } }
    pin (D) { direction : input; capacitance : 1; }
    pin (Q) { direction : output; function : "IQ"; } }
  cell (unusable) { area : 1; pin (E) { direction : input; } latch (IQ, IQN) { enable : "E"; } }
}
"""
MACROS = """
library (memories) {
  capacitive_load_unit (1, pf); voltage_unit : "1V";
  cell (ram) { area : 50; memory () { type : ram; address_width : 5; word_width : 32; }
    pin (CK) { direction : input; clock : "true";
      internal_power () { when : "EN & !WE";
        rise_power (s) { values (7); } fall_power (s) { values (1); } }
      internal_power () { when : "EN & WE";
        rise_power (s) { values (9); } fall_power (s) { values (2); } }
    } }
}
"""


@pytest.fixture
def library(tmp_path):
    (tmp_path / "little.lib").write_text(LIBRARY)
    (tmp_path / "ram.lib.gz").write_bytes(gzip.compress(MACROS.encode()))
    return Library.read([tmp_path / "little.lib", tmp_path / "ram.lib.gz"])


def test_a_library_is_read_with_its_functions_and_units(library):
    assert set(library.cells) == {"inv", "buf", "nand", "nor", "flop"}
    assert {name: cell.table for name, cell in library.cells.items()} == {
        "inv": 0b01, "buf": 0b10, "nand": 0b0111, "nor": 0b0001, "flop": 0,
    }  # fmt: skip
    inverter, flop = library.cells["inv"], library.cells["flop"]
    # fF are thousandths of pF, and 1 fF at 1 V is 1e-3 pJ; nW are thousands of pW.
    assert (inverter.area, inverter.leakage, inverter.inputs) == (2.0, 3000.0, {"A": 0.004})
    assert [inverter.transition(load) for load in (0.0, 0.004, 0.008)] == pytest.approx(
        [0.015, 0.019, 0.023]
    )
    assert (flop.clock, flop.data, flop.output) == ("CK", "D", "Q")
    assert flop.clocking == pytest.approx(0.008)
    ram = library.macros["ram"]
    assert (ram.area, ram.depth, ram.width, ram.read, ram.write) == (50.0, 32, 32, 8.0, 11.0)
    assert library.macro_for(33, 40) == (ram, 2, 2)


def test_the_energy_of_a_netlist_of_cells_is_that_of_its_transitions(library, tmp_path):
    # x -> inv -> y -> flop -> q: y changes with x, q a clock cycle later.
    ports = {
        "clk": {"direction": "input", "bits": [2]},
        "x": {"direction": "input", "bits": [3]},
        "q": {"direction": "output", "bits": [5]},
    }
    cells = {
        "a": {"type": "inv", "connections": {"A": [3], "Y": [4]}},
        "b": {"type": "flop", "connections": {"CK": [2], "D": [4], "Q": [5]}},
    }
    module = {"ports": ports, "netnames": {}, "cells": cells}
    path = tmp_path / "top.json"
    path.write_text(json.dumps({"modules": {"top": module}}))
    x = np.array([0, 1, 1, 0, 1, 1], bool).reshape(-1, 1, 1)
    run = Netlist.read(path, "top", library=library).run({"x": x}, toggles=True)
    assert run.outputs["q"].ravel().tolist() == [0, 1, 0, 0, 1, 0]
    assert run.nets == {4: 3, 5: 3, 2: 0}
    made = CellSynthesis({}, path, 11.0, 0.0, 0, 2e6)
    found = cell_energy(run, made, "top", library)
    # y drives 1 fF: 16 fJ inside the inverter and 0.5 * 1 fF * (2 V)**2; q drives nothing.
    assert found.cells == pytest.approx(3 * (0.016 + 0.002) / 5)
    assert (found.clock, found.memory, found.leakage_microwatt) == pytest.approx((0.008, 0.0, 2.0))


def little():
    rng = np.random.default_rng(3)
    weights = rng.integers(-3, 4, (24, 24)), rng.integers(-3, 4, (3, 24))
    offsets = np.full(24, 5), np.zeros(3, np.int64)
    network = IntegerNetwork(weights, offsets, (2,), (3, 3))
    return Candidate("little", "integers", IntegerDesign(network, simd=8, name="little"))


def test_a_design_in_library_cells_computes_its_model_and_counts_accesses(library, tmp_path):
    one = little()
    images = np.random.default_rng(4).random((8, 24))
    cost = measure_cell_cost(one, images, library, tmp_path)
    # 81 words of 24 bits are memory, in 3 banks; 6 words of 24 bits are flip-flops.
    assert (cost.made.memory_bits, cost.made.macro_area) == (81 * 24, 150.0)
    assert cost.made.cells["flop"] > 6 * 24
    area = {name: library.cells[name].area for name in cost.made.cells if name in library.cells}
    assert cost.made.area == sum(area[name] * cost.made.cells[name] for name in area)
    # Each of the 81 words of weights is read once, at 8 pJ, until the class is read.
    clocks = cost.clocks + 1
    assert cost.energy.memory == pytest.approx(81 * 8.0 / clocks)
    assert cost.energy.clock == pytest.approx(0.008 * cost.made.cells["flop"])
    rest = clocks * (cost.energy.cells + cost.energy.clock)
    assert cost.nanojoules == pytest.approx(1e-3 * (81 * 8.0 + rest))


def test_a_circuit_in_library_cells_computes_its_bits(library, tmp_path):
    circuit = Circuit.trace(lambda x, y: stanh(multiply(x, y), 8))
    (tmp_path / "circuit.v").write_text(circuit_verilog(circuit))
    made = synthesize_cells([tmp_path / "circuit.v"], "circuit", library, tmp_path)
    assert made.cells["flop"] == 3
    streams = circuit.encode({"x": [0.9, 0.8, 0.2], "y": 0.9}, 200, seed=1)
    stimulus = {name: x.bits().T[:, np.newaxis] for name, x in streams.items()}
    stimulus["clear"] = np.zeros((200, 1, 3), np.uint8)
    stimulus["clear"][0] = 1  # its registers have no first value
    run = Netlist.read(made.path, "circuit", library=library).run(stimulus, toggles=True)
    wanted = circuit.simulate({name: x.between(1, 200) for name, x in streams.items()})["out"]
    assert np.array_equal(run.outputs["out"][1:, 0], wanted.bits().T)
    assert cell_energy(run, made, "circuit", library).cells > 0


def test_asynchronous_resets_have_no_cells(library, tmp_path):
    network = Network([Dense([[0.9, -0.4], [-0.3, 0.8]], gain=0.2)])
    text = verilog(Design(network, 8, reset="asynchronous"))
    write(text, tmp_path)
    files = [tmp_path / name for name in text if name.endswith(".v")]
    with pytest.raises(ValueError, match="files must have no asynchronous resets, got network"):
        synthesize_cells(files, "network", library, tmp_path)


@pytest.mark.long
def test_the_cost_of_a_design_is_that_of_its_syntheses(tmp_path):
    one = little()
    images = np.random.default_rng(4).random((8, 24))
    labels = one.design.classes(images)
    labels[0] = (labels[0] + 1) % 3
    cost = measure_cost(one, images, labels, tmp_path, variants=(0, 2))
    assert (cost.n_right, cost.n_images, cost.clocks, cost.loading) == (7, 8, one.design.clocks, 24)
    assert (len(cost.luts), len(cost.logic_cells), len(cost.rates)) == (2, 1, 3)
    # Memories are read when a word is needed, in 81 of 119 clock cycles, and the image is written once.
    assert 81 / 119 < cost.energy.accesses / cost.memories < 1


def a_cost(**changed):
    e = Energy(toggles=10.0, low=60.0, middle=100.0, high=200.0)
    values = {
        "name": "a", "group": "integers", "n_right": 90, "n_images": 100, "luts": (80, 90),
        "logic_cells": (100,), "memories": 3, "rates": (40.0, 50.0, 90.0), "clocks": 999, "loading": 9,
        "energy": e,
    }  # fmt: skip
    return Cost(**(values | changed))


def test_costs_of_an_image_follow_from_clock_cycles_and_the_median_rate():
    cost = a_cost()
    assert (cost.accuracy, cost.area, cost.mhz) == (0.9, 100.0, 50.0)
    assert cost.microseconds() == pytest.approx(19.98)
    assert cost.images_per_second == pytest.approx(50_000)
    # 1,000 clock cycles with 1,368 uW / 50 MHz of static energy each.
    assert cost.nanojoules() == pytest.approx((60 + 27.36, 100 + 27.36, 200 + 27.36))
    assert cost.area_time == pytest.approx(1998)
    low, high = cost.interval()
    assert 0.82 < low < 0.9 < high < 0.95
    unplaced = a_cost(logic_cells=(), rates=())
    assert np.isnan(unplaced.mhz)
    assert unplaced.nanojoules() == (60.0, 100.0, 200.0)


def test_candidates_of_the_digits_have_all_kinds():
    found = candidates(DIGITS.network, DIGITS.images)
    assert {one.group for one in found} == {
        "stochastic", "stochastic, one data path", "stochastic, numbers first", "spiking", "integers",
    }  # fmt: skip
    assert len({one.name for one in found}) == len(found)


def test_no_point_off_the_front_is_as_accurate_at_less_cost():
    points = operating_points(
        DIGITS.network,
        DIGITS.images,
        DIGITS.labels,
        bits=(2, 3, 8),
        lengths=(4, 8),
        simd=(8, 16),
        pe=(1, 4),
    )
    assert len(points) == 3 * 2 * 4
    front = pareto_front(points)
    for point in points:
        better = [f for f in front if f.cost <= point.cost and f.n_right >= point.n_right]
        assert better
    chosen = cheapest(points, 0.975)
    assert chosen.accuracy >= 0.975
    assert all(p.cost >= chosen.cost for p in points if p.accuracy >= 0.975)
    right = chosen.design.simulate(DIGITS.images).classes == DIGITS.labels
    assert chosen.accuracy == right.mean()
    assert chosen.cost == chosen.design.clocks * 8 * 4
    with pytest.raises(ValueError, match=r"accuracy must be at most 0\.98"):
        cheapest(points, 0.999)
    with pytest.raises(ValueError, match="pe must divide"):
        operating_points(DIGITS.network, DIGITS.images, DIGITS.labels, pe=(3,))


def test_a_search_tries_inputs_as_numbers_where_layers_can_take_them():
    options = {"bits": (4,), "lengths": (2,), "fixed_point": FixedPoint(word=8)}
    given = DIGITS.network, DIGITS.images, DIGITS.labels
    drawn, exact = operating_points(*given, **options, numbers=(False, True))
    assert (drawn.numbers, exact.numbers) == (False, True)
    assert exact.accuracy > 0.975 > drawn.accuracy + 0.05
    assert (drawn.width, exact.width) == (8 * 5, 8 * 9)
    assert exact.design.clocks == 1145
    late = Network([replace(DIGITS.network[0], delay=1), DIGITS.network[1]])
    single = Network([Dense(np.full((10, 64), 0.1))])
    pooled = Network([average_pool2d(1, (8, 8), 2), Dense(np.full((10, 16), 0.1))])
    for network in (late, single, pooled):
        (only,) = operating_points(network, *given[1:], **options, numbers=(False, True))
        assert not only.numbers


def test_hdl_chooses_the_cheapest_design_that_is_accurate_enough(tmp_path, capsys):
    command = ["hdl", "digits", "--images", "1", "--length", "4"]
    assert main([*command, "--accuracy", "97", "--out", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    assert "chosen: OperatingPoint(numbers first, 3 bits, 4 steps, simd=8, pe=1: 97.78 %" in said
    assert "sampled=False" not in said
    assert "measure it on others" in said
    assert main([*command, "--max-loss", "0.01", "--out", str(tmp_path / "b")]) == 1
    assert "accuracy must be at most 0.98" in capsys.readouterr().err
    DIGITS.network.save(tmp_path / "net.npz")
    assert main([*command, "--accuracy", "0.97"]) == 1
    assert "--accuracy must be in percent, in (1, 100], got 0.97" in capsys.readouterr().err
    assert main([*command, "--architecture", "unrolled", "--pe", "2"]) == 1
    assert "--pe must be used with the folded architecture" in capsys.readouterr().err
    assert main(["hdl", str(tmp_path / "net.npz"), "--accuracy", "90"]) == 1
    assert "--accuracy must have labeled images, got random images" in capsys.readouterr().err


def test_without_options_the_digits_have_three_bits_and_eight_steps(tmp_path, capsys):
    assert main(["hdl", "digits", "--images", "1", "--out", str(tmp_path)]) == 0
    design = Design(DIGITS.network, 8, fixed_point=FixedPoint(bits=3))
    accuracy = (design.simulate(DIGITS.images).classes == DIGITS.labels).mean()
    said = capsys.readouterr().out
    assert "8 steps" in said
    assert f"{100 * accuracy:.2f} % in hardware" in said


def test_a_terminal_shows_the_design_that_is_measured_and_the_time_that_is_left(capsys, monkeypatch):
    chosen = candidates(load_digits().network, load_digits().images)[:2]
    with _compare._measuring(chosen, 0, 0.0) as folder:
        assert Path(folder).is_dir()
    assert capsys.readouterr().err == ""  # not a terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(_compare.time, "monotonic", lambda: 180.0)
    for i, said in enumerate(
        (f"1 of 2: {chosen[0].name}", f"2 of 2: {chosen[1].name}, about 3 min left")
    ):
        with _compare._measuring(chosen, i, 0.0):
            assert capsys.readouterr().err == f"design {said}"
        assert capsys.readouterr().err == "\r\x1b[K"


def test_compare_prints_area_and_energy_in_library_cells(library, tmp_path, capsys):
    DIGITS.network.save(tmp_path / "net.npz")
    files = [str(tmp_path / "little.lib"), str(tmp_path / "ram.lib.gz")]
    assert main(["compare", "digits", "--only", "none such", "--liberty", *files]) == 1
    assert "--only must be part of a name among stochastic, 8 bits" in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "net.npz")]) == 1
    assert "--data must be given for a network from a file" in capsys.readouterr().err


@pytest.mark.long
def test_compare_runs(library, tmp_path, capsys):
    files = [str(tmp_path / "little.lib"), str(tmp_path / "ram.lib.gz")]
    assert main(["compare", "digits", "--only", "integers, 3", "--liberty", *files]) == 0
    assert "integers, 3 bits" in capsys.readouterr().out
    assert main(["compare", "digits", "--only", "integers, 3"]) == 0
    said = capsys.readouterr().out
    assert "integers, 3 bits" in said
    assert "98.44" in said
