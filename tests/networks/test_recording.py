"""What a simulation records, in memory and in files."""

import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from sc_neurocore import LIF, Dense, Network, simulate
from sc_neurocore.networks import Record

RNG = np.random.default_rng(3)
X = RNG.random((3, 12))
NETWORK = Network(
    [
        Dense(RNG.uniform(-1, 1, (9, 12)), gain=0.3, neuron=LIF(tau_mem=8.0, tau_syn=2.0)),
        Dense(
            RNG.uniform(-1, 1, (4, 9)), gain=0.8, neuron=LIF(tau_mem=5.0, refractory_period=1),
            recurrent=RNG.uniform(-1, 1, (4, 4)),
        ),
    ]
)  # fmt: skip


def run(record=False, length=150, **options):
    return simulate(NETWORK, X, length, seed=1, record=record, **options)


@pytest.mark.parametrize("k", [1, 4])
def test_potentials_are_those_of_runs_that_end_there(k):
    record = Record(potentials=True, currents=True)
    whole = run(record, bits_per_step=k)
    assert whole.counts.any()
    for steps in (1, 63, 64, 100, 150):
        part = run(length=steps, bits_per_step=k)
        assert np.array_equal(whole.recording.potentials[1][..., steps - 1], part.potentials)
    assert np.array_equal(whole.counts, run(bits_per_step=k).counts)
    assert whole.recording.steps.tolist() == list(range(150))


def test_potentials_follow_from_the_recorded_currents():
    recording = run(Record(layers=[0], potentials=True, currents=True)).recording
    lif = NETWORK[0].neuron
    for row in range(3):
        spikes, state = lif.run(recording.currents[0][row])
        assert np.array_equal(spikes.bits(), recording.spikes[0][row].bits())
        assert np.array_equal(state.v, recording.potentials[0][row, :, -1])


def test_layers_neurons_and_samples_are_chosen():
    everything = run(Record(potentials=True)).recording
    chosen = run(Record(layers=[1], neurons=[3, 0], potentials=True, every=7)).recording
    assert list(chosen.spikes) == [1]
    assert chosen.spikes[1] == everything.spikes[1][:, [3, 0]]
    assert chosen.steps.tolist() == list(range(0, 150, 7))
    assert np.array_equal(chosen.potentials[1], everything.potentials[1][:, [3, 0], ::7])
    of_one = run(Record(neurons={0: [2]}, spikes=False, potentials=True)).recording
    assert of_one.spikes == {}
    assert of_one.potentials[0].shape == (3, 1, 150)
    assert of_one.potentials[1].shape == (3, 4, 150)


def test_samples_lie_at_multiples_of_every_also_when_continued():
    record = Record(potentials=True, every=10)
    first = run(record, length=25)
    rest = simulate(NETWORK, X, 125, state=first.state, record=record)
    assert [*first.recording.steps, *rest.recording.steps] == list(range(0, 150, 10))


def test_a_file_holds_what_memory_would(tmp_path):
    path = tmp_path / "run.h5"
    options = {"potentials": True, "currents": True, "every": 3}
    ours = run(Record(file=path, **options)).recording
    assert ours.file == str(path)
    assert ours.spikes == {}
    memory = run(Record(**options)).recording
    with h5py.File(path, "r") as file:
        assert (file.attrs["length"], file.attrs["every"], file.attrs["first"]) == (150, 3, 0)
        for i in range(2):
            group = file[f"layer_{i}"]
            assert group["neurons"][:].tolist() == list(range(NETWORK[i].n_out))
            assert np.array_equal(np.moveaxis(group["spikes"][:], 0, -1), memory.spikes[i].bits())
            for name in ("potentials", "currents"):
                values = np.moveaxis(group[name][:], 0, -1)
                assert np.array_equal(values, getattr(memory, name)[i])


def test_a_killed_run_leaves_a_readable_file(tmp_path):
    path = tmp_path / "run.h5"
    code = f"""
import numpy as np
from sc_neurocore import Dense, Network, simulate
from sc_neurocore.networks import Record
network = Network([Dense(np.full((200, 50), 0.5), gain=0.05)])
simulate(network, np.full((20, 50), 0.5), 10**8, seed=1, record=Record(file={str(path)!r}))
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    deadline, length = time.monotonic() + 60, 0
    while length < 3000 and time.monotonic() < deadline:
        time.sleep(0.1)
        try:
            with h5py.File(path, "r", swmr=True) as file:
                length = len(file["layer_0/spikes"])
        except (OSError, KeyError):
            continue
    process.send_signal(signal.SIGKILL)
    process.wait()
    with h5py.File(path, "r", swmr=True) as file:
        spikes = file["layer_0/spikes"]
        assert len(spikes) >= length >= 3000
        network = Network([Dense(np.full((200, 50), 0.5), gain=0.05)])
        same = simulate(network, np.full((20, 50), 0.5), 3000, seed=1, record=True)
        assert np.array_equal(np.moveaxis(spikes[:3000], 0, -1), same.spikes[0].bits())


def test_what_cannot_be_recorded_is_refused(tmp_path):
    cases = [
        ({"layers": [2]}, "layers must be below 2, the number of layers, got 2"),
        ({"neurons": [9]}, "neurons must be below 9, the number of neurons of layer 0, got 9"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            run(Record(**arguments))
    for arguments, error in (
        ({"layers": [0, 0]}, ValueError),
        ({"layers": [-1]}, ValueError),
        ({"spikes": False}, ValueError),
        ({"every": 0}, ValueError),
        ({"potentials": 1}, TypeError),
        ({"file": 3}, TypeError),
    ):
        with pytest.raises(error):
            Record(**arguments)
    for neurons in ({99: [0]}, {0: [0]}):
        with pytest.raises(
            ValueError, match=r"neurons must have indices of recorded layers, \[1\], as"
        ):
            run(Record(layers=[1], neurons=neurons))
    with pytest.raises(TypeError, match="record must be a Record, got 1; pass True"):
        run(1)
    with pytest.raises(OSError, match=r"run\.h5"):
        run(Record(file=tmp_path / "missing" / "run.h5"))


def test_no_layers_and_no_neurons():
    nothing = run(Record(layers=[], potentials=True)).recording
    assert nothing.spikes == nothing.potentials == {}
    with pytest.raises(ValueError, match="neurons must hold at least one neuron"):
        Record(neurons=[])
