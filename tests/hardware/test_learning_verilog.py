"""Layers that learn in hardware: laws of their integers, proofs, testbenches, netlists and mutants."""

import math
from pathlib import Path

import numpy as np
import pytest
import z3
from mutants import escaped, without_place
from proof import Step, netlists, number, prove, unsigned

import sc_neurocore.hardware
from sc_neurocore import (
    LIF,
    Bitstream,
    Conv2d,
    Dense,
    FixedPoint,
    Hammersley,
    Network,
    encode,
    simulate,
)
from sc_neurocore.hardware import (
    LearningDesign,
    learning_testbench,
    learning_verilog,
    simulators,
    synthesize,
    write,
)
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.hardware.simulators import run_testbench
from sc_neurocore.hardware.tools import lint
from sc_neurocore.plasticity import STDP, Competition, StochasticSTDP, stdp_window

RTL = sorted((Path(sc_neurocore.hardware.__file__).parent / "rtl").glob("*.v"))
RULES = {
    "pairs": STDP(0.1, 0.06, tau_plus=10.0, tau_minus=15.0, bounds="hard", w_max=0.9),
    "nearest": STDP(0.2, 0.1, bounds="hard", pairing="nearest"),
    "stochastic": StochasticSTDP(0.6, 0.4, 10.0, 8.0, level=1 / 32, w_max=0.9),
}


def design(rule, n_in=7, n_out=3, **parameters):
    weights = np.random.default_rng(5).uniform(-0.3, 0.9, (n_out, n_in))
    lif = LIF(tau_mem=8.0, v_reset=-0.2, refractory_period=1)
    layer = Dense(weights, gain=0.5, neuron=lif, plasticity=RULES[rule])
    return LearningDesign(Network([layer]), **parameters)


DESIGNS = {
    "pairs": design("pairs"),
    "nearest": design("nearest", 8, 4, fixed_point=FixedPoint(leak_bits=1)),
    "stochastic": design("stochastic", name="moves", fixed_point=FixedPoint(bits=6, word=12)),
    "one": design("pairs", 1, 1),
}


def spikes(n_in, steps=120, examples=2):
    rates = np.random.default_rng(1).choice([0.1, 0.6], (examples, n_in))
    return encode(rates, steps, key=4)


def test_weights_that_stay_give_the_spikes_of_the_layer_without_a_rule():
    fixed_point, source = FixedPoint(fraction=4), Hammersley(8, 1, randomized=False)
    for rule in (STDP(0.0, 0.0, bounds="hard"), StochasticSTDP(0.0, 0.0)):
        weights = np.random.default_rng(2).uniform(-0.5, 0.9, (4, 30))
        plain, learning = (
            Network([Dense(weights, gain=0.2, neuron=LIF(tau_mem=8.0), plasticity=r)])
            for r in (None, rule)
        )
        x = encode(np.full(30, 0.4), 300, key=1)
        run = LearningDesign(learning, fixed_point=fixed_point).simulate(x)
        expected = simulate(plain, x, source=source, fixed_point=fixed_point, record=True)
        assert expected.counts.sum() > 50
        assert np.array_equal(run.spikes.words, expected.spikes[0].words)


def test_examples_begin_at_rest_with_the_weights_of_the_one_before():
    d, x = DESIGNS["pairs"], spikes(7)
    both = d.simulate(x, history=True)
    first = d.simulate(x[0], history=True)
    assert np.array_equal(both.history[0], first.history)
    assert np.array_equal(both.weights, both.history[1, -1])
    assert np.array_equal(np.signbit(both.weights), np.signbit(d.layer.weights))
    assert np.abs(both.weights).max() <= 0.9
    frozen = d.simulate(x, learn=False)
    assert np.array_equal(np.abs(frozen.weights) * 2**15, d.magnitudes)


def pair_of(d, difference):
    """Return the change of the first weight by an input spike and an output spike after it."""
    bits = np.zeros((2, 100), np.uint8)
    bits[0, 50 - difference] = bits[1, 50] = 1
    run = d.simulate(Bitstream.from_bits(bits), history=True)
    assert run.spikes.counts().tolist() == [1]
    return float(run.weights[0, 0] - d.magnitudes[0, 0] / 2**d.weight_bits)


@pytest.mark.parametrize(("leak_bits", "a_plus"), [(8, 0.11), (1, 0.11), (1, 0.3)])
def test_the_window_is_its_law_up_to_the_rounding(leak_bits, a_plus):
    rule = STDP(a_plus, 0.07, tau_plus=12.0, tau_minus=20.0, bounds="hard")
    # The second input makes the neuron fire, and the first one does not where its bit is 0.
    layer = Dense([[0.5, 1.0]], gain=1.0, neuron=LIF(tau_mem=1.0, v_threshold=0.9), plasticity=rule)
    d = LearningDesign(Network([layer]), fixed_point=FixedPoint(leak_bits=leak_bits))
    numbers = d.numbers.source.numbers(0, 100, key=0).ravel() >> 24
    i = d.integers
    for difference in range(-30, 31):
        at = 50 - difference
        if numbers[at] < 128 or numbers[50] >= 255:
            continue
        found = pair_of(d, difference)
        # The same with decays and amplitudes as they are rounded, without rounding down.
        side, steps = ("plus", difference) if difference >= 0 else ("minus", -difference)
        keep = i[f"keep_{side}"] / 2 ** i[f"keep_{side}_shift"]
        a = i[f"a_{side}"] / 2 ** i[f"a_{side}_shift"] * 2**12 / 2**15
        law = a * keep**steps * (1 if difference >= 0 else -1)
        below = a * 2.0**-12 / (1 - keep) + 2.0**-15
        assert 0 <= abs(law) - abs(found) <= below, difference
        if leak_bits == 8:
            exact = float(stdp_window(rule, difference))
            assert abs(law - exact) < 0.02 * abs(exact) + 1e-4


def test_moves_have_the_mean_and_the_variance_of_their_law():
    rule, n = StochasticSTDP(0.7, 0.45, 16.0, 9.0, level=1 / 64), 3000
    neuron = LIF(tau_mem=1.0, v_threshold=0.9)
    numbers = Hammersley(8, 2, randomized=False).numbers(0, 100, key=0).ravel() >> 24
    for difference in (0, 3, 11, -1, -6):
        at = next(t for t in range(30, 60) if numbers[t] >= 128 and numbers[t + difference] < 250)
        bits = np.zeros((2, 100), np.uint8)
        bits[0, at], bits[1, at + difference] = 1, 1
        layer = Dense(np.tile([0.5, 1.0], (n, 1)), gain=1.0, neuron=neuron, plasticity=rule)
        run = LearningDesign(Network([layer]), seed=difference + 9).simulate(Bitstream.from_bits(bits))
        assert (run.spikes.counts() == 1).all()
        moved = (run.weights[:, 0] - 0.5) * 64
        assert set(np.unique(moved)) <= {-1.0, 0.0, 1.0}
        d = LearningDesign(Network([layer]))
        i, trace = d.integers, 2**12
        side = "plus" if difference >= 0 else "minus"
        for _ in range(abs(difference)):
            trace = trace * i[f"keep_{side}"] >> i[f"keep_{side}_shift"]
        p = i[f"a_{side}"] / 256 * (trace >> 4) / 256
        sigma = math.sqrt(p * (1 - p) / n)
        assert abs(abs(moved).mean() - p) <= 5 * sigma
        assert abs(moved.var() - p * (1 - p)) <= 5 * sigma + 25 / n
        law = abs(float(stdp_window(rule, difference))) * 64
        assert abs(p - law) < 0.01  # 8 bits of a trace, 8 of an amplitude


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("learning")


# Of few bits, because proofs of products take long; wider ones run in the testbenches.
TRACES = [
    {"TRACE": 16, "ONE": 4096, "NEAREST": 0, "KEEP": 15, "KEEP_SHIFT": 4},
    {"TRACE": 13, "ONE": 4096, "NEAREST": 1, "KEEP": 3, "KEEP_SHIFT": 2},
    {"TRACE": 6, "ONE": 9, "NEAREST": 0, "KEEP": 1, "KEEP_SHIFT": 1},
    {"TRACE": 8, "ONE": 200, "NEAREST": 0, "KEEP": 243, "KEEP_SHIFT": 8},
]


def test_traces_decay_and_rise_as_specified(folder):
    for net, p in zip(netlists([("sc_trace", p) for p in TRACES], RTL, folder), TRACES, strict=True):
        step, size = Step(net), 36
        trace, spike = unsigned(step.inputs["trace"], size), step.inputs["spike"]
        kept = z3.LShR(trace * p["KEEP"], p["KEEP_SHIFT"])
        one, most = number(p["ONE"], size), number(2 ** p["TRACE"] - 1, size)
        risen = one if p["NEAREST"] else z3.If(z3.UGT(kept + one, most), most, kept + one)
        prove(
            unsigned(step.outputs["kept"], size) == kept,
            unsigned(step.outputs["next"], size) == z3.If(spike == 1, risen, kept),
        )


PAIRS = [
    {"WEIGHT": 15, "MOST": 32767, "TRACE": 16, "A_PLUS": 5, "A_PLUS_SHIFT": 6, "A_MINUS": 1,
     "A_MINUS_SHIFT": 3},
    {"WEIGHT": 8, "MOST": 200, "TRACE": 7, "A_PLUS": 21, "A_PLUS_SHIFT": 2, "A_MINUS": 19,
     "A_MINUS_SHIFT": 5},
    {"WEIGHT": 4, "MOST": 15, "TRACE": 6, "A_PLUS": 0, "A_PLUS_SHIFT": 0, "A_MINUS": 7,
     "A_MINUS_SHIFT": 0},
]  # fmt: skip


def test_pairs_change_a_weight_as_specified(folder):
    for net, p in zip(netlists([("sc_stdp", p) for p in PAIRS], RTL, folder), PAIRS, strict=True):
        step, size = Step(net), 28
        m, pre, post = (unsigned(step.inputs[name], size) for name in ("m", "pre", "post"))
        fall = z3.LShR(post * p["A_MINUS"], p["A_MINUS_SHIFT"])
        rise = z3.LShR(pre * p["A_PLUS"], p["A_PLUS_SHIFT"])
        low = z3.If(step.inputs["x"] == 0, m, z3.If(m > fall, m - fall, number(0, size)))
        most = number(p["MOST"], size)
        high = z3.If(step.inputs["spike"] == 0, low, z3.If(low + rise > most, most, low + rise))
        prove(unsigned(step.outputs["m_next"], size) == high, given=[m <= most])


MOVES = [
    {"WEIGHT": 15, "MOST": 32767, "TRACE": 13, "DROP": 4, "P_PLUS": 128, "P_MINUS": 256, "LEVEL": 128},
    {"WEIGHT": 9, "MOST": 400, "TRACE": 10, "DROP": 1, "P_PLUS": 1, "P_MINUS": 77, "LEVEL": 400},
    {"WEIGHT": 5, "MOST": 31, "TRACE": 9, "DROP": 0, "P_PLUS": 200, "P_MINUS": 0, "LEVEL": 1},
]


def test_moves_change_a_weight_as_specified(folder):
    for net, p in zip(netlists([("sc_move", p) for p in MOVES], RTL, folder), MOVES, strict=True):
        step, size = Step(net), 18
        m, pre, post = (unsigned(step.inputs[name], size) for name in ("m", "pre", "post"))
        byte = [unsigned(z3.Extract(8 * k + 7, 8 * k, step.inputs["random"]), size) for k in range(4)]
        falls = z3.And(
            step.inputs["x"] == 1, byte[0] < p["P_MINUS"], byte[1] < z3.LShR(post, p["DROP"])
        )
        rises = z3.And(
            step.inputs["spike"] == 1, byte[2] < p["P_PLUS"], byte[3] < z3.LShR(pre, p["DROP"])
        )
        level, most = number(p["LEVEL"], size), number(p["MOST"], size)
        low = z3.If(falls, z3.If(m > level, m - level, number(0, size)), m)
        high = z3.If(rises, z3.If(low + level > most, most, low + level), low)
        prove(unsigned(step.outputs["m_next"], size) == high, given=[m <= most])


def test_random_numbers_are_those_of_the_register(folder):
    (net,) = netlists([("sc_random", {})], RTL, folder)
    step = Step(net, ["state"])
    bits = [z3.Extract(k, k, step.before["state"]) for k in range(33)]
    for _ in range(32):
        bits = [bits[32] ^ bits[19], *bits[:-1]]
    after = z3.Concat(*bits[::-1])
    prove(
        step.outputs["random"] == z3.Extract(31, 0, after),
        step.after["state"] == z3.If(step.inputs["step"] == 1, after, step.before["state"]),
    )


def written(d, folder, x=None):
    text = {**learning_verilog(d), **learning_testbench(d, spikes(d.n_in) if x is None else x)}
    write(text, folder)
    return text


@pytest.mark.parametrize("name", DESIGNS)
def test_verilog_computes_every_weight_and_spike_of_the_model(tmp_path, name):
    d = DESIGNS[name]
    written(d, tmp_path)
    said = run_testbench(sorted(tmp_path.glob("*.v")), f"{d.name}_tb", tmp_path, "verilator")
    (line,) = (line for line in said.splitlines() if line.startswith("PASSED"))
    _, _, n_spikes, n_changes, _ = (int(word) for word in line.split() if word.isdigit())
    assert n_spikes > 5
    assert n_changes > 30
    files = [f for f in tmp_path.glob("*.v") if "_tb" not in f.name]
    assert not lint(files, d.name, tmp_path)
    assert not simulators.lint(files, d.name)


def test_a_probability_of_0_has_no_warnings(tmp_path):
    layer = Dense([[0.5]], plasticity=StochasticSTDP(p_minus=0.0))
    written(LearningDesign(Network([layer])), tmp_path, spikes(1))
    files = [f for f in tmp_path.glob("*.v") if "_tb" not in f.name]
    assert not simulators.lint(files, "learning")


@pytest.mark.icarus
@pytest.mark.parametrize("name", ["pairs", "stochastic"])
def test_verilog_computes_them_under_icarus_too(tmp_path, name):
    d = DESIGNS[name]
    text = written(d, tmp_path)
    files = [tmp_path / file for file in text if file.endswith(".v")]
    assert "PASSED" in run_testbench(files, f"{d.name}_tb", tmp_path)


def test_the_netlist_computes_every_weight_and_spike(tmp_path):
    d, steps = DESIGNS["stochastic"], 40
    write(learning_verilog(d), tmp_path)
    files = sorted(tmp_path.glob("*.v"))
    made = synthesize(files, d.name, "ice40", tmp_path, place=False, across_registers=False)
    x = encode(np.random.default_rng(8).uniform(0.2, 0.8, d.n_in), steps, key=9)
    period = d.step_clocks
    at = 1 + period * np.arange(steps)
    bits = np.zeros((2 + period * steps, d.n_in, 1), bool)
    bits[at] = x.bits().T[:, :, np.newaxis]
    on = np.ones((len(bits), 1, 1), bool)
    clear, step = np.zeros_like(on), np.zeros_like(on)
    clear[0], step[at] = True, True
    run = Netlist.read(made.path, d.name).run({"clear": clear, "step": step, "learn": on, "x": bits})

    def numbers(name):
        digits = run.at(slice(None), name)[:, :, 0].astype(np.int64)
        return (digits << np.arange(digits.shape[1])).sum(axis=1)

    fired, changed = (np.flatnonzero(numbers(name)) for name in ("fired", "changed"))
    spikes, v, synapse, weight = map(numbers, ("fired_spike", "fired_v", "synapse", "weight"))
    model = d.simulate(x, history=True)
    assert np.array_equal(spikes[fired].reshape(steps, -1).T, model.spikes.bits())
    potentials = model.potentials.astype(np.int64) & (1 << d.fixed_point.word) - 1
    assert np.array_equal(v[fired].reshape(steps, -1).T, potentials)
    signs = d.negative.ravel().astype(np.int64) << d.weight_bits
    words = d.magnitudes.ravel() | signs
    for s, clock in enumerate(at):
        for k in changed[(changed > clock) & (changed <= clock + period)]:
            words[synapse[k]] = weight[k]
        expected = np.abs(model.history[s]).ravel() * 2**d.weight_bits
        assert np.array_equal(words, expected.astype(np.int64) | signs)
    assert len(changed) > 50


# File, what is there, what is put in its place: all are caught by a testbench.
MUTANTS = [
    ("sc_trace.v", ">> KEEP_SHIFT", ">> (KEEP_SHIFT + 1)"),
    ("sc_trace.v", "{1'b0, kept} + ONE", "{1'b0, trace} + ONE"),
    ("sc_trace.v", "(NEAREST != 0)", "(NEAREST == 0)"),
    ("sc_trace.v", "spike ? risen : kept", "kept"),
    ("sc_stdp.v", "post} * A_MINUS", "pre} * A_MINUS"),
    ("sc_stdp.v", ">> A_PLUS_SHIFT", ">> (A_PLUS_SHIFT + 1)"),
    ("sc_stdp.v", "!x ? now", "!spike ? now"),
    ("sc_stdp.v", "now > fall ? now - fall : {SUM{1'b0}}", "now - fall"),
    ("sc_stdp.v", "high > MOST[SUM-1:0]", "1'b0"),
    ("sc_stdp.v", "!spike ? low", "!spike ? now"),
    ("sc_move.v", "x && {1'b0", "spike && {1'b0"),
    ("sc_move.v", "random[7:0]} < P_MINUS", "random[7:0]} < P_PLUS"),
    ("sc_move.v", "random[31:24]} < pre", "random[31:24]} < post"),
    ("sc_move.v", "random[15:8]} < post", "random[15:8]} <= post"),
    ("sc_move.v", "m > LEVEL[WEIGHT-1:0]", "1'b1"),
    ("sc_move.v", "high > MOST[WEIGHT:0]", "1'b0"),
    ("sc_move.v", "m - LEVEL[WEIGHT-1:0] :", "m - 1'b1 :"),
    ("sc_random.v", "state[32:1]", "state[31:0]"),
    ("sc_random.v", "head[31:20]", "head[30:19]"),
    ("sc_random.v", "if (step) state", "state"),
    ("sc_learning.v", "FIRE: if (fired)", "FIRE: if (1'b1)"),
    ("sc_learning.v", "else if (phase == FIRE) at_a <= first", "else if (1'b0) at_a <= first"),
    ("sc_learning.v", "last_neuron ? IDLE : PRODUCTS", "IDLE"),
    ("sc_learning.v", "ends && last_neuron && !clear", "ends && !clear"),
    ("sc_learning.v", "{held[0], held[N_IN-1:1]}", "{1'b0, held[N_IN-1:1]}"),
    ("sc_learning.v", "if (!busy && step) held", "if (!busy) held"),
    ("sc_learning.v", "if (changed) weights", "if (1'b0) weights"),
    ("sc_learning.v", "products_b && j == 0", "products_b"),
    ("sc_learning.v", "fresh ? {TRACE{1'b0}} : pre", "pre"),
    ("sc_learning.v", "fresh ? {STATE{1'b0}} : ", ""),
    ("sc_learning.v", "else if (done) fresh", "else if (fired) fresh"),
    ("sc_learning.v", ".step(done), .number", ".step(fired), .number"),
    ("sc_learning.v", "number < m", "number <= m"),
    ("sc_learning.v", "{(COUNT-1){negative}}", "{(COUNT-1){1'b0}}"),
    ("sc_learning.v", "first_b ? {COUNT{1'b0}} : count", "count"),
    ("sc_learning.v", "if (fired) states", "if (done) states"),
    ("sc_learning.v", "post <= post_kept", "post <= state_next[WORD+REST +: TRACE]"),
    ("sc_learning.v", "fires <= fired_spike", "fires <= 1'b1"),
    ("sc_learning.v", "spike[j] <= fired_spike", "spike[0] <= fired_spike"),
    ("sc_learning.v", "changes_b && learn && m_next", "changes_b && m_next"),
    ("sc_learning.v", ".step(changes_b && learn)", ".step(changes_b && fires)"),
    ("sc_learning.v", "weight = {negative, m_next}", "weight = {1'b0, m_next}"),
    ("sc_learning.v", ".KEEP(KEEP_MINUS)", ".KEEP(KEEP_PLUS)"),
]  # fmt: skip
# What changes no bit that a testbench sees, and why.
UNSEEN = {("sc_learning.v", "if (!busy) held"): "the inputs of a step are read while it is busy only"}


def mutated(folder):
    """Return the text of the designs that are changed, after their testbenches have passed."""
    return {name: written(DESIGNS[name], folder / name) for name in ("pairs", "nearest", "stochastic")}


def test_every_mutant_has_a_place(tmp_path):
    assert without_place(MUTANTS, mutated(tmp_path)) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_are_caught(tmp_path):
    def run(name, folder):
        return run_testbench(sorted(folder.glob("*.v")), f"{DESIGNS[name].name}_tb", folder)

    assert escaped(MUTANTS, mutated(tmp_path), run, tmp_path / "mutants") == set(UNSEEN)


def of(**parameters):
    given = {"weights": [[0.5]], "plasticity": RULES["pairs"], **parameters}
    return LearningDesign(Network([Dense(**given)]))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: of(plasticity=STDP()), "have a rule with bounds='hard' and keep_sign=True to learn"),
    (lambda: of(plasticity=()), "have an STDP or a StochasticSTDP alone as plasticity to"),
    (lambda: of(plasticity=[RULES["pairs"], Competition(1.0)]), "have an STDP or a StochasticSTDP"),
    (lambda: of(bias=[0.1]), "have no bias to learn in hardware"),
    (lambda: of(delay=1), "have no delays to learn in hardware"),
    (lambda: of(recurrent=[[0.1]]), "have no recurrent to learn in hardware"),
    (lambda: of(neuron=LIF(tau_syn=5.0)), "have no synaptic currents to learn in hardware"),
    (lambda: of(neuron=LIF(noise_std=0.1)), "have no noise to learn in hardware"),
    (lambda: of(weights=[[0.5], [0.5]], neuron=LIF(tau_mem=[5.0, 9.0])), "have neurons with equal"),
    (lambda: of(weights=[[0.5], [0.5]], gain=[1.0, 2.0]), "have LIF neurons with one gain"),
    (lambda: of(neuron=LIF(refractory_period=2**16)), "have refractory periods below"),
    (lambda: of(plasticity=STDP(bounds="hard", tau_plus=300.0)), "have a tau_plus of 1 to 256 time"),
    (lambda: of(plasticity=STDP(bounds="hard", a_minus=2.0)), r"have a_minus 0 or in \[2\*\*-15, 1\]"),
    (lambda: of(plasticity=STDP(1e-5, bounds="hard")), r"have a_plus 0 or in \[2\*\*-15, 1\] to learn"),
    (lambda: of(plasticity=StochasticSTDP(0.003)), r"have p_plus 0 or in \[2\*\*-8, 1\] to learn"),
    (lambda: of(plasticity=StochasticSTDP(level=1e-6)), "have a level of 1 / 32768 up to w_max"),
    (lambda: design("pairs", fixed_point=FixedPoint(word=20)), "have words of at most 16 bits"),
    (lambda: design("pairs", source=Hammersley(8, 1)), "source must not be randomized"),
    (lambda: design("pairs", name="module"), "name must be neither a keyword"),
    (lambda: LearningDesign(Network([Conv2d(np.full((1, 1, 2, 2), 0.5), (4, 4))])), "be one dense"),
    (lambda: DESIGNS["pairs"].simulate(np.full(7, 0.5)), "x must be spikes to learn in hardware"),
    (lambda: learning_verilog(1), "design must be a LearningDesign"),
], ids=range(22))  # fmt: skip
def test_what_the_hardware_lacks_is_refused_with_a_reason(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
