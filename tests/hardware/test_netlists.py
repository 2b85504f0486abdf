"""Netlists as synthesized: what they compute, and the budget of cells that is quoted."""

import json

import numpy as np
import pytest
from designs import one_layer

from sc_neurocore import LIF, Dense, FixedPoint, Network, load_digits
from sc_neurocore.hardware import Design, UnobservableError, verify_images
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.hardware.verify import compared_signals, verify_netlist

# Design, target, budgets of what is counted; all from one run, a little above what was reached.
FIGURES = {
    "8x4 unrolled": (one_layer(8, 4, "unrolled", 1 / 24), "ice40", {"logic_cells": 350, "mhz": 88}),
    "8x4 folded": (one_layer(8, 4, "folded", 1 / 24), "ice40", {"logic_cells": 375, "SB_RAM40_4K": 4}),
    "64x32 unrolled": (
        one_layer(64, 32, "unrolled", 1 / 20),
        "ice40",
        {"luts": 6300, "logic_cells": 7400},
    ),
    "64x32 folded": (
        one_layer(64, 32, "folded", 1 / 20),
        "ice40",
        {"logic_cells": 400, "mhz": 62, "SB_RAM40_4K": 7},
    ),
    "784x128 folded": (
        one_layer(784, 128, "folded", 1 / 40, simd=16),
        "xilinx",
        {"luts": 600, "RAMB36E1": 26},
    ),
}


# The two small ones are synthesized in seconds.
SIZES = [
    pytest.param(name, marks=[] if name.startswith("8x4") else pytest.mark.long) for name in FIGURES
]


def synthesized(built, name):
    design, target, _ = FIGURES[name]
    # An unrolled layer of that size takes minutes across registers.
    return design, built.netlist(design, target, across_registers=name != "64x32 unrolled")


def within(made, budget):
    for what, limit in budget.items():
        reached = made.cells[what] if what in made.cells else getattr(made, what)
        assert (reached >= limit) if what == "mhz" else (reached <= limit), (what, reached, made)


@pytest.mark.long
@pytest.mark.parametrize("name", SIZES)
def test_synthesized_layers_stay_within_their_budget(built, name):
    _, made = synthesized(built, name)
    within(made, FIGURES[name][2])


@pytest.mark.parametrize("name", SIZES)
def test_synthesized_layers_compute_the_bits_of_the_model_in_a_thousand_lanes(built, name):
    design, made = synthesized(built, name)
    netlist = Netlist.read(made.path, "layer_layer0")
    clocks = max(1100, 4 * (design.layers[0].depth + 3))
    seen = verify_netlist(design, 0, netlist, clocks, 1024)
    assert seen.clocks >= 1024 * 1000
    assert seen.passed(design.layers[0]), seen


@pytest.mark.parametrize("architecture", ["unrolled", "folded"])
def test_synthesized_layers_saturate_at_both_ends_as_the_model_does(built, architecture):
    weights = np.array([[1.0] * 4, [-1.0] * 4])
    layer = Dense(weights, gain=1 / 15, neuron=LIF(tau_mem=8.0, refractory_period=3, v_reset=-0.5))
    fixed_point = FixedPoint(word=9, fraction=4)
    design = Design(
        Network([layer]), 64, fixed_point=fixed_point, architecture=architecture, simd=2, name="layer"
    )
    made = built.netlist(design, "ice40", place=False)
    netlist = Netlist.read(made.path, "layer_layer0")
    seen = verify_netlist(design, 0, netlist, 1000, 256)
    assert seen.passed(design.layers[0]), seen
    assert min(seen.below, seen.above) > 100, seen


@pytest.fixture(scope="module")
def digits(built):
    design = Design(load_digits().network, length=32, name="digits")
    made = built.netlist(design, "ice40", "digits", place=False)
    within(made, {"luts": 900, "flip_flops": 600, "SB_RAM40_4K": 30})
    return design, made.path


@pytest.mark.long
def test_the_synthesized_digits_network_spikes_and_decides_as_the_model_on_all_images(digits):
    design, path = digits
    images = load_digits().images
    assert len(images) == 450
    for layer, seen in zip(design.layers, verify_images(design, path, images), strict=True):
        assert seen.passed(layer), seen
        assert seen.steps == 450 * 32
    assert set(design.simulate(images).classes) == set(range(10))


@pytest.mark.long
def test_a_digits_network_with_a_flipped_cell_is_found(digits, tmp_path):
    design, path = digits
    whole = json.loads(path.read_text())
    cells = whole["modules"]["digits"]["cells"].values()
    nets = whole["modules"]["digits"]["netnames"]
    (spike,) = nets["layer0_spike"]["bits"]
    (register,) = (cell for cell in cells if cell["connections"].get("Q") == [spike])
    (lut,) = (cell for cell in cells if cell["connections"].get("O") == register["connections"]["D"])
    flip(lut)
    (tmp_path / "flipped.json").write_text(json.dumps(whole))
    first, last = verify_images(design, tmp_path / "flipped.json", load_digits().images[:8])
    assert first.differences > 0
    assert last.differences > 0


def test_a_synthesized_unrolled_network_does_what_the_model_does_on_images(built):
    rng = np.random.default_rng(0)
    lif = LIF(tau_mem=4.0, refractory_period=2)
    layers = [Dense(rng.uniform(-1, 1, shape), gain=0.5, neuron=lif) for shape in ((6, 5), (3, 6))]
    design = Design(Network(layers), 40, architecture="unrolled", name="little")
    made = built.netlist(design, "ice40", "little", place=False)
    seen = verify_images(design, made.path, rng.random((70, 5)))
    for layer, part in zip(design.layers, seen, strict=True):
        assert part.passed(layer), part


# Networks whose spikes or potentials are equal to other registers, or constant: synthesis merges them.
MERGED = {
    "rests of a single step": ([[0.9, -0.4], [0.6, 0.8]], LIF(tau_mem=4.0, refractory_period=1)),
    "equal neurons": ([[0.9, -0.4], [0.9, -0.4]], LIF(tau_mem=4.0, refractory_period=2)),
    "a neuron without weights": ([[0.9, 0.8], [0.0, 0.0]], LIF(tau_mem=4.0)),
    "potentials of one step": ([[0.9, 0.8], [0.6, -0.4]], LIF(tau_mem=1.0, v_threshold=0.5)),
    "silent": ([[0.0, 0.0], [0.0, 0.0]], LIF()),
}


@pytest.mark.parametrize("kind", MERGED)
def test_netlists_are_compared_though_synthesis_merges_registers(built, kind):
    weights, lif = MERGED[kind]
    design = Design(Network([Dense(weights, gain=0.5, neuron=lif)]), 24, name="merged")
    images = np.random.default_rng(0).random((20, 2))
    made = built.netlist(design, "ice40", "merged", place=False, keep=compared_signals(design))
    (seen,) = verify_images(design, made.path, images)
    assert seen.passed(design.layers[0]), seen
    assert seen.spikes == design.simulate(images).counts.sum()


def test_lost_signals_are_named_with_the_remedy(built):
    weights, lif = MERGED["equal neurons"]
    design = Design(Network([Dense(weights, gain=0.5, neuron=lif)]), 24, name="merged")
    made = built.netlist(design, "ice40", "merged", place=False)
    with pytest.raises(UnobservableError, match=r"synthesis kept, got layer0_spike.*; pass them to"):
        verify_images(design, made.path, [[0.5, 0.5]])


@pytest.mark.long
def test_a_synthesized_folded_network_with_a_multiplied_leak_needs_no_multiplier(built):
    rng = np.random.default_rng(1)
    lif = LIF(tau_mem=20.0, refractory_period=1, reset="subtract")
    layers = [Dense(rng.uniform(-1, 1, shape), gain=0.5, neuron=lif) for shape in ((6, 9), (3, 6))]
    design = Design(Network(layers), 40, architecture="folded", simd=2, name="little")
    assert design.layers[0].neuron.leak > 1
    made = built.netlist(design, "xilinx", "little")
    assert not any("DSP" in kind for kind in made.cells)
    seen = verify_images(design, made.path, rng.random((70, 9)))
    for layer, part in zip(design.layers, seen, strict=True):
        assert part.passed(layer), part


def ecp5_designs():
    rng = np.random.default_rng(2)
    neuron = LIF(tau_mem=20.0, refractory_period=1)
    layers = [Dense(rng.uniform(-1, 1, shape), 0.2, neuron) for shape in ((16, 64), (3, 16))]
    many = [Dense(rng.uniform(-1, 1, shape), 0.2, neuron) for shape in ((320, 32), (3, 320))]
    one = {"architecture": "folded", "name": "little"}
    return {  # by the width of a block memory of each, and whether it is written
        "read 36": (Design(Network(layers), 16, simd=8, pe=2, **one), (36, False)),
        "written 36": (Design(Network(layers), 16, simd=8, pe=2, loadable=True, **one), (36, True)),
        "written 18": (Design(load_digits().network, 8, name="little"), (18, True)),
        "read 9": (Design(Network(many), 4, simd=1, **one), (9, False)),
    }


@pytest.mark.long
@pytest.mark.parametrize("name", ecp5_designs())
def test_ecp5_netlists_compute_the_bits_of_the_model(name, built):
    design, memory = ecp5_designs()[name]
    options = {"place": False, "keep": compared_signals(design)}
    path = built.netlist(design, "ecp5", "little", **options).path
    cells = list(json.loads(path.read_text())["modules"]["little"]["cells"].values())
    assert memory in {
        (int(cell["parameters"][f"DATA_WIDTH_{port}"], 2), cell["connections"][f"WE{port}"] != ["0"])
        for cell in cells
        if cell["type"] == "DP16KD"
        for port in "AB"
        if cell["connections"][f"CE{port}"] != ["0"]
    }
    x = np.random.default_rng(3).random((32, design.n_in))
    seen = verify_images(design, path, load_digits().images if design.n_out == 10 else x)
    for layer, part in zip(design.layers, seen, strict=True):
        assert part.differences == 0, part
        assert part.spikes > 0
        assert part.rests > 0 or not np.any(layer.neuron.refractory)


ECP5_CELLS = {
    "PFUMX": (("ALUT", "BLUT", "C0"), ("Z",), {}, lambda a, b, c: [a if c else b]),
    "L6MUX21": (("D0", "D1", "SD"), ("Z",), {}, lambda a, b, c: [b if c else a]),
    "LUT4": (tuple("ABCD"), ("Z",), {"INIT": f"{0x1234:016b}"}, lambda *x: [0x1234 >> number(x) & 1]),
}


def number(bits):
    return sum(int(bit) << k for k, bit in enumerate(bits))


def all_inputs(kind, inputs, outputs, parameters, digits=None):
    """Run a cell on inputs, by default on all, and return them and the outputs as numbers."""
    pins = {name: [10 + k] for k, name in enumerate((*inputs, *outputs))}
    cell = {"type": kind, "parameters": parameters, "connections": pins}
    at = {"x": [10 + k for k in range(len(inputs))]}
    netlist = Netlist(module([cell], at, {"y": [pins[name][0] for name in outputs]}))
    if digits is None:
        digits = np.arange(2 ** len(inputs))[:, np.newaxis] >> np.arange(len(inputs)) & 1
    run = netlist.run({"x": digits.T[np.newaxis].astype(bool)})
    return digits, run.outputs["y"][0].T


@pytest.mark.parametrize("kind", ECP5_CELLS)
def test_ecp5_gates_have_their_truth_tables(kind):
    inputs, outputs, parameters, law = ECP5_CELLS[kind]
    digits, seen = all_inputs(kind, inputs, outputs, parameters)
    assert seen.tolist() == [law(*row) for row in digits.tolist()]


@pytest.mark.parametrize("injects", ["NO", "YES"])
def test_an_ecp5_carry_cell_has_two_tables_and_a_carry_chain(injects):
    pins = [f"{name}{k}" for k in range(2) for name in "ABCD"]
    tables = 0x96AA, 0x5A3C
    parameters = {f"INIT{k}": f"{tables[k]:016b}" for k in range(2)}
    parameters |= {f"INJECT1_{k}": injects for k in range(2)}
    digits, seen = all_inputs("CCU2C", ("CIN", *pins), ("S0", "S1", "COUT"), parameters)
    for (carry, *x), outputs in zip(digits.tolist(), seen.tolist(), strict=True):
        sums = []
        for k, table in enumerate(tables):
            each = x[4 * k : 4 * k + 4]
            lut, low = table >> number(each) & 1, table >> number(each[:2]) & 1
            sums.append(lut ^ (carry if injects == "NO" else 0))
            carry = carry if lut else low if injects == "NO" else 0
        assert outputs == [*sums, carry]


@pytest.mark.parametrize("signed", ["00", "01", "10", "11"])
def test_an_ecp5_multiplier_multiplies(signed):
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2**18, (2, 500))
    a[:4], b[:4] = (0, 2**18 - 1, 2**17, 2**17), (5, 2**18 - 1, 2**17, 2**17 - 1)
    names = [f"{name}{k}" for name in "AB" for k in range(18)]
    pins = {name: [10 + k] for k, name in enumerate(names)}
    pins |= {f"P{k}": [100 + k] for k in range(36)}
    pins |= {f"SIGNED{name}": [bit] for name, bit in zip("AB", signed, strict=True)}
    cell = {"type": "MULT18X18D", "parameters": {}, "connections": pins}
    inputs = {"a": list(range(10, 28)), "b": list(range(28, 46))}
    netlist = Netlist(module([cell], inputs, {"p": list(range(100, 136))}))
    digits = {
        name: (values >> np.arange(18)[:, np.newaxis] & 1)[np.newaxis].astype(bool)
        for name, values in (("a", a), ("b", b))
    }
    p = netlist.run(digits).outputs["p"][0].astype(np.int64)
    seen = (p << np.arange(36)[:, np.newaxis]).sum(axis=0)
    exact = [
        np.where((bit == "1") & (values >= 2**17), values - 2**18, values)
        for bit, values in zip(signed, (a, b), strict=True)
    ]
    assert np.array_equal(seen, exact[0] * exact[1] % 2**36)


def flip(cell):
    table = cell["parameters"]["LUT_INIT"]
    cell["parameters"]["LUT_INIT"] = table.translate(str.maketrans("01", "10"))


@pytest.mark.long
def test_a_netlist_with_a_flipped_cell_is_found(built):
    design, made = synthesized(built, "8x4 unrolled")
    module = json.loads(made.path.read_text())["modules"]["layer_layer0"]
    luts = [cell for cell in module["cells"].values() if cell["type"] == "SB_LUT4"]
    found = 0
    for cell in luts[::40]:
        flip(cell)
        seen = verify_netlist(design, 0, Netlist(module), 500, 64)
        found += seen.differences > 0
        flip(cell)
    assert found == len(luts[::40])


def module(cells, inputs, outputs):
    def port(direction, bits):
        return {"direction": direction, "bits": bits}

    ports = {
        "clk": port("input", [2]),
        **{n: port("input", b) for n, b in inputs.items()},
        **{n: port("output", b) for n, b in outputs.items()},
    }
    return {"ports": ports, "netnames": {}, "cells": {str(i): c for i, c in enumerate(cells)}}


def lut(table, out, *inputs):
    names = {f"I{k}": [bit] for k, bit in enumerate(inputs)}
    kind = {"type": f"LUT{len(inputs)}", "parameters": {"INIT": table}}
    return {**kind, "connections": {**names, "O": [out]}}


@pytest.mark.parametrize("n", range(1, 7))
def test_look_up_tables_are_their_truth_tables(n):
    rng = np.random.default_rng(n)
    tables = [int.from_bytes(rng.bytes(8), "little") & ((1 << (1 << n)) - 1) for _ in range(40)]
    tables += [0, (1 << (1 << n)) - 1, 1, 1 << ((1 << n) - 1)]
    inputs = list(range(3, 3 + n))
    cells = [lut(table, 100 + i, *inputs) for i, table in enumerate(tables)]
    outputs = {"y": [100 + i for i in range(len(tables))]}
    lanes = 1 << n
    x = (np.arange(lanes)[None, None, :] >> np.arange(n)[None, :, None]) & 1
    out = Netlist(module(cells, {"x": inputs}, outputs)).run({"x": x}).outputs["y"][0]
    for table, bits in zip(tables, out, strict=True):
        assert bits.tolist() == [table >> i & 1 for i in range(lanes)]


@pytest.mark.parametrize("seed", range(8))
def test_networks_of_tables_are_what_their_tables_say_one_by_one(seed):
    rng = np.random.default_rng(seed)
    n_in, n_gates, lanes = 6, 150, 256
    cells, values = [], list(rng.integers(0, 2, (n_in, lanes)))
    for gate in range(n_gates):
        n = int(rng.integers(1, 7))
        table = rng.integers(0, 2, 1 << n)
        from_ = rng.integers(max(0, len(values) - 20), len(values), n)
        bits = ["01"[int(rng.integers(2))] if rng.random() < 0.1 else 3 + int(i) for i in from_]
        text = "".join(map(str, table[::-1]))
        cells.append(lut(text, 3 + n_in + gate, *bits))
        of_bits = [np.full(lanes, int(b)) if isinstance(b, str) else values[b - 3] for b in bits]
        values.append(table[sum(value << k for k, value in enumerate(of_bits))])
    nets = range(3, 3 + len(values))
    outputs = {"all": list(nets), "last": [nets[-1]]}
    x = np.array(values[:n_in])[None]
    for shown in ("all", "last"):
        netlist = Netlist(module(cells, {"x": list(nets[:n_in])}, {shown: outputs[shown]}))
        for toggles in (False, True):
            out = netlist.run({"x": x}, toggles=toggles).outputs[shown][0]
            assert np.array_equal(out, values if shown == "all" else values[-1:])


def test_an_input_of_one_lane_is_that_of_all():
    netlist = Netlist(module([lut(0b0110, 5, 3, 4)], {"x": [3], "y": [4]}, {"z": [5]}))
    x, y = np.array([1, 0, 1])[:, None, None], np.eye(3, 9)[:, None]
    assert np.array_equal(netlist.run({"x": x, "y": y}).outputs["z"], y.astype(int) ^ x)


def ram(mode, depth_bits, width, where):
    address, data = list(range(10, 10 + 11)), list(range(30, 46))
    return {
        "type": "SB_RAM40_4K",
        "parameters": {"READ_MODE": mode, "WRITE_MODE": mode, "INIT_0": 0xBEEF},
        "connections": {
            "RADDR": address[:depth_bits] + ["0"] * (11 - depth_bits),
            "WADDR": address[:depth_bits] + ["0"] * (11 - depth_bits),
            "WDATA": data, "RDATA": list(range(60, 76)), "MASK": ["0"] * 16,
            "WE": [50], "RE": [51], "WCLKE": ["1"], "RCLKE": ["1"], "WCLK": [2], "RCLK": [2],
        },
    }  # fmt: skip


@pytest.mark.parametrize(("mode", "depth_bits", "places"), [
    (0, 8, list(range(16))), (1, 9, list(range(0, 16, 2))), (2, 10, [1, 5, 9, 13]), (3, 11, [3, 11]),
])  # fmt: skip
def test_block_memories_hold_what_is_written_in_every_shape(mode, depth_bits, places):
    rng = np.random.default_rng(mode)
    inputs = {"a": list(range(10, 10 + depth_bits)), "d": list(range(30, 46)), "w": [50], "r": [51]}
    netlist = Netlist(module([ram(mode, depth_bits, 0, 0)], inputs, {"q": [60 + p for p in places]}))
    clocks, lanes = 400, 3
    reads = rng.integers(0, 2, (clocks, lanes))  # each lane reads when it likes
    a = rng.integers(0, 40, clocks)
    d, w = rng.integers(0, 2, (clocks, 16, lanes)), rng.integers(0, 2, clocks)
    bits = (a[:, None] >> np.arange(depth_bits) & 1)[:, :, None].repeat(lanes, axis=2)
    stimulus = {"a": bits, "d": d, "w": w[:, None, None].repeat(lanes, axis=2), "r": reads[:, None]}
    run = netlist.run(stimulus, toggles=True)
    assert run.of_memories == ((reads[1:].sum(), lanes * w[1:].sum()),)
    held = np.zeros((1 << depth_bits, len(places), lanes), np.uint8)
    word = [0xBEEF >> k & 1 for k in range(16)]
    parts = 1 << mode
    for part in range(parts):  # word 0 of the memory, in parts
        held[part << 8] = np.array(word[part::parts])[:, None]
    expected = np.zeros((clocks, len(places), lanes), np.uint8)
    for t in range(clocks - 1):
        expected[t + 1] = np.where(reads[t], held[a[t]], expected[t])
        if w[t]:
            held[a[t]] = d[t][places]
    assert np.array_equal(run.outputs["q"], expected)


def test_addresses_that_differ_between_lanes_are_refused():
    inputs = {"a": list(range(10, 18)), "d": list(range(30, 46)), "w": [50], "r": [51]}
    netlist = Netlist(module([ram(0, 8, 0, 0)], inputs, {"q": [60]}))
    zeros = np.zeros((2, 16, 2), bool)
    a = np.zeros((2, 8, 2), bool)
    a[1, 3, 1] = True
    with pytest.raises(ValueError, match="an address of a memory must be the same in all lanes"):
        netlist.run({"a": a, "d": zeros, "w": zeros[:, :1], "r": zeros[:, :1]})


def test_toggles_are_counted():
    netlist = Netlist(module([lut(0b01, 5, 3)], {"x": [3]}, {"y": [5]}))
    x = np.array([0, 1, 1, 0, 1])[:, None, None].repeat(7, axis=2)
    run = netlist.run({"x": x}, toggles=True)
    assert run.toggles == 3 * 7
    assert run.lane_clocks == 28  # a first clock cycle has no toggles


def test_unknown_cells_and_inputs_are_named():
    with pytest.raises(ValueError, match="got \\$_SDFF_PP0_"):
        Netlist(module([{"type": "$_SDFF_PP0_", "connections": {}}], {}, {}))
    netlist = Netlist(module([lut(0b01, 5, 3)], {"x": [3]}, {"y": [5]}))
    with pytest.raises(ValueError, match="watch must name signals that synthesis kept, got gone"):
        Netlist(module([], {}, {}), watch=["gone"])
    with pytest.raises(ValueError, match="stimulus must hold \\['x'\\], got \\['z'\\]"):
        netlist.run({"z": np.zeros((1, 1, 1))})


@pytest.mark.parametrize(("kind", "length"), [("SRL16E", 1), ("SRL16E", 11), ("SRLC32E", 27)])
def test_shift_registers_delay_by_their_constant_length(kind, length):
    digits = list(f"{length - 1:05b}"[::-1])
    pins = {f"A{k}": [digits[k]] for k in range(4)} if kind == "SRL16E" else {"A": digits}
    cell = {"type": kind, "parameters": {"INIT": 1 << length - 1}}  # at first the last bit is 1
    cell["connections"] = {"CLK": [2], "CE": [4], "D": [3], "Q": [5], **pins}
    x, enabled = (np.random.default_rng(0).random((2, 200, 1, 64)) < 0.5).astype(bool)
    out = Netlist(module([cell], {"x": [3], "e": [4]}, {"y": [5]})).run({"x": x, "e": enabled})
    seen = out.at(np.arange(200), "y")
    for lane in range(64):
        kept = [1] + [0] * (length - 1)
        kept += x[enabled[:, 0, lane], 0, lane].tolist()
        at = np.cumsum(enabled[:, 0, lane]) - enabled[:, 0, lane]
        assert np.array_equal(seen[:, 0, lane], np.array(kept)[at])
    cell["connections"] |= {"A": [6] * 5, "A0": [6]}
    with pytest.raises(ValueError, match="must have shift registers of constant length"):
        Netlist(module([cell], {"x": [3], "e": [4], "a": [6]}, {"y": [5]}))


def test_a_xilinx_memory_that_is_read_through_port_b_is_refused():
    pins = {"ADDRARDADDR": ["0"] * 14, "DOADO": [], "DOBDO": [5]}
    widths = {"READ_WIDTH_A": 0, "READ_WIDTH_B": 18, "WRITE_WIDTH_A": 18}
    cell = {"type": "RAMB18E1", "parameters": widths, "connections": pins}
    with pytest.raises(
        ValueError, match="must have Xilinx block memories that are read through port A"
    ):
        Netlist(module([cell], {}, {"y": [5]}))
