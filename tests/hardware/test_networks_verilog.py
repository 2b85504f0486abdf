"""Networks of every kind in Verilog against the model: convolutions, pasts, graphs, own parameters."""

from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import nir
import numpy as np
import pytest

from sc_neurocore import LIF, Bitstream, Conv2d, Dense, FixedPoint, Hammersley, Network
from sc_neurocore.exchange.nir import from_nir
from sc_neurocore.hardware import (
    Design,
    interface_verilog,
    trace,
    verify_images,
    verilog_testbench,
    write,
)
from sc_neurocore.hardware import verilog as verilog_of
from sc_neurocore.hardware.simulators import lint, run_testbench
from sc_neurocore.hardware.verify import compared_signals, verify_layer
from sc_neurocore.networks import average_pool2d, max_pool2d

NETWORKS = Path(__file__).parents[2] / "examples" / "networks"
LEAKY = LIF(tau_mem=8.0, refractory_period=1)


def weights(rng, *shape):
    return rng.uniform(-1, 1, shape)


def dense(rng, n_out, n_in, gain=0.4, neuron=LEAKY, **options):
    return Dense(weights(rng, n_out, n_in), gain, neuron, **options)


def conv(rng, c_out, c_in, kernel, size, gain=0.5, neuron=LEAKY, **options):
    return Conv2d(weights(rng, c_out, c_in, kernel, kernel), size, gain, neuron, **options)


def of_each(rng, n):
    """Neurons that differ in everything."""
    return LIF(
        tau_mem=rng.uniform(3, 20, n),
        v_threshold=rng.uniform(0.5, 1.5, n),
        v_reset=rng.uniform(-0.3, 0.2, n),
        refractory_period=rng.integers(0, 4, n),
        tau_syn=rng.uniform(1, 4, n),
    )


def own_parameters(rng):
    gains = rng.uniform(0.2, 0.6, 6)
    first = dense(rng, 6, 10, gains, LIF(tau_mem=rng.uniform(3, 20, 6), reset="subtract"))
    never = LIF(v_threshold=np.array([0.6, np.inf, 0.8, 0.7]), tau_mem=5.0)
    return Network([first, dense(rng, 4, 6, rng.uniform(0.4, 0.9, 4), never)]), {}


def currents(rng):
    first = dense(rng, 6, 10, 0.1, LIF(tau_mem=8.0, tau_syn=3.0), bias=weights(rng, 6))
    return Network([first, dense(rng, 4, 6, 1.5, LIF(tau_mem=4.0, tau_syn=2.0))]), {}


def past(rng):
    """Spikes, several bits per step, recurrent weights, delays, and neurons of their own."""
    first = dense(
        rng, 6, 10, rng.uniform(0.1, 0.2, 6), of_each(rng, 6), bias=weights(rng, 6),
        recurrent=weights(rng, 6, 6), delay=rng.integers(0, 4, 10),
    )  # fmt: skip
    return Network([first, dense(rng, 4, 6, 0.9, delay=1)]), {"bits_per_step": 4, "inputs": "spikes"}


def delayed_image(rng):
    first = dense(rng, 6, 10, delay=rng.integers(0, 4, 10), recurrent=weights(rng, 6, 6))
    return Network([first, dense(rng, 4, 6, 0.9, delay=rng.integers(0, 6, 6))]), {"bits_per_step": 2}


def graph(rng):
    """A skip connection, slices of the inputs, and feedback from a later layer."""
    layers = [dense(rng, 6, 12, delay=[0] * 4 + [2] * 8), dense(rng, 8, 6, 0.9), dense(rng, 4, 24)]
    return Network(layers, [[slice(2, 6), 1], 0, ["input", 0, 1]]), {}


def convolutions(rng):
    """Padding and strides, one and several channels, a skip, a single position, and a bias."""
    layers = [
        conv(rng, 6, 2, 3, (5, 4), padding=1, bias=weights(rng, 6)),
        conv(rng, 3, 6, 3, (5, 4), padding=1),
        conv(rng, 5, 9, 2, (5, 4), stride=2, delay=[0] * 120 + [2] * 60, gain=rng.uniform(0.3, 0.6, 5)),
        conv(rng, 6, 5, 4, (2, 2), padding=1, bias=weights(rng, 6)),
        dense(rng, 4, 6, 0.9),
    ]
    return Network(layers, ["input", 0, [0, 1], 2, 3]), {}


def one_by_one(rng):
    """A kernel of one pixel, on the image and on channels, and feedback of a convolution to itself."""
    own = conv(rng, 4, 6, 1, (3, 3), delay=[0] * 18 + [1] * 36)
    layers = [own, conv(rng, 6, 4, 1, (3, 3), 0.9), dense(rng, 4, 54, 0.9)]
    return Network(layers, [["input", 0], 0, 1]), {}


def pools(rng):
    layers = [
        max_pool2d(2, (8, 8), 2),
        conv(rng, 6, 2, 3, (4, 4), padding=1),
        max_pool2d(6, (4, 4), 2),
        average_pool2d(6, (2, 2), 2),
        dense(rng, 4, 6, 2.0),
    ]
    return Network(layers), {}


def numbers(rng):
    """Numbers, a bias, neurons of their own; then a delay, and a layer that samples the image, too."""
    layers = [
        dense(
            rng, 6, 10, rng.uniform(0.1, 0.2, 6), of_each(rng, 6), bias=weights(rng, 6), sampled=False
        ),
        dense(rng, 8, 6, 0.9, delay=rng.integers(0, 4, 6)),
        dense(rng, 4, 18, 0.9),
    ]
    return Network(layers, ["input", 0, ["input", 1]]), {}


def images_of_numbers(rng):
    """Patches of numbers, more steps than reads, pooling, and feedback to an earlier layer."""
    layers = [
        dense(rng, 4, 24, 0.5, delay=2),
        conv(rng, 6, 1, 2, (5, 4), 0.7, padding=1, stride=2, bias=weights(rng, 6), sampled=False),
        max_pool2d(6, (3, 3), 2, 1),
        dense(rng, 4, 28, 0.6),
    ]
    connections = [[slice(0, 20), 0], slice(0, 20), 1, [2, 0]]
    return Network(layers, connections), {"bits_per_step": 2}


def chain_of_numbers(rng):
    return Network([dense(rng, 12, 9, 0.3, sampled=False), dense(rng, 4, 12, 0.7)]), {}


def active_inputs(rng):
    """Banks of two inputs, of which those with an active one are read, and words with unused lanes."""
    layers = [dense(rng, 16, 21, bias=weights(rng, 16)), dense(rng, 4, 16, 0.9)]
    options = {"simd": 16, "pe": 8, "fixed_point": FixedPoint(bits=3), "sparse": True}
    return Network(layers), options


def slices(rng):
    """A part of the words, and inputs that begin inside one, with and without room for a bias."""
    layers = [
        dense(rng, 4, 3, 0.8),
        dense(rng, 4, 2, 0.8, bias=weights(rng, 4)),
        dense(rng, 6, 2, 0.9, bias=weights(rng, 6)),
        dense(rng, 4, 6, 0.6, bias=weights(rng, 4), sampled=False),
        dense(rng, 4, 18, 0.6, bias=weights(rng, 4)),
    ]
    return Network(layers, [slice(0, 3), slice(1, 3), slice(6, 8), slice(3, 9), [0, 1, 2, 3]]), {}


def noisy(rng):
    """Noise in patches and behind a delay, beside a layer without, with several bits per step."""
    layers = [
        conv(rng, 6, 2, 3, (5, 4), 0.2, LIF(tau_mem=8.0, noise_std=0.07), padding=1),
        dense(rng, 8, 120, 0.3),
        dense(rng, 4, 8, 0.9, LIF(tau_mem=5.0, noise_std=2e-3, refractory_period=2), delay=1),
    ]
    return Network(layers), {"bits_per_step": 2}


def frames(rng):
    return Network([conv(rng, 4, 2, 3, (4, 4), padding=1), dense(rng, 4, 64)]), {"inputs": "frames"}


AT_THE_SAME_TIME = [
    own_parameters, currents, delayed_image, pools, chain_of_numbers, active_inputs, noisy,
]  # fmt: skip
KINDS = [
    own_parameters, currents, past, delayed_image, graph, convolutions, one_by_one, pools, frames,
    numbers, images_of_numbers, chain_of_numbers, active_inputs, slices, noisy,
]  # fmt: skip
UNROLLED = [own_parameters, currents, pools]


@cache
def design(kind, architecture="folded", length=20):
    network, options = kind(np.random.default_rng(5))
    folding = {"simd": 4, "pe": 2} if architecture == "folded" else {}
    return Design(network, length, architecture=architecture, name="any", **{**folding, **options})


def at_the_same_time(kind, length=20):
    return replace(design(kind, length=length), pipelined=True)


def inputs(made, n):
    rng = np.random.default_rng(6)
    if made.inputs == "image":
        return rng.random((n, made.n_in))
    x = rng.random((n, made.n_in, made.length))
    return x if made.inputs == "frames" else Bitstream.from_bits(x < 0.4)


def run(made, images, folder, simulator):
    write({**verilog_of(made), **verilog_testbench(made, images)}, folder)
    said = run_testbench(sorted(folder.glob("*.v")), f"{made.name}_tb", folder, simulator)
    assert "PASSED" in said, said
    assert "no spikes" not in said


CASES = [(kind, "folded") for kind in KINDS] + [(kind, "unrolled") for kind in UNROLLED]
NAMES = [f"{kind.__name__}-{architecture}" for kind, architecture in CASES]


@pytest.mark.parametrize(("kind", "architecture"), CASES, ids=NAMES)
def test_traces_of_all_layers_are_the_simulation(kind, architecture):
    made = design(kind, architecture)
    x = inputs(made, 4)
    run, layers = made.simulate(x, record=True), trace(made, x)
    for spikes, layer in zip(run.spikes, layers, strict=True):
        assert np.array_equal(spikes.words, layer.spikes.words)
        assert layer.spikes.counts().any()
    last = layers[-1].potentials[..., -1].astype(float)
    assert np.array_equal(run.potentials, made.fixed.neurons[-1].volts(last))


@pytest.mark.parametrize(("kind", "architecture"), CASES, ids=NAMES)
def test_the_text_has_no_warnings(kind, architecture, tmp_path):
    made = design(kind, architecture)
    write(verilog_of(made), tmp_path)
    assert lint(sorted(tmp_path.glob("*.v")), "any") == []


def test_numbers_for_a_single_time_step_have_no_warnings(tmp_path):
    write(verilog_of(design(chain_of_numbers, length=1)), tmp_path)
    assert lint(sorted(tmp_path.glob("*.v")), "any") == []


@pytest.mark.parametrize(
    ("kind", "architecture", "simulator"),
    [
        pytest.param(*case, simulator, id=f"{name}-{simulator}", marks=marks)
        for case, name in zip(CASES, NAMES, strict=True)
        for simulator, marks in (
            ("verilator", [] if case[0] in (past, convolutions, numbers, noisy) else pytest.mark.long),
            ("icarus", [pytest.mark.icarus, pytest.mark.long]),
        )
    ],
)
def test_networks_of_every_kind_compute_the_bits_of_the_model(kind, architecture, simulator, tmp_path):
    made = design(kind, architecture)
    run(made, inputs(made, 3), tmp_path, simulator)


@pytest.mark.parametrize(
    ("kind", "simulator"),
    [
        pytest.param(kind, simulator, id=f"{kind.__name__}-{simulator}", marks=marks)
        for kind in AT_THE_SAME_TIME
        for simulator, marks in (
            ("verilator", [] if kind in (pools, active_inputs) else pytest.mark.long),
            ("icarus", [pytest.mark.icarus, pytest.mark.long]),
        )
    ],
)
def test_layers_that_work_at_the_same_time_compute_the_bits_of_the_model(kind, simulator, tmp_path):
    made = at_the_same_time(kind)
    run(made, inputs(made, 4), tmp_path, simulator)
    names = verilog_of(made)
    assert lint([tmp_path / name for name in names if name.endswith(".v")], "any") == []


@pytest.mark.icarus
def test_lanes_past_the_last_input_read_no_weights(tmp_path):
    rng = np.random.default_rng(1)
    layers = [dense(rng, 7, 16, bias=weights(rng, 7)), dense(rng, 3, 7, 0.9)]
    made = Design(Network(layers), 3, architecture="folded", simd=16, pe=1, sparse=True, name="any")
    run(made, rng.random((3, 16)), tmp_path, "icarus")


@pytest.mark.parametrize("length", [1, 2, 5])
def test_layers_that_work_at_the_same_time_take_the_time_of_the_slowest(length):
    made = at_the_same_time(pools, length)
    slowest = max(layer.period for layer in made.layers)
    last = len(made.layers) - 1
    assert made.interval == max(made.n_in, made.clocks - made.n_in + 1)
    assert made.clocks - made.n_in <= (length + last) * (1 + slowest) + 2
    assert made.clocks - made.n_in >= length * (1 + slowest) + 2
    one = replace(design(pools, length=length))
    assert one.interval == one.clocks + 1


@pytest.mark.long
@pytest.mark.parametrize("kind", [pools, active_inputs])
def test_netlists_of_layers_that_work_at_the_same_time_are_the_model(kind, built):
    made = at_the_same_time(kind, 12)
    options = {"place": False, "across_registers": False, "keep": compared_signals(made)}
    netlist = built.netlist(made, "ice40", "any", **options)
    for k, seen in enumerate(verify_images(made, netlist.path, inputs(made, 64))):
        assert seen.differences == 0, (k, seen)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "architecture"), CASES, ids=NAMES)
def test_layers_of_every_kind_compute_the_bits_of_the_model(kind, architecture):
    made = design(kind, architecture)
    for k, layer in enumerate(made.layers):
        seen = verify_layer(made, k, 30_000)
        assert seen.passed(layer), seen


@pytest.mark.long
@pytest.mark.parametrize("kind", [past, graph, pools, frames, numbers, active_inputs, noisy])
def test_netlists_of_every_kind_compute_the_bits_of_the_model(kind, built):
    made = design(kind, length=12)
    options = {"place": False, "across_registers": False, "keep": compared_signals(made)}
    netlist = built.netlist(made, "ice40", "any", **options)
    layers = verify_images(made, netlist.path, inputs(made, 64))
    for k, seen in enumerate(layers):
        assert seen.differences == 0, (k, seen)
    assert layers[0].spikes > 0  # in 12 steps spikes do not reach the output of every network


def braille():
    """The trained network for Braille letters of the NIR paper, which Norse installs."""
    found = find_spec("norse")
    assert found is not None
    graph = nir.read(Path(found.origin).parent / "torch" / "utils" / "test" / "braille.nir")
    return from_nir(graph, dt_ms=0.1).network


def cnn():
    """A network of the structure of the convolutional network of the NIR paper, for 34 x 34 events."""
    rng = np.random.default_rng(6)
    integrate = LIF(tau_mem=np.inf, reset="subtract")
    layers = [
        Conv2d(rng.uniform(-0.4, 1, (16, 2, 5, 5)), (34, 34), 0.3, integrate, stride=2, padding=1),
        Conv2d(rng.uniform(-1, 1, (16, 16, 3, 3)), (16, 16), 0.15, integrate, padding=1),
        average_pool2d(16, (16, 16), 2),
        Conv2d(rng.uniform(-1, 1, (8, 16, 3, 3)), (8, 8), 0.3, integrate, padding=1),
        average_pool2d(8, (8, 8), 2),
        Dense(rng.uniform(-1, 1, (256, 128)), 0.3, integrate),
        Dense(rng.uniform(-1, 1, (10, 256)), 0.2, integrate),
    ]
    return Network(layers)


def shipped(name, pe):
    network = Network.load(NETWORKS / f"{name}.npz")
    return Design(network, 16, pe=pe, name="shipped")


def strokes(n):
    """Images of 28 x 28 with bright strokes, as dense as digits."""
    rng = np.random.default_rng(1)
    images = np.zeros((n, 28, 28))
    for image in images:
        for _ in range(4):
            t, (a, b) = np.linspace(0, 1, 60), rng.integers(5, 23, (2, 2))
            row, column = np.rint(np.outer(1 - t, a) + np.outer(t, b)).astype(int).T
            image[row, column] = image[row, column + 1] = rng.uniform(0.7, 1)
    return images.reshape(n, 784)


@pytest.mark.parametrize("n", [2, pytest.param(100, marks=pytest.mark.long)])
def test_the_trained_network_for_braille_letters_is_bit_exact(n, tmp_path):
    source = Hammersley(16, 1, randomized=False)
    made = Design(
        braille(), 64, source=source, fixed_point=FixedPoint(word=20), simd=8, pe=2,
        bits_per_step=16, inputs="spikes", name="braille", architecture="folded",
    )  # fmt: skip
    bits = np.random.default_rng(3).random((n, 12, made.length)) < 0.15
    run(made, Bitstream.from_bits(bits), tmp_path, "verilator")


@pytest.mark.long
@pytest.mark.parametrize(("name", "pe"), [("mnist_mlp", 1), ("mnist_conv", 8)])
def test_the_shipped_networks_are_bit_exact_on_a_hundred_images(name, pe, tmp_path):
    run(shipped(name, pe), strokes(100), tmp_path, "verilator")


@pytest.mark.long
def test_a_convolutional_network_for_events_is_bit_exact_on_a_hundred_inputs(tmp_path):
    made = Design(cnn(), 8, pe=8, inputs="spikes", name="cnn")
    bits = np.random.default_rng(3).random((100, 2 * 34 * 34, 8)) < 0.1
    run(made, Bitstream.from_bits(bits), tmp_path, "verilator")


DENSE = Dense([[0.5, -0.5], [0.3, 0.9]])
LATE = Conv2d(np.ones((2, 1, 1, 1)) / 2, (2, 2), delay=[0, 1, 0, 0])
ERRORS = [
    (
        lambda: Design(Network([Dense([[0.5]], recurrent=[[0.1]])]), 8, architecture="unrolled"),
        "network must be a chain without a past and without noise, got Dense(1 -> 1, gain=1.0, "
        "neuron=LIF(), recurrent) as layer 0; use architecture='folded'",
    ),
    (
        lambda: Design(Network([DENSE, DENSE], outputs=[0, 1]), 8),
        "network must have only its last layer, of one position per channel, as output in hardware",
    ),
    (
        lambda: Design(Network([Conv2d(np.ones((2, 1, 1, 1)) / 2, (2, 2))]), 8),
        "as output in hardware, got outputs=[0]: Conv2d",
    ),
    (
        lambda: Design(Network([Dense(DENSE.weights, neuron=LIF(v_rest=[0.0, 0.1]))]), 8),
        "network must have one v_rest for all output neurons in hardware, to compare potentials",
    ),
    (
        lambda: interface_verilog(Design(Network([DENSE]), 8, inputs="spikes")),
        "design must have inputs=\"image\" for an interface, got 'spikes'",
    ),
    (
        lambda: Design(Network([DENSE]), 8, architecture="unrolled", pipelined=True),
        "pipelined must be False unless the design is folded, reads images and is not early, got "
        "unrolled, inputs='image', early=False",
    ),
    (
        lambda: Design(
            Network([DENSE, Dense([[0.5] * 4])], ["input", ["input", 0]]), 8,
            architecture="folded", pipelined=True,
        ),
        "pipelined must be False unless each layer reads the one before it, or itself, got Dense(4",
    ),
    (
        lambda: Design(Network([replace(DENSE, sampled=False)]), 8),
        "network must sample the inputs of output layers in hardware, got sampled=False in layer 0",
    ),
    (lambda: Design(Network([DENSE]), 8, bits_per_step=3), "bits_per_step must be a power of two in"),
    (
        lambda: Design(Network([DENSE]), 8, architecture="unrolled", sparse=True),
        "sparse must be False unless the design is folded and has a plain dense layer, got True",
    ),
    (
        lambda: Design(Network([Dense([[0.5]], delay=1)]), 8, architecture="folded", sparse=True),
        "sparse must be False unless the design is folded and has a plain dense layer, got True",
    ),
    (
        lambda: Design(Network([DENSE]), 8, bits_per_step=2, inputs="frames"),
        "bits_per_step must be 1 for frames, got 2; encode them and use inputs='spikes'",
    ),
    (
        lambda: Design(
            Network([LATE, Dense([[0.5] * 8])]), 8, architecture="folded",
        ),
        "network must delay all pixels of a channel alike in hardware",
    ),
    (
        lambda: Design(Network([max_pool2d(2, (2, 2), 2), DENSE], [["input"], [0]]), 8).codes(
            np.zeros((1, 8, 8))
        ),
        "images must be constant in time, got shape (1, 8, 8)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_what_the_hardware_lacks_is_named_with_a_remedy(call, message):
    with pytest.raises(ValueError) as raised:
        call()
    assert message in str(raised.value)


@pytest.mark.icarus
def test_frames_of_one_step(tmp_path):
    made = design(frames, length=1)
    x = inputs(made, 3)
    run(made, x, tmp_path, "icarus")
    assert np.array_equal(made.codes(x), made.codes(x[..., 0]))
