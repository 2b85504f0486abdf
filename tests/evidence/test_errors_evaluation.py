"""Error messages of evaluation, planning and stopping, in the form of test_errors.py."""

import math
from functools import partial

import numpy as np
from error_table import test_of

from sc_neurocore import Dense, Network, decide_early, evaluate, plan
from sc_neurocore.evidence import Accuracy

NETWORK = Network([Dense([[0.5, 0.5]])])
X, Y = np.full((3, 2), 0.5), [0, 0, 0]
ROW = Accuracy(8, np.ones((1, 3), bool), np.ones(3, bool))
run = partial(evaluate, NETWORK, X, Y)
shortest = partial(plan, NETWORK, X, Y)
early = partial(decide_early, NETWORK, X, 8, seed=1)

ERRORS = [
    *((lambda call=call, last=last: call(NETWORK, X, [0, 0], last), ValueError,
       "labels must hold an integer for each of the 3 images, got int64 of shape (2,)")
      for call, last in ((evaluate, [8]), (plan, 0.1))),
    (lambda: evaluate(NETWORK, X, [0.5] * 3, [8]), ValueError,
     "labels must hold an integer for each of the 3 images, got float64 of shape (3,)"),
    *((lambda call=call, last=last, images=images: call(NETWORK, images, Y, last), ValueError,
       f"images must {message}")
      for call, last in ((evaluate, [8]), (plan, 0.1))
      for images, message in (
          (X[0], "have shape (batch, 2), got (2,)"),
          (np.ones((3, 4)), "have shape (batch, 2), got (3, 4)"),
          (X[:0], "hold at least one input, got shape (0, 2)"),
          (3 * X, "lie in [0.0, 1.0], got 1.5 at index (0, 0); scale the inputs to densities"),
      )),
    *((lambda call=call: call(None, X, Y, [8]), TypeError, "network must be a Network, got None")
      for call in (evaluate, plan)),
    (lambda: run(8), TypeError, "lengths must be a Sequence, got 8; write [64] for one length"),
    (lambda: run([8], seeds=1), TypeError,
     "seeds must be a Sequence, got 1; write range(5) for five seeds"),
    (lambda: run([]), ValueError, "lengths must hold at least one value, got none"),
    (lambda: run([8], seeds=[]), ValueError, "seeds must hold at least one value, got none"),
    (lambda: shortest(0.1, lengths=[]), ValueError, "lengths must hold at least one value, got none"),
    (lambda: shortest(0.1, lengths=[0]), ValueError, "lengths must be at least 1, got 0"),
    (lambda: shortest(-0.1), ValueError, "max_loss must be 0 or more, got -0.1"),
    (lambda: shortest(1), ValueError,
     "max_loss must be below 1, got 1.0; 0.01 is one percentage point"),
    (lambda: shortest("x"), TypeError, "max_loss must be a real number, got 'x'"),
    (lambda: shortest(0.1, sources=["sobol"]), TypeError, "sources must be a Mapping, got ['sobol']"),
    (lambda: shortest(0.1, confidence=1), ValueError, "confidence must be below 1, got 1.0"),
    (lambda: ROW.interval(0), ValueError, "confidence must be greater than 0, got 0.0"),
    (lambda: ROW.loss_interval(95), ValueError, "confidence must be below 1, got 95.0"),
    (lambda: decide_early(NETWORK, X[0], 8), ValueError, "images must have shape (batch, 2), got (2,)"),
    (lambda: decide_early(NETWORK, X, 0), ValueError, "length must be at least 1, got 0"),
    (lambda: decide_early(NETWORK, X, 8, seed=-1), ValueError, "seed must lie in [0, 2**128), got -1"),
    (lambda: decide_early(NETWORK, np.ones((3, 4)), 8), ValueError,
     "images must have shape (batch, 2), got (3, 4)"),
    (lambda: decide_early(NETWORK, np.ones((0, 2)), 8), ValueError,
     "images must hold at least one input, got shape (0, 2)"),
    (lambda: decide_early(None, X, 8), TypeError, "network must be a Network, got None"),
    (lambda: early(risk=-0.1), ValueError, "risk must be 0 or more, got -0.1"),
    (lambda: early(risk=1), ValueError, "risk must be below 1, got 1.0"),
    (lambda: early(risk=math.nan), ValueError, "risk must be finite, got nan"),
    (lambda: early(risk=0.1), TypeError, "calibration must be given for a risk above 0, got None"),
    (lambda: early(risk=0.01, calibration=X), ValueError,
     "calibration must hold at least 299 images for a risk of 0.01, got 3"),
    (lambda: early(risk=0.1, calibration=X, confidence=1.5), ValueError,
     "confidence must be below 1, got 1.5"),
    (lambda: early(risk=0.1, calibration=X[0]), ValueError,
     "calibration must have shape (batch, 2), got (2,)"),
]  # fmt: skip


test_an_error_names_the_argument_its_contract_and_the_value = test_of(ERRORS)
