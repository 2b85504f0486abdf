"""What is timed, and who takes part. Imports the standard library alone: every peer's script reads it.

What each side computes, and what is inside the timing:

step        One LIF neuron, v <- v - v / 20 + 0.08 (+ 0.1 * normal), spike and reset at 1, a call for
            each step from a Python loop; the loop is inside. numba's function takes the state as an
            array. snnTorch and Nengo step a network of one neuron, which is the least they have.
population  The same equation for 10,000 neurons and 1,000 steps; all spikes are kept (ours packed, the
            others' in the type that they use; Brian2's as times and indices, Nengo's by a probe).
            "Shared": all see one current a step. "Own": each has its own, an array in the layout that
            suits the side best. Normal numbers are drawn inside. Setting up and compiling are outside,
            also what Brian2 does before each run. Double precision, but float32 in snnTorch. Nengo's
            neuron is its own LIF, integrated exactly, and its noise comes from a process of its own.
network     784-128-10 LIF neurons, 100 steps, 100 images, inputs uniform in [0, 1], each a Bernoulli
            stream; the spikes of the outputs are counted. Drawing the inputs is inside. The peers
            multiply float32 weights and draw inputs for each image; ours draws weights as Bernoulli
            streams too, and the numbers of inputs and weights once for the batch, as hardware has them.
layer       SCDenseLayer: 100 neurons with weights of their own for 64 inputs, streams of 2,048 bits:
            built; run for 500 steps with noise; both. NumPy draws the same streams, unpacked.
encode      8,192 values as streams of 1,024 bits. Ours is exact to 32 bits, numba's to 53, NumPy's to
            24. Ours and NumPy's bits are packed, the others' are bytes.
product     AND of two sets of 8,192 encoded streams of 1,024 bits, and the ones of each, on the
            representation that the side encodes to. The streams of the package from PyPI are arrays of
            bytes that come one by one; NumPy's AND and count of each are the fastest on them.
dot         Ones among all products of 100 rows with 128 rows of 784 encoded, packed streams of 1,024
            bits. Words are used more than once, so that memory is not what everybody waits for. NumPy
            goes through blocks of words that stay in a cache.
"""

from __future__ import annotations

from dataclasses import dataclass

STEPS_OF_ONE = 2_000
CURRENT, LEAK, NOISE = 0.08, 1 / 20, 0.1
NEURONS, STEPS = 10_000, 1_000
SIZES, NET_STEPS, BATCH = (784, 128, 10), 100, 100
NET_GAIN = 0.02
LAYER_NEURONS, LAYER_INPUTS, LAYER_LENGTH, LAYER_STEPS = 100, 64, 2_048, 500
VALUES, LENGTH = 8_192, 1_024
DOT_X, DOT_W, DOT_INPUTS = 100, 128, 784

# A peer with one thread or with one for each core.
ONE, ALL = "one", "all"
Entry = tuple[str, str]


@dataclass(frozen=True)
class Workload:
    """A table: our entry first. `work` is the units of work of a call, `unit` how one is shown."""

    case: str
    title: str
    work: int
    unit: str
    entries: tuple[Entry, ...]


def _entries(*names: str, ours: tuple[str, ...] = (ALL, ONE)) -> tuple[Entry, ...]:
    """Return ours and peers; a name ends with "*" where its threads matter."""
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
    """Ours is to be at least `ratio` times as fast as a peer in a workload."""

    case: str
    ours: str
    peer: Entry
    ratio: float


GOALS = (
    Goal("network", ALL, ("snnTorch", ALL), 50),
    Goal("network", ONE, ("snnTorch", ONE), 50),
    Goal("network", ONE, ("torch", ALL), 10),
    Goal("layer", ALL, ("PyPI's sc-neurocore", ONE), 200),
)


def shown(seconds: float, unit: str) -> float:
    """Return seconds a unit of work in a unit."""
    scale = {
        "ns": seconds * 1e9,
        "ms": seconds * 1e3,
        "Gbit/s": 1e-9 / seconds,
        "images/s": 1 / seconds,
    }
    return scale[unit]
