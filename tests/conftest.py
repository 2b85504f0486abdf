import pytest

from sc_neurocore import _native


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
