"""Rules by which weights change while a network runs, and their laws."""

from sc_neurocore.plasticity.rules import (
    STDP,
    Competition,
    Homeostasis,
    RewardSTDP,
    StochasticSTDP,
    TripletSTDP,
)
from sc_neurocore.plasticity.theory import (
    stdp_drift,
    stdp_equilibrium,
    stdp_variance,
    stdp_window,
)

__all__ = [
    "STDP",
    "Competition",
    "Homeostasis",
    "RewardSTDP",
    "StochasticSTDP",
    "TripletSTDP",
    "stdp_drift",
    "stdp_equilibrium",
    "stdp_variance",
    "stdp_window",
]
