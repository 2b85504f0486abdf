"""Print what the NumPy twins compute, as JSON for compare.mjs. 64-bit integers are strings."""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import twins

KEY = 0x123456789ABCDEF0
COUNTERS = ([0] * 4, [0xFFFFFFFF] * 4, [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344])
STREAMS = np.array([0, 1, 2, 2**32, 2**63 + 5, 7, 8, 9], np.uint64)
THRESHOLDS = np.array([0, 1, 2**31, 2**32 - 1, 2**32, 0x12345678, 0xDEADBEEF, 0x4CCCCCCD], np.uint64)


def texts(numbers):
    return [str(int(n)) for n in np.ravel(numbers)]


def encoded(first_word, length):
    bits = twins.encode(KEY, STREAMS, THRESHOLDS, first_word, length)
    return {
        "key": str(KEY),
        "streams": texts(STREAMS),
        "thresholds": texts(THRESHOLDS),
        "first_word": first_word,
        "length": length,
        "out": texts(bits),
    }


print(
    json.dumps(
        {
            "philox": [
                {"key": str(KEY), "counter": counter, "out": texts(twins.philox(KEY, *counter))}
                for counter in COUNTERS
            ],
            "encode": [encoded(3, length) for length in (*range(1, 130), 300, 1000)],
        }
    )
)
