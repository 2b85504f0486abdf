"""The kernels with a state give the bits of their NumPy twins, in one run and in pieces."""

import functools

import numpy as np
import pytest
import twins

from sc_neurocore import _native

RNG = np.random.default_rng
LENGTHS = twins.LENGTHS


def random_table(rng, n_states, n_in):
    next_state = rng.integers(0, n_states, (n_states, 2**n_in))
    return (next_state | rng.integers(0, 4, next_state.shape) << 16).astype(np.uint32)


@functools.cache
def machine_case(n_states, n_in, n_out, rows):
    if n_in > 2:
        n_states = min(n_states, 700)
    rng = RNG([n_states, n_in, n_out, rows])
    table = random_table(rng, n_states, n_in)
    bits = rng.integers(0, 2, (n_in, rows, 300), np.uint8)
    states = rng.integers(0, n_states, rows).astype(np.uint32)
    masked = table & np.uint32(0x1FFFF if n_out == 1 else 0x3FFFF)
    return masked, bits, states, *twins.machine(masked, n_out, bits, states)


# 1, 4 and 8 bits a lookup: the composed table is made where the work pays for it.
@pytest.mark.parametrize(
    ("n_states", "rows"), [(1, 17), (2, 45), (3, 41), (40, 13), (700, 13), (65536, 6)]
)
@pytest.mark.parametrize("n_in", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("n_out", [1, 2])
def test_a_machine_equals_its_twin_at_every_length(threads, n_states, rows, n_in, n_out):
    table, bits, states, out, path = machine_case(n_states, n_in, n_out, rows)
    for length in LENGTHS if n_in < 3 else (*range(1, 300, 13), 63, 64, 128, 300):
        final = states.copy()
        words = _native.machine(table, n_out, twins.pack(bits[..., :length]), length, final)
        assert np.array_equal(words, twins.pack(out[..., :length])), length
        assert np.array_equal(final, path[length]), length


@pytest.mark.parametrize("n_states", [5, 60, 3000])
def test_many_rows_split_over_threads_are_the_machine_of_each_row(threads, n_states):
    rng = RNG(n_states)
    rows, length = 1003, 700
    table = random_table(rng, n_states, 2)
    bits = rng.integers(0, 2, (2, rows, length), np.uint8)
    out, path = twins.machine(table, 2, bits, np.zeros(rows, np.int64))
    final = np.zeros(rows, np.uint32)
    assert np.array_equal(_native.machine(table, 2, twins.pack(bits), length, final), twins.pack(out))
    assert np.array_equal(final, path[length])


def circuit_case(rng, rows, n_steps=12):
    """A random circuit: four inputs, three flip-flops, machines of one, two and four inputs."""
    n_in, n_flip_flops = 4, 3
    flip_flops = np.arange(n_in, n_in + n_flip_flops)
    n_values = n_in + n_flip_flops
    steps = []
    for i in range(n_steps):
        a, b = rng.integers(0, n_values, 2)
        if i == 7:
            steps.append([5, a, 4, n_values, -1, 7 * 2 + 9 * 4 + 4, 2])
            reads = rng.integers(0, n_values, 4).astype(np.uint32)
            n_values += 1
        elif i in (5, 9):  # a machine with two outputs
            steps.append([4, a, b if i == 9 else -1, n_values, n_values + 1, 7 * 2 * (i == 9), i // 9])
            n_values += 2
        else:
            steps.append([i % 4, a, b if i % 4 < 3 else -1, n_values, -1, 0, 0])
            n_values += 1
    one, two, four = (random_table(rng, n, k).ravel() for n, k in ((7, 1), (9, 2), (5, 4)))
    tables = np.concatenate([one, two, reads, four])
    holds = np.stack([flip_flops, rng.integers(0, n_values, n_flip_flops)], axis=1).astype(np.int32)
    outputs = np.concatenate([rng.integers(0, n_values, 4), flip_flops]).astype(np.int32)
    states = np.stack([rng.integers(0, n, rows) for n in (7, 9, 5)]).astype(np.uint32)
    held = rng.integers(0, 2, (rows, n_flip_flops))
    return np.array(steps, np.int32), n_values, outputs, holds, tables, held, states


def lanes(held):
    """Flip-flops (n, k) as words (ceil(n / 64), k) with a bit per row."""
    return np.ascontiguousarray(twins.pack(np.ascontiguousarray(held.T.astype(np.uint8))).T)


@pytest.mark.parametrize("rows", [1, 5, 64, 130])
def test_a_circuit_equals_its_twin_at_every_length(threads, rows):
    rng = RNG(rows)
    *program, held, states = circuit_case(rng, rows)
    bits = rng.integers(0, 2, (4, rows, 300), np.uint8)
    out = twins.circuit(*program, bits, held.copy(), states.copy())
    for length in LENGTHS:
        words, after = lanes(held), states.copy()
        wanted, wanted_states = held.copy(), states.copy()
        if length in (1, 64, 65, 300):
            twins.circuit(*program, bits[..., :length], wanted, wanted_states)
        inputs = twins.pack(bits[..., :length])
        result = _native.circuit(*program, inputs, length, words, after)
        assert np.array_equal(result, twins.pack(out[..., :length])), length
        if length in (1, 64, 65, 300):
            assert np.array_equal(after, wanted_states)
            inside = lanes(np.ones_like(held))
            assert np.array_equal(words & inside, lanes(wanted))


@functools.cache
def integrator_case(n_in, n_numbers, n_bits):
    rng = RNG([n_in, n_numbers, n_bits])
    rows = 13
    bits = (rng.random((n_in, rows, 300)) < rng.choice([0, 0.1, 0.5, 0.9, 1], (n_in, rows, 1))).astype(
        np.uint8
    )
    numbers = rng.integers(0, 2**32, (n_numbers, rows, 300), np.uint32)
    counters = rng.integers(0, 2**n_bits + 1, rows).astype(np.uint32)
    counters[:2] = 0, 2**n_bits
    return bits, numbers, counters, *twins.integrate(bits, numbers, n_bits, counters)


@pytest.mark.parametrize("n_bits", [1, 2, 5, 31])
@pytest.mark.parametrize(("n_in", "n_numbers"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_an_integrator_equals_its_twin_at_every_length(threads, n_in, n_numbers, n_bits):
    bits, numbers, counters, out, path = integrator_case(n_in, n_numbers, n_bits)
    for length in LENGTHS:
        final = counters.copy()
        some = np.ascontiguousarray(numbers[..., :length])
        words = _native.integrate(twins.pack(bits[..., :length]), some, n_bits, length, final)
        assert np.array_equal(words, twins.pack(out[..., :length])), length
        assert np.array_equal(final, path[length]), length


def test_a_moving_average_equals_its_twin_at_every_length(threads):
    rng = RNG(3)
    bits = rng.integers(0, 2, (13, 300), np.uint8)
    start = rng.random(13)
    for gain in (1.0, 0.5, 2.0**-9):
        averages = twins.moving_average(bits, gain, start)
        for length in LENGTHS:
            y = start.copy()
            out = _native.moving_average(twins.pack(bits[:, :length]), gain, length, y)
            assert np.array_equal(out, averages[:, :length]), length
            assert np.array_equal(y, out[:, -1])


@functools.cache
def shuffle_case(depth):
    rng = RNG(depth)
    bits = rng.integers(0, 2, (13, 300), np.uint8)
    numbers = rng.integers(0, 2**32, (13, 300), np.uint32)
    numbers[:, :2] = 0, 2**32 - 1
    slots = rng.integers(0, 2, (13, depth), np.uint8)
    return bits, numbers, slots, *twins.shuffle(bits, numbers, depth, slots)


@pytest.mark.parametrize("depth", [1, 2, 3, 64, 65, 200])
def test_a_shuffle_buffer_equals_its_twin_at_every_length(threads, depth):
    bits, numbers, slots, out, path = shuffle_case(depth)
    for length in LENGTHS:
        buffers = twins.pack(slots)
        some = np.ascontiguousarray(numbers[:, :length])
        words = _native.shuffle(twins.pack(bits[:, :length]), some, depth, length, buffers)
        assert np.array_equal(words, twins.pack(out[:, :length])), length
        assert np.array_equal(buffers, twins.pack(path[length])), length


def test_a_deposit_equals_its_twin_at_every_length(isa, threads):
    rng = RNG(5)
    densities = np.array([0, 0.02, 0.3, 0.5, 0.9, 1])[:, None]
    for length in LENGTHS:
        x = (rng.random((6, length)) < densities).astype(np.uint8)
        w = rng.integers(0, 2, (6, length), np.uint8)
        words = _native.deposit(twins.pack(x), twins.pack(w), length)
        assert np.array_equal(words, twins.pack(twins.deposit(x, w))), length


@pytest.mark.parametrize("bipolar", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 7, 64, 65, 130, 300])
def test_an_in_stream_product_equals_its_twin_at_every_length(threads, depth, bipolar):
    rng = RNG(depth)
    densities = np.array([0, 0.02, 0.3, 0.5, 0.9, 1])[:, None]
    bits = (rng.random((2, 6, 300)) < [densities, densities[::-1]]).astype(np.uint8)
    numbers = rng.integers(0, 2**32, (6, 300), np.uint32)
    numbers[:, :2] = 0, 2**32 - 1
    thresholds = np.rint(np.arange(depth + 1) / depth * 2**32).astype(np.uint64)
    wanted = twins.in_stream(*bits, numbers, thresholds, bipolar)
    for length in LENGTHS:
        x, y = (twins.pack(rows[:, :length]) for rows in bits)
        some = np.ascontiguousarray(numbers[:, :length])
        words = _native.in_stream(x, y, some, thresholds, length, bipolar)
        assert np.array_equal(words, twins.pack(wanted[:, :length])), length


def test_all_of_them_split_over_threads_as_row_by_row(threads):
    rng = RNG(6)
    rows, length = 6001, 130
    bits = rng.integers(0, 2, (2, rows, length), np.uint8)
    x, w = twins.pack(bits)
    numbers = rng.integers(0, 2**32, (2, rows, length), np.uint32)
    out, path = twins.integrate(bits, numbers, 4, np.full(rows, 8))
    counters = np.full(rows, 8, np.uint32)
    words = _native.integrate(np.array([x, w]), numbers, 4, length, counters)
    assert np.array_equal(words, twins.pack(out))
    assert np.array_equal(counters, path[length])
    averages = _native.moving_average(x, 0.25, length, np.zeros(rows))
    assert np.array_equal(averages, twins.moving_average(bits[0], 0.25, np.zeros(rows)))
    out, path = twins.shuffle(bits[0], numbers[0], 5, np.zeros((rows, 5), np.uint8))
    buffers = np.zeros((rows, 1), np.uint64)
    assert np.array_equal(_native.shuffle(x, numbers[0], 5, length, buffers), twins.pack(out))
    assert np.array_equal(buffers, twins.pack(path[length]))
    assert np.array_equal(_native.deposit(x, w, length), twins.pack(twins.deposit(*bits)))
    thresholds = np.rint(np.arange(10) / 9 * 2**32).astype(np.uint64)
    wanted = twins.pack(twins.in_stream(*bits, numbers[0], thresholds, True))
    found = _native.in_stream(x, w, numbers[0], thresholds, length, True)
    assert np.array_equal(found, wanted)
