"""The workloads and who takes part. Imports only the standard library, as every peer's script reads it.

What each package computes, and what is timed:

step        One LIF neuron, v <- v - v / 20 + 0.08 (+ 0.1 * normal), spike and reset at 1, one call per
            step from a Python loop; the loop is timed. numba's function has its state in an array.
            snnTorch and Nengo step a network of one neuron, their smallest unit.
population  The same equation for 10,000 neurons and 1,000 steps; all spikes are kept (packed by this
            package, in their own type by the others; Brian2: times and indices, Nengo: a probe).
            "Shared": one current per step for all. "Own": one current per neuron, as an array in the
            layout that suits the package best. Drawing normal numbers is timed; setting up, compiling
            and Brian2's work before each run are not. Double precision, except float32 in snnTorch.
            Nengo integrates its own LIF exactly and draws its noise from a process of its own.
network     784-128-10 LIF neurons, 100 steps, 100 images, inputs uniform in [0, 1], each a Bernoulli
            stream; the spikes of the outputs are counted. Drawing the inputs is timed. The peers
            multiply float32 weights and draw inputs for each image. This package draws weights as
            Bernoulli streams, too, and uses the same numbers for all images, as hardware does.
short       784-128-10, 8 steps, 1,000 images, otherwise as above; "kept": with weight bits that were
            made before. NumPy computes the network of that size that does not spike: two
            products of float32 matrices and a ReLU; "binarized": of signs, by XOR and count.
train       A training step of 784-128-10 with 16 or 64 steps and 100 images, an eighth of them on:
            forward pass with Bernoulli inputs, cross entropy of the potentials of an output layer that
            does not fire, backward pass through time, and Adam, in float32. The peers draw the inputs
            of each step and multiply real weights; this package draws bits of the weights, too. "Wide"
            is 784-1000-10 with 25 steps and 128 images. "Convolutional" is the network of
            examples/mnist.py, two convolutions of 16 and 32 channels with kernels of 5 x 5 and stride 2
            before 10 outputs, with 16 steps and 64 images.
single      One image, 64 steps, with weight bits made before. NumPy as in "short".
loop        One step per call of 64 inputs and 32 neurons, which continues from the step before, with
            weight bits made before; the Python loop is timed. NumPy draws the inputs and multiplies
            float32 weights.
learn       784 inputs, of which 150 have random densities up to 0.083, and 400 LIF neurons that learn
            by STDP for 350 steps of 1 ms an image, as in examples/diehl_cook.py: pairs of nearest
            spikes, hard bounds, thresholds that rise, inhibition of all others by a spike, and weights
            that are scaled after each image. This package draws bits of the weights; Brian2 adds them.
            "Learn step": 100 inputs of density 0.1 and 10 neurons, one step per call of a Python loop.
layer       SCDenseLayer: 100 neurons with individual weights for 64 inputs, streams of 2,048 bits:
            built; run for 500 steps with noise; both. NumPy draws the same streams, unpacked.
encode      8,192 values as streams of 1,024 bits, exact to 32 bits in this package, 53 in numba, 24 in
            NumPy. The bits of this package and of NumPy are packed; the others are bytes.
product     AND of two sets of 8,192 encoded streams of 1,024 bits, and the ones of each result, in the
            representation that the package encodes to. Streams of the package from PyPI are single
            arrays of bytes, for which NumPy's AND and count are fastest.
dot         Ones among all products of 100 rows with 128 rows of 784 encoded, packed streams of 1,024
            bits. Words are reused, so memory is not the limit. NumPy works on blocks of words that stay
            in a cache.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS_OF_ONE = 2_000
CURRENT, LEAK, NOISE = 0.08, 1 / 20, 0.1
NEURONS, STEPS = 10_000, 1_000
SIZES, NET_STEPS, BATCH = (784, 128, 10), 100, 100
NET_GAIN = 0.05
SHORT_STEPS, SHORT_BATCH = 8, 1_000
SINGLE_STEPS = 64
# Sizes (None: convolutional), steps and images of a training step.
TRAIN: dict[str, tuple[tuple[int, ...] | None, int, int]] = {
    "train 16": (SIZES, 16, BATCH),
    "train 64": (SIZES, 64, BATCH),
    "train wide": ((784, 1000, 10), 25, 128),
    "train convolutional": (None, 16, 64),
}
TRAIN_DENSITY = 1 / 8
LOOP_SIZES, LOOP_STEPS = (64, 32), 1_000
# Inputs and neurons, inputs that are not 0, their largest density, steps, images a call.
LEARN_SIZES, LEARN_ACTIVE, LEARN_DENSITY, LEARN_STEPS, LEARN_IMAGES = (784, 400), 150, 0.083, 350, 4
LEARN_STEP_SIZES, LEARN_STEP_DENSITY, LEARN_CALLS = (100, 10), 0.1, 500
LAYER_NEURONS, LAYER_INPUTS, LAYER_LENGTH, LAYER_STEPS = 100, 64, 2_048, 500
VALUES, LENGTH = 8_192, 1_024
DOT_X, DOT_W, DOT_INPUTS = 100, 128, 784

# A peer with one thread or with one thread per core.
ONE, ALL = "one", "all"
Entry = tuple[str, str]


@dataclass(frozen=True)
class Workload:
    """A table, our entry first. `work` is the units of work per call, `unit` the unit of display."""

    case: str
    title: str
    work: int
    unit: str
    entries: tuple[Entry, ...]


def _entries(*names: str, ours: tuple[str, ...] = (ALL, ONE)) -> tuple[Entry, ...]:
    """Return our entry and the peers; a name ends with "*" if its number of threads matters."""
    entries = [("sc-neurocore", threads) for threads in ours]
    for name in names:
        entries += [
            (name.rstrip("*"), threads) for threads in ((ALL, ONE) if name[-1] == "*" else (ONE,))
        ]
    return tuple(entries)


_STEPPED = _entries("plain Python", "numba", "PyPI's sc-neurocore", "snnTorch", "Nengo", ours=(ONE,))
_SHARED = _entries("NumPy", "numba*", "Brian2", "snnTorch*", "Nengo")
_OWN = _entries("NumPy", "numba*", "Brian2", "snnTorch*")
_POPULATION = f"{NEURONS:,} LIF neurons, {STEPS:,} steps"
_LAYER = f"SCDenseLayer, {LAYER_NEURONS} neurons, {LAYER_INPUTS} inputs, {LAYER_LENGTH:,} bits"

WORKLOADS = (
    Workload("step", "a LIF neuron stepped from a Python loop", STEPS_OF_ONE, "ns", _STEPPED),
    Workload(
        "step noise", "a noisy LIF neuron stepped from a Python loop", STEPS_OF_ONE, "ns", _STEPPED
    ),
    Workload("population shared", f"{_POPULATION}, shared current", NEURONS * STEPS, "ns", _SHARED),
    Workload("population own", f"{_POPULATION}, own currents", NEURONS * STEPS, "ns", _OWN),
    Workload(
        "population shared noise",
        f"{_POPULATION}, shared current, noise",
        NEURONS * STEPS,
        "ns",
        _SHARED,
    ),
    Workload(
        "population own noise", f"{_POPULATION}, own currents, noise", NEURONS * STEPS, "ns", _OWN
    ),
    Workload(
        "network",
        f"{'-'.join(map(str, SIZES))} LIF network, {NET_STEPS} steps, batch {BATCH}, Bernoulli inputs",
        BATCH,
        "images/s",
        _entries("snnTorch*", "torch*", "NumPy*"),
    ),
    Workload(
        "short",
        f"{'-'.join(map(str, SIZES))} LIF network, {SHORT_STEPS} steps, batch {SHORT_BATCH:,}",
        SHORT_BATCH,
        "images/s",
        _entries("NumPy*", "NumPy, binarized"),
    ),
    Workload(
        "short kept",
        f"{'-'.join(map(str, SIZES))} LIF network, {SHORT_STEPS} steps, batch {SHORT_BATCH:,}, kept",
        SHORT_BATCH,
        "images/s",
        _entries("NumPy*", "NumPy, binarized"),
    ),
    *(
        Workload(
            case,
            f"training step of {'-'.join(map(str, sizes)) if sizes else 'a convolutional network'}, "
            f"{steps} steps, batch {batch}",
            batch,
            "images/s",
            _entries("snnTorch*", "Norse*"),
        )
        for case, (sizes, steps, batch) in TRAIN.items()
    ),
    Workload(
        "single",
        f"{'-'.join(map(str, SIZES))} LIF network, {SINGLE_STEPS} steps, one image, prepared",
        1,
        "ms",
        _entries("NumPy", "NumPy, binarized", ours=(ONE,)),
    ),
    Workload(
        "loop",
        f"closed loop of {LOOP_SIZES[0]} inputs and {LOOP_SIZES[1]} LIF neurons, one step",
        LOOP_STEPS,
        "ns",
        _entries("NumPy", ours=(ONE,)),
    ),
    Workload(
        "learn",
        f"learn by STDP: {LEARN_SIZES[0]}-{LEARN_SIZES[1]}, {LEARN_STEPS} steps an image",
        LEARN_IMAGES,
        "images/s",
        _entries("Brian2", ours=(ONE,)),
    ),
    Workload(
        "learn step",
        f"learn by STDP: {LEARN_STEP_SIZES[0]}-{LEARN_STEP_SIZES[1]}, one step per call",
        LEARN_CALLS,
        "ns",
        _entries(ours=(ONE,)),
    ),
    Workload("layer build", f"{_LAYER}: built", 1, "ms", _entries("NumPy", "PyPI's sc-neurocore")),
    Workload(
        "layer run",
        f"{_LAYER}: run {LAYER_STEPS} steps",
        1,
        "ms",
        _entries("NumPy", "PyPI's sc-neurocore"),
    ),
    Workload("layer", f"{_LAYER}: built and run", 1, "ms", _entries("NumPy", "PyPI's sc-neurocore")),
    Workload(
        "encode",
        f"encode {VALUES:,} values as {LENGTH:,} bits",
        VALUES * LENGTH,
        "Gbit/s",
        _entries("NumPy", "numba*", "PyPI's sc-neurocore"),
    ),
    Workload(
        "product",
        f"AND of {VALUES:,} pairs of streams of {LENGTH:,} bits, and its ones",
        VALUES * LENGTH,
        "Gbit/s",
        _entries("NumPy", "numba*", "PyPI's sc-neurocore"),
    ),
    Workload(
        "dot",
        f"dot products of whole streams, {DOT_X} x {DOT_W} rows of {DOT_INPUTS} streams of "
        f"{LENGTH:,} bits",
        DOT_X * DOT_W * DOT_INPUTS * LENGTH,
        "Gbit/s",
        _entries("NumPy", "numba*"),
    ),
)


@dataclass(frozen=True)
class Goal:
    """Be at least `ratio` times as fast as a peer in a workload."""

    case: str
    ours: str
    peer: Entry
    ratio: float


GOALS = (
    Goal("network", ALL, ("snnTorch", ALL), 50),
    Goal("network", ONE, ("snnTorch", ONE), 50),
    Goal("network", ONE, ("torch", ALL), 10),
    *(Goal(case, ONE, ("snnTorch", ONE), 1 if case == "train wide" else 8) for case in TRAIN),
    Goal("layer", ALL, ("PyPI's sc-neurocore", ONE), 200),
)


def shown(seconds: float, unit: str) -> float:
    """Return seconds per unit of work, converted to a unit of display."""
    scale = {
        "ns": seconds * 1e9,
        "ms": seconds * 1e3,
        "Gbit/s": 1e-9 / seconds,
        "images/s": 1 / seconds,
    }
    return scale[unit]
