import os
import re
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from scipy.stats import hypergeom

from sc_neurocore import (
    LFSR,
    Bipolar,
    Bitstream,
    CorrelationWarning,
    Hammersley,
    Role,
    SignMagnitude,
    Sobol,
    TwoLine,
    Unipolar,
    checking,
    current_trace,
    dot,
    encode,
    multiply,
    scaled_add,
    scc,
    stack,
    stream_key,
)
from sc_neurocore.operators import (
    Integral,
    absolute_difference,
    bernstein,
    btanh,
    cordiv,
    jk_flip_flop,
    maximum,
    minimum,
    popcount_add,
    saturating_add,
    saturating_subtract,
    sexp,
    stanh,
)
from sc_neurocore.streams import check_correlation, check_white
from sc_neurocore.streams.correlation import NEEDS

KEY, OTHER = stream_key(5, Role.INPUT), stream_key(5, Role.WEIGHT)
SELECT = stream_key(5, Role.SELECT)
LENGTH = 4096
SIGNED = {0: "0", 1: "+1", -1: "-1"}
SAME = encode([0.5, 0.6], LENGTH, key=KEY, streams=3)
APART = encode([0.5, 0.6], LENGTH, key=KEY)
# A pair of streams for each SCC.
PAIRS = {0: APART, 1: SAME, -1: stack([SAME[0], ~encode(0.4, LENGTH, key=KEY, streams=3)])}
BINARY = {
    "multiply": multiply,
    "minimum": minimum,
    "maximum": maximum,
    "absolute_difference": absolute_difference,
    "saturating_subtract": saturating_subtract,
    "saturating_add": saturating_add,
    "Bipolar *": lambda x, y: (Bipolar(x) * Bipolar(y)).stream,
    # With silent minus lines the product is the AND of the plus lines.
    "TwoLine *": lambda x, y: (Unipolar(x).to_two_line() * Unipolar(y).to_two_line()).plus,
}
IDEAL = {
    "multiply": lambda p, q: p * q,
    "minimum": min,
    "maximum": max,
    "absolute_difference": lambda p, q: abs(p - q),
    "saturating_subtract": lambda p, q: max(0, p - q),
    "saturating_add": lambda p, q: min(1, p + q),
    "Bipolar *": lambda p, q: ((2 * p - 1) * (2 * q - 1) + 1) / 2,
    "TwoLine *": lambda p, q: p * q,
}


def messages(call, *arguments, checked=True, **keywords):
    """Return the text of the warnings that a call gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if checked:
            with checking():
                call(*arguments, **keywords)
        else:
            call(*arguments, **keywords)
    assert all(w.category is CorrelationWarning for w in caught)
    return [str(w.message) for w in caught]


def test_the_warning_names_the_required_scc_the_worst_pair_and_the_effect():
    good = Bitstream.from_bits(np.tile([1, 1, 0, 0], 25)), Bitstream.from_bits([1, 0] * 50)
    bad = Bitstream.from_bits([1] * 50 + [0] * 50), Bitstream.from_bits([1] * 60 + [0] * 40)
    x, y = (stack([g, g, g, b]) for g, b in zip(good, bad, strict=True))
    (message,) = messages(multiply, x, y)
    assert message == (
        "multiply needs SCC 0, got 1 at index 3 (p=0.5, q=0.6): the AND is 0.5 instead of 0.3; encode "
        "the operands with encode_pair (Bernoulli: or with other keys), or decorrelate them"
    )
    (message,) = messages(check_correlation, x.reshape(2, 2), y.reshape(2, 2), 0, checked=False)
    assert message.startswith(
        "check_correlation requires SCC 0, got 1 at index (1, 1) (p=0.5, q=0.6): the AND is 0.5"
    )
    (message,) = messages(check_correlation, x[3], y[3], -1, checked=False)
    assert message.startswith(
        "check_correlation requires SCC -1, got 1 (p=0.5, q=0.6): the AND is 0.5 instead of 0.1; "
    )


def test_every_operator_in_the_table_of_needs_is_tested_here():
    elsewhere = {"multiplex"}  # test_selection.py
    elsewhere |= {"btanh", "Integral.tanh"}  # below, by the inputs along an axis
    here = {*BINARY, "scaled_add", "bernstein", "cordiv", "current_trace", "dot"}
    assert set(NEEDS) == here | elsewhere


@pytest.mark.parametrize("correlation", [-1, 0, 1])
@pytest.mark.parametrize("operator", BINARY)
def test_an_operator_warns_unless_its_operands_have_the_required_scc(operator, correlation):
    pair = PAIRS[correlation]
    if correlation:
        assert scc(pair[0], pair[1]) == correlation
    found = messages(BINARY[operator], pair[0], pair[1])
    if correlation == NEEDS[operator].scc:
        assert found == []
        return
    (message,) = found
    assert message.startswith(f"{operator} needs SCC {SIGNED[NEEDS[operator].scc]}, got ")
    got, ideal = map(float, re.search(r"is (\S+) instead of ([^;]+);", message).groups())
    p, q = pair.probability()
    density = BINARY[operator](pair[0], pair[1]).probability()
    assert got == pytest.approx(density, abs=5e-4)
    assert ideal == pytest.approx(IDEAL[operator](p, q), abs=5e-4)


def test_the_product_of_magnitudes_is_checked():
    x, y = SignMagnitude(SAME[0], False), SignMagnitude(SAME[1], True)
    (message,) = messages(lambda: x * y)
    assert message.startswith("multiply needs SCC 0, got 1 ")
    assert len(messages(lambda: TwoLine(SAME[0], ~SAME[0]) * TwoLine(SAME[1], ~SAME[1]))) == 4


def test_adders_accept_correlated_inputs_but_require_independent_selects():
    assert messages(popcount_add, SAME) == []
    assert messages(scaled_add, SAME, key=SELECT) == []
    x = encode([0.5, 0.5, 0.8], LENGTH, key=KEY)
    assert messages(scaled_add, x, key=SELECT) == []
    first, second = messages(scaled_add, x, key=KEY)
    assert first.startswith(
        "scaled_add needs SCC 0 of select 1 and the inputs from 1 on, got 1 at index 0"
    )
    assert second.startswith(
        "scaled_add needs SCC 0 of select 0 and the inputs from 0 on, got 1 at index 0"
    )


def test_bernstein_requires_independent_copies_and_coefficients():
    b = [0.25, 0.625, 0.375, 0.75]
    copies = encode([[0.4] * 3, [0.6] * 3], LENGTH, key=KEY)
    assert messages(bernstein, copies, b, key=OTHER) == []
    assert messages(bernstein, copies, encode(b, LENGTH, key=OTHER, streams=0)) == []
    same = encode([0.4] * 3, LENGTH, key=KEY, streams=[0, 1, 0])
    (message,) = messages(bernstein, same, b, key=OTHER)
    assert message.startswith("bernstein needs SCC 0 of copies 0 and 2, got 1 (p=")
    assert messages(bernstein, copies[0], b, key=KEY) == []  # values use other streams than the copies
    found = messages(bernstein, copies[0], encode(b, LENGTH, key=KEY))
    assert [m.split(" at ")[0] for m in found] == [
        f"bernstein needs SCC 0 of copy {i} and the coefficients, got 1" for i in range(3)
    ]


@pytest.mark.parametrize("length", [16, 64, 300])
def test_fewer_than_one_in_100_000_independent_pairs_raise_a_false_alarm(length):
    for n, m in [(1, 1), (2, 1), (3, 10), (15, 15), (length // 2, length // 2), (length - 1, 5)]:
        law = hypergeom(length, n, m)
        low, high = max(0, n + m - length), min(n, m)
        x = Bitstream.from_bits(np.arange(length) < n)
        alarm = 0.0
        for both in range(low, high + 1):
            t = np.arange(length)
            y = Bitstream.from_bits((t < both) | ((t >= n) & (t < n + m - both)))
            assert int((x & y).counts()) == both
            alarm += law.pmf(both) * len(messages(check_correlation, x, y, 0, checked=False))
        assert alarm < 1e-5, (n, m)


def test_independent_streams_pass_and_equal_ones_are_found_from_64_steps_up():
    rng = np.random.default_rng(1)
    for length in (64, 1000):
        p, q = rng.uniform(0, 1, (2, 5000))
        x, y = encode(p, length, key=KEY), encode(q, length, key=OTHER)
        assert messages(check_correlation, x, y, 0, checked=False) == []
        half = encode([0.5, 0.5], length, key=KEY, streams=0)
        assert len(messages(check_correlation, half[0], half[1], 0, checked=False)) == 1


@pytest.mark.parametrize("length", [1, 2, 100])
@pytest.mark.parametrize("wanted", [-1, 0, 1])
def test_constant_streams_always_pass(wanted, length):
    constant = encode([[0.0], [1.0]], length, key=KEY)
    other = encode([0.0, 0.3, 1.0], length, key=OTHER)
    assert messages(check_correlation, constant, other, wanted, checked=False) == []
    assert messages(check_correlation, other, constant, wanted, checked=False) == []


def test_the_tolerance_bounds_the_deviation_of_scc():
    x = Bitstream.from_bits([1, 1, 0, 0] * 8)
    y = Bitstream.from_bits([1, 1, 0, 0] * 7 + [1, 0, 0, 1])
    miss = 1 - float(scc(x, y))
    assert 0 < miss < 1
    for wanted, streams in ((1, (x, y)), (-1, (x, ~y))):
        at = {"wanted": wanted, "checked": False}
        assert messages(check_correlation, *streams, tolerance=miss + 1e-9, **at) == []
        assert len(messages(check_correlation, *streams, tolerance=miss - 1e-9, **at)) == 1


def test_operators_check_only_while_a_block_is_open_in_any_thread():
    def count():
        return len(messages(multiply, SAME[0], SAME[1], checked=False))

    def in_a_thread(call):
        found = []
        thread = threading.Thread(target=lambda: found.append(call()))
        thread.start()
        thread.join()
        return found[0]

    assert count() == 0
    with checking():
        assert in_a_thread(count) == 1
        with checking():
            assert count() == 1
        assert count() == 1
    assert in_a_thread(count) == 0

    # Blocks of two threads that overlap without nesting.
    first, second = checking(), checking()
    first.__enter__()
    in_a_thread(second.__enter__)
    first.__exit__(None, None, None)
    assert count() == 1
    in_a_thread(lambda: second.__exit__(None, None, None))
    assert count() == 0

    with pytest.raises(KeyError), checking():
        raise KeyError
    assert count() == 0


def test_the_warning_points_at_the_line_outside_the_package():
    calls = [
        lambda: multiply(SAME[0], SAME[1]),
        lambda: Bipolar(SAME[0]) * Bipolar(SAME[1]),
        lambda: SignMagnitude(SAME[0], False) * SignMagnitude(SAME[1], True),
        lambda: check_correlation(SAME[0], SAME[1], 0),
    ]
    for call in calls:
        with checking(), pytest.warns(CorrelationWarning) as caught:
            call()
        assert (caught[0].filename, caught[0].lineno) == (__file__, call.__code__.co_firstlineno)


def test_the_environment_variable_turns_the_checks_on():
    code = (
        "from sc_neurocore import *\n"
        "x = Bitstream.from_bits([1, 0] * 50)\n"
        "multiply(x, x)\n"
        "with checking(): pass\n"
        "multiply(x, x)\n"
    )

    def run(**environment):
        return subprocess.run(
            [sys.executable, "-W", "always", "-c", code],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run().stderr == run(SC_NEUROCORE_CHECK="0").stderr == ""
    assert run(SC_NEUROCORE_CHECK="1").stderr.count("multiply needs SCC 0, got 1 (p=0.5") == 2
    wrong = run(SC_NEUROCORE_CHECK="yes")
    assert wrong.returncode != 0
    assert "SC_NEUROCORE_CHECK must be one of '0', '1', got 'yes'" in wrong.stderr


def test_currents_warn_of_inputs_and_weights_that_share_numbers():
    x, w = encode([[0.5, 0.6], [0.4, 0.7]], LENGTH, key=KEY, streams=[[0, 1], [2, 1]])
    (message,) = messages(current_trace, x, w)
    assert message.startswith("current_trace needs SCC 0, got 1 at index 1 (p=0.")
    assert messages(current_trace, x, encode([[0.4, 0.7], [0.1, 0.2]], LENGTH, key=OTHER)) == []
    (message,) = messages(dot, x, w)
    assert message.startswith("dot needs SCC 0, got 1 at index 1 (p=0.")
    assert messages(dot, x, encode([[0.4, 0.7], [0.1, 0.2]], LENGTH, key=OTHER)) == []


@pytest.mark.parametrize("length", [2, 16, 64, 1000])
def test_white_streams_pass_with_few_false_alarms(length):
    n = 4000
    for p in (0.01, 0.1, 0.5, 0.9):
        streams = encode(np.full(n, p), length, key=KEY)
        alarms = sum(bool(messages(check_white, s, checked=False)) for s in streams[:400])
        assert alarms == 0, p
    assert messages(check_white, streams, checked=False) == []


@pytest.mark.parametrize("operator", ["stanh", "sexp", "jk_flip_flop", "cordiv"])
def test_machines_warn_of_input_that_is_not_white(operator):
    def call(x):
        calls = {
            "stanh": lambda: stanh(x, 8),
            "sexp": lambda: sexp(x, 8, 2),
            "jk_flip_flop": lambda: jk_flip_flop(x, APART[0]),
            "cordiv": lambda: cordiv(x, x),
        }
        calls[operator]()

    assert messages(call, APART[1]) == []
    for source in (Sobol(), Hammersley(12), LFSR(12)):
        found = messages(call, encode([0.0, 0.5, 0.7], LENGTH, key=KEY, source=source, streams=0))
        assert found[0].startswith(f"{operator} needs a white stream, got an autocorrelation of ")
        assert "encode it with Bernoulli()" in found[0]


def test_the_warning_names_the_lag_and_the_stream():
    alternating = Bitstream.from_bits([[1, 1, 1, 0] * 25, [1, 0] * 50])
    (message,) = messages(check_white, alternating, checked=False)
    assert message == (
        "check_white requires a white stream, got an autocorrelation of -0.99 at lag 1 at index 1 "
        "(p=0.5); encode it with Bernoulli(), or decorrelate it"
    )
    assert messages(check_white, Bitstream.from_bits([1]), checked=False) == []
    assert messages(check_white, Bitstream.from_bits([[1] * 50, [0] * 50]), checked=False) == []


@pytest.mark.parametrize(
    ("operator", "call"),
    [
        ("btanh", lambda x: btanh(x, 6)),
        ("Integral.tanh", lambda x: Integral(x).tanh(4)),
    ],
)
def test_operators_warn_of_inputs_along_an_axis_that_depend_on_each_other(operator, call):
    first, second = APART
    third = encode(0.3, LENGTH, key=KEY, streams=9)
    assert messages(call, stack([first, second, third])) == []
    assert messages(call, first[None]) == []
    (message,) = messages(call, stack([first, third, first]))
    assert message.startswith(f"{operator} needs SCC 0 of two inputs, got 1 ")
    found = messages(call, encode([0.5, 0.7], LENGTH, key=KEY, source=Sobol(), streams=[0, 1]))
    assert found[0].startswith(f"{operator} needs a white stream")
