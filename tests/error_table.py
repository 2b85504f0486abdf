"""Tables of calls that are refused: rows (call, exception, message)."""

import pytest


def test_of(rows):
    """Return a test that each call raises its exception with exactly its message."""

    @pytest.mark.parametrize(("call", "error", "message"), rows, ids=[message for *_, message in rows])
    def test(call, error, message):
        with pytest.raises((ValueError, TypeError)) as caught:
            call()
        assert (type(caught.value), str(caught.value)) == (error, message)

    return test


test_of.__test__ = False
