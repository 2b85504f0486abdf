"""Networks and spikes from and for other packages: ReLU networks, NIR graphs, tables, Neo.

`from_nir`, `to_nir` and `to_nir_data` are imported from `sc_neurocore.exchange.nir` on first use, which
requires the extra nir.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sc_neurocore.exchange.relu import Conversion, LayerConversion, convert_relu
from sc_neurocore.exchange.spikes import spike_table, to_neo, write_spikes

if TYPE_CHECKING:
    from sc_neurocore.exchange.nir import from_nir as from_nir
    from sc_neurocore.exchange.nir import to_nir as to_nir
    from sc_neurocore.exchange.nir import to_nir_data as to_nir_data

# Without the names of nir.py, so that `import *` does not require the extra.
__all__ = [
    "Conversion",
    "LayerConversion",
    "convert_relu",
    "spike_table",
    "to_neo",
    "write_spikes",
]

_LAZY = ("from_nir", "to_nir", "to_nir_data")


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module("sc_neurocore.exchange.nir"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
