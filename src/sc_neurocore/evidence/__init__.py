"""Errors of streams and networks, predicted and measured, and the stream length they require."""

from sc_neurocore.evidence.budget import LayerBudget, noise_budget, sufficient_bits_per_step
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
from sc_neurocore.evidence.sweeping import sweep

__all__ = [
    "Accuracy",
    "EarlyDecisions",
    "LayerBudget",
    "Plan",
    "current_error",
    "decide_early",
    "dot_error",
    "encode_error",
    "evaluate",
    "length_for_density",
    "length_for_product",
    "noise_budget",
    "plan",
    "product_error",
    "product_error_table",
    "sufficient_bits_per_step",
    "sweep",
]
