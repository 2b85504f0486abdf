# ruff: noqa: E501
"""Every public callable checks what it is given: one argument is wrong at a time."""

import importlib
import inspect
import math
import pickle
import resource
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import sc_neurocore as sc
from sc_neurocore.neurons import LIFState
from sc_neurocore.plasticity import STDP
from sc_neurocore.streams.source import Source

ROOMS = (
    "streams",
    "operators",
    "circuits",
    "neurons",
    "plasticity",
    "stateful",
    "networks",
    "evidence",
    "exchange",
)
BITS = sc.Bitstream.from_bits(np.arange(16).reshape(2, 8) % 3 == 0)
NETWORK = sc.Network([sc.Dense([[0.5, 0.25], [0.25, 0.5]], gain=0.5)])
IMAGES, LABELS = [[0.5, 0.25], [0.25, 0.5]], [0, 1]

# A good value of each parameter, by its name; by function and name where one name has several meanings.
GOOD = {
    "p": 0.5, "q": 0.5, "x": BITS, "y": BITS, "w": BITS, "weights": [[0.5, 0.25]], "length": 8, "key": 1,
    "j": BITS, "k": BITS, "streams": [BITS, BITS], "bits": [0, 1, 1, 0], "words": BITS.words,
    "low": 0.0, "high": 1.0, "seed": 1, "role": sc.Role.INPUT, "source": sc.Bernoulli(), "wanted": 0,
    "max_lag": 2, "tolerance": 0.1, "n": 2, "depth": 2, "delay": 1, "table": [0, 1], "n_levels": 2, "n_bits": 4, "n_states": 4, "gain": 1,
    "method": "division", "coefficients": [0.5, 0.25, 0.125], "function": lambda t: t, "degree": 2,
    "outputs": [0, 1], "next_state": [[0, 1], [1, 0]], "spikes": [0, 1, 0, 1], "dt_ms": 1.0, "bins": 4,
    "neuron": sc.LIF(), "current": 0.1, "v": [0.0], "refractory": [0], "t": 0, "i": [0.0],
    "layers": [sc.Dense([[0.5]])], "input_size": (4, 4), "network": NETWORK, "images": IMAGES,
    "labels": LABELS, "lengths": [8], "max_loss": 0.1, "error": 0.1, "confidence": 0.9, "model": None,
    "data": IMAGES, "x_min": 0.0, "x_max": 1.0, "w_min": 0.0, "w_max": 1.0, "y_min": 0.0, "y_max": 1.0,
    "x_inputs": [0.5, 0.5], "weight_values": [0.5, 0.5], "n_neurons": 2, "magnitude": BITS[0],
    "negative": False, "stream": BITS, "times": [0, 1], "steps": 1, "spiking_attention.q": BITS[:, None], "spiking_attention.k": BITS[:, None],
    "spiking_attention.v": BITS[:, None], "keys": (1, 2), "temporal_dot.w": [1, 2], "lines": BITS, "numerator": BITS, "denominator": BITS, "n_lines": 2, "plus": BITS, "minus": BITS,
    "simulate.x": IMAGES, "simulate_float.x": IMAGES, "noise_budget.x": IMAGES, "bernstein_value.x": 0.5,
    "Conv2d.weights": np.full((1, 1, 2, 2), 0.5), "sexp.gain": 1, "linear_distribution.p": 0.5,
    "Dense.gain": 1.0, "Conv2d.gain": 1.0, "dot_error.p": [0.5], "dot_error.q": [0.5], "autocorrelation.x": BITS,
    "current_error.p": [0.5], "current_error.q": [0.5], "encode.streams": [0], "scaled_add.weights": [0.5, 0.5],
    "step": lambda state, current: current > 1, "initial_state": {"v": 0.0}, "Events.times": [0.5],
    "units": [0], "shape": (1, 2), "channels": 1, "window": 2, "faults": sc.Faults(),
    "rule": STDP(bounds="soft"), "difference": [1.0], "p_in": 0.1, "p_out": 0.1, "Homeostasis.total": 1.0,
    "bipolar": False, "scale": 2, "majority.x": BITS[[0, 1, 0]], "select": BITS,
    "bin_ms": 2.0, "sigma_ms": 2.0, "max_lag_ms": 1.0, "others": [0, 1, 0, 1], "currents": [0.1, 0.2],
    "psth.spikes": [[0, 1, 0, 1]], "spike_correlation.spikes": [[0, 1, 0, 1]], "synchrony.spikes": [[0, 1, 0, 1]],
    "fano_factor.spikes": [[0, 1, 0, 1]], "measured_fi_curve.steps": 8,
    "jk_sqrt.depth": 2, "feedback.step": lambda held: held & BITS, "initial": 0, "length_for_density.p": 0.3, "operands.source": sc.Bernoulli(), "current_trace.w": BITS,
}  # fmt: skip
# Plausible values that are too large, too small, empty, or of an unusual type.
EXTREME = [
    2**38, 10**12, 10**400, 2**63, np.uint64(2**63), [2**63], [10**400], 0, -0.0, 5e-324, 1e308, [1e308, 1e308],
    np.float16(0.5), np.longdouble(0.5), np.int8(1), np.array([0.5, 1], np.float16), np.array([1, 0.5], object),
    np.array(1), np.zeros(0), np.zeros((0, 0)), ["a", "b"], [None], range(3), (1, 2), {1},
]  # fmt: skip
BAD = [
    None, -1, 2**70, math.nan, math.inf, "text", b"bytes", True, 1j, [], [[]], {}, object(), sc.LFSR,
    np.zeros((0, 3)), np.zeros((3, 0, 2)), np.zeros((1, 2, 3, 4)), np.full(3, np.nan), np.array(["a"]),
    np.zeros(2, object), np.ones((2, 2), bool), np.array(0.5), BITS[0], BITS[:0], BITS.between(0, 3), NETWORK,
    np.ma.masked_array([0.5, 0.5], [True, False]), np.zeros(3, "M8[s]"), np.zeros(2, [("a", "f8")]),
]  # fmt: skip
FILES = {"save", "load", "sweep", "write_spikes"}  # see test_files.py, test_sweep.py and test_spikes.py
# Records of results, which users do not build; and what cannot be called.
RESULTS = {
    "Accuracy", "Allocation", "Circuit", "Conversion", "Digits", "EarlyDecisions", "Finding", "LayerBudget", "LayerConversion", "Plan", "Prediction",
    "PreparedNetwork", "Recording", "Simulation", "SimulationState", "Source", "PeriodWarning", "CorrelationWarning", "SilentLayerWarning", "Role",
}  # fmt: skip


def callables():
    for room in ROOMS:
        module = importlib.import_module(f"sc_neurocore.{room}")
        for name in module.__all__:
            if callable(getattr(module, name)) and name not in RESULTS | FILES:
                yield pytest.param(getattr(module, name), id=f"{room}.{name}")


def arguments(call):
    """Good values of the parameters of a call, and which of them are given by position."""
    good, positional = {}, []
    for parameter in inspect.signature(call).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        name = parameter.name
        own = f"{call.__name__}.{name}"
        if own in GOOD or (name in GOOD and parameter.default is parameter.empty):
            good[name] = GOOD.get(own, GOOD.get(name))
        elif parameter.default is parameter.empty:
            raise KeyError(own)
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(name)
    return good, positional


def attempt(call, good, positional):
    """Call, and let only the documented errors pass."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            call(
                *[good[n] for n in positional], **{k: v for k, v in good.items() if k not in positional}
            )
        except (ValueError, TypeError) as error:
            message = str(error)
            assert message
            assert "incompatible function arguments" not in message, message  # nanobind's own words
            assert "unhashable" not in message, message
            return message
    return None


@pytest.mark.parametrize("call", list(callables()))
def test_wrong_arguments_are_refused_or_work(call):
    good, positional = arguments(call)
    names = [p for p in inspect.signature(call).parameters if p not in ("how", "path", "progress")]
    for name in names:
        for bad in BAD:
            attempt(call, {**good, name: bad}, positional)


def unaligned(array):
    """Return a copy of an array whose address is odd."""
    copy = np.frombuffer(b"\0" + array.tobytes(), array.dtype, array.size, 1).reshape(array.shape)
    assert array.itemsize == 1 or not copy.flags.aligned
    return copy


def numbers(value):
    """Return a good value as an array of 8-byte numbers, or None if it is not an array."""
    if not isinstance(value, list | tuple | np.ndarray) or any(
        isinstance(v, sc.Bitstream) for v in value
    ):
        return None
    array = np.asarray(value)
    return array.astype(array.dtype.kind + "8") if array.dtype.kind in "iuf" else None


def said(value):
    """Return the content of a result, for comparisons."""
    return pickle.dumps(value)


@pytest.mark.parametrize("call", list(callables()))
def test_unaligned_arrays_give_the_results_of_aligned_ones(call):
    good, positional = arguments(call)
    for name, value in good.items():
        if (array := numbers(value)) is None:
            continue
        if call is sc.Bitstream:  # keeps its words, and so must have them aligned
            array = array.astype(np.uint64)
        seeds = {"seed", "base_seed"} & set(inspect.signature(call).parameters)
        results = []
        for form in (array, unaligned(array)):
            given = {**good, **dict.fromkeys(seeds, 1), name: form}
            rest = {k: v for k, v in given.items() if k not in positional}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    results.append(said(call(*[given[n] for n in positional], **rest)))
                except (ValueError, TypeError) as error:
                    results.append(str(error))
        assert results[0] == results[1], name


@pytest.mark.parametrize("room", ["streams", "operators", "stateful", "evidence"])
def test_extreme_arguments_raise_clear_errors_or_work(room):
    # In a process of its own, whose memory is limited, so that sizes fail as they would at 3 GiB.
    code = f"import test_public; test_public.extremes({room!r})"
    folder = Path(__file__).parent
    run = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]


def attempt_or_memory(call, good, positional):
    """Call, and return the message of a MemoryError."""
    try:
        attempt(call, good, positional)
    except MemoryError as error:
        return str(error)
    return None


def extremes(room):
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    for call, name in ((p.values[0], p.id) for p in callables() if p.id.startswith(f"{room}.")):
        good, positional = arguments(call)
        for parameter in inspect.signature(call).parameters:
            for value in EXTREME if parameter not in ("how", "path", "progress") else ():
                message = attempt_or_memory(call, {**good, parameter: value}, positional)
                assert message is None or "do not fit into memory" in message, (
                    name,
                    parameter,
                    message,
                )


@pytest.mark.parametrize("source", [
    sc.Bernoulli(), sc.LFSR(8), sc.Sobol(), sc.Hammersley(), sc.VanDerCorput(3), sc.Halton(), sc.Weyl(9),
    sc.Ramp(9), sc.Permutation(9),
], ids=str)  # fmt: skip
def test_sources_refuse_wrong_addresses(source):
    assert isinstance(source, Source)
    numbers = {"streams": [0, 1], "length": 8, "key": 1, "first": 0}
    words = {"thresholds": [0, 1], "streams": [0, 1], "length": 8, "key": 1, "first_word": 0}
    for call, good in ((source.numbers, numbers), (source.words, words)):
        for name in good:
            for bad in BAD:
                attempt(call, {**good, name: bad}, [])


def methods():
    neuron = sc.LIF()
    layer = sc.SCDenseLayer(2, [0.5], [0.5], 0, 1, 0, 1, length=8, base_seed=1)
    source = sc.BitstreamCurrentSource([0.5], 0, 1, [0.5], 0, 1, length=8, seed=1)
    for object_ in (
        neuron, LIFState([0.0], [0], 0), sc.StochasticLIFNeuron(seed=1), sc.BitstreamEncoder(length=8, seed=1),
        sc.BitstreamSynapse(0, 1, 8, 0.5, 1), source, layer, sc.BitstreamSpikeRecorder(), BITS,
        sc.Interval(0, 1), sc.Machine([[0, 1], [1, 0]], [0, 1]), NETWORK, NETWORK.layers[0], sc.FixedPoint(),
        sc.Unipolar(BITS), sc.PlasticSynapse(0, 1, seed=1),
    ):  # fmt: skip
        for name in dir(object_):
            if not name.startswith("_") and callable(getattr(object_, name)) and name not in FILES:
                yield pytest.param(getattr(object_, name), id=f"{type(object_).__name__}.{name}")


@pytest.mark.parametrize("call", list(methods()))
def test_methods_refuse_wrong_arguments_or_work(call):
    try:
        n = len([p for p in inspect.signature(call).parameters.values() if p.kind != p.VAR_KEYWORD])
    except ValueError:  # a native method
        n = 1
    for bad in BAD:
        attempt(call, {str(i): bad for i in range(n)}, [str(i) for i in range(n)])
