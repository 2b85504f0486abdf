"""What was built once in a session."""

from tempfile import TemporaryDirectory

import pytest
from designs import Built


@pytest.fixture(scope="session")
def built():
    with TemporaryDirectory() as folder:
        yield Built(folder)
