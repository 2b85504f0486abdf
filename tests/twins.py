"""NumPy twins of the native kernels: slow, plain, and the oracle for their bits."""

import os
import re
from functools import cache
from pathlib import Path

import numpy as np

NOISE_DOMAIN = 0x4E000000
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)

# Lengths of streams that tests compare: all up to 300, or, where a run is slow, those around words.
LENGTHS = list(range(1, 301))
if os.environ.get("SC_NEUROCORE_FEW_LENGTHS"):
    _ends = [64 * words + k for words in range(5) for k in (-1, 0, 1, 32)]
    LENGTHS = sorted({n for n in (*range(1, 301, 29), *_ends, 256, 300) if 0 < n <= 300})


def philox(key, c0, c1, c2, c3):
    """Philox4x32-10 of counters given as four broadcastable arrays; four uint64 arrays below 2**32."""
    c0, c1, c2, c3 = (a.astype(np.uint64) for a in np.broadcast_arrays(c0, c1, c2, c3))
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1 = p1 >> HALF ^ c1 ^ np.uint64(k0), p1 & LOW
        c2, c3 = p0 >> HALF ^ c3 ^ np.uint64(k1), p0 & LOW
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def uniform_numbers(key, streams, first_word, n_words):
    """Return uniform 32-bit numbers, shape (streams, 64 * n_words), assembled from their slices."""
    numbers = np.zeros((len(streams), 64 * n_words), np.uint64)
    words = np.arange(first_word, first_word + n_words)
    low, high = streams[:, None] & LOW, streams[:, None] >> HALF
    for m in range(16):
        x = philox(key, words, m, low, high)
        for k, (x_low, x_high) in ((2 * m, x[:2]), (2 * m + 1, x[2:])):
            octets = np.ascontiguousarray(x_low | x_high << HALF, "<u8").view(np.uint8)
            digits = np.unpackbits(octets, axis=-1, bitorder="little")
            numbers |= digits.astype(np.uint64) << np.uint64(31 - k)
    return numbers


def encode(key, streams, thresholds, first_word, length):
    numbers = uniform_numbers(key, streams.astype(np.uint64), first_word, -(-length // 64))
    return pack(numbers[:, :length] < thresholds[:, None])


def lfsr_states(width, taps, state, length, zero=False):
    """Return the states of the textbook register, from the given one on, one step at a time.

    With `zero`, the bit shifted in is inverted if all bits but the lowest are 0.
    """
    states = []
    for _ in range(length):
        states.append(state)
        new = int(zero and state >> 1 == 0)
        for tap in taps:
            new ^= state >> (width - tap)
        state = state >> 1 | (new & 1) << (width - 1)
    return np.array(states, np.uint64)


def radical_inverse(t, base, shift=0):
    """Return the 32-bit number of one step, digit by digit; shift holds a digit for each of t."""
    n_digits = 0
    while base ** (n_digits + 1) <= 2**32:
        n_digits += 1
    number = 0
    for i in range(n_digits):
        digit = t // base**i % base + shift // base ** (n_digits - 1 - i) % base
        number += digit % base * base ** (n_digits - 1 - i)
    return number * 2**32 // base**n_digits


def pack(bits):
    length = bits.shape[-1]
    padding = [(0, 0)] * (bits.ndim - 1) + [(0, -length % 64)]
    octets = np.packbits(np.pad(bits, padding), axis=-1, bitorder="little")
    return octets.view("<u8").astype(np.uint64)


def unpack(words, length):
    octets = np.ascontiguousarray(words).astype("<u8").view(np.uint8)
    return np.unpackbits(octets, axis=-1, bitorder="little")[..., :length]


def channel_counts(x, weights, length):
    return unpack(x[:, None] & weights, length).sum(axis=2, dtype=np.uint32)


def dot(x, w):
    return np.bitwise_count(x[:, None] & w[None]).sum(axis=2, dtype=np.int64)


@cache
def normal_table():
    header = Path(__file__).parents[1] / "native" / "normal_table.hpp"
    values = re.findall(r"(-?\d\.\d+e[+-]\d+)f", header.read_text())
    return np.array(values, np.float32).reshape(6, 32)


def to_normal(u):
    """Return the normal sample of each uniform 32-bit number, in the native order of operations."""
    u = u.astype(np.uint32)
    table = normal_table()
    bits = ((u & np.uint32(0x7FFFFFFF)) + np.uint32(1)).astype(np.float32).view(np.uint32)
    octave = bits >> np.uint32(23) & np.uint32(31)
    t = (bits & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1.5)
    z = table[5][octave]
    for k in range(4, -1, -1):
        z = z * t + table[k][octave]
    signed = z.view(np.uint32) ^ (u & np.uint32(0x80000000))
    return signed.view(np.float32).astype(np.float64)


def normal(key, neurons, first_step, steps):
    """Return the samples of neurons 0 .. n - 1, or of those numbers, shape (n, steps)."""
    neurons = np.arange(neurons) if np.ndim(neurons) == 0 else neurons
    t = np.arange(first_step, first_step + steps)
    x = np.array(philox(key, t // 4, NOISE_DOMAIN, neurons[:, None], 0))
    return to_normal(np.take_along_axis(x, (t % 4)[None, None, :], axis=0)[0])


def lif(parameters, key, currents, position, first_step, steps, v, refractory, i, neurons=None):
    """Return the spikes (n, steps), unpacked; v, refractory and i are updated."""
    noise = parameters.noise_std
    z = np.zeros((len(v), steps))
    if noise != 0:
        z = normal(key, len(v) if neurons is None else neurons, first_step, steps)
    spikes = np.zeros((len(v), steps), np.uint8)
    for k in range(steps):
        current = currents[:, (position + k) % currents.shape[1]]
        spikes[:, k] = lif_step(parameters, current, noise * z[:, k], v, refractory, i)
    return spikes


def lif_step(parameters, current, noise, v, refractory, i):
    """Return the spikes of a step, in the shape of v; v, refractory and i are updated."""
    p = parameters
    if p.syn_leak != 0:
        i[:] = (i - i * p.syn_leak) + current
        current = i
    x = (v - (v - p.v_rest) * p.leak) + p.gain * current
    if p.noise_std != 0:
        x = x + noise
    resting = refractory > 0
    fires = ~resting & (x >= p.v_threshold)
    if p.subtracts:
        v[:] = np.where(resting, v, np.where(fires, x - (p.v_threshold - p.v_reset), x))
    else:
        v[:] = np.where(resting | fires, p.v_reset, x)
    refractory[:] = np.where(
        resting, refractory - resting, np.where(fires, np.uint64(p.refractory_period), 0)
    )
    return fires


def fixed_trace(neurons, counts, v, refractory, i, saturations):
    """Return potentials and spikes (n, steps) of neurons in fixed point, in exact integers.

    v, refractory, i and saturations are updated. Rows take the neurons in turn.
    """
    potentials, spikes = np.zeros(counts.shape, np.int32), np.zeros(counts.shape, np.uint8)
    for t in range(counts.shape[1]):
        for n in range(len(counts)):
            c = neurons[n % len(neurons)]
            drive = int(counts[n, t]) * c.one
            if c.syn_leak:
                drive += int(i[n]) - (int(i[n]) * c.syn_leak >> c.syn_leak_shift)
                i[n] = min(max(drive, c.v_min), c.v_max)
                drive = int(i[n]) >> c.syn_fraction
            if refractory[n] > 0:
                refractory[n] -= np.uint64(1)
            else:
                total = int(v[n]) - (int(v[n]) * c.leak >> c.leak_shift) + drive
                saturations[n, 0] += np.uint64(total < c.v_min)
                saturations[n, 1] += np.uint64(total > c.v_max)
                total = min(max(total, c.v_min), c.v_max)
                if total >= c.threshold:
                    spikes[n, t] = 1
                    refractory[n] = c.refractory_period
                    total = total - (c.threshold - c.reset) if c.subtracts else c.reset
                v[n] = total
            potentials[n, t] = v[n]
    return potentials, spikes


def dense(
    parameters,
    weight_key,
    noise_key,
    x,
    weights,
    weight_bits,
    shared,
    gain,
    positions,
    first_word,
    length,
    v,
    refractory,
    i,
):
    """Return the spikes (batch, n_out, length), unpacked; v, refractory and i are updated."""
    weights = weights.T
    n_out, n_in = weights.shape
    magnitudes = np.abs(weights).ravel().astype(np.uint64)
    if weight_bits is None:
        neuron = np.arange(n_out, dtype=np.uint64)[:, None] * (not shared)
        streams = (neuron.astype(np.uint64) << HALF | np.arange(n_in, dtype=np.uint64)).ravel()
        bits = encode(weight_key, streams, magnitudes, first_word, length)
    else:
        bits = weight_bits
    signed = unpack(bits, length).reshape(n_out, n_in, length) * np.sign(weights)[:, :, None]
    counts = np.einsum("bit,jit->bjt", unpack(x, length).astype(np.int64), signed)
    # The images of a batch are rows of one population: only their noise repeats.
    image = np.arange(len(x))[:, None]
    neurons = (np.arange(n_out) * positions + image % positions).ravel()
    gains = np.broadcast_to(gain, (n_out,))
    currents = (gains[:, None] * counts).reshape(-1, length)
    state = [a.ravel() for a in (v, refractory, i)]
    spikes = lif(parameters, noise_key, currents, 0, 64 * first_word, length, *state, neurons)
    for a, after in zip((v, refractory, i), state, strict=True):
        a.flat = after
    return spikes.reshape(len(x), n_out, length)


def dense_sums(
    weight_key,
    x,
    x_bits,
    x_start,
    weights,
    weight_bits,
    shared,
    bits_per_step,
    first_word,
    start,
    length,
):
    """Return the sums of the products of each step (batch, steps, n_out)."""
    weights = weights.T
    n_out, n_in = weights.shape
    steps = (length - start) // bits_per_step
    if weight_bits is None:
        neuron = np.arange(n_out, dtype=np.uint64)[:, None] * np.uint64(not shared)
        streams = (neuron << HALF | np.arange(n_in, dtype=np.uint64)).ravel()
        magnitudes = np.abs(weights).ravel().astype(np.uint64)
        weight_bits = encode(weight_key, streams, magnitudes, first_word, length)
    signed = unpack(weight_bits, length).reshape(n_out, n_in, length) * np.sign(weights)[:, :, None]
    spikes = unpack(x, x_start + steps * x_bits)[:, :, x_start:]
    spikes = np.repeat(spikes, bits_per_step // x_bits, axis=-1).astype(np.int64)
    counts = np.einsum("bit,jit->btj", spikes, signed[:, :, start:])
    return counts.reshape(len(x), steps, bits_per_step, n_out).sum(axis=2).astype(float)


def neurons(
    parameters,
    noise_key,
    drive,
    gain,
    weights,
    weight_bits,
    bits_per_step,
    start,
    positions,
    first_step,
    steps,
    v,
    refractory,
    i,
    before,
):
    """Return the spikes (batch, n, steps), unpacked, and potentials (batch, steps, n).

    v, refractory, i and before are updated. parameters are those of each neuron.
    """
    batch, _, n = drive.shape
    drive = np.broadcast_to(drive, (batch, steps, n))
    out, trace = np.zeros((batch, n, steps), np.uint8), np.zeros((batch, steps, n))
    products = np.zeros((n, n, steps * bits_per_step))
    if weights is not None:
        products += weights.T[:, :, None]
    if weight_bits is not None:
        products = np.sign(products) * unpack(weight_bits, start + steps * bits_per_step)[:, :, start:]
    numbers = np.arange(n) * positions + np.arange(batch)[:, None] % positions
    z = normal(noise_key, numbers.ravel(), first_step, steps).reshape(batch, n, steps)
    spikes = unpack(before, n) if weights is not None else np.zeros((batch, n), np.uint8)
    for s in range(steps):
        total = drive[:, s].copy()
        if weights is not None:
            # Added in the order of the senders: float sums depend on it.
            first, count = s * bits_per_step, 1 if weight_bits is None else bits_per_step
            own = sum(
                np.cumsum(products[:, :, bit] * spikes[:, None], axis=-1)[:, :, -1]
                for bit in range(first, first + count)
            )
            total = total + own
        current = gain * total
        for j in range(n):
            p = parameters[j % len(parameters)]
            state = v[:, j], refractory[:, j], i[:, j]
            noise = p.noise_std * z[:, j, s]
            out[:, j, s] = lif_step(p, current[:, j], noise, *state)
        spikes = out[:, :, s]
        trace[:, s] = v
    if weights is not None:
        before[:] = pack(spikes)
    return out, trace


def machine(table, n_out, bits, states):
    """Return outputs (n_out, n, length), unpacked, and states (length + 1, n): those before each step.

    bits (n_in, n, length) are unpacked too.
    """
    n_in, n, length = bits.shape
    symbols = (bits.astype(np.int64) << np.arange(n_in)[:, None, None]).sum(axis=0)
    path = np.zeros((length + 1, n), np.int64)
    path[0] = states
    out = np.zeros((n_out, n, length), np.uint8)
    for t in range(length):
        entry = table[path[t], symbols[:, t]].astype(np.int64)
        path[t + 1] = entry & 0xFFFF
        for o in range(n_out):
            out[o, :, t] = entry >> (16 + o) & 1
    return out, path


def circuit(steps, n_values, outputs, holds, tables, bits, held, states):
    """Return outputs (n_out, n, length), unpacked; held (n, flip-flops) and states are updated."""
    n_in, n, length = bits.shape
    out = np.zeros((len(outputs), n, length), np.uint8)
    values = np.zeros((n_values, n), np.int64)
    for t in range(length):
        values[:n_in] = bits[:, :, t]
        values[holds[:, 0]] = held.T
        for kind, a, b, z, z1, table, machine in steps:
            if kind < 4:
                x, y = values[a], values[max(b, 0)]
                values[z] = (x & y, x | y, x ^ y, 1 - x)[kind]
                continue
            reads = tables[table - b : table] if kind == 5 else [a, b][: 1 + (b >= 0)]
            symbol = sum(values[value] << i for i, value in enumerate(reads))
            entry = tables[table + (states[machine].astype(np.int64) << len(reads) | symbol)]
            states[machine] = entry & 0xFFFF
            for o, to in enumerate((z, z1)):
                if to >= 0:
                    values[to] = entry >> (16 + o) & 1
        out[:, :, t] = values[outputs]
        held[:] = values[holds[:, 1]].T
    return out


def integrate(bits, numbers, n_bits, counters):
    """Return r < c (n, length), unpacked, and counters (length + 1, n): those before each step."""
    length = bits.shape[-1]
    r = numbers.astype(np.int64) >> (32 - n_bits)
    path = np.zeros((length + 1, bits.shape[1]), np.int64)
    path[0] = counters
    out = np.zeros(bits.shape[1:], np.uint8)
    for t in range(length):
        below = r[:, :, t] < path[t]
        out[:, t] = below[0]
        down = below.all(axis=0)
        if len(bits) == 2:
            down = down & (bits[1, :, t] == 1)
        path[t + 1] = np.clip(path[t] + bits[0, :, t] - down, 0, 2**n_bits)
    return out, path


def moving_average(bits, gain, y):
    out = np.zeros(bits.shape)
    for t in range(bits.shape[-1]):
        y = y + (bits[:, t].astype(np.float64) - y) * gain
        out[:, t] = y
    return out


def shuffle(bits, numbers, depth, slots):
    """Return the bits that leave (n, length) and slots (length + 1, n, depth), all unpacked."""
    n, length = bits.shape
    addresses = (numbers.astype(np.uint64) * np.uint64(depth) >> HALF).astype(np.int64)
    path = np.zeros((length + 1, n, depth), np.uint8)
    path[0] = slots
    out = np.zeros_like(bits)
    rows = np.arange(n)
    for t in range(length):
        out[:, t] = path[t][rows, addresses[:, t]]
        path[t + 1] = path[t]
        path[t + 1][rows, addresses[:, t]] = bits[:, t]
    return out, path


def deposit(x, w):
    """Return x with its k-th one replaced by bit k of w, rows of unpacked bits."""
    out = np.zeros_like(x)
    for row, (mask, bits) in enumerate(zip(x, w, strict=True)):
        out[row, mask == 1] = bits[: mask.sum()]
    return out


def in_stream(x, y, numbers, thresholds, bipolar):
    """Return in-stream products of unpacked bits (n, length), step by step."""
    n, length = x.shape
    d = len(thresholds) - 1
    held = np.concatenate([np.tile(np.arange(d, dtype=np.uint8) % 2, (n, 1)), y], axis=1)
    out = np.zeros_like(x)
    counted = np.zeros((2, n), np.int64)  # zeros and ones
    rows = np.arange(n)
    for t in range(length):
        c = held[:, t : t + d].sum(axis=1, dtype=np.int64)
        one = x[:, t].astype(np.int64)
        z = numbers[rows, counted[one if bipolar else 1, rows]] < thresholds[c]
        out[:, t] = z == one if bipolar else z & (one == 1)
        counted[one, rows] += 1
    return out
