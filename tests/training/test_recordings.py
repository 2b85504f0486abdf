"""The examples on spoken digits and camera events run on small data of their own."""

import importlib
import io
import json
import sys
import tarfile
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sc_neurocore import Network, get_threads, set_threads

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    threads = get_threads(), torch.get_num_threads()
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module
    for name in ("recordings", "spoken_digits", "nmnist", "mnist"):
        sys.modules.pop(name, None)
    set_threads(threads[0])
    torch.set_num_threads(threads[1])


def write_speech(folder, takes):
    """Write tones, whose pitch is the digit, of two speakers."""
    rng = np.random.default_rng(0)
    for speaker in ("george", "theo"):
        for digit in (0, 1):
            for take in takes:
                n = 2000 + 100 * take
                tone = np.sin(2 * np.pi * (500 + 1500 * digit) * np.arange(n) / 8000)
                samples = (8000 * tone + 300 * rng.standard_normal(n)).astype(np.int16)
                with wave.open(str(folder / f"{digit}_{speaker}_{take}.wav"), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(8000)
                    file.writeframes(samples.tobytes())


def record(rng, kind):
    """Return 400 events in the left or the right half of the image, in the format of the files."""
    t = np.sort(rng.integers(0, 300_000, 400))
    x, y, p = rng.integers(0, 14, 400) + 18 * kind, rng.integers(5, 29, 400), rng.integers(0, 2, 400)
    raw = np.stack([x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255], 1)
    return raw.astype(np.uint8), (x, y, p, t)


def write_camera(folder, n):
    rng = np.random.default_rng(0)
    with tarfile.open(folder / "events.tar", "w") as archive:
        for number in range(1, n + 1):
            content = record(rng, number % 2)[0].tobytes()
            member = tarfile.TarInfo(f"{number}.bs2")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    for name, numbers in (("train1K.txt", range(1, n - 9)), ("test100.txt", range(n - 9, n + 1))):
        rows = "".join(f"{number}\t{number % 2}\n" for number in numbers)
        (folder / name).write_text("#sample #class\n" + rows)


def test_spoken_digits_are_learned_and_measured(example, tmp_path, capsys, monkeypatch):
    write_speech(tmp_path, range(8))
    module = example("spoken_digits")
    monkeypatch.setattr(module, "EXPERIMENT", replace(module.EXPERIMENT, batch_size=3))
    monkeypatch.setattr(example("recordings"), "BITS_PER_STEP", (1, 8))
    out = tmp_path / "found.json"
    options = f"--data {tmp_path} --out {out} --save {tmp_path} --seeds 2".split()
    module.main([*options, "--tasks", "official", "--delays", "learned", "--epochs", "12"])
    module.main([*options, "--tasks", "george", "--delays", "fixed", "none", "--epochs", "1"])
    results = json.loads(out.read_text())
    assert [(r["task"], r["delays"], r["n"]) for r in results] == [
        ("official", "learned", 20), ("george", "fixed", 16), ("george", "none", 16),
    ]  # fmt: skip
    assert results[0]["real"] >= 15
    sizes = [r["parameters"] for r in results]
    assert max(sizes) < 1.03 * min(sizes)
    assert max(sizes) < 100_000
    network = Network.load(tmp_path / "spoken_digits_learned.npz")
    assert network[0].delay.max() > 0
    printed = capsys.readouterr().out
    assert "| Sobol, 8 |" in printed
    assert "New speakers" in printed
    before = out.read_text()
    module.main([*options, "--tasks", "george", "--delays", "none", "--epochs", "1"])  # which is done
    assert out.read_text() == before


def test_silence_is_cut_off_and_bands_are_leveled(example, tmp_path):
    write_speech(tmp_path, range(1))
    module = example("recordings")
    tone = np.sin(np.arange(4000))
    tone[:1000] = tone[3000:] = 1e-4 * np.random.default_rng(0).random(1000)
    kept = module.trimmed(tone, 30)
    start = int(np.flatnonzero(tone[:1001] == kept[0])[0])
    assert np.array_equal(kept, tone[start : start + len(kept)])
    assert 1000 - 256 <= start <= 1000  # a window of 256 samples contains the first loud one
    assert 3000 <= start + len(kept) <= 3000 + 256
    assert np.array_equal(module.trimmed(tone[:200], 30), tone[:200])
    plain, half, whole = (module.speech(tmp_path, leveling=part).levels for part in (0.0, 0.5, 1.0))
    for levels in (plain, half, whole):
        assert np.allclose(levels.mean((1, 2)), 0)
        assert np.allclose(levels.std((1, 2)), 1)
    assert np.allclose(whole.mean(2), 0)
    ratio = half.mean(2) / plain.mean(2)
    assert np.allclose(ratio, ratio[:, :1])  # the same part of all bands
    assert (np.abs(ratio) > 0.5).all()  # half, of levels that are then scaled up again


def test_spikes_of_events_lie_where_the_events_are(example, tmp_path):
    write_camera(tmp_path, 20)
    module = example("nmnist")
    recorded = module.Recordings(example("recordings").camera(tmp_path))
    bits = recorded.spikes(np.array([2, 0])).bits().reshape(2, 2, 17, 17, 20)
    rng = np.random.default_rng(0)
    x, y, p, t = [record(rng, number % 2)[1] for number in (1, 2, 3)][2]
    columns, rows = (
        np.floor((at + 0.5 + middle - np.interp(t / 1000, module.MOVED_AT, moved)) / 2).astype(int)
        for at, middle, moved in zip((x, y), module.MIDDLE, module.MOVED_BY, strict=True)
    )
    seen = (columns >= 0) & (columns < 17) & (rows >= 0) & (rows < 17)
    expected = np.zeros((2, 17, 17, 20), np.uint8)
    expected[p[seen], rows[seen], columns[seen], t[seen] * 20 // 300_000] = 1
    assert np.array_equal(bits[0], expected)
    one = np.array([[[1.0, 0, 2], [0, 1, -4]]])
    moved = recorded.spikes(np.array([2]), one).bits().reshape(2, 17, 17, 20)
    assert np.array_equal(moved[:, :-2, 1:], bits[0][:, 2:, :-1])


def test_camera_events_are_learned_and_measured(example, tmp_path, capsys, monkeypatch):
    write_camera(tmp_path, 40)
    module = example("nmnist")
    monkeypatch.setattr(example("recordings"), "BITS_PER_STEP", (4,))
    out = tmp_path / "found.json"
    options = f"--data {tmp_path} --out {out} --save {tmp_path}/new --epochs 4 --seeds 2 --folds 0 1"
    module.main(options.split())
    results = json.loads(out.read_text())
    assert [(r["fold"], r["delays"]) for r in results] == [
        (0, "none"), (0, "learned"), (1, "none"), (1, "learned"),
    ]  # fmt: skip
    assert "| real numbers |" in capsys.readouterr().out
    assert Network.load(tmp_path / "new" / "nmnist_learned.npz").n_in == 2 * 17 * 17
    trained, tested = module.split(40, 0, False)
    assert sorted([*trained, *tested]) == list(range(40))
    fitted, held = module.split(40, 0, True)
    assert not set(held) & set(tested)
    assert set(fitted) | set(held) == set(trained)
