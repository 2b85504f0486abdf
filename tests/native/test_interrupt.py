"""Long native calls: signals stop them, other threads go on, and no bit depends on how they are cut."""

import _thread
import os
import signal
import threading
import time

import numpy as np
import pytest

import sc_neurocore as sc
from sc_neurocore import _native
from sc_neurocore.circuits import feedback
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.neurons.lif import run_periodic
from sc_neurocore.plasticity import STDP

LIF = sc.LIF(noise_std=0.1)
# Seconds: a second is promised, on a machine that does nothing else and without sanitizers.
LATENCY = 30.0 if "SC_NEUROCORE_SANITIZED" in os.environ else 3.0
FIXED = FixedLIF(16, 4, 1, 4, 300, 0, False, 0, 1.0, 0.0)


def zeros(*shape):
    return np.zeros(shape, np.uint64)


def encode(n, length, source):
    return lambda: sc.encode(np.full(n, 0.3), length, key=1, source=source)


def run_neuron():
    neuron = sc.StochasticLIFNeuron(noise_std=0.1, seed=1)
    try:
        neuron.run(np.zeros(2**28))
    finally:
        assert neuron.get_state() == {"v": 0.0, "refractory": 0}


def run_machine():
    states = np.arange(2**16)
    machine = sc.Machine(np.array([states, (states + 1) % 2**16]).T, states % 2)
    machine.run(sc.Bitstream(zeros(1, 2**25), 2**31))


def run_circuit():
    x = sc.Bitstream(zeros(1, 2**22), 2**28)
    feedback(lambda held: held ^ x)


# Each lasts for seconds on the slowest instruction set. Most of the memory is never touched.
LONG_CALLS = {
    "Bernoulli": encode(1, 2**33, sc.Bernoulli()),
    "rows": lambda: _native.encode(1, zeros(64), zeros(64, 64) + np.uint64(2**31), 0, 2**22),
    "LFSR": encode(1, 2**34, sc.LFSR(24)),
    "Sobol": encode(64, 2**29, sc.Sobol(1)),
    "Weyl": encode(1, 2**32, sc.Weyl(2**32)),
    "VanDerCorput": encode(64, 2**29, sc.VanDerCorput(3)),
    "Permutation": encode(200_000, 2**16, sc.Permutation(2**16)),
    "uniform": lambda: _native.uniform(1, zeros(1), 0, 2**30),
    "normal": lambda: _native.normal(1, 1, 0, 2**29),
    "dot": lambda: _native.dot(zeros(8000, 1000), zeros(8000, 1000)),
    "dot, long rows": lambda: _native.dot(zeros(200, 2**20), zeros(200, 2**20)),
    "counts": lambda: _native.channel_counts(zeros(300, 2000, 64), zeros(400, 2000, 64), 4096),
    "a LIF neuron": lambda: run_periodic(LIF, np.ones((1, 9)), 0, 2**32, LIF.initial_state(), 1),
    "LIF neurons": lambda: run_periodic(LIF, np.ones((1, 9)), 0, 6400, LIF.initial_state(10**6), 1),
    "a stepped neuron": run_neuron,
    "dense": lambda: sc.simulate(
        sc.Network([sc.Dense(np.ones((2000, 2000)))]), np.ones((9000, 2000)), 64
    ),
    "learning": lambda: sc.simulate(
        sc.Network([sc.Dense(np.ones((50, 50)), gain=0.05, plasticity=STDP())]), np.ones(50), 2**24
    ),
    "machine": run_machine,
    "circuit": run_circuit,
    "fixed point": lambda: _native.fixed_trace(
        FIXED._integers,
        np.zeros((1, 2**30), np.int32),
        np.zeros(1, np.int32),
        zeros(1),
        np.zeros(1, np.int32),
        zeros(1, 2),
    ),
}


class InterruptionError(Exception):
    pass


@pytest.fixture
def interrupt():
    """Make SIGINT raise an exception of the tests, and return what sends it from another thread."""

    def handler(*_):
        raise InterruptionError

    before = signal.signal(signal.SIGINT, handler)
    yield _thread.interrupt_main
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def portable():
    before = _native.isa()
    _native.set_isa("portable")
    yield
    _native.set_isa(before)


@pytest.mark.parametrize("call", LONG_CALLS.values(), ids=LONG_CALLS)
def test_a_signal_stops_a_long_call_within_a_second(interrupt, portable, threads, call):
    sent = []

    def send():
        sent.append(time.monotonic())
        interrupt()

    timer = threading.Timer(0.5, send)
    timer.start()
    with pytest.raises(InterruptionError):
        call()
    assert time.monotonic() - sent[0] < LATENCY


def test_other_threads_go_on_while_a_neuron_runs():
    neuron, ends = sc.StochasticLIFNeuron(seed=1), []
    currents = np.zeros(50_000_000)

    def run():
        start = time.monotonic()
        neuron.run(currents)
        ends.append(time.monotonic() - start)

    thread = threading.Thread(target=run)
    thread.start()
    longest, last = 0.0, time.monotonic()
    while not ends:
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    thread.join()
    assert longest < ends[0] / 2


def test_threads_that_run_one_neuron_leave_the_state_of_one_of_them():
    n = 200_000
    currents = np.full(n, 0.08)
    fresh = sc.StochasticLIFNeuron(noise_std=0.1, seed=1)
    first, second = fresh.run(currents), fresh.run(currents)
    for _ in range(5):
        neuron, spikes = sc.StochasticLIFNeuron(noise_std=0.1, seed=1), []
        threads = [
            threading.Thread(target=lambda: spikes.append(neuron.run(currents)))  # noqa: B023
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(np.array_equal(s, first) or np.array_equal(s, second) for s in spikes)
        assert neuron._neuron.t in (n, 2 * n)


# Work of many parts, and the same in pieces of one part each.


@pytest.mark.parametrize(
    "source",
    [sc.Bernoulli(), sc.LFSR(9), sc.LFSR(20), sc.Sobol(1), sc.Weyl(1000), sc.Weyl(2**20),
     sc.VanDerCorput(3), sc.Permutation(100), sc.Permutation(9999)],
    ids=repr,
)  # fmt: skip
def test_streams_encoded_in_parts_are_those_encoded_alone(isa, threads, source):
    for n, length in ((40, 64 * 60_000 - 7), (1000, 64 * 2500 - 7)):
        p = np.linspace(0, 1, n)
        words = sc.encode(p, length, key=1, source=source, streams=np.arange(n)).words
        for s in range(0, n, n // 20):
            alone = sc.encode(p[s : s + 1], length, key=1, source=source, streams=[s]).words
            assert np.array_equal(words[s : s + 1], alone)


def test_rows_of_thresholds_in_parts_are_those_of_single_rows(isa, threads):
    thresholds = np.random.default_rng(1).integers(0, 2**32, (40, 16), np.uint64)
    streams, length = np.arange(16, dtype=np.uint64), 64 * 3000 - 7
    words = _native.encode(1, streams, thresholds, 0, length)
    for row in (0, 17, 39):
        assert np.array_equal(words[row], _native.encode(1, streams, thresholds[[row]], 0, length)[0])


def test_numbers_in_parts_are_those_of_short_calls(isa, threads):
    streams = np.arange(20, dtype=np.uint64)
    numbers = _native.uniform(1, streams, 37, 100_003)
    samples = _native.normal(1, 70, 3, 100_003)
    for first in (0, 50_000, 100_000):
        some = numbers[:, first : first + 3]
        assert np.array_equal(some, _native.uniform(1, streams, 37 + first, 3))
        assert np.array_equal(samples[:, first : first + 3], _native.normal(1, 70, 3 + first, 3))


def test_products_counted_in_parts_are_those_of_parts(isa, threads):
    rng = np.random.default_rng(1)
    x, w = (rng.integers(0, 2**64, (n, 5003), np.uint64) for n in (130, 117))
    for a, b in ((x, w), (w, x)):
        ones = _native.dot(a, b)
        assert np.array_equal(ones[100:105, 20:30], _native.dot(a[100:105], b[20:30]))
        assert np.array_equal(ones, _native.dot(a[:, :2000].copy(), b[:, :2000].copy())
                              + _native.dot(a[:, 2000:].copy(), b[:, 2000:].copy()))  # fmt: skip
    x, w = (rng.integers(0, 2**64, (n, 300, 20), np.uint64) for n in (530, 41))
    counts = _native.channel_counts(x, w, 64 * 20 - 5)
    for image in (0, 255, 256, 529):
        alone = _native.channel_counts(x[image : image + 1], w, 64 * 20 - 5)
        assert np.array_equal(counts[image], alone[0])


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize(
    "lif", [LIF, sc.LIF(refractory_period=70, tau_syn=3.0, reset="subtract")], ids=str
)
def test_neurons_run_in_parts_are_those_run_in_pieces(isa, threads, lif, rows):
    n, steps = 100, 64 * 3000
    currents = np.random.default_rng(1).uniform(0, 0.3, (rows, 777))
    spikes, end = run_periodic(lif, currents, 5, steps, lif.initial_state(n), 1)
    state = lif.initial_state(n)
    for first in range(0, steps, 32_000):
        some, state = run_periodic(lif, currents, (5 + first) % 777, 32_000, state, 1)
        assert np.array_equal(spikes.words[:, first // 64 : first // 64 + 500], some.words)
    assert np.array_equal(state.v, end.v)
    assert np.array_equal(state.i, end.i)
    assert np.array_equal(state.refractory, end.refractory)


def test_a_neuron_run_in_parts_is_that_run_in_pieces():
    currents = np.random.default_rng(1).uniform(0, 0.3, 5_000_000)
    long, short = (sc.StochasticLIFNeuron(noise_std=0.1, seed=1) for _ in range(2))
    pieces = [short.run(currents[at : at + 250_000]) for at in range(0, len(currents), 250_000)]
    assert np.array_equal(long.run(currents), np.concatenate(pieces))
    assert long.get_state() == short.get_state()


def test_layers_run_in_parts_are_those_of_single_images(isa, threads):
    rng = np.random.default_rng(1)
    lif = sc.LIF(noise_std=0.1, refractory_period=2)
    recurrent = sc.Dense(rng.uniform(-1, 1, (70, 40)), 0.1, lif, recurrent=rng.uniform(-1, 1, (70, 70)))
    dense = sc.Dense(rng.uniform(-1, 1, (300, 500)), 0.1, lif)
    for layer, images in ((dense, 600), (recurrent, 130)):
        x = sc.encode(rng.random((images, layer.n_in)), 200, key=1)
        network = sc.Network([layer])
        spikes = sc.simulate(network, x, seed=3, record=True).spikes[0]
        for image in (0, images // 2, images - 1):
            alone = sc.simulate(network, x[image], seed=3, record=True).spikes[0]
            assert np.array_equal(spikes[image].words, alone.words)


def test_circuits_run_in_parts_are_those_run_in_pieces(threads):
    rng = np.random.default_rng(1)
    rows, words = 70, 2000
    x, y = rng.integers(0, 2**64, (2, rows, words), np.uint64)
    numbers = rng.integers(0, 2**32, (1, rows, 64 * words), np.uint32)
    counts = rng.integers(0, 9, (rows, 64 * words), np.int32)
    table = rng.integers(0, 2**16, (2**16, 4), np.uint32)

    # A flip-flop, value 2, and a machine of three states on the XOR of it and the first input.
    steps_of_circuit = [[2, 0, 2, 3, -1, 0, 0], [4, 3, 1, 4, -1, 0, 0], [1, 4, 2, 5, -1, 0, 0]]
    small = rng.integers(0, 3, 12) | rng.integers(0, 2, 12) << 16
    program = (
        np.array(steps_of_circuit, np.int32),
        6,
        np.array([5], np.int32),
        np.array([[2, 4]], np.int32),
        small.astype(np.uint32),
    )

    def run(pieces):
        states, counters = np.zeros(rows, np.uint32), np.zeros(rows, np.uint32)
        averages, buffers = np.full(rows, 0.5), zeros(rows, 1)
        held, chosen = zeros(-(-rows // 64), 1), np.zeros((1, rows), np.uint32)
        fixed = np.zeros(rows, np.int32), zeros(rows), np.zeros(rows, np.int32), zeros(rows, 2)
        out = []
        for at in range(0, words, words // pieces):
            part = slice(at, at + words // pieces)
            steps, within = 64 * (words // pieces), slice(64 * at, 64 * part.stop)
            a, b = np.ascontiguousarray(x[:, part]), np.ascontiguousarray(y[:, part])
            z = np.ascontiguousarray(numbers[:, :, within])
            potentials, spikes = _native.fixed_trace(
                FIXED._integers, np.ascontiguousarray(counts[:, within]), *fixed
            )
            out.append([
                _native.machine(table, 1, np.array([a, b]), steps, states)[0],
                _native.circuit(*program, np.array([a, b]), steps, held, chosen)[0],
                _native.integrate(a[None], z, 8, steps, counters),
                _native.moving_average(a, 0.25, steps, averages),
                _native.shuffle(a, z[0], 50, steps, buffers),
                potentials,
                spikes,
            ])  # fmt: skip
        after = [states, held, chosen, counters, averages, buffers, *fixed]
        return [np.concatenate(kind, axis=1) for kind in zip(*out, strict=True)] + after

    for whole, joined in zip(run(1), run(10), strict=True):
        assert np.array_equal(whole, joined)
