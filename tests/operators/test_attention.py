"""Attention by AND gates has the law of its paper, and is a circuit."""

import numpy as np
import pytest

from sc_neurocore import Role, encode, stream_key
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import spiking_attention

KEYS = stream_key(51, Role.SELECT), stream_key(51, Role.SELECT, 1)
RNG = np.random.default_rng(5)
P = RNG.random((3, 4)), RNG.random((5, 4)), RNG.random((5, 2))
VALUE = P[0] @ P[1].T / 4 @ P[2] / 5


def streams(length, rows=()):
    return [
        encode(np.broadcast_to(p, (*rows, *p.shape)), length, key=stream_key(51, Role.INPUT, i))
        for i, p in enumerate(P)
    ]


def test_outputs_have_their_means_and_variances():
    n, length = 600, 256
    z = spiking_attention(*streams(length, (n,)), keys=KEYS).probability()
    variance = VALUE * (1 - VALUE) / length
    assert (np.abs(z.mean(axis=0) - VALUE) <= 5 * np.sqrt(variance / n)).all()
    assert (np.abs(z.var(axis=0) / variance - 1) <= 5 * np.sqrt(2.1 / n)).all()


def test_each_output_is_the_and_of_one_feature_and_one_token():
    """A one needs a token whose value is 1, and a feature that its query and key share."""
    q, k, v = (x.bits().astype(bool) for x in streams(2000))
    z = spiking_attention(*streams(2000), keys=KEYS).bits().astype(bool)
    shared = q[:, None] & k[None]
    possible = (shared.any(axis=2)[:, :, None] & v[None]).any(axis=1)
    certain = (shared.all(axis=2)[:, :, None] & v[None]).all(axis=1)
    assert not (z & ~possible).any()
    assert (z | ~certain).all()


def test_a_batch_with_one_row_is_that_row_and_tokens_without_features_are_refused():
    single, many = streams(300), streams(300, (1,))
    assert spiking_attention(*many, keys=KEYS)[0] == spiking_attention(*single, keys=KEYS)


def test_attention_is_predicted_as_a_circuit():
    q, k, v = (p[:2, :2] for p in P)

    def function(q, k, v):
        return spiking_attention(q, k, v, keys=KEYS)

    circuit = Circuit.trace(function, q=(2, 2), k=(2, 2), v=(2, 2))
    predicted = circuit.predict({"q": q, "k": k, "v": v}, 256)["out"]
    value = q @ k.T / 2 @ v / 2
    assert predicted.value == pytest.approx(value)
    assert predicted.mean == pytest.approx(value)
    assert predicted.variance == pytest.approx(value * (1 - value) / 256)
    assert not circuit.check({"q": q, "k": k, "v": v})


ONE = encode(np.full((2, 2), 0.5), 8, key=1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: spiking_attention(ONE, ONE, 1, keys=KEYS), TypeError, "v must be a Bitstream, got 1"),
        (lambda: spiking_attention(ONE[0], ONE, ONE, keys=KEYS), ValueError,
         "q must have batch shape (..., tokens, features), got (2,)"),
        (lambda: spiking_attention(ONE, ONE[:, :1], ONE, keys=KEYS), ValueError,
         "k must have the 2 features of q, got 1"),
        (lambda: spiking_attention(ONE, ONE, ONE[:1], keys=KEYS), ValueError,
         "v must have the 2 tokens of k, got 1"),
        (lambda: spiking_attention(ONE, ONE, ONE, keys=7), TypeError,
         "keys must be a tuple of two keys, got 7"),
        (lambda: spiking_attention(ONE, ONE, ONE, keys=(7, 7)), ValueError, "keys must be different"),
        (lambda: spiking_attention(ONE, ONE.between(0, 4), ONE, keys=KEYS), ValueError,
         "k must have the length of x, 8, got 4"),
    ],
)  # fmt: skip
def test_wrong_operands_are_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
