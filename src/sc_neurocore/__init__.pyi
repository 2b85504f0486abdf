"""The public names and where they are: `__init__.py` reads them from here."""

from sc_neurocore._runtime import get_threads, set_threads
from sc_neurocore.evidence.budget import LayerBudget, noise_budget
from sc_neurocore.evidence.evaluation import Accuracy, evaluate
from sc_neurocore.evidence.planning import Plan, plan
from sc_neurocore.evidence.precision import (
    current_error,
    dot_error,
    encode_error,
    length_for_density,
    length_for_product,
    product_error,
    product_error_table,
)
from sc_neurocore.evidence.stopping import EarlyDecisions, decide_early
from sc_neurocore.exchange.relu import Conversion, LayerConversion, convert_relu
from sc_neurocore.networks.digits import Digits, load_digits
from sc_neurocore.networks.fixed_point import FixedPoint
from sc_neurocore.networks.layers import Conv2d, Dense
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.simulation import Simulation, simulate, simulate_float
from sc_neurocore.neurons.lif import LIF, LIFState
from sc_neurocore.neurons.spike_trains import (
    firing_rate_hz,
    interspike_intervals,
    isi_histogram,
    spike_times,
)
from sc_neurocore.neurons.theory import (
    SilentLayerWarning,
    isi_ms,
    isi_steps,
    rheobase,
    stationary_std,
)
from sc_neurocore.operators.bernstein import bernstein, bernstein_fit, bernstein_value
from sc_neurocore.operators.codings import (
    Bipolar,
    SignMagnitude,
    TwoLine,
    Unipolar,
)
from sc_neurocore.operators.current import current_trace
from sc_neurocore.operators.decorrelation import (
    decorrelate,
    desynchronize,
    isolate,
    regenerate,
    synchronize,
)
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
from sc_neurocore.stateful.encoder import BitstreamEncoder
from sc_neurocore.stateful.layer import SCDenseLayer
from sc_neurocore.stateful.neuron import StochasticLIFNeuron
from sc_neurocore.stateful.recorder import BitstreamSpikeRecorder
from sc_neurocore.stateful.synapse import BitstreamCurrentSource, BitstreamSynapse
from sc_neurocore.streams.bitstream import (
    Bitstream,
    Interval,
    bitstream_to_probability,
    concatenate,
    encode,
    encode_pair,
    stack,
)
from sc_neurocore.streams.correlation import (
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
from sc_neurocore.streams.keys import Role, stream_key
from sc_neurocore.streams.low_discrepancy import (
    Halton,
    Hammersley,
    Sobol,
    VanDerCorput,
)
from sc_neurocore.streams.periods import Permutation, Ramp, Weyl
from sc_neurocore.streams.registers import LFSR, RotatedLFSR
from sc_neurocore.streams.source import (
    Bernoulli,
    PeriodWarning,
    Source,
    operands,
)

__version__: str

__all__ = [
    "Accuracy",
    "Bernoulli",
    "Bipolar",
    "Bitstream",
    "BitstreamCurrentSource",
    "BitstreamEncoder",
    "BitstreamSpikeRecorder",
    "BitstreamSynapse",
    "Conv2d",
    "Conversion",
    "CorrelationWarning",
    "Dense",
    "Digits",
    "EarlyDecisions",
    "FixedPoint",
    "Halton",
    "Hammersley",
    "Interval",
    "LFSR",
    "LIF",
    "LIFState",
    "LayerBudget",
    "LayerConversion",
    "Machine",
    "Network",
    "PeriodWarning",
    "Permutation",
    "Plan",
    "Ramp",
    "Role",
    "RotatedLFSR",
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
    "concatenate",
    "convert_relu",
    "cordiv",
    "current_error",
    "current_trace",
    "decide_early",
    "decorrelate",
    "desynchronize",
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
    "plan",
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
    "synchronize",
    "toggle_add",
    "umul",
    "zce",
]
