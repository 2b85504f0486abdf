"""PyTorch modules for training networks on bitstreams (extra torch)."""

from sc_neurocore.training.modules import (
    Outputs,
    SCConv2d,
    SCLinear,
    SCNetwork,
    from_network,
    to_network,
)

__all__ = ["Outputs", "SCConv2d", "SCLinear", "SCNetwork", "from_network", "to_network"]
