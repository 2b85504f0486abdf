"""NumPy: a network of that size with signs for weights and activations, as packed bits.

Products are XOR, and sums population counts (Courbariaux et al.: Binarized neural networks, 2016).
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from serve import Call, serve
from workloads import SHORT_BATCH, SIZES

rng = np.random.default_rng(0)
Words = NDArray[np.uint64]
BLOCK = 32  # images per block, whose products stay in a cache


def packed(positive: NDArray[np.bool_]) -> Words:
    """Return rows of signs, packed; the same rest of the last word in all rows."""
    octets = np.zeros((len(positive), -(-positive.shape[1] // 64) * 8), np.uint8)
    bits = np.packbits(positive, axis=-1)
    octets[:, : bits.shape[1]] = bits
    return octets.view(np.uint64)


def sums(x: Words, w: Words, n: int) -> NDArray[np.int64]:
    """Return the products of signs, summed over n inputs."""
    different = np.empty((len(x), len(w)), np.int64)
    for first in range(0, len(x), BLOCK):
        both = x[first : first + BLOCK, np.newaxis] ^ w
        different[first : first + BLOCK] = np.bitwise_count(both).sum(axis=-1, dtype=np.uint16)
    return n - 2 * different


def network(batch: int) -> Call:
    """Return a call of the network on densities, which are compared with 1/2."""
    x = rng.random((batch, SIZES[0]), dtype=np.float32)
    first, second = (packed(rng.random((n_out, n_in)) < 0.5) for n_in, n_out in pairwise(SIZES))

    def run() -> NDArray[np.int64]:
        hidden = sums(packed(x >= 0.5), first, SIZES[0])
        return sums(packed(hidden >= 0), second, SIZES[1])

    return run


if __name__ == "__main__":
    serve(
        np.__version__,
        {
            "short": partial(network, SHORT_BATCH),
            "short kept": partial(network, SHORT_BATCH),
            "single": partial(network, 1),
        },
    )
