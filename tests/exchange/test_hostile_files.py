"""Damaged and hostile NIR files raise the documented error quickly."""

import json
import time
from contextlib import suppress

import h5py
import numpy as np
import pytest

from sc_neurocore import Dense, Network
from sc_neurocore.exchange.nir import from_nir, to_nir

WEIGHT, LIF = "node/nodes/layer0_0_linear/weight", "node/nodes/layer0_1_lif"


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "a.nir"
    to_nir(Network([Dense([[0.5, 0.25]])]), target)
    return target


def put(name, **content):
    def change(file):
        if name in file:
            del file[name]
        file.create_dataset(name, **content)

    return change


def metadata(text):
    return put(f"{LIF}/metadata/sc_neurocore", data=text)


def array_as_metadata(file):
    del file[f"{LIF}/metadata"]
    file.create_dataset(f"{LIF}/metadata", data=[1, 2])


def remove(name):
    return lambda file: file.__delitem__(name)


def link(target):
    def change(file):
        del file[WEIGHT]
        file[WEIGHT] = target

    return change


def cycle(file):
    file[f"{LIF}/loop"] = file["node"]


def three_columns(file):
    del file["node/edges"]
    edges = np.array([[b"input", b"a", b"b"]], object)
    file.create_dataset("node/edges", data=edges, dtype=h5py.string_dtype())


HUGE_GAIN = json.dumps({"neuron": {}, "gain": 10**400, "canonical": True})
CASES = {
    "8 TiB": (put(WEIGHT, shape=(2**20, 2**20), chunks=(1024, 1024), dtype="f8"), "more bytes"),
    "a bomb": (put(WEIGHT, data=np.zeros((2**13, 2**13)), compression="gzip"), "more bytes"),
    "a cycle": (cycle, "nested in itself"),
    "a soft link": (link(h5py.SoftLink("/node/edges")), "links to another object or file"),
    "another file": (link(h5py.ExternalLink("other.h5", "/x")), "links to another object or file"),
    "no type": (remove(f"{LIF}/type"), "'type' is missing"),
    "no tau": (remove(f"{LIF}/tau"), "tau"),
    "no node": (remove("node"), "group 'node' is missing"),
    "text as a shape": (put("node/nodes/input/shape", data="abc"), "real numbers, got 'abc'"),
    "a huge shape": (put("node/nodes/input/shape", data=[2**62, 2**62]), "product of at most"),
    "a negative shape": (put("node/nodes/input/shape", data=[-2]), "integers of 1 or more"),
    "three columns of edges": (three_columns, "graph must"),
    "text as weights": (put(WEIGHT, data="text"), "graph must"),
    "objects": (put(WEIGHT, data=np.zeros(2, [("a", "f8")])), "neither numbers nor text"),
}


@pytest.mark.parametrize("case", CASES)
def test_damaged_files_are_refused_quickly(path, case):
    change, said = CASES[case]
    with h5py.File(path, "r+") as file:
        change(file)
    start = time.monotonic()
    with pytest.raises(ValueError, match=said):
        from_nir(path, dt_ms=1.0)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("change", [metadata(HUGE_GAIN), metadata("[" * 100_000), array_as_metadata])
def test_damaged_metadata_are_ignored(path, change):
    with h5py.File(path, "r+") as file:
        change(file)
    assert from_nir(path, dt_ms=1.0).network.shape == "2-1"


def test_arrays_in_other_files_are_not_read(path, tmp_path):
    secret = tmp_path / "elsewhere.bin"
    np.array([[0.5, 0.25]]).tofile(secret)
    with h5py.File(path, "r+") as file:
        del file[WEIGHT]
        file.create_dataset(WEIGHT, shape=(1, 2), dtype="f8", external=[(str(secret), 0, 16)])
    with pytest.raises(ValueError, match="stored in another file"):
        from_nir(path, dt_ms=1.0)


def test_flipped_bytes_raise_at_most_a_value_error(path):
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(25):  # a process each
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[rng.integers(0, len(whole), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes()[: rng.integers(len(whole) // 2, len(whole) + 1)])
        with suppress(ValueError):
            from_nir(path, dt_ms=1.0)


def test_a_missing_file_raises_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        from_nir(tmp_path / "missing.nir", dt_ms=1.0)
