"""Spiking neural networks on stochastic computing.

A value is the density of ones of a bitstream, a product is an AND gate, a sum is a count, and a leaky
integrate-and-fire neuron turns the counts into a bitstream again.
"""

from sc_neurocore._runtime import configure as _configure
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
from sc_neurocore.bitstream import (
    Bitstream,
    BitstreamEncoder,
    Interval,
    bitstream_to_probability,
    encode,
    encode_pair,
)
from sc_neurocore.correlation import (
    autocorrelation,
    decorrelate,
    desynchronise,
    effective_length,
    isolate,
    phi,
    regenerate,
    scc,
    scc_matrix,
    synchronise,
    zce,
)
from sc_neurocore.digits import Digits, load_digits
from sc_neurocore.evaluation import Accuracy, evaluate
from sc_neurocore.layer import SCDenseLayer, SilentLayerWarning
from sc_neurocore.machine import Machine
from sc_neurocore.network import Dense, Network, Simulation, simulate, simulate_float
from sc_neurocore.neuron import LIF, LIFState, StochasticLIFNeuron
from sc_neurocore.random import Bernoulli, Role, Source, operands, stream_key
from sc_neurocore.recorder import BitstreamSpikeRecorder
from sc_neurocore.sequential import (
    addie,
    cordiv,
    ema,
    gaines_divide,
    gaines_sqrt,
    jk_flip_flop,
    linear_distribution,
    linear_machine,
    saturating_add,
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
    "Bitstream",
    "BitstreamCurrentSource",
    "BitstreamEncoder",
    "BitstreamSpikeRecorder",
    "BitstreamSynapse",
    "Dense",
    "Digits",
    "Halton",
    "Hammersley",
    "Interval",
    "LFSR",
    "LIF",
    "LIFState",
    "Machine",
    "Network",
    "Permutation",
    "Ramp",
    "Role",
    "SCDenseLayer",
    "SilentLayerWarning",
    "Simulation",
    "Sobol",
    "Source",
    "StochasticLIFNeuron",
    "VanDerCorput",
    "Weyl",
    "addie",
    "autocorrelation",
    "bitstream_to_probability",
    "cordiv",
    "current_trace",
    "decorrelate",
    "desynchronise",
    "effective_length",
    "ema",
    "encode",
    "encode_pair",
    "evaluate",
    "firing_rate_hz",
    "gaines_divide",
    "gaines_sqrt",
    "interspike_intervals",
    "isi_histogram",
    "isi_ms",
    "isi_steps",
    "isolate",
    "jk_flip_flop",
    "linear_distribution",
    "linear_machine",
    "load_digits",
    "operands",
    "phi",
    "regenerate",
    "rheobase",
    "saturating_add",
    "scc",
    "scc_matrix",
    "sexp",
    "simulate",
    "simulate_float",
    "spike_times",
    "stanh",
    "stationary_std",
    "stream_key",
    "synchronise",
    "toggle_add",
    "umul",
    "zce",
]
