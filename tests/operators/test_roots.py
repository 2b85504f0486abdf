"""Square roots by insertion: the equation step by step, and its law."""

import numpy as np
import pytest

from sc_neurocore import Bernoulli, Permutation, encode
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import jk_sqrt

ROWS = 2000
LEAST = 5 * np.sqrt(2 / ROWS)
KEY = 31


def many(p, length):
    return encode(np.full(ROWS, p), length, key=KEY)


def agrees(z, predicted):
    assert abs(z.mean() - predicted.mean) <= 5 * np.sqrt(predicted.variance / ROWS)
    assert abs(z.var() / predicted.variance - 1) <= LEAST


def rooted(bits, address, depth):
    """Return the bits of the root step by step."""
    s, buffer, out = 0, [i % 2 for i in range(depth)], []
    for x, a in zip(bits, address, strict=True):
        z = x | s
        out.append(z)
        h = z
        if depth:
            h, buffer[a] = buffer[a], z
        s = 1 - s if h else 0
    return out


@pytest.mark.parametrize("depth", [0, 2, 4, 8])
def test_the_root_has_the_bits_of_its_equation(depth):
    x = encode([0.1, 0.5, 0.8], 300, key=KEY)
    n = max(depth, 1).bit_length() - 1
    address = np.zeros((3, 300), int)
    if depth:
        bits = encode(np.full((3, n), 0.5), 300, key=7).bits()
        address = (bits * (1 << np.arange(n))[:, None]).sum(axis=1)
    z = jk_sqrt(x, depth, key=7 if depth else None).bits()
    for row in range(3):
        assert z[row].tolist() == rooted(x.bits()[row].tolist(), address[row], depth)


def test_the_root_has_its_law_and_the_errors_of_the_table():
    for depth, table in (
        (0, [-0.128, -0.134, -0.100, -0.040, -0.001]),
        (2, [0.158, 0.111, 0.050, 0.015, 0.000]),
        (4, [0.064, 0.042, 0.019, 0.006, 0.000]),
    ):
        circuit = Circuit.trace(lambda x, d=depth: jk_sqrt(x, d, key=3 if d else None))
        for p, error in zip((0.05, 0.1, 0.25, 0.5, 0.9), table, strict=True):
            found = circuit.predict({"x": p}, 2**38)["out"]
            assert found.mean - np.sqrt(p) == pytest.approx(error, abs=6e-4)
            assert found.value == pytest.approx(np.sqrt(p))
            if not depth:
                assert found.mean == pytest.approx(2 * p / (1 + p))
    predicted = circuit.predict({"x": 0.3}, 256)["out"]
    agrees(jk_sqrt(many(0.3, 256), 4, key=3).probability(), predicted)
    for p, error in ((0.05, 0.024), (0.25, 0.009), (0.9, 0.0)):
        z = jk_sqrt(many(p, 4096), key=3).probability()
        assert abs(z.mean() - np.sqrt(p) - error) <= 5 * z.std() / np.sqrt(ROWS) + 6e-4


def test_the_sources_of_a_root_can_be_others_and_errors_name_the_argument():
    x = encode([0.25, 0.81], 2**14, key=1, source=Permutation(2**14))
    assert np.allclose(jk_sqrt(x, key=2, source=Bernoulli()).probability(), [0.5, 0.9], atol=0.05)
    y = encode([0.5, 0.6, 0.7], 64, key=1)
    for call, message in (
        (lambda: jk_sqrt(y, 3, key=1), "depth must be 0, 2, 4 or 8, got 3"),
        (lambda: jk_sqrt(y), "key must be given for a buffer, got None"),
        (lambda: jk_sqrt(y, 0, key=1), "key must be omitted at depth 0, got 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
