"""Weights that are loaded at run time: the design then computes the bits of another network."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import z3
from mutants import escaped, without_place
from proof import Step, netlists, prove
from test_command import small, warnings_of
from test_network_mutants import DESIGNS as OF_ALL_KINDS

from sc_neurocore import LIF, Bitstream, Dense, FixedPoint, Network
from sc_neurocore.hardware import (
    Design,
    run_bench,
    simulators,
    synthesize,
    verify_layer,
    verilog,
    verilog_testbench,
    weight_words,
    write,
)
from sc_neurocore.hardware.emit import library_text
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.networks.layers import all_weights, with_all_weights


def deep():
    """A memory of several banks, 2,048 and 512 and 440 words of one part."""
    rng = np.random.default_rng(6)
    layers = [
        Dense(rng.uniform(-1, 1, (60, 50)), gain=0.2),
        Dense(rng.uniform(-1, 1, (3, 60)), gain=0.5),
    ]
    return Design(Network(layers), 3, fixed_point=FixedPoint(bits=4), simd=1, name="deep")


def quick():
    """Numbers, and layers that work at the same time."""
    rng = np.random.default_rng(7)
    layers = [
        Dense(rng.uniform(-1, 1, (6, 11)), 0.9, LIF(tau_mem=6.0), sampled=False),
        Dense(rng.uniform(-1, 1, (3, 6)), 2.0, LIF(tau_mem=6.0)),
    ]
    return Design(Network(layers), 7, simd=2, architecture="folded", pipelined=True)


def kinds():
    """Words of 2 and 3 parts, several memories, offsets beside weights, banks, no weights."""
    made = {"little": small("folded"), "deep": deep(), **OF_ALL_KINDS}
    for quiet in ("active", "ahead", "values"):
        del made[quiet]
    made["banks"] = replace(made["little"], simd=8, sparse=True)
    made["both"] = replace(made["banks"], pipelined=True)
    made["quick"] = quick()
    return {name: replace(design, loadable=True, name=name) for name, design in made.items()}


DESIGNS = kinds()


@cache
def text(name):
    design = DESIGNS[name]
    rng = np.random.default_rng(1)
    if design.inputs == "spikes":
        x = Bitstream.from_bits(rng.random((4, design.n_in, design.length)) < 0.5)
    else:
        x = rng.random((4 if name != "deep" else 1, design.n_in))
    return {**verilog(design), **verilog_testbench(design, x)}


@pytest.mark.icarus
@pytest.mark.parametrize("name", DESIGNS)
def test_loaded_weights_give_the_bits_of_their_network(name, tmp_path):
    write(text(name), tmp_path)
    said = simulators.run_testbench(sorted(tmp_path.glob("*.v")), f"{name}_tb", tmp_path)
    assert "PASSED: " in said
    assert "no spikes" not in said


@pytest.mark.parametrize("name", DESIGNS)
def test_designs_with_loadable_weights_have_no_warnings(name, tmp_path):
    write(text(name), tmp_path)
    assert warnings_of(text(name), name, tmp_path) == []


def test_the_testbench_passes_in_verilator(tmp_path):
    write(text("little"), tmp_path)
    assert "PASSED: 8 images" in run_bench(tmp_path, "little")


@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_has_the_port_only_if_asked_for(name):
    fixed = replace(DESIGNS[name], loadable=False)
    assert "load_" not in "".join(verilog(fixed).values())
    assert "load_valid" in text(name)[f"{name}.v"]
    assert "SC_LOADABLE" not in "".join(text(name).values())


def test_layers_are_compared_with_their_model():
    design = DESIGNS["little"]
    seen = verify_layer(design, 0, 2000)
    assert seen.passed(design.layers[0])


def loaded(stimulus, words):
    """Return a stimulus after one that writes words, each with a clock cycle of reset before."""
    n, ports = len(words) + 1, {}
    for name, values in stimulus.items():
        before = np.zeros((n, *values.shape[1:]), bool)
        if name.startswith("load"):
            column = {
                "load_valid": np.ones(n - 1),
                "load_address": words[:, 0],
                "load_data": words[:, 1],
            }[name]
            digits = column.astype(np.int64)[:, np.newaxis] >> np.arange(values.shape[1]) & 1
            before[1:] = digits[:, :, np.newaxis].astype(bool)
        if name == "rst":
            before[0] = True
        ports[name] = np.concatenate([before, values])
    return ports


@pytest.mark.parametrize("name", ["little", "both"])
def test_netlists_load_weights_too(name, tmp_path):
    design = DESIGNS[name]
    files = verilog(design)
    write(files, tmp_path)
    paths = [tmp_path / name for name in files if name.endswith(".v")]
    made = synthesize(paths, name, "ice40", tmp_path, place=False, across_registers=False)
    rng = np.random.default_rng(3)
    images = rng.random((64, 10))
    layers = [with_all_weights(layer, -all_weights(layer)) for layer in design.network]
    other = replace(design, network=Network(layers))
    words = weight_words(design, other.network)
    clocks = design.clocks + 2
    netlist = Netlist.read(made.path, name)
    run = netlist.run(loaded(design.stimulus(images, clocks), words))
    out = slice(len(words) + clocks, len(words) + 1 + clocks)
    assert run.at(out, "out_valid").all()
    seen = run.at(out, "out_class")[0]
    classes = (seen.astype(int) << np.arange(len(seen))[:, np.newaxis]).sum(axis=0)
    assert np.array_equal(classes, other.simulate(images).classes)
    assert not np.array_equal(classes, design.simulate(images).classes)


@pytest.mark.parametrize("depth", [1, 2, 8, 11])
def test_a_memory_writes_one_word_of_any_of_its_banks(depth, tmp_path):
    width, address_bits = 3, max((depth - 1).bit_length(), 1)
    source = library_text("sc_weights.v", loadable=True).replace("DEPTH < 2048", "DEPTH < 2")
    (tmp_path / "sc_weights.v").write_text(source)
    p = {"DEPTH": depth, "WIDTH": width, "ADDRESS": address_bits}
    (net,) = netlists([("sc_weights", p)], [tmp_path / "sc_weights.v"], tmp_path)
    words = [n for n in net.names if "bank[" in n]
    words.sort(key=lambda n: (n.count("u_left"), int(n[n.index("[") + 1 : -1])))
    assert len(words) == depth
    read = [n for n in net.names if n.endswith(("of_bank", "beyond"))]
    step = Step(net, [*words, *read])
    b, a, i = step.before, step.after, step.inputs
    load = i["load"] == 1
    claims = []
    for k, word in enumerate(words):
        chosen = z3.And(load, i["load_address"] == k) if depth > 1 else load
        claims.append(a[word] == z3.If(chosen, i["load_word"], b[word]))
        here = z3.And(z3.Not(load), i["read"] == 1)
        here = z3.And(here, i["address"] == k) if depth > 1 else here
        claims.append(z3.Implies(here, step.outputs_later["word"] == b[word]))
    inside = z3.And(z3.ULT(i["load_address"], depth), z3.ULT(i["address"], depth))
    prove(*claims, given=() if depth in (1, 2, 8) else [inside])


# File, what is there, what is put in its place.
MUTANTS = [
    ("sc_weights.v", "if (here) bank", "bank"),
    ("sc_weights.v", "load && !here", "load"),
    ("sc_weights.v", "bank[load_address[BITS-1:0]]", "bank[address[BITS-1:0]]"),
    ("sc_weights.v", "if (load) begin", "if (1'b1) begin"),
    ("sc_weights.v", "if (load) begin", "if (here) begin"),
    ("sc_folded.v", ".load(load)", ".load(1'b0)"),
    ("sc_folded.v", ".load(load), .load_address(load_address), .load_word(load_part)",
     ".load(load && n == 0), .load_address(load_address), .load_word(load_part)"),
    ("sc_folded.v", "load_word[(p*SIMD+n*LANES)*LANE +: BANK]", "load_word[(p*SIMD)*LANE +: BANK]"),
    ("sc_pipeline.v", "!full[half] && !rst", "!rst"),
    ("sc_pipeline.v", "!full[half] && !rst", "!full[half]"),
    ("sc_pipeline.v", "!full[half] && !rst", "!full[half_in] && !rst"),
    ("sc_pipeline.v", "!full[half] && !rst", "state == WAIT && !rst"),
    ("sc_layer.v", ".load(load)", ".load(1'b0)"),
    ("sc_layer.v", ".load_address(load_address)", ".load_address(address)"),
    ("sc_numbers.v", ".load(load)", ".load(load_offset)"),
    ("sc_numbers.v", ".load(load_offset)", ".load(load)"),
    ("sc_numbers.v", ".load_address(load_address[CHANNEL-1:0])", ".load_address(channel_c)"),
    ("little.v", "load_valid && load_ready", "load_valid"),
    ("little.v", "load_valid && load_ready", "load_ready"),
    ("little.v", "load_ready = in_ready", "load_ready = 1'b1"),
    ("little.v", "{load_data, load_parts[63:32]}", "{load_parts[31:0], load_data}"),
    ("little.v", "if (load) load_parts", "load_parts"),
    ("little.v", ".load(load && load_address[6] == 1'd1", ".load(load"),
    ("little.v", "&& load_address[1:0] == 2'd2", "&& load_address[1:0] == 2'd1"),
    ("little.v", "load_data[7:0], load_parts[63:0]", "load_parts[63:0], load_data[7:0]"),
    ("little.v", "load_parts[63:32]}),", "load_parts[31:0]}),"),
    ("past.v", "in_ready && !begun", "in_ready"),
    ("past.v", "if (rst) begun <= 1'b0;\n        else if", "if"),
    ("past.v", "if (out_valid || frame) begun", "if (frame) begun"),
    ("numbers.v", ".load_offset(load && load_address", ".load_offset(load || load_address"),
]  # fmt: skip


def run(name, folder):
    return simulators.run_testbench(sorted(folder.glob("*.v")), f"{name}_tb", folder)


def test_every_mutant_has_a_place():
    assert without_place(MUTANTS, {name: text(name) for name in DESIGNS}) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_of_the_port_are_caught(tmp_path):
    assert escaped(MUTANTS, {name: text(name) for name in DESIGNS}, run, tmp_path) == set()


NETWORK = Network([Dense([[0.5, -0.25]], gain=0.5)])


def of(**options):
    return Design(NETWORK, 8, architecture="folded", simd=2, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Design(NETWORK, 8, architecture="unrolled", loadable=True),
            "loadable must be False for unrolled designs, got True; use architecture='folded': "
            "weights of unrolled designs are wires",
        ),
        (lambda: of(loadable=1), "loadable must be a bool, got 1"),
        (lambda: weight_words(NETWORK), "design must be a Design, got Network"),
        (
            lambda: weight_words(of()),
            "design must have loadable=True, got Design(network: 2-1, 8 steps,",
        ),
        (
            lambda: weight_words(of(loadable=True), Network([Dense([[0.5, -0.25]], gain=0.25)])),
            "network must result in the Verilog of the design, except for weights, got '.THRESHOLD",
        ),
        (
            lambda: weight_words(of(loadable=True), Network([Dense([[0.5, -0.25, 0.1]], gain=0.5)])),
            "in network.v in place of '// Stochastic-computing spiking network network: 2-1, 8 time",
        ),
        (
            lambda: weight_words(of(loadable=True), Network([Dense([[1.0, 1.0]], gain=0.5)])),
            "; use the same layers, neurons and gains, and a FixedPoint with a fraction",
        ),
    ],
)
def test_what_cannot_be_loaded_is_refused(call, message):
    with pytest.raises((ValueError, TypeError)) as raised:
        call()
    assert message in str(raised.value)


def test_a_neuron_can_need_another_fraction_only_by_default():
    large = Network([Dense([[1.0, 1.0]], gain=0.5, neuron=LIF(tau_mem=30.0))])
    design = Design(
        Network([Dense([[0.5, -0.25]], gain=0.5, neuron=LIF(tau_mem=30.0))]), 8,
        architecture="folded", loadable=True, fixed_point=FixedPoint(fraction=6),
    )  # fmt: skip
    assert weight_words(design, large).shape == (3, 2)
