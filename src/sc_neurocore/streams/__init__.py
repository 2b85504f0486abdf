"""Bitstreams, the sources of the numbers that encode them, and the correlation between them."""

from sc_neurocore.streams.bitstream import (
    Bitstream,
    Interval,
    bitstream_to_probability,
    concatenate,
    encode,
    encode_pair,
    stack,
)
from sc_neurocore.streams.convergence import (
    normalized_stability,
    progressive_error,
    streaming_accuracy,
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
from sc_neurocore.streams.faults import Faults, inject
from sc_neurocore.streams.keys import Role, stream_key
from sc_neurocore.streams.low_discrepancy import Halton, Hammersley, Sobol, VanDerCorput
from sc_neurocore.streams.periods import Permutation, Ramp, Weyl
from sc_neurocore.streams.registers import LFSR, RotatedLFSR
from sc_neurocore.streams.source import Bernoulli, PeriodWarning, Source, operands
from sc_neurocore.streams.tables import TableSource

__all__ = [
    "Bernoulli",
    "Bitstream",
    "CorrelationWarning",
    "Faults",
    "Halton",
    "Hammersley",
    "Interval",
    "LFSR",
    "PeriodWarning",
    "Permutation",
    "Ramp",
    "Role",
    "RotatedLFSR",
    "Sobol",
    "Source",
    "TableSource",
    "VanDerCorput",
    "Weyl",
    "autocorrelation",
    "bitstream_to_probability",
    "check_correlation",
    "check_white",
    "checking",
    "concatenate",
    "effective_length",
    "encode",
    "encode_pair",
    "inject",
    "normalized_stability",
    "operands",
    "phi",
    "progressive_error",
    "scc",
    "scc_matrix",
    "stack",
    "stream_key",
    "streaming_accuracy",
    "zce",
]
