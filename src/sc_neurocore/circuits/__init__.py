"""Circuits: one description of a stochastic circuit to simulate, to predict, to check and to build."""

from sc_neurocore.circuits.circuit import Circuit
from sc_neurocore.circuits.loops import feedback

__all__ = ["Circuit", "feedback"]
