import numpy as np
import pytest
from error_table import test_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_neurocore import Bitstream, Machine

RNG = np.random.default_rng


def random_machine(rng, n_states, n_in, n_out):
    shape = (n_states, *(2,) * n_in)
    outputs = rng.integers(0, 2, (2, *shape) if n_out == 2 else shape)
    return Machine(rng.integers(0, n_states, shape), outputs)


def walk(machine, inputs, state):
    """Run one row step by step, by the definition of a machine."""
    outputs = machine.outputs.reshape(-1, *machine.next_state.shape)
    written = []
    for symbol in zip(*inputs, strict=True):
        written.append([output[(state, *symbol)] for output in outputs])
        state = machine.next_state[(state, *symbol)]
    return np.array(written).T, state


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40), st.integers(1, 8), st.integers(1, 2), st.integers(1, 200), st.integers(0, 999)
)
def test_a_run_is_a_walk_through_the_tables(n_states, n_in, n_out, length, seed):
    rng = RNG(seed)
    machine = random_machine(rng, n_states, n_in, n_out)
    inputs = rng.integers(0, 2, (n_in, 3, length))
    states = rng.integers(0, n_states, 3)
    streams = [Bitstream.from_bits(bits) for bits in inputs]
    z, final = machine.run(*streams, state=states)
    assert z.shape == ((2, 3) if n_out == 2 else (3,))
    bits = z.bits().reshape(n_out, 3, length)
    for row in range(3):
        written, last = walk(machine, inputs[:, row], states[row])
        assert np.array_equal(bits[:, row], written)
        assert final[row] == last


@pytest.mark.parametrize("n_in", [1, 2, 3, 4, 7])
def test_a_run_continued_from_its_state_equals_a_single_run(n_in):
    rng = RNG(7)
    machine = random_machine(rng, 6, n_in, 2)
    bits = rng.integers(0, 2, (n_in, 4, 200))

    def run(first, last, state):
        return machine.run(*(Bitstream.from_bits(b[:, first:last]) for b in bits), state=state)

    complete, final = run(0, 200, 3)
    for cut in range(1, 200):
        early, state = run(0, cut, 3)
        late, last = run(cut, 200, state)
        assert np.array_equal(np.concatenate([early.bits(), late.bits()], axis=-1), complete.bits())
        assert np.array_equal(last, final)


def test_batches_broadcast_and_equal_single_rows():
    rng = RNG(8)
    machine = random_machine(rng, 5, 2, 1)
    x = Bitstream.from_bits(rng.integers(0, 2, (3, 1, 70)))
    y = Bitstream.from_bits(rng.integers(0, 2, (4, 70)))
    z, final = machine.run(x, y, state=[0, 1, 2, 3])
    assert z.shape == final.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            one, last = machine.run(x[i, 0], y[j], state=j)
            assert one == z[i, j]
            assert last == final[i, j]
    assert machine.run(x[:0], y[:1])[0].shape == (0, 1)


def test_a_machine_copies_its_tables_and_makes_them_read_only():
    next_state = np.array([[0, 1], [1, 0]])
    machine = Machine(next_state, next_state)
    next_state[:] = 0
    assert machine.next_state.tolist() == [[0, 1], [1, 0]]
    with pytest.raises(ValueError, match="read-only"):
        machine.next_state[0, 0] = 1


X = Bitstream.from_bits([[0, 1, 1], [1, 1, 0]])
ONE = Machine([[0, 1], [1, 0]], [[0, 1], [1, 0]])
TWO = Machine([[[0, 0], [0, 0]]], [[[0, 0], [0, 1]]])
THREE = Machine(np.zeros((1, 2, 2, 2), int), [0])
SHAPES = "shape (n_states, 2), (n_states, 2, 2) and so on, for 1 to 8 inputs"
ERRORS = [
    (lambda: Machine([0, 1], [0, 1]), ValueError,
     f"next_state must have {SHAPES}, got (2,)"),
    (lambda: Machine([[0, 1, 1]], [[0, 1, 1]]), ValueError,
     f"next_state must have {SHAPES}, got (1, 3)"),
    (lambda: Machine(np.zeros((1, *(2,) * 9), int), 0), ValueError,
     f"next_state must have {SHAPES}, got (1, 2, 2, 2, 2, 2, 2, 2, 2, 2)"),
    (lambda: THREE.run(X, X), ValueError, "the inputs must be 3 streams for this machine, got 2"),
    (lambda: THREE.run(X), ValueError, "y must be given for a machine with three inputs, got None"),
    (lambda: TWO.run(X, X, X), ValueError, "the inputs must be 2 streams for this machine, got 3"),
    (lambda: THREE.run(X, X, 1), TypeError, "input 2 must be a Bitstream, got 1"),
    (lambda: Machine(np.zeros((0, 2), int), np.zeros((0, 2))), ValueError,
     "the number of states must be at least 1 and at most 65536, got 0"),
    (lambda: Machine(np.zeros((65537, 2), int), np.zeros((65537, 2))), ValueError,
     "the number of states must be at least 1 and at most 65536, got 65537"),
    (lambda: Machine([[0, 2], [1, 0]], [[0, 1], [1, 0]]), ValueError,
     "next_state must lie in [0, 1], got 2 at index (0, 1)"),
    (lambda: Machine([[0, -1], [1, 0]], [[0, 1], [1, 0]]), ValueError,
     "next_state must hold integers of 0 or more, got -1 at index (0, 1)"),
    (lambda: Machine([[0.0, 1.0]], [[0, 1]]), TypeError,
     "next_state must hold integers of 0 or more, got [[0.0, 1.0]]"),
    (lambda: Machine([[0, 0]], [[0, 2]]), ValueError,
     "outputs must hold only the bits 0 and 1, got 2 at index (0, 1)"),
    (lambda: Machine([[0, 0]], [0, 1]), ValueError,
     "outputs must have shape (1,), (1, 2) or (2, 1, 2), got (2,)"),
    (lambda: ONE.run(X, X), ValueError,
     "y must be omitted for a machine with one input, got "
     "Bitstream(shape=(2,), length=3, p=[0.667 0.667])"),
    (lambda: TWO.run(X), ValueError, "y must be given for a machine with two inputs, got None"),
    (lambda: ONE.run([0, 1]), TypeError, "x must be a Bitstream, got [0, 1]"),
    (lambda: TWO.run(X, 1), TypeError, "y must be a Bitstream, got 1"),
    (lambda: TWO.run(X, Bitstream.from_bits([0, 1])), ValueError,
     "the streams must have equal length, got 3 and 2"),
    (lambda: TWO.run(X, Bitstream.from_bits(np.zeros((3, 3)))), ValueError,
     "the streams must have batch shapes that broadcast, got (2,) and (3,)"),
    (lambda: ONE.run(X, state=2), ValueError, "state must lie in [0, 1], got 2"),
    (lambda: ONE.run(X, state=[0, 1, 0]), ValueError,
     "state must broadcast to the batch shape (2,), got (3,)"),
]  # fmt: skip


def test_outputs_of_a_moore_machine_depend_on_the_state_alone():
    x, y = (Bitstream.from_bits(np.random.default_rng(i).integers(0, 2, 100)) for i in range(2))
    for next_state, inputs in (
        ([[0, 1], [1, 0]], (x,)),
        ([[[0, 1], [1, 0]], [[1, 0], [0, 1]]], (x, y)),
    ):
        next_state = np.array(next_state)
        mealy = np.broadcast_to(
            np.arange(2).reshape(2, *(1,) * (next_state.ndim - 1)), next_state.shape
        )
        assert Machine(next_state, [0, 1]).run(*inputs)[0] == Machine(next_state, mealy).run(*inputs)[0]
    assert repr(Machine(next_state, [0, 1])) == "Machine(2 states, 2 in, 1 out)"


test_an_error_names_the_argument_its_contract_and_the_value = test_of(ERRORS)
