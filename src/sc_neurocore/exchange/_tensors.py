"""Tensors of PyTorch as arrays, without importing PyTorch."""

from __future__ import annotations

import sys
from typing import Any


def plain(values: Any) -> Any:
    """Return a real tensor as a float64 array and anything else unchanged.

    NumPy itself refuses parameters, which require gradients, and bfloat16.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(values, torch.Tensor) or values.is_complex():
        return values
    return values.detach().to(device="cpu", dtype=torch.float64).numpy()
