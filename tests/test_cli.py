import csv
import json
import os
import platform
import signal
import subprocess
import sys
import time

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
    noise_budget,
    plan,
    simulate,
)
from sc_neurocore.cli import main
from sc_neurocore.cli._parser import SOURCE_NAMES
from sc_neurocore.evidence.evaluation import SOURCES

COMMANDS = ("demo", "evaluate", "plan", "noise", "convert", "sweep", "hdl", "info")


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
            "--data must be an .npz file with the arrays 'images' and 'labels'",
        ),
        (["evaluate", "digits", "--data", "none.npz"], "none.npz: No such file or directory"),
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
    for text in ("usage: sc-neurocore", *COMMANDS):
        assert text in said.err


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_has_a_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: {' '.join(['sc-neurocore', *command])}" in said
    assert ("--json" in said and "examples:\n  sc-neurocore" in said) or not command


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


def test_without_matplotlib_the_demo_goes_on_without_pictures_and_prints_json(tmp_path):
    code = (
        "import sys; sys.modules['matplotlib'] = sys.modules['tqdm'] = None;"
        "from sc_neurocore.cli import main;"
        f"sys.exit(main(['demo', '--json', '--out', {str(tmp_path / 'p')!r}]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert _checks.missing_extra("drawing the pictures", "Matplotlib", "plot") in run.stderr
    assert "Firing rate: 50.0 Hz" in run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(row["source"], row["length"]) for row in found] == [
        (source, length) for source in ("bernoulli", "sobol") for length in (8, 16, 32, 64, 128)
    ]
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
    assert said.startswith("sc-neurocore: --data must be an .npz file with the arrays")
    assert said.count("\n") == 1


def test_data_without_names_are_refused_with_the_name_that_is_missing(tmp_path, capsys):
    path = tmp_path / "data.npz"
    np.savez(path, np.zeros((20, 64)), np.zeros(20, int))
    assert main(["evaluate", "digits", "--data", str(path)]) == 1
    assert "'labels', got" in (said := capsys.readouterr().err)
    assert said.endswith("(no 'images')\n")


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


# --- output for programs


def objects(capsys):
    """The objects that a command has printed, and what it has told people."""
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err


def test_json_has_the_numbers_of_the_functions(capsys):
    digits = load_digits()
    assert main([*SHORT, "--source", "sobol,bernoulli", "--json"]) == 0
    found, _ = objects(capsys)
    assert [row["source"] for row in found] == ["sobol", "bernoulli"]
    (row,) = evaluate(*digits, [8], seeds=[0], source=Sobol())
    assert (found[0]["accuracy"], found[0]["loss"]) == (row.mean, row.loss)
    assert found[0]["interval"] == list(row.interval())

    assert main(["plan", "digits", "--max-loss", "0.02", "--seeds", "2", "--json"]) == 0
    found, _ = objects(capsys)
    for row, made in zip(found, plan(*digits, 0.02, seeds=range(2)), strict=True):
        assert (row["length"], row["loss"], row["keeps"]) == (made.length, made.tried[-1].loss, True)

    options = ["--length", "16", "--seed", "3", "--bits-per-step", "2", "--source", "sobol"]
    assert main(["noise", "digits", *options, "--json"]) == 0
    found, _ = objects(capsys)
    made = noise_budget(
        digits.network, digits.images, 16, seed=3, source=Sobol.for_length(32), bits_per_step=2
    )
    assert [(row["layer"], row["standard_error"]) for row in found] == [
        (i, layer.standard_error) for i, layer in enumerate(made)
    ]

    assert main(["info", "--json"]) == 0
    (found,), _ = objects(capsys)
    assert found["NumPy"] == np.__version__


def test_json_of_hdl_describes_what_was_written(tmp_path, capsys):
    out = tmp_path / "design"
    arguments = ["hdl", own(tmp_path)[1], "--out", str(out), "--length", "8", "--json"]
    os.chdir(tmp_path)
    assert main(arguments) == 0
    (found,), told = objects(capsys)
    assert sorted(path.name for path in out.iterdir()) == found["files"]
    assert 0 <= found["quantized"]["of_fixed"] <= 1
    assert "wrote" in told


# --- networks, plans and conversion


def test_a_nir_graph_is_a_network_for_every_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = own(tmp_path)
    assert main(["convert", "own.npz", "own.nir"]) == 0
    assert main(["convert", "own.nir", "again.npz"]) == 0
    (first,), (again,) = Network.load("own.npz"), Network.load("again.npz")
    assert (again.gain, again.neuron) == (first.gain, first.neuron)
    np.testing.assert_allclose(again.weights, first.weights, rtol=1e-15)
    capsys.readouterr()
    for name in ("own.npz", "own.nir"):
        assert main(["evaluate", name, *arguments[2:], "--json"]) == 0
    first, second = objects(capsys)[0]
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["convert", "digits", "x.txt"], "OUT must end in .npz or .nir, got 'x.txt'"),
        (["convert", "own.npz", "own.npz"], "OUT must be another file than NETWORK"),
        (["noise", "own.npz", "--dt-ms", "1"], "--dt-ms and --approximate must be used with a NIR"),
        (["noise", "digits", "--length", "0"], "--length must be at least 1"),
        (["plan", "digits", "--max-loss", "1"], "max_loss must be below 1"),
        (["evaluate", "digits", "--processes", "0"], "--processes must be at least 1"),
    ],
)
def test_wrong_values_of_the_other_commands_are_told_in_one_line(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    own(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_a_plan_that_keeps_no_accuracy_has_the_exit_code_3(capsys):
    assert main(["plan", "digits", "--lengths", "1", "--seeds", "1"]) == 3
    assert "no length that was tried loses at most 0.005 of accuracy" in capsys.readouterr().err


def test_local_processes_print_the_same(capsys):
    assert main([*SHORT, "--json"]) == 0
    assert main([*SHORT, "--json", "--processes", "1"]) == 0
    first, second = objects(capsys)[0]
    assert first == second


# --- sweeps

FUNCTION = """
def product(a, b, seed=None):
    if b == 0:
        raise ValueError("b is 0")
    return {"product": a * b}
"""


def swept(folder, text, *options):
    (folder / "of_a_sweep.py").write_text(FUNCTION)
    (folder / "sweep.toml").write_text(text)
    sys.modules.pop("of_a_sweep", None)
    return main(["sweep", str(folder / "sweep.toml"), *options])


SWEEP = (
    'function = "of_a_sweep:product"\nstore = "s.jsonl"\nseed = 2\n[grid]\na = [3, 2]\nb = [1, %s]\n'
)


def test_a_sweep_prints_stores_and_tabulates_its_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    table = tmp_path / "t.csv"
    assert swept(tmp_path, SWEEP % "2.5", "--csv", str(table)) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "a=3  b=1  product=3",
        "a=3  b=2.5  product=7.5",
    ]
    assert table.read_text().splitlines() == ["a,b,product", "3,1,3", "3,2.5,7.5", "2,1,2", "2,2.5,5.0"]
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 5
    assert swept(tmp_path, SWEEP % "0", "--json") == 3
    found, told = objects(capsys)
    assert [(row["a"], row["b"]) for row in found] == [(3, 1), (2, 1), (3, 0), (2, 0)]
    assert found[2]["error"] == "ValueError: b is 0"
    assert told == "sc-neurocore: 2 of 4 points failed\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("function", "FILE.toml must be a file of TOML"),
        ('function = "f:g"', "FILE.toml must have the key grid, got only function"),
        ("grid = 3", "grid in FILE.toml must be a table, got 3"),
        ("seed = true", "seed in FILE.toml must be an integer, got True"),
        ("sede = 3", "FILE.toml must have the keys function, grid, seed, store, processes, dask"),
        ('function = "f"\n[grid]\na = [1]', 'function must have the form "module:name", got'),
        ('function = "no_such:f"\n[grid]\na = [1]', "function must be found in "),
        ('function = "of_a_sweep:f"\n[grid]\na = [1]', "function must be found in "),
        ('function = "of_a_sweep:product"\n[grid]\na = 1', "a in grid must be a list of values, got 1"),
        (
            'function = "f:g"\nprocesses = 1\ndask = "x"\n[grid]',
            "must have processes or dask",
        ),
    ],
)
def test_wrong_descriptions_of_sweeps_are_refused(text, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert swept(tmp_path, text) == 1
    assert message in capsys.readouterr().err


# --- interrupts, start and completion


def test_ctrl_c_leaves_whole_rows_and_ends_with_130(tmp_path):
    table = tmp_path / "t.csv"
    command = ["evaluate", "digits", "--lengths", "8,8,65536", "--seeds", "30", "--csv", str(table)]
    run = [sys.executable, "-m", "sc_neurocore", *command]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(3):  # the second row may lie before the third in the pipe
            process.stdout.readline()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (
            table.exists() and table.read_text().count("\n") == 61
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "sc-neurocore: interrupted\n"
    lines = table.read_text().splitlines()
    assert len(lines) == 61
    assert all(line.count(",") == 4 for line in lines)


def test_the_arguments_know_the_sources_without_importing_them():
    assert tuple(SOURCES) == SOURCE_NAMES
    code = (
        "import sys; from sc_neurocore.cli._parser import parser_of_all; parser_of_all();"
        "sys.exit(any(m.startswith('sc_neurocore.') and m.split('.')[1] in"
        " ('networks', 'streams', 'evidence', 'hardware') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def completions(line):
    environment = os.environ | {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    environment |= {"_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    code = "import os, sys; sys.argv[0] = 'sc-neurocore'; from sc_neurocore.cli import main; main()"
    run = f'{sys.executable} -c "{code}" 8>&1 9>/dev/null 1>/dev/null'
    return subprocess.run(
        run, shell=True, env=environment, capture_output=True, text=True
    ).stdout.split("\n")


def test_a_shell_completes_commands_options_and_choices():
    assert set(completions("sc-neurocore ")) >= set(COMMANDS)
    assert "--bits-per-step" in completions("sc-neurocore noise digits --b")
    assert completions("sc-neurocore noise digits --source so") == ["sobol"]
