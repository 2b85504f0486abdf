"""Changes of the modules of networks of every kind are found by the testbenches."""

import numpy as np
import pytest
from mutants import escaped, without_place

from sc_neurocore import LIF, Bitstream, Conv2d, Dense, FixedPoint, Network
from sc_neurocore.hardware import Design, verilog, verilog_testbench, write
from sc_neurocore.hardware.simulators import run_testbench
from sc_neurocore.networks import max_pool2d

RNG = np.random.default_rng(8)


def weights(*shape):
    return RNG.uniform(-1, 1, shape)


def past():
    """Recurrent weights, delays, several bits, currents, and neurons of their own."""
    lif = LIF(
        tau_mem=RNG.uniform(3, 12, 4), v_threshold=RNG.uniform(0.3, 1, 4),
        v_reset=RNG.uniform(-0.3, 0.1, 4),
        refractory_period=[0, 1, 2, 3], tau_syn=RNG.uniform(1, 4, 4), reset="subtract",
    )  # fmt: skip
    first = Dense(
        weights(4, 6), RNG.uniform(0.3, 0.9, 4), lif, bias=weights(4), recurrent=weights(4, 4),
        delay=RNG.integers(0, 3, 6),
    )  # fmt: skip
    last = Dense(weights(3, 4), 1.5, LIF(tau_mem=4.0, tau_syn=2.0))
    return Design(
        Network([first, last]), 40, fixed_point=FixedPoint(word=9), simd=2, pe=2, bits_per_step=2,
        inputs="spikes", name="past", architecture="folded",
    )  # fmt: skip


def image():
    """An image with delays and several bits, and a graph."""
    lif = LIF(tau_mem=6.0, refractory_period=1)
    layers = [
        Dense(weights(4, 6), 0.3, lif, delay=[0, 1, 2, 3, 0, 1]),
        Dense(weights(3, 10), 0.5, lif),
    ]
    return Design(
        Network(layers, ["input", ["input", 0]]), 30, simd=2, pe=2, bits_per_step=2, name="image",
        architecture="folded",
    )  # fmt: skip


def patches():
    """Padding, strides, several channels per word, and pooling."""
    lif = LIF(tau_mem=6.0, refractory_period=1)
    layers = [
        Conv2d(weights(6, 1, 2, 2), (4, 3), 0.6, lif, padding=1),
        max_pool2d(6, (5, 4), 2),
        Conv2d(weights(4, 6, 2, 2), (2, 2), 0.3, lif, stride=2, padding=1, bias=weights(4)),
        Dense(weights(3, 16), 0.5, lif),
    ]
    return Design(Network(layers), 12, simd=4, pe=2, name="patches", architecture="folded")


def numbers():
    """Numbers in patches, with padding and a bias; then a delay and feedback."""
    lif = LIF(tau_mem=6.0, refractory_period=1)
    layers = [
        Dense(weights(2, 72), 0.5, lif, delay=1),
        Conv2d(weights(6, 1, 2, 2), (3, 2), 0.9, lif, padding=1, bias=weights(6), sampled=False),
        Dense(weights(3, 74), 0.4, lif, delay=[0] * 72 + [1] * 2),
    ]
    connections = [1], slice(0, 6), [1, 0]
    return Design(
        Network(layers, connections), 7, fixed_point=FixedPoint(bits=4), simd=4, pe=2, name="numbers",
        architecture="folded",
    )  # fmt: skip


def vectors():
    """Numbers of neurons that differ, with currents, in more words than time steps."""
    first = Dense(
        weights(6, 11), RNG.uniform(0.1, 0.3, 6),
        LIF(tau_mem=RNG.uniform(3, 12, 6), v_threshold=RNG.uniform(0.3, 1, 6), tau_syn=3.0),
        sampled=False,
    )  # fmt: skip
    last = Dense(weights(3, 6), 1.5, LIF(tau_mem=4.0))
    fixed_point = FixedPoint(bits=5)
    return Design(
        Network([first, last]), 4, fixed_point=fixed_point, simd=2, name="vectors",
        architecture="folded",
    )  # fmt: skip


def active():
    """Weights of active inputs only, in banks of two inputs and of one; a bias, and unused lanes."""
    lif = LIF(tau_mem=6.0, refractory_period=1)
    layers = [
        Dense(weights(8, 21), 0.3, lif, bias=weights(8)),
        Dense(weights(4, 8), 0.5, lif),
        Dense(weights(3, 4), 0.9, lif),
    ]
    return Design(
        Network(layers), 12, fixed_point=FixedPoint(bits=7), simd=8, pe=4, name="active", sparse=True,
        architecture="folded",
    )  # fmt: skip


def ahead():
    """Layers that work at the same time: an image and spikes in halves."""
    lif = LIF(tau_mem=6.0, refractory_period=1)
    layers = [
        Dense(weights(n, m), gain, lif) for n, m, gain in ((8, 11, 0.4), (6, 8, 0.6), (3, 6, 0.9))
    ]
    return Design(Network(layers), 9, simd=4, pe=2, name="ahead", pipelined=True, architecture="folded")


def delayed():
    """As `ahead`, with samples and spikes of the past, and readers slower than their source."""
    lif = LIF(tau_mem=6.0, refractory_period=1)
    layers = [
        Dense(weights(2, 6), 1.0, lif, delay=[0, 1, 2, 3, 0, 1], recurrent=weights(2, 2)),
        Dense(np.abs(weights(8, 2)), 1.5, lif, delay=[0, 1], recurrent=weights(8, 8)),
        Dense(weights(5, 8), 1.5, lif, delay=[0, 1, 2, 0, 1, 2, 0, 0]),
    ]
    return Design(
        Network(layers), 20, simd=2, pe=2, bits_per_step=2, name="delayed", pipelined=True,
        architecture="folded",
    )  # fmt: skip


def values():
    """As `ahead`, with numbers."""
    layers = [
        Dense(weights(6, 11), 0.2, LIF(tau_mem=6.0), sampled=False), Dense(weights(3, 6), 0.9, LIF()),
    ]  # fmt: skip
    return Design(Network(layers), 7, simd=2, name="values", pipelined=True, architecture="folded")


def noisy(name="noisy", pe=1):
    """Noise of fewer coins than there are."""
    layers = [
        Dense(weights(4, 6), 0.3, LIF(tau_mem=6.0, noise_std=0.05)),
        Dense(weights(4, 4), 0.5, LIF(tau_mem=6.0, noise_std=0.1), delay=1),
    ]
    return Design(Network(layers), 20, simd=2, pe=pe, name=name, architecture="folded")


DESIGNS = {
    design.name: design
    for design in (
        past(), image(), patches(), numbers(), vectors(), active(), ahead(), delayed(), values(),
        noisy(),
        noisy("pairs", 2),
    )
}  # fmt: skip

# File, what is there, what is put in its place.
MUTANTS = [
    ("sc_lif.v", "threshold[WORD-1:0] - to_reset", "threshold[WORD-1:0]"),
    ("sc_lif.v", "own[LEAK_OWN+WORD+1 +: WORD]", "own[LEAK_OWN +: WORD]"),
    ("sc_lif.v", "own[LEAK_OWN+(LEVELS_OWN != 0 ? 2*WORD+1 : 0) +: REST]", "{REST{1'b1}}"),
    ("sc_lif.v", "v * $signed({1'b0, own[FACTOR-2:0]})", "v"),
    ("sc_lif.v", "SATURATES = LEVELS_OWN != 0 || !FIRES", "SATURATES = !FIRES"),
    ("sc_synapse.v", "product >>> LEAK_SHIFT", "product >> LEAK_SHIFT"),
    ("sc_synapse.v", "- lost[SUM-1:0]", "+ lost[SUM-1:0]"),
    ("sc_synapse.v", "sum[SUM-1] ? LEAST : MOST", "sum[WORD-1:0]"),
    ("sc_synapse.v", "i_next >>> DROP", "i_next >>> (DROP + 1)"),
    ("sc_synapse.v", "i * $signed({1'b0, own[FACTOR-2:0]})", "i"),
    ("sc_number.v", "^ SHIFT[k]", ""),
    ("sc_layer.v", "last_column && bit_a == LAST_BIT[BIT-1:0]", "last_column"),
    ("sc_layer.v", "last_channel ? {ADDRESS{1'b0}} : address + 1'b1", "address + 1'b1"),
    ("sc_layer.v", "first <= next_group;", ""),
    ("sc_layer.v", "address <= first;", "address <= {ADDRESS{1'b0}};"),
    ("sc_layer.v", "next_patch = last_read && last_channel", "next_patch = last_read"),
    ("sc_layer.v", "column_a == 0 && bit_a == 0", "column_a == 0"),
    ("sc_layer.v", "lane == BIAS && last_b", "lane == BIAS"),
    ("sc_layer.v", "x[k] && turn == k / PE && p == k % PE", "x[k] && p == k % PE"),
    ("sc_layer.v", "number < weights", "number <= weights"),
    ("sc_layer.v", "neurons[channel_b]", "neurons[0]"),
    ("sc_layer.v", "(t << SUB)", "t"),
    ("sc_layer.v", "(SUB == 0) ? 0 : sub", "0"),
    ("sc_layer.v", "fresh ? {STATE{1'b0}} : ", ""),
    ("sc_layer.v", "ends <= ends_c", "ends <= 1'b0"),
    ("sc_layer.v", "ends <= ends_c", "ends <= 1'b1"),
    ("sc_layer.v", "else if (done) t", "else if (valid) t"),
    ("sc_noise.v", "if (clear) state <= START;\n        else if", "if"),
    ("sc_noise.v", "else if (next) state", "else if (1'b1) state"),
    ("sc_noise.v", "- COINS[NOISE-1:0]", ""),
    ("sc_noise.v", "i < COINS", "i < COINS - 1"),
    ("sc_noise.v", "sum << SHIFT", "sum"),
    ("sc_noise.v", "later[26:3]", "later[27:4]"),
    ("sc_noise.v", "later[23:0] ^ ", ""),
    ("sc_noise.v", "later = {later[23:0] ^ later[26:3], later[30:24]};", "later = state;"),
    ("sc_layer.v", ".next(valid_b && last_read_b), .noise", ".next(valid_b), .noise"),
    ("sc_layer.v", "count} <<< FRACTION", "count}"),
    ("sc_layer.v", "{{(DRIVE-NOISE){own_noise[NOISE-1]}}", "{{(DRIVE-NOISE){1'b0}}"),
    ("sc_reads.v", "BASE = -PADDING * WIDTH - PADDING", "BASE = -PADDING"),
    ("sc_reads.v", "base_of_row + DOWN", "base + DOWN"),
    ("sc_reads.v", "col <= col + STRIDE", "col <= col + 1 + STRIDE"),
    ("sc_reads.v", "y >= 0 && y < HEIGHT", "1'b1"),
    ("sc_reads.v", "x >= 0 && x < WIDTH", "1'b1"),
    ("sc_reads.v", "x >= 0 && x < WIDTH", "x > 0 && x < WIDTH"),
    ("sc_reads.v", "clear || restart", "1'b0"),
    ("sc_reads.v", "base + entry[ADDRESS-1:0] + word", "base + entry[ADDRESS-1:0]"),
    ("sc_history.v", "passes - back[SLOT-1:0]", "passes - 1'b1"),
    ("sc_history.v", "arrived ? read : {SIMD{1'b0}}", "read"),
    ("sc_history.v", "kept <= FIRST[BACK-1:0];", ""),
    ("sc_history.v", "kept <= FIRST[BACK-1:0]", "kept <= {BACK{1'b0}}"),
    ("sc_history.v", "of_reader <= FIRST[SLOT-1:0]", "of_reader <= {SLOT{1'b0}}"),
    ("sc_history.v", "(DOUBLE != 0) ? reader_done : valid && done", "valid && done"),
    ("sc_history.v", "assign passes = of_reader", "assign passes = slot"),
    ("sc_samples.v", "(column & ~HALF) == LAST", "column == LAST"),
    ("sc_samples.v", "~column & HALF", "{COLUMN{1'b0}}"),
    ("sc_spikes.v", "~column & HALF", "{COLUMN{1'b0}}"),
    ("sc_image.v", "(column & ~HALF) == LAST", "column == LAST"),
    ("sc_image.v", "~column & HALF", "{COLUMN{1'b0}}"),
    ("sc_image.v", "            column <= {COLUMN{1'b0}};\n", ""),
    ("sc_values.v", "(column & ~HALF) == LAST", "column == LAST"),
    ("sc_values.v", "~column & HALF", "{INDEX{1'b0}}"),
    ("sc_pipeline.v", "!full[half_in] && !rst && !drop", "!full[half_in] && !drop"),
    ("sc_pipeline.v", "!full[half_in] && !rst && !drop", "!full[half_in] && !rst"),
    ("sc_pipeline.v", "!full[half_in] && !rst && !drop", "!rst && !drop"),
    ("sc_pipeline.v", "drop || whole", "whole"),
    ("sc_pipeline.v", "drop || whole", "drop"),
    ("sc_image.v", "if (drop || (take && word_ends))", "if (take && word_ends)"),
    ("sc_image.v", "column <= column & HALF", "column <= column"),
    ("sc_image.v", "column <= column & HALF", "column <= {COLUMN{1'b0}}"),
    ("sc_samples.v", "if (drop || (take && word_ends))", "if (take && word_ends)"),
    ("sc_samples.v", "column <= column & HALF", "column <= {COLUMN{1'b0}}"),
    ("sc_values.v", "if (drop || (take && word_ends))", "if (take && word_ends)"),
    ("sc_values.v", "column <= column & HALF", "column <= {INDEX{1'b0}}"),
    ("sc_pipeline.v", "in_ready && in_valid", "in_ready"),
    ("sc_pipeline.v", "LAST_VALUE = N_IN - 1", "LAST_VALUE = N_IN - 2"),
    ("sc_pipeline.v", "LAST_STEP = LENGTH - 1", "LAST_STEP = LENGTH - 2"),
    ("sc_pipeline.v", "state == RUN && busy == 0", "state == RUN"),
    ("sc_pipeline.v", "issued != LENGTH[COUNT-1:0]", "issued != LENGTH[COUNT-1:0] - 1'b1"),
    ("sc_pipeline.v", "{active, more}", "{(LAYERS+1){more}}"),
    ("sc_pipeline.v", "busy & ~done", "(done != 0) ? {LAYERS{1'b0}} : busy"),
    ("sc_pipeline.v", "clear = state == WAIT", "clear = rst"),
    ("sc_pipeline.v", "full <= 2'b00;", ""),
    ("sc_pipeline.v", "half_in <= 1'b0;", ""),
    ("sc_pipeline.v", "            half <= 1'b0;\n", ""),
    ("sc_pipeline.v", "values <= {COUNT{1'b0}};\n        end", "end"),
    ("sc_pipeline.v", "half_in <= !half_in;", ""),
    ("sc_pipeline.v", "half <= !half;", ""),
    ("sc_pipeline.v", "full[half] <= 1'b0;", ""),
    ("sc_pipeline.v", "if (full[half]) state", "state"),
    ("sc_pipeline.v", "issued <= {COUNT{1'b0}};", ""),
    ("sc_pipeline.v", "finished <= {COUNT{1'b0}};", ""),
    ("sc_pipeline.v", "active <= {LAYERS{1'b0}};", ""),
    ("sc_pipeline.v", "busy <= {LAYERS{1'b0}};", ""),
    ("sc_pipeline.v", "OFFER: if (out_ready)", "OFFER: if (1'b1)"),
    ("sc_pipeline.v", "if (rst) begin", "if (rst && state != RUN) begin"),
    ("sc_history.v", "column + STRIDE[ADDRESS-1:0]", "column + 1'b1"),
    ("sc_history.v", "place[SIMD-PE] || ends", "place[SIMD-PE]"),
    ("sc_history.v", "patch <= next;", ""),
    ("sc_samples.v", "t - back_read", "t"),
    ("sc_samples.v", "back_read <= done && ", ""),
    ("sc_samples.v", "(SUB == 0) ? 0 : sub", "0"),
    ("sc_samples.v", "done <= {BACK{1'b0}};", ""),
    ("sc_numbers.v", "^ {BITS{weights[(p*SIMD+k)*LANE+BITS]}}", ""),
    ("sc_numbers.v", "& {BITS{weights[(p*SIMD+k)*LANE+b]}}", "& {BITS{weights[(p*SIMD+k)*LANE]}}"),
    ("sc_numbers.v", "fresh ? offsets", "1'b1 ? offsets"),
    ("sc_numbers.v", "fresh ? offsets[p*SUM +: SUM] : sum", "sum"),
    ("sc_numbers.v", "sum[SUM-1:DROP]", "sum[SUM-1:DROP] >> 1"),
    ("sc_numbers.v", "valid_d && last_d && !clear", "valid_d && !clear"),
    ("sc_numbers.v", "first_f ? {WORD{1'b0}} : v[p*WORD", "1'b0 ? {WORD{1'b0}} : v[p*WORD"),
    ("sc_numbers.v", "first_f ? {REST{1'b0}} : left", "left"),
    ("sc_numbers.v", "first_f ? {WORD{1'b0}} : kept", "kept"),
    ("sc_numbers.v", "group_a != LAST_GROUP[GROUP-1:0]", "group_a != LAST_GROUP[GROUP-1:0] - 1'b1"),
    ("sc_numbers.v", "busy <= step && !loaded", "busy <= step"),
    ("sc_numbers.v", "if (clear) loaded <= 1'b0;\n        else if", "if"),
    ("sc_numbers.v", "|| (step && loaded && !clear)", ""),
    ("sc_numbers.v", "if (last_channel) address <= {ADDRESS{1'b0}};", ""),
    ("sc_numbers.v", "if (reads) address", "address"),
    ("sc_numbers.v", "TURN = (COLUMNS > LENGTH) ? COLUMNS : LENGTH", "TURN = COLUMNS"),
    ("sc_numbers.v", "channel_c == LAST_CHANNEL[CHANNEL-1:0]", "channel_c == {CHANNEL{1'b1}}"),
    ("sc_numbers.v", "neurons[channel_e]", "neurons[0]"),
    ("sc_numbers.v", "ends <= ends_f", "ends <= 1'b0"),
    ("sc_numbers.v", "last <= last_f", "last <= 1'b1"),
    ("sc_tree.v", "wide[SUM-1:KEPT]", "wide"),
    ("sc_tree.v", "late <= earlier", "late <= {SUM{1'b0}}"),
    ("sc_values.v", "begin\n            place <= {{(SIMD-1){1'b0}}, 1'b1};", "begin"),
    ("sc_values.v", "            column <= {INDEX{1'b0}};\n", ""),
    ("sc_values.v", "if (take && place[i])", "if (place[i])"),
    ("sc_steps.v", "passes - back", "t"),
    ("sc_steps.v", "t + (LATE == 0)", "t + 1"),
    ("sc_steps.v", "arrived ? read : {SIMD{1'b0}}", "read"),
    ("sc_steps.v", "clear || (valid && last)) step", "clear) step"),
    ("sc_steps.v", "if (clear) t <= {STEP{1'b0}};\n        else if", "if"),
    ("sc_steps.v", "column + STRIDE[ADDRESS-1:0]", "column + 1'b1"),
    ("sc_steps.v", "place[SIMD-PE] || ends", "place[SIMD-PE]"),
    ("sc_steps.v", "spike[k%PE]", "spike[0]"),
    ("sc_folded.v", "late && x_used[n*LANES +: LANES] != 0", "late && x_used[n*LANES]"),
    ("sc_folded.v", "late && x_used[n*LANES +: LANES] != 0", "late && x_late[n*LANES +: LANES] != 0"),
    ("sc_folded.v", ".address(address_late), .word", ".address(address), .word"),
    ("sc_folded.v", "x_late <= x_used", "x_late <= x_word"),
    ("sc_folded.v", "last_x = last;", "last_x = last_b;"),
    ("sc_folded.v", "group_late <= group_a", "group_late <= group_b"),
    ("sc_folded.v", "weights[(p*SIMD+n*LANES)*LANE", "weights[(p*SIMD+0*LANES)*LANE"),
    ("sc_image.v", "grown != 0", "word != 0"),
    ("sc_image.v", "of_word <= actives[x_address[INDEX-1:0]]", "of_word <= 1'b1"),
    ("sc_control.v", "rst || state == OFFER", "rst"),
    ("sc_control.v", "if (FRAMES != 0 && step_done)", "if (1'b0)"),
    ("sc_control.v", "            finished <= {COUNT{1'b0}};\n            idle", "            idle"),
]  # fmt: skip

# What changes no bit that a testbench sees, and why.
UNSEEN = {
    ("sc_synapse.v", "sum[WORD-1:0]"): "no current of these networks saturates: its proof",
    ("sc_lif.v", "SATURATES = !FIRES"): "a sum above the word fires, or is held: its proof",
}


def texts(design):
    """Return the text of every file of a design and its testbench, by name."""
    bits = np.random.default_rng(4).random((4, design.n_in, design.length))
    images = Bitstream.from_bits(bits < 0.5) if design.inputs == "spikes" else bits[:, :, 0]
    if design.sparse:  # words of zeros, and one whose last value alone is above 0
        images = images * (bits[:, :, 1] < 0.2)
        images[0] = np.eye(design.n_in)[design.simd - 1]
    return {**verilog(design), **verilog_testbench(design, images)}


def run(name, folder):
    return run_testbench(sorted(folder.glob("*.v")), f"{name}_tb", folder)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return the text of every design, after its testbench has passed."""
    made = {}
    for name, design in DESIGNS.items():
        made[name] = texts(design)
        folder = tmp_path_factory.mktemp("sound")
        write(made[name], folder)
        assert "PASSED" in run(name, folder)
    return made


def test_every_mutant_has_a_place():
    assert without_place(MUTANTS, {name: texts(d) for name, d in DESIGNS.items()}) == []


@pytest.mark.icarus
@pytest.mark.long
def test_mutants_of_the_modules_are_caught(sound, tmp_path):
    assert escaped(MUTANTS, sound, run, tmp_path) == set(UNSEEN)
