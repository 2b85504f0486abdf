# ruff: noqa: E501
"""Error messages of circuits."""

import numpy as np
from error_table import test_of

from sc_neurocore import Bitstream, Faults, encode, multiply, stack
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.operators import addie, popcount_add

PRODUCT = Circuit.trace(multiply)
X = Bitstream.from_bits([0, 1, 1])
TWO = Bitstream.from_bits([[0, 1, 1]] * 2)
PAIR = Circuit.trace(lambda x: x[0] & x[1], x=(2,))


def run(**streams):
    return lambda: PRODUCT.simulate(streams)


def inputs(values, generators=None, circuit=PRODUCT):
    return lambda: circuit.encode(values, 8, seed=1, generators=generators)


# fmt: off
test_messages = test_of([
    (lambda: Circuit.trace(3), TypeError, "function must be a function of bitstreams, got 3"),
    (lambda: Circuit.trace(multiply, z=(2,)), ValueError, "shapes must have only the keys x, y, got 'z'"),
    (lambda: Circuit.trace(multiply, x=(0,)), ValueError, "the shape of x must be at least 1 and at most 2147483648, got 0"),
    (lambda: Circuit.trace(lambda x: 3), TypeError, "function must return streams that depend on its parameters, got 3"),
    (lambda: Circuit.trace(lambda x: x.probability()), TypeError, "a circuit must be described by operators and gates, got 'a net for its density'"),
    (lambda: Circuit.trace(lambda x: x * x), TypeError, "a circuit must be described by operators and gates, got Net(input x); call multiply, scaled_add and others, or wrap nets in a coding: Bipolar(x) * Bipolar(y)"),
    (lambda: Circuit.trace(lambda x: ~x if x else x), TypeError, "a circuit must be described by operators and gates, got 'a net as a condition'"),
    (lambda: Circuit.trace(lambda x: popcount_add(stack([x, x])) & x), TypeError, "the operand of and must be a stream, got Net(popcount_add)"),
    (lambda: Circuit.trace(lambda out: ~out), ValueError, "the outputs must have other names than the inputs, got out"),
    (lambda: Circuit.trace(lambda x: {}), ValueError, "function must return at least one stream, got none"),
    (lambda: Circuit.trace(lambda a: PAIR.simulate({"x": a})["out"]), ValueError, "streams['x'] must have shape (2,), got ()"),
    (lambda: Circuit.trace(lambda a: PRODUCT.simulate({"x": a, "y": 1})["out"]), TypeError, "streams['y'] must be a Net, got 1"),
    (lambda: Circuit.trace(lambda a: PRODUCT.simulate({"x": a, "y": a}, faults=Faults(flip=0.1), key=1)["out"]), ValueError, "faults must be omitted for a part of another circuit, got Faults(flip=0.1)"),
    (lambda: Circuit.trace(lambda x, y: ~x).simulate({"x": X, "y": ~encode(0.5, 4, key=1)}), ValueError, "the streams must have equal length, got 3 and 4"),
    (inputs({"x": 0.5, "y": 0.5}, {"x": 1, "~x": 2}), ValueError, "generators must name a wire once, got 'x' and '~x'"),
    (run(x=X), ValueError, "streams must name the inputs x, y, got x"),
    (run(x=X, y=[0, 1]), TypeError, "streams['y'] must be a Bitstream, got [0, 1]; encode the values with Circuit.encode"),
    (lambda: PAIR.simulate({"x": X}), ValueError, "streams['x'] must have batch shape (..., 2), got ()"),
    (lambda: PRODUCT.simulate(X), TypeError, "streams must be a mapping from names of inputs, got Bitstream(length=3, p=0.667)"),
    (inputs(0.5), TypeError, "values must be a mapping from names of inputs, got 0.5"),
    (inputs({"x": 0.5, "y": 0.5}, [0]), TypeError, "generators must be a mapping from names of inputs, got [0]"),
    (inputs({"x": 1.5, "y": 0.5}), ValueError, "values['x'] must lie in [0.0, 1.0], got 1.5"),
    (lambda: PRODUCT.check(streams={"x": TWO, "y": TWO}), ValueError, "streams must have no batch axes, got (2,)"),
    (lambda: feedback(lambda: X, initial=[]), ValueError, "initial must hold at least one bit, got none"),
    (inputs({"x": 0.5}), ValueError, "values must name the inputs x, y, got x"),
    (inputs({"x": 0.5, "y": np.nan}), ValueError, "values['y'] must be finite, got nan"),
    (inputs({"x": [0.5] * 3}, circuit=PAIR), ValueError, "values['x'] must have shape (..., 2), got (3,)"),
    (inputs({"x": 0.5, "y": 0.5}, {"z": 1}), ValueError, "generators must name wires of the inputs: x, y, got 'z'"),
    (inputs({"x": 0.5, "y": 0.5}, {"x": -1}), ValueError, "generators['x'] must be at least 0 and at most 4294967295, got -1"),
    (lambda: feedback(3), TypeError, "step must be a function of streams, got 3"),
    (lambda: feedback(lambda h: 3), TypeError, "step must return streams, got 3"),
    (lambda: feedback(lambda h: (h, h)), TypeError, "step must return streams, got (Net(held), Net(held))"),
    (lambda: feedback(lambda a, b: a, initial=(0, 1)), ValueError, "step must return 2 streams, got 1"),
    (lambda: feedback(lambda h: h ^ X, initial=2), ValueError, "initial must hold only the bits 0 and 1, got 2 at index 0"),
    (lambda: feedback(lambda h: stack([h, X]) & TWO), ValueError, "step must return streams of a fixed shape, got [(2, 2, 2)]"),
    (lambda: feedback(lambda h: ~h), ValueError, "a loop must use at least one other stream, got none; add x & ~x of an input x, which is 0"),
    (lambda: feedback(lambda h: addie(h ^ X, 4, key=1)[0]), ValueError, "a loop must consist of gates, flip-flops and machines, got addie"),
    (lambda: feedback(lambda h: h & X & encode(0.5, 4, key=1)), ValueError, "the streams must have equal length, got 3 and 4"),
])
# fmt: on
