"""Operators on bitstreams: gates, finite-state machines, codings, and correlation circuits."""

from sc_neurocore.operators.adders import buffered_add, majority, toggle_add, uadd
from sc_neurocore.operators.attention import spiking_attention
from sc_neurocore.operators.bernstein import bernstein, bernstein_fit, bernstein_value
from sc_neurocore.operators.codings import Bipolar, SignMagnitude, TwoLine, Unipolar
from sc_neurocore.operators.counting import btanh
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
    cordiv,
    ema,
    gaines_divide,
    gaines_sqrt,
    jk_flip_flop,
    linear_distribution,
    linear_machine,
    sexp,
    stanh,
)
from sc_neurocore.operators.products import jk_sqrt, square, umul
from sc_neurocore.operators.selection import greater, max_pool, multiplex
from sc_neurocore.operators.temporal import (
    arrival_times,
    encode_arrivals,
    first_arrival,
    inhibit,
    last_arrival,
    rotate,
    temporal_dot,
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
    "arrival_times",
    "bernstein",
    "bernstein_fit",
    "bernstein_value",
    "btanh",
    "buffered_add",
    "cordiv",
    "current_trace",
    "decorrelate",
    "desynchronize",
    "dot",
    "ema",
    "encode_arrivals",
    "exact_product",
    "first_arrival",
    "gaines_divide",
    "gaines_sqrt",
    "greater",
    "inhibit",
    "isolate",
    "jk_flip_flop",
    "jk_sqrt",
    "last_arrival",
    "linear_distribution",
    "linear_machine",
    "majority",
    "max_pool",
    "maximum",
    "minimum",
    "multiplex",
    "multiply",
    "popcount_add",
    "regenerate",
    "rotate",
    "saturating_add",
    "saturating_subtract",
    "scaled_add",
    "sexp",
    "spiking_attention",
    "square",
    "stanh",
    "synchronize",
    "temporal_dot",
    "toggle_add",
    "uadd",
    "umul",
]
