import csv
import platform
import subprocess
import sys

import numpy as np
import pytest

from sc_neurocore import (
    Dense,
    Network,
    Sobol,
    VanDerCorput,
    _checks,
    _native,
    evaluate,
    load_digits,
    simulate,
)
from sc_neurocore.cli import main
from sc_neurocore.evidence.evaluation import SOURCES


def test_the_demo_prints_both_parts_and_draws_three_pictures(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "pictures")]) == 0
    said = capsys.readouterr().out
    for text in ("Firing rate: 50.0 Hz", "ISI peak: 20.0 ms", "SilentLayerWarning", "64-100-10"):
        assert text in said
    # Section 4 as written, its warning, and the same with the OR adder, in this order.
    silent, warning = said.index("Neuron 3: 0 spikes, 0.0 Hz"), said.index("SilentLayerWarning")
    assert silent < warning < said.index("Neuron 3: 33 spikes, 66.0 Hz")
    assert "Layer 2 output:\n Neuron 0: 58.0 Hz\n Neuron 1: 58.0 Hz\n" in said
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [p.name for p in pictures] == ["accuracy.png", "digits.png", "raster.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") and p.stat().st_size > 5000 for p in pictures)


def test_the_shipped_digits_are_small():
    import sc_neurocore.networks.digits as module

    folder = module.files("sc_neurocore") / "data"
    size = sum(len((folder / name).read_bytes()) for name in ("digits.npz", "digits_test.npz"))
    assert size < 100_000


def test_evaluate_writes_the_table_it_prints(tmp_path, capsys):
    table = tmp_path / "table.csv"
    assert main(["evaluate", "digits", "--lengths", "8,16", "--seeds", "2", "--csv", str(table)]) == 0
    said = capsys.readouterr().out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(r["length"], r["seed"]) for r in rows] == [
        ("8", "0"),
        ("8", "1"),
        ("16", "0"),
        ("16", "1"),
    ]
    digits = load_digits()
    for row in rows:
        result = simulate(digits.network, digits.images, int(row["length"]), seed=int(row["seed"]))
        assert float(row["accuracy"]) == (result.classes == digits.labels).mean()
        assert f"{100 * float(row['float_accuracy']):.2f} %" in said


def test_evaluate_accepts_a_source(capsys):
    assert main(["evaluate", "digits", "--lengths", "8", "--seeds", "3", "--source", "sobol"]) == 0
    said = capsys.readouterr().out
    digits = load_digits()
    counts = [
        simulate(digits.network, digits.images, 8, seed=seed, source=Sobol()).classes
        for seed in range(3)
    ]
    assert "sobol streams" in said
    assert f"{100 * np.mean(counts == digits.labels):.2f} +-" in said


def test_evaluate_compares_sources_side_by_side(tmp_path, capsys):
    table, picture = tmp_path / "table.csv", tmp_path / "curves.png"
    arguments = ["evaluate", "digits", "--lengths", "8,16", "--seeds", "1", "--source"]
    assert (
        main([*arguments, "sobol,vandercorput,sobol", "--csv", str(table), "--plot", str(picture)]) == 0
    )
    said = capsys.readouterr().out
    assert said.index("sobol streams") < said.index("vandercorput streams")
    assert f"wrote {picture}" in said
    assert picture.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(r["source"], r["length"]) for r in rows] == [
        (source, length) for source in ("sobol", "vandercorput") for length in ("8", "16")
    ]
    digits = load_digits()
    (row,) = evaluate(*digits, [16], seeds=[0], source=VanDerCorput())
    assert float(rows[-1]["accuracy"]) == row.mean
    low, high = row.interval()
    assert f"{100 * low:.2f} to {100 * high:.2f}" in said


def test_an_unknown_source_is_refused_with_a_list_of_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "digits", "--source", "sobol,x"])
    said = " ".join(capsys.readouterr().err.split())
    assert f"sources must be among {', '.join(SOURCES)}, separated by commas, got 'x'" in said


def test_without_matplotlib_a_picture_is_refused_before_any_work():
    code = (
        "import sys; sys.modules['matplotlib'] = None; from sc_neurocore.cli import main;"
        "sys.exit(main(['evaluate', 'digits', '--plot', 'p.png']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == (f"sc-neurocore: {_checks.missing_extra('--plot', 'Matplotlib', 'plot')}\n")
    assert run.stdout == ""


def test_evaluate_accepts_other_networks_and_data(tmp_path, capsys):
    Network([Dense([[1.0, 0.0], [0.0, 1.0]])]).save(tmp_path / "mine.npz")
    np.savez(tmp_path / "data.npz", images=np.eye(2), labels=np.arange(2))
    arguments = ["evaluate", str(tmp_path / "mine.npz"), "--data", str(tmp_path / "data.npz")]
    assert main([*arguments, "--lengths", "4", "--seeds", "1"]) == 0
    assert "100.00 %" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "none.npz"], "none.npz"),
        (["evaluate", __file__], "path must be a network saved by sc-neurocore"),
        (
            ["evaluate", "digits", "--data", __file__],
            "--data must be an .npz file of images and labels",
        ),
        (["evaluate", "digits", "--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["evaluate", "digits", "--lengths", "0"], "lengths must be at least 1, got 0"),
        (["evaluate", "digits", "--csv", "/no/such/folder/t.csv"], "/no/such/folder"),
    ],
)
def test_an_error_is_printed_in_one_line(arguments, message, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("sc-neurocore: ")
    assert said.count("\n") == 1


def test_without_a_command_the_help_is_printed_and_the_status_is_2(capsys):
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for text in ("usage: sc-neurocore", "demo", "evaluate", "hdl", "info"):
        assert text in said.err


@pytest.mark.parametrize("command", [[], ["demo"], ["evaluate"], ["hdl"], ["info"]])
def test_every_command_has_a_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert f"usage: {' '.join(['sc-neurocore', *command])}" in capsys.readouterr().out


def test_lengths_that_are_not_integers_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "digits", "--lengths", "8,x"])
    assert "lengths must be integers separated by commas, got '8,x'" in capsys.readouterr().err


def test_the_module_runs_as_a_command():
    run = subprocess.run(
        [sys.executable, "-m", "sc_neurocore", "info"], capture_output=True, text=True, check=True
    )
    for line in ("sc-neurocore", "processor", "instruction set", "threads"):
        assert line in run.stdout
    assert platform.machine() in run.stdout
    assert f"{_native.isa()} (available: {', '.join(_native.isas())})" in run.stdout


def test_without_matplotlib_the_demo_goes_on_without_pictures(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['tqdm'] = None;"
        f"from sc_neurocore.cli import main; sys.exit(main(['demo', '--out', {str(tmp_path / 'p')!r}]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert _checks.missing_extra("drawing the pictures", "Matplotlib", "plot") in run.stdout
    assert not (tmp_path / "p").exists()


def test_damaged_data_are_refused_in_one_line(tmp_path, capsys):
    path = tmp_path / "data.npz"
    np.savez_compressed(
        path, images=np.random.default_rng(0).random((20, 64)), labels=np.zeros(20, int)
    )
    data = bytearray(path.read_bytes())
    data[200:264] = bytes(b ^ 0xFF for b in data[200:264])
    path.write_bytes(data)
    assert main(["evaluate", "digits", "--data", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("sc-neurocore: --data must be an .npz file of images and labels")
    assert said.count("\n") == 1


@pytest.mark.parametrize("option", ["--csv", "--plot"])
def test_targets_are_checked_before_the_work(option, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sc_neurocore.cli._evaluate.evaluate_each", None)  # not reached
    for target, said in (
        (tmp_path / "missing" / "x.png", f"{option} must lie in a folder that exists"),
        (tmp_path, f"{option} must be a file, got the folder"),
    ):
        assert main(["evaluate", "digits", option, str(target)]) == 1
        assert said in capsys.readouterr().err


SHORT = ["evaluate", "digits", "--lengths", "8", "--seeds", "1"]


def own(folder):
    network = Network([Dense([[0.9, -0.4], [-0.3, 0.8]], gain=0.5)])
    network.save(folder / "own.npz")
    np.savez(folder / "data.npz", images=np.eye(2), labels=np.arange(2))
    (folder / "link.csv").symlink_to(folder / "own.npz")
    (folder / "hard.png").hardlink_to(folder / "data.npz")
    (folder / "new.png").symlink_to(folder / "table.csv")
    return ["evaluate", "own.npz", "--data", "data.npz", "--lengths", "8", "--seeds", "1"]


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["--csv", "own.npz"], "--csv must be another file than NETWORK, got 'own.npz'"),
        (["--csv", "./own.npz"], "--csv must be another file than NETWORK, got 'own.npz'"),
        (["--csv", "link.csv"], "--csv must be another file than NETWORK, got 'link.csv'"),
        (["--csv", "data.npz"], "--csv must be another file than --data, got 'data.npz'"),
        (["--plot", "hard.png"], "--plot must be another file than --data, got 'hard.png'"),
        (["--csv", "x.png", "--plot", "x.png"], "--plot must be another file than --csv, got 'x.png'"),
        (["--csv", "table.csv", "--plot", "new.png"], "--plot must be another file than --csv"),
    ],
)
def test_evaluate_does_not_replace_a_file_that_it_uses(targets, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = own(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.exists()}
    assert main([*arguments, *targets]) == 1
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.exists()} == before
    assert main([*arguments, "--csv", "table.csv", "--plot", "curve.png"]) == 0


def test_targets_that_cannot_be_written_are_refused_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "demo" / "raster.png").mkdir(parents=True)
    for arguments, message in (
        ([*own(tmp_path), "--plot", "a.xyz"], "--plot must end in ."),
        (["demo", "--out", "file"], "--out must be a folder, got 'file', and "),
        (["demo", "--out", "file/deeper"], "--out must be a folder, got 'file/deeper', and "),
        (["demo"], "--out must be a file, got the folder 'demo/raster.png'"),
    ):
        assert main(arguments) == 1
        said = capsys.readouterr()
        assert message in said.err
        assert said.out == ""
    with pytest.raises(SystemExit):
        main([*SHORT, "--csv", "new/"])
    assert "the name of a file cannot end in /, got 'new/'" in capsys.readouterr().err


@pytest.mark.parametrize("seeds", ["1000001", "99999999999999999999"])
def test_too_many_seeds_are_refused(seeds, capsys):
    assert main(["evaluate", "digits", "--seeds", seeds]) == 1
    assert "--seeds must be at most 1000000" in capsys.readouterr().err


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["info"], SHORT])
def test_a_reader_that_has_read_enough_ends_a_command_quietly(command, unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    run = [sys.executable, "-W", "error", "-m", "sc_neurocore", *command]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
