"""Error messages of sources and of the places that take one, in the form of test_errors.py."""

import numpy as np
from error_table import test_of
from test_errors import encoder, layer, run, source, streams, synapse

from sc_neurocore import (
    LFSR,
    Bernoulli,
    Halton,
    Hammersley,
    Permutation,
    Ramp,
    Sobol,
    VanDerCorput,
    Weyl,
    encode_pair,
    evaluate,
    load_digits,
)
from sc_neurocore.streams import TableSource, operands

TWICE = (
    "source must give the operands different numbers, got {0} and {0}; with these the product of "
    "p = q = 0.5 can be 0.5 instead of 0.25; use sources of different kinds, or pass one source alone "
    "to use its independent sequences"
)
MORE = "Sobol(), Hammersley() and Bernoulli() have more, and a tuple gives each operand its own source"
DIMENSIONS = "stream numbers must be below 1024, the dimensions of Sobol()"
PRIMITIVE = "taps must be the exponents of a primitive polynomial of degree 8, got {}"
digits = load_digits()

ERRORS = [
    (lambda: LFSR(2), ValueError, "width must be at least 3 and at most 32, got 2"),
    (lambda: LFSR(33), ValueError, "width must be at least 3 and at most 32, got 33"),
    (lambda: LFSR(8.0), TypeError, "width must be an integer, got 8.0"),
    (lambda: LFSR(8, (8, 4)), ValueError, PRIMITIVE.format((8, 4))),
    (lambda: LFSR(8, (6, 5, 4)), ValueError, PRIMITIVE.format((6, 5, 4))),
    (lambda: LFSR(8, ()), ValueError, PRIMITIVE.format(())),
    (lambda: LFSR(8, (9, 8)), ValueError, "taps must be at least 1 and at most 8, got 9"),
    (lambda: LFSR(8, (8, 0)), ValueError, "taps must be at least 1 and at most 8, got 0"),
    (lambda: LFSR(8, 8), TypeError, "taps must be a sequence of exponents, got 8"),
    (lambda: Sobol(1024), ValueError, "dimension must be at least 0 and at most 1023, got 1024"),
    (lambda: LFSR(17, zero=True), ValueError,
     "width must be at most 16 for a register with state 0, got 17"),
    (lambda: LFSR(8, zero=1), TypeError, "zero must be a bool, got 1"),
    (lambda: LFSR(8, start=0), ValueError, "start must be at least 1 and at most 255, got 0"),
    (lambda: LFSR(8, start=256, zero=True), ValueError,
     "start must be at least 0 and at most 255, got 256"),
    (lambda: Sobol(gray=1), TypeError, "gray must be a bool, got 1"),
    *((lambda kind=kind: kind(bits=33), ValueError, "bits must be at least 1 and at most 32, got 33")
      for kind in (Bernoulli, Sobol, VanDerCorput, Halton)),
    (lambda: TableSource(np.zeros(0, int), 8), ValueError,
     "table must have shape (period,) or (n_lanes, period) and hold numbers, got shape (0,)"),
    (lambda: TableSource([1, 8], 8), ValueError, "table must lie in [0, 7], got 8 at index 1"),
    (lambda: TableSource([0.5], 8), TypeError, "table must hold integers of 0 or more, got [0.5]"),
    (lambda: TableSource([0], 0), ValueError,
     "n_levels must be at least 1 and at most 4294967296, got 0"),
    (lambda: TableSource([[0], [1]], 8).numbers(2, 3, key=0), ValueError,
     "stream numbers must be in lanes below 2, the rows of the table, got 2; one row serves all lanes"),
    (lambda: Sobol(-1), ValueError, "dimension must be at least 0 and at most 1023, got -1"),
    (lambda: Sobol(randomized=1), TypeError, "randomized must be a bool, got 1"),
    (lambda: Hammersley(0), ValueError, "width must be at least 1 and at most 31, got 0"),
    (lambda: Hammersley(8, 1025), ValueError, "axis must be at least 0 and at most 1024, got 1025"),
    (lambda: Hammersley(8, 1, None), TypeError, "randomized must be a bool, got None"),
    (lambda: VanDerCorput(1), ValueError, "base must be at least 2 and at most 65536, got 1"),
    (lambda: VanDerCorput(randomized="no"), TypeError, "randomized must be a bool, got 'no'"),
    (lambda: Halton(randomized=0), TypeError, "randomized must be a bool, got 0"),
    (lambda: Weyl(2), ValueError, "period must be at least 3 and at most 4294967296, got 2"),
    (lambda: Weyl(8, 1), TypeError, "randomized must be a bool, got 1"),
    (lambda: Ramp(2**33), ValueError,
     "period must be at least 2 and at most 4294967296, got 8589934592"),
    (lambda: Ramp(8, 1), TypeError, "randomized must be a bool, got 1"),
    (lambda: Permutation(1), ValueError, "period must be at least 2 and at most 16777216, got 1"),
    (lambda: streams(source=Sobol(), streams=[0, 2000]), ValueError,
     f"{DIMENSIONS}, got 2000; Sobol(0) is one dimension for all streams"),
    (lambda: streams(source=Halton(), streams=[0, 1000]), ValueError,
     "stream numbers must be below 1000, the bases of Halton(), got 1000; VanDerCorput() is one base "
     "for all streams"),
    (lambda: Sobol().numbers(1024, 3, key=0), ValueError,
     f"{DIMENSIONS}, got 1024; Sobol(0) is one dimension for all streams"),
    (lambda: Bernoulli().numbers(0, 3, key=-1), ValueError, "key must lie in [0, 2**64), got -1"),
    (lambda: Bernoulli().numbers([-1], 3, key=0), ValueError,
     "streams must hold integers of 0 or more, got -1 at index 0"),
    (lambda: Bernoulli().numbers(0, 0, key=0), ValueError, "length must be at least 1, got 0"),
    (lambda: Bernoulli().numbers(0, 3, key=0, first=-1), ValueError,
     "first must lie in [0, 2**38), got -1"),
    *((lambda make=make: make(source=LFSR), TypeError,
       f"source must be a Source, got {LFSR!r}; write LFSR()") for make in (encoder, synapse, streams)),
    (lambda: operands(LFSR), TypeError,
     f"source must be a Source or a tuple of 2, got {LFSR!r}; write LFSR()"),
    (lambda: streams(source="sobol"), TypeError,
     "source must be a Source, got 'sobol'; write Sobol(), not its name"),
    (lambda: streams(source=LFSR.for_length), TypeError,
     f"source must be a Source, got {LFSR.for_length!r}; call it with the length of the streams"),
    (lambda: operands((Sobol(), LFSR)), TypeError,
     f"source[1] must be a Source, got {LFSR!r}; write LFSR()"),
    *((lambda make=make: make(source=None), TypeError,
       "source must be a Source or a tuple of 2, got None")
      for make in (source, layer, run)),
    *((lambda make=make: make(source=(Sobol(1), Sobol(1))), ValueError,
       TWICE.format("Sobol(dimension=1, randomized=True)")) for make in (source, layer, run)),
    (lambda: operands((LFSR(8), LFSR(8))), ValueError,
     TWICE.format("LFSR(width=8, taps=(8, 6, 5, 4), start=None)")),
    (lambda: Weyl(8).sequences(3), ValueError,
     "source must have 3 independent sequences, got Weyl(period=8, randomized=True), which has two; "
     f"{MORE}"),
    (lambda: Ramp(8).sequences(4), ValueError,
     "source must have 4 independent sequences, got Ramp(period=8, randomized=False), which has two; "
     f"{MORE}"),
    (lambda: operands((Sobol(), 1)), TypeError, "source[1] must be a Source, got 1"),
    (lambda: operands((Sobol(),)), TypeError,
     f"source must be a Source or a tuple of 2, got {(Sobol(),)}"),
    (lambda: encode_pair([0.5] * 3, [0.5] * 2, 8, key=0), ValueError,
     "q must have a shape that broadcasts with that of p, (3,), got (2,)"),
    (lambda: encode_pair(np.nan, 0.5, 8, key=0), ValueError, "p must be finite, got nan"),
    (lambda: encode_pair(0.5, 0.5, 8, key=-1), ValueError, "key must lie in [0, 2**64), got -1"),
    (lambda: evaluate(*digits, [8], source=1), TypeError,
     "source must be a Source or a tuple of 3, got 1"),
]  # fmt: skip


test_an_error_names_the_argument_its_contract_and_the_value = test_of(ERRORS)
