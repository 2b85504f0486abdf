"""PyTorch modules for training networks on bitstreams (extra torch)."""

from sc_neurocore.training.layers import SCConv2d, SCLinear
from sc_neurocore.training.network import Outputs, SCNetwork, from_network, to_network

__all__ = ["Outputs", "SCConv2d", "SCLinear", "SCNetwork", "from_network", "to_network"]
