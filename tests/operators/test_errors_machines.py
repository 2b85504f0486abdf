"""Error messages of the sequential operators and of the circuits that change correlation."""

import numpy as np
import pytest

from sc_neurocore import Bitstream, stack
from sc_neurocore.operators import (
    addie,
    buffered_add,
    cordiv,
    decorrelate,
    desynchronize,
    ema,
    gaines_divide,
    gaines_sqrt,
    isolate,
    jk_flip_flop,
    linear_distribution,
    linear_machine,
    regenerate,
    sexp,
    stanh,
    synchronize,
    toggle_add,
    umul,
)

X = Bitstream.from_bits([[0, 1, 1], [1, 1, 0]])
SHORT = Bitstream.from_bits([0, 1])
WIDE = Bitstream.from_bits(np.zeros((3, 3)))

OF_PAIRS = [
    cordiv,
    jk_flip_flop,
    umul,
    lambda x, y: buffered_add(x, y, 1),
    lambda x, y: synchronize(x, y, 1),
    lambda x, y: desynchronize(x, y, 1),
    lambda x, y: gaines_divide(x, y, 4, key=0),
]
OF_ONE = [
    lambda x: stanh(x, 4),
    lambda x: sexp(x, 4, 1),
    lambda x: addie(x, 4, key=0),
    lambda x: gaines_sqrt(x, 4, key=0),
    lambda x: ema(x, 4),
    lambda x: decorrelate(x, 4, key=0),
    lambda x: isolate(x, 1),
    lambda x: regenerate(x, key=0),
]
INTEGERS = [
    (lambda n: buffered_add(X, X, n), "depth", 0, 65535),
    (lambda n: synchronize(X, X, n), "depth", 1, 32767),
    (lambda n: desynchronize(X, X, n), "depth", 1, 65535),
    (lambda n: decorrelate(X, n, key=0), "depth", 1, 65536),
    (lambda n: linear_distribution(0.5, n), "n_states", 1, 65536),
    (lambda n: stanh(X, n), "n_states", 2, 65536),
    (lambda n: sexp(X, n, 1), "n_states", 2, 65536),
    (lambda n: sexp(X, 4, n), "gain", 1, 3),
    (lambda n: addie(X, n, key=0), "n_bits", 1, 31),
    (lambda n: gaines_divide(X, X, n, key=0), "n_bits", 1, 31),
    (lambda n: gaines_sqrt(X, n, key=0), "n_bits", 1, 31),
    (lambda n: ema(X, n), "n_bits", 0, 52),
]
OF_KEYS = [
    lambda key: addie(X, 4, key=key),
    lambda key: gaines_divide(X, X, 4, key=key),
    lambda key: gaines_sqrt(X, 4, key=key),
    lambda key: decorrelate(X, 4, key=key),
    lambda key: regenerate(X, key=key),
]


def error(call, *arguments):
    with pytest.raises((ValueError, TypeError)) as caught:
        call(*arguments)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("call", OF_PAIRS)
def test_pairs_require_equal_length_and_shapes_that_broadcast(call):
    message = "the streams must have equal length, got 3 and 2"
    assert error(call, X, SHORT) == (ValueError, message)
    message = "the streams must have batch shapes that broadcast, got (2,) and (3,)"
    assert error(call, X, WIDE) == (ValueError, message)
    kind, message = error(call, X, [0, 1])
    assert kind is TypeError
    assert message in {f"{name} must be a Bitstream, got [0, 1]" for name in ("y", "k")}


@pytest.mark.parametrize("call", OF_ONE)
def test_operators_on_one_stream_require_a_bitstream(call):
    assert error(call, [0, 1]) == (TypeError, "x must be a Bitstream, got [0, 1]")


@pytest.mark.parametrize(("call", "name", "low", "high"), INTEGERS)
def test_integers_are_limited_to_their_range(call, name, low, high):
    for value in (low - 1, high + 1):
        message = f"{name} must be at least {low} and at most {high}, got {value}"
        assert error(call, value) == (ValueError, message)
    assert error(call, 1.5) == (TypeError, f"{name} must be an integer, got 1.5")
    call(low)


@pytest.mark.parametrize("call", OF_KEYS)
def test_keys_are_limited_to_64_bits(call):
    assert error(call, 2**64) == (ValueError, f"key must lie in [0, 2**64), got {2**64}")
    assert error(call, -1) == (ValueError, "key must lie in [0, 2**64), got -1")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: toggle_add(X[0]), "x must have batch shape (..., n) with n > 0, got ()"),
        (
            lambda: toggle_add(stack([X[0]] * 3)),
            "x must have 2, 4, 8, ... inputs along its last batch axis, got 3",
        ),
        (lambda: stanh(X, 5), "n_states must be even, got 5"),
        (lambda: isolate(X, -1), "delay must be at least 0, got -1"),
        (lambda: linear_machine([[0, 1]]), "outputs must have shape (n_states,), got (1, 2)"),
        (lambda: linear_machine([0, 2]), "outputs must hold only the bits 0 and 1, got 2 at index 1"),
        (
            lambda: linear_machine([]),
            "the number of states must be at least 1 and at most 65536, got 0",
        ),
        (
            lambda: linear_distribution([0.5, 1.5], 3),
            "p must lie in [0.0, 1.0], got 1.5 at index 1",
        ),
    ],
)
def test_an_error_names_the_argument_its_contract_and_the_value(call, message):
    assert error(call) == (ValueError, message)
