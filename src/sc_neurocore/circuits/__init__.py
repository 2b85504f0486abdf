"""Circuits: one description of a stochastic circuit to simulate, to predict, to check and to build."""

from sc_neurocore.circuits.allocation import Allocation
from sc_neurocore.circuits.checking import Finding
from sc_neurocore.circuits.circuit import Circuit
from sc_neurocore.circuits.loops import feedback
from sc_neurocore.circuits.prediction import Prediction

__all__ = ["Allocation", "Circuit", "Finding", "Prediction", "feedback"]
