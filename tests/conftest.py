"""Fixtures, and the choice of the native module under test."""

import os
import signal
import sys
from pathlib import Path

import pytest

# Tests run in parallel, so PyTorch and BLAS get one thread each. Set before either is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A shell ignores Ctrl-C in the programs that it runs in the background; tests raise the signal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if folder := os.environ.get("SC_NEUROCORE_SANITIZED"):
    # The editable install of the environment would win over any path.
    sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
    sys.path.insert(0, folder)

from sc_neurocore import _native

if folder:
    assert Path(_native.__file__).is_relative_to(folder), _native.__file__


@pytest.fixture(params=_native.isas())
def isa(request):
    """Run the test on every instruction set that this machine has."""
    before = _native.isa()
    _native.set_isa(request.param)
    yield request.param
    _native.set_isa(before)


@pytest.fixture(params=[1, 2])
def threads(request):
    """Run the test on one thread and on two."""
    before = _native.threads()
    _native.set_threads(request.param)
    yield request.param
    _native.set_threads(before)
