"""Error messages of the operators, the check of their correlation, and the codings."""

import math
from functools import partial

import numpy as np
import pytest
from error_table import test_of

from sc_neurocore import (
    Bipolar,
    Bitstream,
    SignMagnitude,
    TwoLine,
    Unipolar,
    dot,
    multiply,
    scaled_add,
    stack,
)
from sc_neurocore.operators import (
    absolute_difference,
    bernstein,
    bernstein_fit,
    bernstein_value,
    exact_product,
    maximum,
    minimum,
    popcount_add,
    saturating_add,
    saturating_subtract,
)
from sc_neurocore.streams import check_correlation

NAN = math.nan
PAIR = Bitstream.from_bits([[0, 1, 1], [1, 1, 0]])
X, Y = PAIR
LONG = Bitstream.from_bits([0, 1, 1, 0])
THREE = Bitstream.from_bits([[0, 1, 1]] * 3)
TWO_BY_TWO = Bitstream.from_bits([[[0, 1, 1]] * 2] * 2)

GATES = [
    multiply, minimum, maximum, absolute_difference, saturating_subtract, saturating_add,
    partial(check_correlation, wanted=0), lambda x, y: Bipolar(x) * Bipolar(y),
    lambda x, y: TwoLine(x, x) * TwoLine(y, y),
    lambda x, y: SignMagnitude(x, np.zeros(x.shape, bool)) * SignMagnitude(y, np.zeros(y.shape, bool)),
]  # fmt: skip
OF_STREAMS = [
    multiply, minimum, maximum, absolute_difference, saturating_subtract, saturating_add,
    partial(check_correlation, wanted=0),
]  # fmt: skip
CODINGS = [Unipolar, Bipolar, SignMagnitude, TwoLine]
UNIPOLAR = Unipolar(X)
REMEDY = "; convert one of the factors, or encode the number first"

ERRORS = [
    *(
        row
        for gate in OF_STREAMS
        for row in [
            (partial(gate, [0, 1], X), TypeError, "x must be a Bitstream, got [0, 1]"),
            (partial(gate, X, 0.5), TypeError, "y must be a Bitstream, got 0.5"),
        ]
    ),
    *(
        row
        for gate in GATES
        for row in [
            (partial(gate, X, LONG), ValueError, "the streams must have equal length, got 3 and 4"),
            (partial(gate, PAIR, THREE), ValueError,
             "the streams must have batch shapes that broadcast, got (2,) and (3,)"),
        ]
    ),
    # check_correlation
    (lambda: check_correlation(X, Y, 2), ValueError,
     "wanted must be at least -1 and at most 1, got 2"),
    (lambda: check_correlation(X, Y, 0.5), TypeError, "wanted must be an integer, got 0.5"),
    (lambda: check_correlation(X, Y, 1, tolerance=-1), ValueError,
     "tolerance must be 0 or more, got -1.0"),
    # sums
    (lambda: stack([]), ValueError, "the streams must be one or more and of equal length, got none"),
    (lambda: stack([X, LONG]), ValueError,
     "the streams must be one or more and of equal length, got 3 and 4"),
    (lambda: stack([X, [0, 1]]), TypeError, "streams[1] must be a Bitstream, got [0, 1]"),
    (lambda: stack([PAIR, THREE]), ValueError,
     "the streams must have batch shapes that broadcast, got (2,) and (3,)"),
    *(
        row
        for adder in (
            popcount_add,
            partial(dot, w=PAIR),
            partial(scaled_add, key=0),
            partial(bernstein, coefficients=[0, 1], key=0),
        )
        for row in [
            (partial(adder, [0, 1]), TypeError, "x must be a Bitstream, got [0, 1]"),
            (partial(adder, X), ValueError,
             "x must have batch shape (..., n) with n > 0, got ()"),
            (partial(adder, PAIR[:0]), ValueError,
             "x must have batch shape (..., n) with n > 0, got (0,)"),
        ]
    ),
    (lambda: dot(PAIR, [0, 1]), TypeError, "w must be a Bitstream, got [0, 1]"),
    (lambda: dot(PAIR, Bitstream.from_bits([[0, 1]] * 2)), ValueError,
     "w must have the length of x, 3, got 2"),
    (lambda: dot(PAIR, X), ValueError, "w must have batch shape (2,) or (n_out, 2), got ()"),
    (lambda: dot(PAIR, THREE), ValueError, "w must have batch shape (2,) or (n_out, 2), got (3,)"),
    (lambda: scaled_add(PAIR, key=-1), ValueError, "key must lie in [0, 2**64), got -1"),
    (lambda: scaled_add(PAIR, key=0.5), TypeError, "key must be an integer, got 0.5"),
    (lambda: scaled_add(PAIR, key=0, weights=[0.5]), ValueError,
     "weights must hold one weight for each of the 2 inputs, got 1"),
    (lambda: scaled_add(PAIR, key=0, weights=[1.5, -0.5]), ValueError,
     "weights must lie in [0.0, 1.0], got 1.5 at index 0"),
    (lambda: scaled_add(PAIR, key=0, weights=[0.5, 0.25]), ValueError,
     "weights must sum to 1, got 0.75; divide them by their sum and scale the result"),
    (lambda: scaled_add(PAIR, key=0, weights=[NAN, 1]), ValueError,
     "weights must be finite, got nan at index 0"),
    (lambda: scaled_add(PAIR, key=0, weights=[[0.5, 0.5]]), ValueError,
     "weights must have 1 axis, got shape (1, 2)"),
    # exact products
    (lambda: exact_product([0], X, "division"), TypeError, "x must be a Bitstream, got [0]"),
    (lambda: exact_product(X, [0], "division"), TypeError, "y must be a Bitstream, got [0]"),
    (lambda: exact_product(X, Y, "clock"), ValueError,
     "method must be one of 'division', 'rotation', 'coprime', got 'clock'"),
    (lambda: exact_product(X, LONG, "rotation"), ValueError,
     "y must have the length of x, 3, got 4; use method 'division'"),
    (lambda: exact_product(X, Y, "coprime"), ValueError,
     "x and y must have lengths without a common divisor, got 3 and 3, both divisible by 3; "
     "use method 'division'"),
    (lambda: exact_product(PAIR, THREE, "rotation"), ValueError,
     "the streams must have batch shapes that broadcast, got (2,) and (3,)"),
    # Bernstein polynomials
    (lambda: bernstein(PAIR, [0, 1], key=0), ValueError,
     "coefficients must have size 3 along the last axis for 2 copies, got shape (2,)"),
    (lambda: bernstein(PAIR, 0.5, key=0), ValueError,
     "coefficients must have size 3 along the last axis for 2 copies, got shape ()"),
    (lambda: bernstein(PAIR, PAIR), ValueError,
     "coefficients must have size 3 along the last axis for 2 copies, got shape (2,)"),
    (lambda: bernstein(TWO_BY_TWO, [[0, 1, 1]] * 3, key=0), ValueError,
     "coefficients must have a shape (..., 3) that broadcasts with that of x, (2, 2), got (3, 3)"),
    (lambda: bernstein(PAIR, [0, 1, 2], key=0), ValueError,
     "coefficients must lie in [0.0, 1.0], got 2.0 at index 2"),
    (lambda: bernstein(PAIR, [0, 1, NAN], key=0), ValueError,
     "coefficients must be finite, got nan at index 2"),
    (lambda: bernstein(PAIR, [0, 1, 1]), ValueError,
     "key must be given if the coefficients are values, got None"),
    (lambda: bernstein(PAIR, THREE, key=5), ValueError,
     "key must be omitted if the coefficients are streams, got 5"),
    (lambda: bernstein(PAIR, Bitstream.from_bits([[0, 1]] * 3)), ValueError,
     "coefficients must have the length of x, 3, got 2"),
    (lambda: bernstein_value(0.5, []), ValueError,
     "coefficients must hold at least one value, got none"),
    (lambda: bernstein_value([0.5, 0.5], 0.5), ValueError,
     "coefficients must have at least 1 axis, got shape ()"),
    (lambda: bernstein_value(0.5, [[0, 1]]), ValueError,
     "coefficients must have 1 axis, got shape (1, 2)"),
    (lambda: bernstein_value(0.5, [0, 1.5]), ValueError,
     "coefficients must lie in [0.0, 1.0], got 1.5 at index 1"),
    (lambda: bernstein_value([0.5, 2], [0, 1]), ValueError,
     "x must lie in [0.0, 1.0], got 2.0 at index 1"),
    (lambda: bernstein_fit(np.sqrt, 0), ValueError, "degree must be at least 1 and at most 255, got 0"),
    (lambda: bernstein_fit(np.sqrt, 2.0), TypeError, "degree must be an integer, got 2.0"),
    (lambda: bernstein_fit(lambda x: 0.5, 2), ValueError, "function(x) must have 1 axis, got shape ()"),
    (lambda: bernstein_fit(lambda x: x[1:], 2), ValueError,
     "function(x) must have the shape of x, (256,), got (255,)"),
    (lambda: bernstein_fit(lambda x: x * NAN, 2), ValueError,
     "function(x) must be finite, got nan at index 0"),
    # codings
    *(
        row
        for coding in CODINGS
        for row in [
            (partial(coding.encode, NAN, 8, key=0), ValueError, "x must be finite, got nan"),
            (partial(coding.encode, "a", 8, key=0), TypeError, "x must hold real numbers, got 'a'"),
            (partial(coding.encode, 0.5, 0, key=0), ValueError, "length must be at least 1, got 0"),
            (partial(coding.encode, 0.5, 8, key=-1), ValueError, "key must lie in [0, 2**64), got -1"),
            (partial(coding.encode, [0.5, 0.5], 8, key=0, streams=[1, 2, 3]), ValueError,
             "streams must have a shape that broadcasts with that of p, (2,), got (3,)"),
        ]
    ),
    (lambda: Unipolar([0, 1]), TypeError, "stream must be a Bitstream, got [0, 1]"),
    (lambda: Bipolar([0, 1]), TypeError, "stream must be a Bitstream, got [0, 1]"),
    (lambda: TwoLine([0, 1], X), TypeError, "plus must be a Bitstream, got [0, 1]"),
    (lambda: TwoLine(X, [0, 1]), TypeError, "minus must be a Bitstream, got [0, 1]"),
    (lambda: TwoLine(X, LONG), ValueError,
     "minus must have the shape and the length of plus, () and 3, got () and 4"),
    (lambda: TwoLine(X, PAIR), ValueError,
     "minus must have the shape and the length of plus, () and 3, got (2,) and 3"),
    (lambda: SignMagnitude([0, 1], True), TypeError, "magnitude must be a Bitstream, got [0, 1]"),
    (lambda: SignMagnitude(X, -1), ValueError, "negative must hold only the bits 0 and 1, got -1"),
    (lambda: SignMagnitude(X, "-"), TypeError, "negative must hold the bits 0 and 1, got '-'"),
    (lambda: SignMagnitude(PAIR, True), ValueError,
     "negative must have the batch shape of magnitude, (2,), got ()"),
    (lambda: -UNIPOLAR, TypeError,
     f"the operand of - must be of a coding with negative values, got {UNIPOLAR}; "
     "convert it with to_sign_magnitude()"),
    *(
        (partial(coding.__mul__, x, UNIPOLAR), TypeError,
         f"the factor must be a {coding.__name__}, got {UNIPOLAR}{REMEDY}")
        for coding, x in [(Bipolar, Bipolar(X)), (SignMagnitude, SignMagnitude(X, True)),
                          (TwoLine, TwoLine(X, Y))]
    ),
    (lambda: UNIPOLAR * 0.5, TypeError, f"the factor must be a Unipolar, got 0.5{REMEDY}"),
    (lambda: UNIPOLAR * X, TypeError, f"the factor must be a Unipolar, got {X}{REMEDY}"),
]  # fmt: skip


test_an_error_names_the_argument_its_contract_and_the_value = test_of(ERRORS)


def test_an_array_times_a_coding_is_refused():
    for coding in (UNIPOLAR, Bipolar(X), SignMagnitude(X, True), TwoLine(X, Y)):
        with pytest.raises(TypeError):
            np.ones(3) * coding


def test_an_unknown_keyword_of_encode_is_refused():
    for coding in CODINGS:
        with pytest.raises(TypeError, match="unexpected keyword argument 'steams'"):
            coding.encode(0.5, 8, key=0, steams=1)
