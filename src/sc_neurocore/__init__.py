"""Spiking neural networks on stochastic computing.

A value is the density of ones of a bitstream, a product is an AND gate, a sum is a count, and a leaky
integrate-and-fire neuron turns the counts into a bitstream again.
"""

import os
import re
from importlib import import_module
from typing import Any

from sc_neurocore._runtime import configure

__version__ = "0.1.0"

# The stub says which module has which name. A module is imported when one of its names is first used,
# so that the package itself costs next to nothing; pathlib alone would cost as much again.
with open(os.path.splitext(__file__)[0] + ".pyi", encoding="utf-8") as _stub:
    _MODULES = {
        name: module
        for module, names in re.findall(
            r"^from (sc_neurocore\.[\w.]+) import (\([^)]*\)|.*)$", _stub.read(), re.MULTILINE
        )
        for name in re.findall(r"\w+", names)
    }
__all__ = sorted(_MODULES)

configure()


_ROOMS = {"streams", "operators", "circuits", "neurons", "stateful", "networks", "evidence", "exchange"}
_ROOMS |= {"training", "hardware", "plot"}


def __getattr__(name: str) -> Any:
    """Return a public name or a room at its first use."""
    if name in _MODULES:
        value = getattr(import_module(_MODULES[name]), name)
    elif name in _ROOMS:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS, "__version__"]
