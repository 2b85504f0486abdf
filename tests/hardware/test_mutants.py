"""The checks bite: changes of Verilog, weights and parameters are found by the testbenches."""

import re

import numpy as np
import pytest
from mutants import escaped, without_place

from sc_neurocore import LIF, Dense, FixedPoint, Network
from sc_neurocore.hardware import Design, trace, verilog, verilog_testbench, write
from sc_neurocore.hardware.simulators import run_testbench
from sc_neurocore.hardware.tools import ToolFailedError

RNG = np.random.default_rng(5)


def design(architecture, reset, refractory, word, v_threshold=1.0):
    lif = LIF(
        tau_mem=8.0,
        v_reset=-0.2,
        v_threshold=v_threshold,
        reset=reset,
        refractory_period=refractory,
    )
    first = RNG.uniform(-1, 1, (6, 9))
    first[0], first[1], first[2, :2] = 1.0, -1.0, (0.0, 1.0)
    layers = [
        Dense(first, gain=0.3, neuron=lif, bias=RNG.uniform(-1, 1, 6)),
        Dense(RNG.uniform(-1, 1, (5, 6)), gain=0.5, neuron=lif),
        Dense(RNG.uniform(-1, 1, (3, 5)), gain=0.6, neuron=LIF(tau_mem=4.0)),
    ]
    pe = 1 if architecture == "unrolled" else 2
    if pe == 2:
        layers[1] = Dense(RNG.uniform(-1, 1, (4, 6)), gain=0.5, neuron=lif)
        layers[2] = Dense(RNG.uniform(-1, 1, (3, 4)), gain=0.6, neuron=LIF(tau_mem=4.0))
    if reset == "subtract":  # classes that differ in nothing: the first is to be chosen
        layers[2] = Dense(np.full(layers[2].weights.shape, 0.9), gain=0.6, neuron=LIF(tau_mem=4.0))
    fixed_point = FixedPoint(word=word, fraction=4)
    return Design(
        Network(layers), 150, fixed_point=fixed_point, architecture=architecture, simd=4, pe=pe
    )


# Together they reach both ends of the word, both resets, rest and none.
DESIGNS = {
    f"{architecture}, {reset}": design(architecture, reset, refractory, word)
    for architecture in ("unrolled", "folded")
    for reset, refractory, word in (("value", 2, 8), ("subtract", 0, 8))
}
IMAGES = np.vstack([RNG.random((6, 9)), np.ones(9), np.zeros(9)])

# File, what is there, what is put in its place.
MUTANTS = [
    ("sc_lif.v", "product >>> LEAK_SHIFT", "product >>> (LEAK_SHIFT + 1)"),
    ("sc_lif.v", "product >>> LEAK_SHIFT", "product >> LEAK_SHIFT"),
    ("sc_lif.v", "} - lost[SUM-1:0]", "} + lost[SUM-1:0]"),
    ("sc_lif.v", "count} <<< FRACTION", "count} <<< (FRACTION - 1)"),
    ("sc_lif.v", "{count[COUNT-1]}}, count}", "{1'b0}}, count}"),
    ("sc_lif.v", "kept + drive;", "kept - drive;"),
    ("sc_lif.v", "kept + (drive - to_fire)", "kept + (drive - to_fire - 1)"),
    ("sc_lif.v", "kept + (drive - to_fire)", "kept + (drive - to_fire + 1)"),
    ("sc_lif.v", "TO_FIRE = THRESHOLD", "TO_FIRE = THRESHOLD + 1"),
    ("sc_lif.v", "TO_DROP = THRESHOLD - RESET", "TO_DROP = THRESHOLD"),
    ("sc_lif.v", "fires && awake && !margin[SUM]", "fires && !margin[SUM]"),
    ("sc_lif.v", "fires && awake && !margin[SUM]", "fires && awake && margin[SUM]"),
    ("sc_lif.v", "negative ? LEAST : MOST;", "negative ? MOST : LEAST;"),
    ("sc_lif.v", "!outside || (!SATURATES && !negative)", "1'b1"),
    ("sc_lif.v", "LEAST = {1'b1, {(WORD-1){1'b0}}}", "LEAST = {1'b1, {(WORD-2){1'b0}}, 1'b1}"),
    ("sc_lif.v", "outside ? MOST : sum", "1'b0 ? MOST : sum"),
    ("sc_lif.v", "at_most - to_drop", "at_most"),
    ("sc_lif.v", ": to_reset", ": {WORD{1'b0}}"),
    ("sc_lif.v", "awake ? n : v", "awake ? n : {WORD{1'b0}}"),
    ("sc_lif.v", "awake ? n : v", "n"),
    ("sc_lif.v", "spike ? period :", "spike ? period - 1'b1 :"),
    ("sc_lif.v", "rest - 1'b1", "rest"),
    ("sc_lif.v", "SUM = ((COUNT + FRACTION > WORD) ? COUNT + FRACTION : WORD) + 1", "SUM = WORD"),
    ("sc_sequence.v", "t <= {WIDTH{1'b0}}", "t <= {{(WIDTH-1){1'b0}}, 1'b1}"),
    ("sc_sequence.v", "else if (step) t", "else t"),
    ("sc_sequence.v", "t + 1'b1", "t + 2'b10"),
    ("sc_sequence.v", "^ SHIFT[k]", ""),
    ("sc_sequence.v", "^(t & ROWS", "|(t & ROWS"),
    ("sc_thermometer.v", "1'b0} << number", "1'b1} << number"),
    ("sc_thermometer.v", "{((1<<BITS)-1){1'b1}}, 1'b0}", "{(1<<BITS){1'b1}}}"),
    ("sc_count.v", "ones = x & w", "ones = x | w"),
    ("sc_count.v", "x[0] & w[0] ^ x[1] & w[1]}", "x[0] & w[0] | x[1] & w[1]}"),
    ("sc_count.v", "| product[2] & (product[0] ^ product[1])", "| product[2]"),
    ("sc_count.v", "sum[ONES:1]", "sum[ONES-1:0]"),
    ("sc_count.v", "low, x[N-1]}", "low, 1'b1}"),
    ("sc_count.v", "x[LOW +: HIGH]", "x[0 +: HIGH]"),
    ("sc_neuron.v", "exciting - inhibiting", "inhibiting - exciting"),
    ("sc_neuron.v", "w[EXCITING +: INHIBITING]", "w[0 +: INHIBITING]"),
    ("sc_neuron.v", "if (step) count", "if (fire) count"),
    ("sc_neuron.v", "end else if (fire) begin", "end else begin"),
    ("sc_neuron.v", "rest <= rest_next", "rest <= {REST{1'b0}}"),
    ("sc_neuron.v", "v <= {WORD{1'b0}};", ""),
    ("sc_neuron.v", "rest <= {REST{1'b0}};\n            spike", "spike"),
    ("sc_encoder.v", "BITS +: BITS] < values", "BITS +: BITS] <= values"),
    ("sc_encoder.v", "{value, values[N_IN*BITS-1:BITS]}", "{values[N_IN*BITS-BITS-1:0], value}"),
    ("sc_encoder.v", ".step(step)", ".step(1'b1)"),
    ("sc_readout.v", "if (valid && spike[i])", "if (spike[i])"),
    ("sc_readout.v", "spikes <= {(N*SPIKES){1'b0}};", ""),
    ("sc_best.v", "score > highest", "score >= highest"),
    ("sc_best.v", "neuron == 0 || ", ""),
    ("sc_best.v", "~v[WORD-1]", "v[WORD-1]"),
    ("sc_best.v", "{spikes, ~v", "{{SPIKES{1'b0}}, ~v"),
    ("sc_control.v", "LAST_VALUE = N_IN - 1", "LAST_VALUE = N_IN - 2"),
    ("sc_control.v", "LAST_STEP = LENGTH - 1", "LAST_STEP = LENGTH - 2"),
    ("sc_control.v", "issued != LENGTH[COUNT-1:0]", "issued != LENGTH[COUNT-1:0] - 1'b1"),
    ("sc_control.v", "(PIPELINED != 0 || idle)", "1'b1"),
    ("sc_control.v", "(FRAMES == 0) ? state == TAKE", "(FRAMES == 0) ? rst"),
    ("sc_control.v", "if (out_ready) state <= TAKE", "state <= TAKE"),
    ("sc_control.v", "in_ready && in_valid", "in_ready"),
    ("sc_control.v", "state == TAKE && !rst", "state == TAKE || state == RUN"),
    ("sc_control.v", "state == TAKE && !rst", "state == TAKE || state == OFFER"),
    ("sc_control.v", "state == TAKE && !rst", "state == TAKE"),
    ("sc_control.v", "state <= TAKE;\n            issued <= {COUNT{1'b0}};", "state <= TAKE;"),
    ("sc_control.v", "if (rst) begin", "if (rst && state != RUN) begin"),
    ("sc_control.v", "if (rst) begin", "if (rst && state != OFFER) begin"),
    ("sc_control.v", "if (rst) begin", "if (rst && state != TAKE) begin"),
    ("sc_image.v", "begin\n            place <= {{(SIMD-1){1'b0}}, 1'b1};", "begin"),
    ("sc_image.v", "            column <= {COLUMN{1'b0}};\n", ""),
    ("sc_folded.v", "number < weights", "number <= weights"),
    ("sc_folded.v", "first_b ? {COUNT{1'b0}} : count", "count"),
    ("sc_folded.v", "product[k] && !negative[k]}", "product[k]}"),
    ("sc_folded.v", ".step(done), .number", ".step(valid), .number"),
    ("sc_folded.v", "fresh ? {STATE{1'b0}} : ", ""),
    ("sc_folded.v", "else if (done) fresh <= 1'b0", "else if (valid) fresh <= 1'b0"),
    ("sc_folded.v", "if (valid_c) states[group_c]", "if (valid_c) states[group_b]"),
    ("sc_folded.v", "state_read <= states[group_b]", "state_read <= states[group_a]"),
    ("sc_folded.v", "if (BIAS != 0 && last_x)", "if (BIAS != 0)"),
    ("sc_folded.v", "if (BIAS != 0 && last_x)", "if (1'b0)"),
    ("sc_folded.v", "valid_b && last_b && !clear", "valid_b && first_b && !clear"),
    ("sc_weights.v", "bank[address[BITS-1:0]]", "bank[address[BITS-1:0] ^ 1'b1]"),
    ("sc_image.v", "BITS +: BITS] < read", "BITS +: BITS] <= read"),
    ("sc_image.v", "take && word_ends) values", "take) values"),
    ("sc_image.v", ".step(next)", ".step(1'b1)"),
    ("sc_spikes.v", "place[SIMD-PE] || done", "place[SIMD-PE]"),
    ("sc_spikes.v", "else if (valid && done) column <= ~column & HALF;", ""),
    ("sc_spikes.v", "place[0] ? {SIMD{1'b0}} : word", "word"),
    ("sc_readout_folded.v", "fresh ? {SPIKES{1'b0}} : ", ""),
    ("sc_readout_folded.v", ".valid(valid && (last || EARLY != 0))", ".valid(valid)"),
    ("sc_readout_folded.v", "}}, spike}", "}}, 1'b1}"),
]  # fmt: skip

# What changes no bit that a testbench sees, and why.
UNSEEN = {
    ("sc_readout.v", "if (spike[i])"): "a last spike counts on while classes are compared: its proof",
    ("sc_encoder.v", ".step(1'b1)"): "it is cleared until the steps begin, one a clock",
    ("sc_image.v", "take) values"): "a word is written again until it is whole",
    ("sc_spikes.v", "word"): "bits that stay in a word meet weights of 0",
    ("sc_readout_folded.v", ".valid(valid)"): "each step starts anew, and the last counts",
}


def _more(match):
    return f"{match[1]}{int(match[2]) + (16 if 'THRESHOLD' in match[1] else 1)}"


def _flipped(match):
    return f"{match[1]}{1 - int(match[2])}"


def _other(match):
    return f"{match[1]}{int(match[2]) ^ 64}"


def _inhibited(match):
    """Turn the last exciting synapse into an inhibiting one."""
    return f"{match[1]}{int(match[2]) - 1}), .INHIBITING({int(match[3]) + 1}"


def _msb(match):
    """Change the largest digit of the magnitude of a word's first weight."""
    return f"{match[1]}{int(match[2], 16) ^ 8:x}"


def texts(name):
    d = DESIGNS[name]
    return {**verilog(d), **verilog_testbench(d, IMAGES)}


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return the text of every design, after its testbench has passed."""
    made = {}
    for name in DESIGNS:
        made[name] = texts(name)
        folder = tmp_path_factory.mktemp("sound")
        write(made[name], folder)
        assert "PASSED" in run(name, folder)
    return made


def run(name, folder):
    return run_testbench(sorted(folder.glob("*.v")), "network_tb", folder)


def test_the_designs_reach_what_they_should():
    below = above = rests = 0
    for d in DESIGNS.values():
        for image in IMAGES:
            for layer, seen in zip(d.layers, trace(d, image), strict=True):
                below += int(seen.saturations[:, 0].sum())
                above += int(seen.saturations[:, 1].sum())
                rests += int(seen.spikes.counts().sum()) * layer.neuron.refractory
    assert min(below, above, rests) > 100


def test_every_mutant_has_a_place():
    assert without_place(MUTANTS, {name: texts(name) for name in DESIGNS}) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_of_the_verilog_are_caught(sound, tmp_path):
    assert len(MUTANTS) >= 40
    assert escaped(MUTANTS, sound, run, tmp_path) == set(UNSEEN)


# Weights, numbers and parameters, as the text of a design has them: all are to be caught.
CHANGES = [
    ("unrolled, value", "network_layer0.v", r"(below\[)(\d+)(?=\])", _other),
    ("unrolled, value", "network_layer1.v", r"(EXCITING\()(\d+)\), .INHIBITING\((\d+)", _inhibited),
    ("unrolled, value", "network_layer1.v", r"( x\[)(\d+)(?=\])", lambda m: f"{m[1]}{5 - int(m[2])}"),
    ("unrolled, value", "network_layer0.v", r"(SHIFT\(8'b)([01])", _flipped),
    ("unrolled, value", "network_layer1.v", r"(ROWS\(64'b)([01])", _flipped),
    ("unrolled, value", "network_layer0.v", r"(THRESHOLD\()(\d+)", _more),
    ("unrolled, value", "network_layer0.v", r"(RESET\(-)(\d+)", _more),
    ("unrolled, value", "network_layer0.v", r"(REFRACTORY\()(\d+)", _more),
    ("unrolled, value", "network_layer0.v", r"(FRACTION\()(\d+)", _more),
    ("unrolled, value", "network_layer0.v", r"(LEAK_SHIFT\()(\d+)", _more),
    ("unrolled, value", "network.v", r"(LENGTH\()(\d+)", _more),
    ("folded, value", "network_layer0.v", r"(SHIFT\(8'b)([01])", _flipped),
    ("folded, value", "network_layer0.v", r"(COUNT\()(\d+)", lambda m: f"{m[1]}3"),
    ("folded, value", "network_layer0.v", r"(THRESHOLD\()(\d+)", _more),
    ("folded, value", "network_layer0.v", r"(BIAS\()(\d+)", lambda m: f"{m[1]}0"),
    ("folded, value", "network.v", r"(SHIFT\(8'b)([01])", _flipped),
    ("folded, value", "network_layer0_0.hex", r"((?:\w+\n){4}\w{16})(\w)", _msb),
    ("folded, value", "network_layer1_0.hex", r"()([0-9a-f])", lambda m: f"{int(m[2], 16) ^ 8:x}"),
]


@pytest.mark.icarus
@pytest.mark.long
@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_other_weights_numbers_and_parameters_are_caught(sound, tmp_path, number):
    name, file, pattern, change = CHANGES[number]
    text = sound[name]
    changed, n = re.subn(pattern, change, text[file], count=1)
    assert n == 1, (file, pattern)
    write({**text, file: changed}, tmp_path)
    with pytest.raises(ToolFailedError, match="FAILED"):
        run(name, tmp_path)
