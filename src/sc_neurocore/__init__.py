"""Spiking neural networks on stochastic computing.

A value is the density of ones of a bitstream, a product is an AND gate, a sum is a count, and a leaky
integrate-and-fire neuron turns the counts into a bitstream again.
"""

from sc_neurocore._runtime import configure as _configure
from sc_neurocore._runtime import get_threads, set_threads
from sc_neurocore.analysis import (
    firing_rate_hz,
    interspike_intervals,
    isi_histogram,
    isi_ms,
    isi_steps,
    rheobase,
    spike_times,
    stationary_std,
)
from sc_neurocore.arithmetic import (
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
from sc_neurocore.bitstream import (
    Bitstream,
    BitstreamEncoder,
    Interval,
    bitstream_to_probability,
    encode,
    encode_pair,
    stack,
)
from sc_neurocore.budget import LayerBudget, noise_budget
from sc_neurocore.circuits import decorrelate, desynchronise, isolate, regenerate, synchronise
from sc_neurocore.coding import Bipolar, SignMagnitude, TwoLine, Unipolar
from sc_neurocore.correlation import (
    CorrelationWarning,
    autocorrelation,
    check_correlation,
    check_white,
    checking,
    effective_length,
    phi,
    scc,
    scc_matrix,
    zce,
)
from sc_neurocore.digits import Digits, load_digits
from sc_neurocore.evaluation import Accuracy, evaluate
from sc_neurocore.layer import SCDenseLayer, SilentLayerWarning
from sc_neurocore.machine import Machine
from sc_neurocore.network import Dense, Network, Simulation, simulate, simulate_float
from sc_neurocore.neuron import LIF, LIFState, StochasticLIFNeuron
from sc_neurocore.polynomial import bernstein, bernstein_fit, bernstein_value
from sc_neurocore.precision import (
    current_error,
    dot_error,
    encode_error,
    length_for_density,
    length_for_product,
    product_error,
    product_error_table,
)
from sc_neurocore.random import Bernoulli, PeriodWarning, Role, Source, operands, stream_key
from sc_neurocore.recorder import BitstreamSpikeRecorder
from sc_neurocore.sequential import (
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
from sc_neurocore.sources import (
    LFSR,
    Halton,
    Hammersley,
    Permutation,
    Ramp,
    Sobol,
    VanDerCorput,
    Weyl,
)
from sc_neurocore.synapse import BitstreamCurrentSource, BitstreamSynapse, current_trace

_configure()

__version__ = "0.1.0"

__all__ = [
    "Accuracy",
    "Bernoulli",
    "Bipolar",
    "Bitstream",
    "BitstreamCurrentSource",
    "BitstreamEncoder",
    "BitstreamSpikeRecorder",
    "BitstreamSynapse",
    "CorrelationWarning",
    "Dense",
    "Digits",
    "Halton",
    "Hammersley",
    "Interval",
    "LFSR",
    "LIF",
    "LIFState",
    "LayerBudget",
    "Machine",
    "Network",
    "PeriodWarning",
    "Permutation",
    "Ramp",
    "Role",
    "SCDenseLayer",
    "SignMagnitude",
    "SilentLayerWarning",
    "Simulation",
    "Sobol",
    "Source",
    "StochasticLIFNeuron",
    "TwoLine",
    "Unipolar",
    "VanDerCorput",
    "Weyl",
    "absolute_difference",
    "addie",
    "autocorrelation",
    "bernstein",
    "bernstein_fit",
    "bernstein_value",
    "bitstream_to_probability",
    "buffered_add",
    "check_correlation",
    "check_white",
    "checking",
    "cordiv",
    "current_error",
    "current_trace",
    "decorrelate",
    "desynchronise",
    "dot",
    "dot_error",
    "effective_length",
    "ema",
    "encode",
    "encode_error",
    "encode_pair",
    "evaluate",
    "exact_product",
    "firing_rate_hz",
    "gaines_divide",
    "gaines_sqrt",
    "get_threads",
    "interspike_intervals",
    "isi_histogram",
    "isi_ms",
    "isi_steps",
    "isolate",
    "jk_flip_flop",
    "length_for_density",
    "length_for_product",
    "linear_distribution",
    "linear_machine",
    "load_digits",
    "maximum",
    "minimum",
    "multiply",
    "noise_budget",
    "operands",
    "phi",
    "popcount_add",
    "product_error",
    "product_error_table",
    "regenerate",
    "rheobase",
    "saturating_add",
    "saturating_subtract",
    "scaled_add",
    "scc",
    "scc_matrix",
    "set_threads",
    "sexp",
    "simulate",
    "simulate_float",
    "spike_times",
    "stack",
    "stanh",
    "stationary_std",
    "stream_key",
    "synchronise",
    "toggle_add",
    "umul",
    "zce",
]
