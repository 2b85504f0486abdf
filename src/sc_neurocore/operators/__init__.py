"""Operators on bitstreams: gates, finite-state machines, codings, and correlation circuits."""

from sc_neurocore.operators.bernstein import bernstein, bernstein_fit, bernstein_value
from sc_neurocore.operators.codings import Bipolar, SignMagnitude, TwoLine, Unipolar
from sc_neurocore.operators.current import current_trace
from sc_neurocore.operators.decorrelation import (
    decorrelate,
    desynchronize,
    isolate,
    regenerate,
    synchronize,
)
from sc_neurocore.operators.extended import Integral, Ratio
from sc_neurocore.operators.gates import (
    absolute_difference,
    dot,
    exact_product,
    maximum,
    minimum,
    multiply,
    popcount_add,
    saturating_add,
    saturating_subtract,
    scaled_add,
)
from sc_neurocore.operators.machine import Machine
from sc_neurocore.operators.machines import (
    addie,
    buffered_add,
    cordiv,
    ema,
    gaines_divide,
    gaines_sqrt,
    jk_flip_flop,
    linear_distribution,
    linear_machine,
    sexp,
    stanh,
    toggle_add,
    umul,
)

__all__ = [
    "Bipolar",
    "Integral",
    "Machine",
    "Ratio",
    "SignMagnitude",
    "TwoLine",
    "Unipolar",
    "absolute_difference",
    "addie",
    "bernstein",
    "bernstein_fit",
    "bernstein_value",
    "buffered_add",
    "cordiv",
    "current_trace",
    "decorrelate",
    "desynchronize",
    "dot",
    "ema",
    "exact_product",
    "gaines_divide",
    "gaines_sqrt",
    "isolate",
    "jk_flip_flop",
    "linear_distribution",
    "linear_machine",
    "maximum",
    "minimum",
    "multiply",
    "popcount_add",
    "regenerate",
    "saturating_add",
    "saturating_subtract",
    "scaled_add",
    "sexp",
    "stanh",
    "synchronize",
    "toggle_add",
    "umul",
]
