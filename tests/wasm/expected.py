"""Print what the native module computes here, as JSON for compare.mjs.

Philox has the published values of Random123. Integers of 64 bits are strings; doubles are their bits.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native

KEY = 0x123456789ABCDEF0
# Known answers of Random123's test suite (kat_vectors, philox4x32 of 10 rounds).
PUBLISHED = [
    {"key": "0", "counter": [0] * 4, "out": [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]},
    {
        "key": str(2**64 - 1),
        "counter": [0xFFFFFFFF] * 4,
        "out": [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
    },
    {
        "key": str(0x299F31D0A4093822),
        "counter": [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        "out": [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    },
]
STREAMS = np.array([0, 1, 2, 2**32, 2**63 + 5, 7, 8, 9], np.uint64)
THRESHOLDS = np.array([0, 1, 2**31, 2**32 - 1, 2**32, 0x12345678, 0xDEADBEEF, 0x4CCCCCCD], np.uint64)
PHASES = np.arange(8, dtype=np.uint64) * np.uint64(7919)
LENGTHS = (*range(1, 130), 300, 1000)
N_BATCH, N_IN, N_OUT, STEPS = 3, 70, 11, 200


def texts(values: NDArray[Any]) -> list[str]:
    """Return 64-bit values as text."""
    return [str(n) for n in np.ascontiguousarray(values).view(np.uint64).ravel().tolist()]


def encoded(length: int) -> dict[str, Any]:
    """Return streams of a length from word 3 on."""
    return {"length": length, "out": texts(_native.encode(KEY, STREAMS, THRESHOLDS[None], 3, length))}


def shifted(length: int) -> dict[str, Any]:
    """Return streams of a length that a register makes."""
    out = _native.lfsr(16, 0x100B, PHASES, THRESHOLDS, 0, length, False)
    return {"length": length, "out": texts(out)}


def layer(noise_std: float, n_refractory: int) -> dict[str, Any]:
    """Return a layer of noisy neurons, what enters it and what it makes."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2**64, (N_BATCH, N_IN, -(-STEPS // 64)), np.uint64)
    x[..., -1] &= np.uint64(2 ** (STEPS % 64) - 1)
    weights = rng.integers(-(2**32), 2**32, (N_IN, N_OUT), endpoint=True)
    gain = np.linspace(0.02, 0.05, N_OUT)
    v, i = np.zeros((N_BATCH, N_OUT)), np.zeros((N_BATCH, N_OUT))
    refractory = np.zeros((N_BATCH, N_OUT), np.uint64)
    parameters = _native.LIFParameters(
        leak=1 / 20,
        v_rest=0.0,
        gain=1.0,
        noise_std=noise_std,
        v_threshold=1.0,
        v_reset=0.0,
        refractory_period=n_refractory,
        syn_leak=0.25,
        subtracts=False,
    )
    spikes = _native.dense(
        parameters, KEY, KEY + 1, x, weights, None, False, gain, 1, 0, STEPS, v, refractory, i
    )
    return {
        "parameters": texts(np.array([1 / 20, 0, 1, noise_std, 1, 0, n_refractory, 0.25, 0])),
        "x": texts(x),
        "weights": texts(weights),
        "gain": texts(gain),
        "spikes": texts(spikes),
        "v": texts(v),
        "refractory": texts(refractory),
        "i": texts(i),
    }


print(
    json.dumps(
        {
            "key": str(KEY),
            "streams": texts(STREAMS),
            "thresholds": texts(THRESHOLDS),
            "phases": texts(PHASES),
            "shape": [N_BATCH, N_IN, N_OUT, STEPS],
            "philox": PUBLISHED,
            "normal": texts(_native.normal(KEY, 5, 3, 101)),
            "encode": [encoded(length) for length in LENGTHS],
            "lfsr": [shifted(length) for length in LENGTHS],
            "dense": [layer(0.0, 0), layer(0.1, 0), layer(0.1, 3)],
        }
    )
)
