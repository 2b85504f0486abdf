"""Error messages of predicted errors, in the form of test_errors.py."""

import math
from functools import partial

from error_table import test_of

from sc_neurocore import (
    Dense,
    Network,
    Sobol,
    Weyl,
    dot_error,
    encode_error,
    length_for_density,
    length_for_product,
    noise_budget,
    product_error,
)
from sc_neurocore.evidence import current_error, product_error_table

NAN = math.nan
NETWORK = Network([Dense([[0.5, 0.5]])])
OUTSIDE = "must lie in [0.0, 1.0], got"

ERRORS = [
    (lambda: encode_error(1.5, 8), ValueError, f"p {OUTSIDE} 1.5"),
    (lambda: encode_error([0.5, -0.5], 8), ValueError, f"p {OUTSIDE} -0.5 at index 1"),
    (lambda: encode_error(NAN, 8), ValueError, "p must be finite, got nan"),
    (lambda: encode_error(0.5, 0), ValueError, "length must be at least 1, got 0"),
    (lambda: encode_error(0.5, 8, source=8), TypeError, "source must be a Source, got 8"),
    (lambda: product_error(0.5, 2, 8), ValueError, f"q {OUTSIDE} 2.0"),
    (lambda: product_error([0.5] * 2, [0.5] * 3, 8), ValueError,
     "q must have a shape that broadcasts with that of p, (2,), got (3,)"),
    (lambda: product_error(0.5, 0.5, 8, source=8), TypeError,
     "source must be a Source or a tuple of 2, got 8"),
    (lambda: dot_error([0.5], [0.5], 1.5), TypeError, "length must be an integer, got 1.5"),
    (lambda: current_error(0.5, 0.5, 8), ValueError,
     "p must have at least one input along its last axis, got shape ()"),
    (lambda: current_error([], [], 8), ValueError,
     "p must have at least one input along its last axis, got shape (0,)"),
    (lambda: dot_error(0.5, 0.5, 8), ValueError,
     "p must have at least one input along its last axis, got shape ()"),
    (lambda: current_error([0.5], [0.5], 8, y_min=2.0), ValueError,
     "y_min must be less than y_max, got y_min=2.0, y_max=1.0"),
    (lambda: current_error([0.5], [0.5], 8, accumulate="xor"), ValueError,
     "accumulate must be one of 'mean', 'sum', 'or', got 'xor'"),
    (lambda: current_error([0.5], [0.5], 8, accumulate="or", source=Sobol()), ValueError,
     'source must be Bernoulli() if accumulate is "or", got Sobol(dimension=None, randomized=True)'),
    (lambda: product_error_table(2**14), ValueError,
     "length must be at least 1 and at most 8192, got 16384"),
    *(row for call in (length_for_density, length_for_product) for row in [
        (partial(call, 0), ValueError, "error must be greater than 0, got 0.0"),
        (partial(call, 1), ValueError, "error must be below 1, got 1.0"),
        (partial(call, 0.1, 1.0), ValueError, "confidence must be below 1, got 1.0"),
        (partial(call, 0.1, -1), ValueError, "confidence must be greater than 0, got -1.0"),
    ]),
    (partial(length_for_density, 0.1, p=1.5), ValueError, f"p {OUTSIDE} 1.5"),
    (partial(length_for_product, 0.1, source=8), TypeError,
     "source must be a Source or a tuple of 2, got 8"),
    (partial(length_for_product, 0.1, source=lambda _: 8), TypeError,
     "source must be a Source or a tuple of 2, got 8"),
    (partial(length_for_product, 0.002, source=Weyl(32, randomized=False)), ValueError,
     "error must be an error that this source reaches with at most 65536 bits, got 0.002; "
     "the smallest it reaches is 0.049"),
    (lambda: noise_budget(NETWORK, [0.5] * 3, 8), ValueError,
     "x must have shape (2,) or (batch, 2), got (3,)"),
    (lambda: noise_budget(1, [0.5] * 3, 8), TypeError, "network must be a Network, got 1"),
]  # fmt: skip


test_an_error_names_the_argument_its_contract_and_the_value = test_of(ERRORS)
