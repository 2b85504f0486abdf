"""Files are replaced whole or not at all, and files of strangers are read within bounds."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sc_neurocore import Dense, Network
from sc_neurocore._files import read_arrays, replacing

NETWORK = Network([Dense([[0.5, 0.25]], bias=[0.125])])


def same(a, b):
    return all(np.array_equal(x.weights, y.weights) for x, y in zip(a.layers, b.layers, strict=True))


def test_a_failed_block_leaves_the_target_and_the_folder_as_they_were(tmp_path):
    target = tmp_path / "whole.bin"
    target.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), replacing(target) as file:
        file.write(b"half" * (1 // 0))
    assert target.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["whole.bin"]


def test_symbolic_links_are_followed_and_permissions_kept(tmp_path):
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    NETWORK.save(real)
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~umask()
    link.symlink_to(real)
    real.chmod(0o600)
    NETWORK.save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert same(Network.load(link), NETWORK)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_longest_names_can_be_replaced(tmp_path):
    target = tmp_path / ("x" * 251 + ".npz")
    NETWORK.save(target)
    assert same(Network.load(target), NETWORK)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no program reads this pipe"):  # nothing reads it
        NETWORK.save(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    time.sleep(0.2)  # until it waits
    NETWORK.save(pipe)
    reader.join()
    (tmp_path / "copy.npz").write_bytes(got[0])
    assert same(Network.load(tmp_path / "copy.npz"), NETWORK)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    NETWORK.save(os.devnull)


def test_threads_that_save_to_one_path_leave_a_whole_file_at_any_time(tmp_path):
    weights = np.random.default_rng(0).uniform(-1, 1, (100, 200))
    network, target, errors = Network([Dense(weights)]), tmp_path / "x.npz", []
    network.save(target)

    def save():
        try:
            for _ in range(10):
                network.save(target)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert same(Network.load(target), network)
    assert errors == []
    assert os.listdir(tmp_path) == ["x.npz"]


def test_a_killed_process_leaves_nothing_behind(tmp_path):
    code = (
        "import sys, time; from sc_neurocore._files import replacing\n"
        "with replacing(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); print('writing', flush=True); time.sleep(60)"
    )
    target = tmp_path / "x.bin"
    target.write_bytes(b"before")
    command = [sys.executable, "-c", code, str(target)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == ["x.bin"]
    assert target.read_bytes() == b"before"


def test_a_file_that_cannot_be_read_is_reported_as_that(tmp_path):
    with pytest.raises(FileNotFoundError):
        Network.load(tmp_path / "missing.npz")
    with pytest.raises(IsADirectoryError):
        Network.load(tmp_path)


READERS = {
    "Network.load": "Network.load(sys.argv[1])",
    "from_nir": "from_nir(sys.argv[1], dt_ms=1.0)",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_not_read(tmp_path, reader, kind):
    path = tmp_path / "pipe" if kind == "pipe" else "/dev/zero"
    if kind == "pipe":
        os.mkfifo(path)
    code = f"""if True:
        import sys
        from sc_neurocore import Network
        {"from sc_neurocore.exchange.nir import from_nir" if reader == "from_nir" else ""}
        {READERS[reader]}"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=environment, capture_output=True, timeout=60
    )
    assert f"got {str(path)!r} (not a regular file)" in run.stderr.decode()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("no/such/x.npz", FileNotFoundError),
        ("", FileNotFoundError),
        ("folder/", IsADirectoryError),
        ("new/", IsADirectoryError),
        ("folder", IsADirectoryError),
        ("file.npz/", NotADirectoryError),
        ("file.npz/x.npz", NotADirectoryError),
        ("x" * 256, OSError),
        ("/proc/self/x.npz", OSError),
    ],
)
def test_an_error_of_writing_names_the_path_of_the_caller(tmp_path, monkeypatch, path, error):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    NETWORK.save("file.npz")
    with pytest.raises(error) as caught:
        NETWORK.save(path)
    assert caught.value.filename == path
    assert caught.value.filename2 is None
    assert sorted(os.listdir(tmp_path)) == ["file.npz", "folder"]


def test_paths_can_be_bytes(tmp_path):
    path = os.fsencode(tmp_path / "x.npz")
    NETWORK.save(path)
    assert same(Network.load(path), NETWORK)


def test_the_owner_is_kept_and_the_right_to_run_as_the_owner_is_not(tmp_path):
    path = tmp_path / "x.npz"
    NETWORK.save(path)
    owner = (os.getuid(), os.getgid())
    if os.getuid() == 0:
        os.chown(path, *(owner := (12345, 23456)))
    path.chmod(0o6750)
    NETWORK.save(path)
    known = path.stat()
    assert (known.st_uid, known.st_gid) == owner
    assert stat.S_IMODE(known.st_mode) == 0o750


def archive(path, **members):
    """Write an .npz file of members that are bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)


def header(shape, descr="'<f8'", more=b""):
    said = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    said += b" " * (-(len(said) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(said).to_bytes(2, "little") + said + more


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (header("(1073741824, 8192)"), "x declares"),
        (header(f"({2**70}, 2)"), "x declares"),
        (header("(-1, 2)"), "x declares|negative"),
        (header("(2, 2)", more=bytes(24)), "x declares"),
        (header("(1,)", "'|O'", bytes(8)), "x holds objects"),
        (header("(" * 5000), "."),
        (header("(1,)", "'<f9'"), "."),
        (b"\x93NUMPY\x03\x00" + bytes(60), "version"),
        (b"", "."),
        (b"text", "."),
        (header("(40000000,)", more=bytes(320_000_000)), "x declares 320000128 bytes in a file of"),
    ],
    ids=lambda x: str(x)[:40],
)
def test_what_an_array_declares_is_compared_with_the_file_before_it_is_read(tmp_path, content, reason):
    path = tmp_path / "x.npz"
    archive(path, x=content)
    with pytest.raises(ValueError, match=reason):
        read_arrays(path)


def test_members_that_nobody_asks_for_are_not_read(tmp_path):
    path = tmp_path / "x.npz"
    archive(path, x=header("(1,)", more=bytes(8)), unread=header(f"({2**60},)"))
    assert read_arrays(path, {"x"})["x"].tolist() == [0.0]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_is_a_value_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "x.npz"
    NETWORK.save(path)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    with suppress(ValueError):
        assert isinstance(Network.load(path), Network)
