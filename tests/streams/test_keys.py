import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sc_neurocore import Role, stream_key

seeds = st.integers(0, 2**128 - 1)


def test_keys_never_change_between_releases():
    # Golden values: a change here changes every result that anybody has published.
    assert stream_key(0, Role.INPUT) == 0x784DFB2CDFF7B411
    assert stream_key(42, Role.WEIGHT, 0) == 0xE66843FE45FBC4B8
    assert stream_key(2**128 - 1, Role.NOISE, 1, 2**32 - 1) == 0x2F7A36E5609D4634


def test_seeds_roles_and_paths_give_keys_of_their_own():
    keys = {
        stream_key(seed, role, *path)
        for seed in (*range(100), 2**32, 2**64, 2**127)
        for role in Role
        for path in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))
    }
    assert len(keys) == 103 * len(Role) * 6


@given(seeds, st.sampled_from(Role), st.lists(st.integers(0, 2**32 - 1), max_size=3))
def test_a_key_is_a_function_of_its_address(seed, role, path):
    key = stream_key(seed, role, *path)
    assert key == stream_key(seed, role, *path)
    assert 0 <= key < 2**64


def test_keys_of_neighboring_seeds_differ_in_half_of_their_bits():
    n = 4000
    keys = np.array([stream_key(seed, Role.INPUT) for seed in range(n + 1)], np.uint64)
    flips = np.bitwise_count(keys[1:] ^ keys[:-1])
    assert abs(flips.mean() - 32) <= 5 * np.sqrt(16 / n)


@pytest.mark.parametrize("role", Role)
def test_numpy_integers_are_seeds(role):
    assert stream_key(np.int64(7), role, np.uint8(1)) == stream_key(7, role, 1)
