"""What was built once in a session."""

from tempfile import TemporaryDirectory

import pytest
from designs import Built


def pytest_configure(config):
    config.addinivalue_line("markers", "icarus: needs Icarus Verilog (iverilog)")
    config.addinivalue_line("markers", "long: takes minutes")


@pytest.fixture(scope="session")
def built():
    with TemporaryDirectory() as folder:
        yield Built(folder)
