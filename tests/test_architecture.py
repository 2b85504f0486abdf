"""The invariants that ARCHITECTURE.md states, as far as a program can check them."""

import ast
import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "sc_neurocore"
FOUNDATION = {"_native", *(p.stem for p in PACKAGE.glob("_[!_]*.py"))}
MODULES = {
    ".".join(p.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): p
    for p in PACKAGE.rglob("*.py")
    if p.parent != PACKAGE or p.stem in FOUNDATION
}


def rooms():
    """The rooms in the order of the table in ARCHITECTURE.md."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    return re.findall(r"^\| `(\w+)/` \|", text, flags=re.MULTILINE)


def imported(path):
    """Modules of the package that a module imports anywhere in its text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = re.fullmatch(r"sc_neurocore(?:\.([\w.]+))?", node.module)
            for alias in node.names if module else ():
                full = ".".join(filter(None, (module[1], alias.name)))
                yield full if full in MODULES or module[1] is None else module[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from re.findall(r"^sc_neurocore\.([\w.]+)", alias.name)


def test_the_map_names_only_files_and_tests_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    for path, test in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        assert f"def {test}(" in (ROOT / path).read_text(), test
    folders = (ROOT, PACKAGE, ROOT / "native", PACKAGE / "hardware" / "rtl")
    for path in re.findall(r"`([\w/]+\.(?:py|cpp|hpp|v))[`:]", text):
        assert any((folder / path).exists() for folder in folders), path


def test_the_rooms_are_those_of_the_map():
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert set(rooms()) == folders


def test_a_room_imports_only_from_rooms_above_it():
    order = rooms()
    for name, path in MODULES.items():
        room = name.split(".")[0]
        above = FOUNDATION if room in FOUNDATION else {*FOUNDATION, *order[: order.index(room)], room}
        for other in imported(path):
            assert other.split(".")[0] in above | {"__version__"}, f"{name} imports {other}"


def test_no_modules_import_one_another():
    graph = {name: set(imported(path)) - {name} for name, path in MODULES.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises for a cycle


def test_importing_the_package_imports_numpy_and_nothing_else():
    code = (
        "import sys; import numpy; before = set(sys.modules); import sc_neurocore;"
        "print(*{m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    third_party = {m for m in run.stdout.split() if not m.startswith(("_sc_neurocore", "numpy"))}
    assert third_party <= {"sc_neurocore"}


def test_a_room_is_loaded_when_one_of_its_names_is_first_used():
    code = (
        "import sys; import sc_neurocore as sc;"
        "loaded = lambda: {m for m in sys.modules if m.startswith('sc_neurocore')};"
        "print(sorted(m.split('.')[1] for m in loaded() if '.' in m));"
        "sc.encode; print('sc_neurocore.streams' in loaded(), 'sc_neurocore.networks' in loaded())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["['_checks', '_native', '_runtime']", "True False"]


def test_importing_the_package_does_not_import_pathlib():
    # It takes longer than the rest of the package, and NumPy does not need it.
    code = (
        "import sys; import numpy; sys.modules.pop('pathlib', None); import sc_neurocore;"
        "print('pathlib' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_stub_lists_the_public_names():
    import sc_neurocore

    (listed,) = re.findall(r"__all__ = (\[[^]]*\])", (PACKAGE / "__init__.pyi").read_text())
    assert ast.literal_eval(listed) == sorted(sc_neurocore.__all__, key=lambda n: (n[0].islower(), n))


@pytest.mark.parametrize(
    ("source", "layer"),
    [
        ("Bernoulli()", "Dense(np.full((100, 64), 0.5), gain=0.1)"),
        ("LFSR(16)", "Dense(np.full((100, 64), 0.5), gain=0.1)"),
        ("Bernoulli()", "Conv2d(np.full((1, 1, 3, 3), 0.5), (32, 32), bias=[0.1], delay=200)"),
        ("Bernoulli()", "Dense(np.full((90, 8), 0.5), gain=0.1, recurrent=np.full((90, 90), 0.5))"),
    ],
)
def test_the_memory_of_a_simulation_does_not_grow_with_the_length(source, layer):
    code = (
        "import sys; import numpy as np; from sc_neurocore import *;"
        f"network = Network([{layer}]);"
        f"simulate(network, np.full(network.n_in, 0.5), int(sys.argv[1]), seed=1, source={source});"
        # The peak of this program; getrusage would include the process that forked it.
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    # Large arrays get pages of their own, because the holes of the C heap vary from run to run.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20)}
    peaks = []
    for length in (10, 2**17, 2**19):
        run = [sys.executable, "-c", code, str(length)]
        done = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
        peaks.append(int(done.stdout))
    assert peaks[2] - peaks[0] < 1.3 * (peaks[1] - peaks[0]) + 10_000


def third_party():
    """(file, module, whether at the top of the file) of all imports from outside the package."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                root = name.split(".")[0]
                if root not in {"sc_neurocore", "numpy", "typing_extensions", *sys.stdlib_module_names}:
                    yield path.relative_to(PACKAGE).as_posix(), root, node in tree.body


def test_optional_packages_are_imported_only_where_they_belong():
    homes = {
        "torch": r"training/.*",
        "nir": r"exchange/.*",
        "neo": r"exchange/spikes\.py",
        "quantities": r"exchange/spikes\.py",
        "h5py": r"exchange/.*|networks/_recorder\.py",
        "matplotlib": r"plot/.*|cli/.*",
        "scipy": r"operators/bernstein\.py",
        "panel": r"cli/_explore(_tabs)?\.py",
        "bokeh": r"cli/_explore(_tabs)?\.py",
        "tornado": r"cli/_explore\.py",
        "tqdm": r"_progress\.py",
        "argcomplete": r"cli/__init__\.py",
        "distributed": r"cli/_common\.py",
        "jinja2": r"hardware/.*",
        "pyslang": r"hardware/.*",
        "serial": r"hardware/boards\.py",
    }
    for path, package, at_top in third_party():
        assert re.fullmatch(homes[package], path), f"{path} imports {package}"
        late = "neo quantities scipy tqdm jinja2 pyslang serial argcomplete distributed"
        if package in late.split():
            assert not at_top, f"{path} imports {package} before it is needed"


def test_python_never_loops_over_time():
    # Kernels do. Loops in the package's Python run over layers, blocks, names of streams or rows.
    exempt = {
        PACKAGE / "hardware" / "netlist.py",
        PACKAGE / "neurons" / "step_neuron.py",
    }
    for path in set(PACKAGE.rglob("*.py")) - exempt:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Call):
                called, arguments = ast.unparse(node.iter.func), list(map(ast.unparse, node.iter.args))
                over_time = {"T", "steps", "length", "self.length", "clocks", "n_steps"}
                blockwise = len(arguments) == 3
                assert called != "range" or blockwise or not over_time & set(arguments), path


def test_only_keys_makes_a_seed_sequence():
    makers = [p for p in PACKAGE.rglob("*.py") if re.search(r"SeedSequence\(seed, s", p.read_text())]
    users = [p for p in PACKAGE.rglob("*.py") if "random.SeedSequence" in p.read_text()]
    assert {*makers, *users} == {PACKAGE / "streams" / "keys.py"}


def test_no_code_adds_to_a_seed():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.BitXor):
                sides = {ast.unparse(node.left), ast.unparse(node.right)}
                assert not {"seed", "base_seed", "self.seed"} & sides, f"{path}:{node.lineno}"


# Files that raise errors themselves, and why `_checks` cannot: they find what is wrong within a file
# or a graph, lack a package or a tool, or speak to the command line.
RAISING = (
    r"plot/__init__\.py|stateful/(_fixed|neuron)\.py|__init__\.py|_checks\.py|_files\.py|_tables\.py|networks/(network|_recorder)\.py|neurons/lif\.py|exchange/\w+\.py"
    r"|training/__init__\.py|cli/\w+\.py|hardware/(boards|cells|comparison|emit|netlist|simulators|tools)\.py"
    r"|operators/bernstein\.py|streams/bitstream\.py"
)
RAISING += r"|circuits/_wires\.py"  # to try another form of a loop
RAISING += r"|plot/__init__\.py"


def test_errors_about_arguments_are_worded_in_one_module():
    for path in PACKAGE.rglob("*.py"):
        raised = [
            n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Raise) and n.exc
        ]
        name = path.relative_to(PACKAGE).as_posix()
        assert not raised or re.fullmatch(RAISING, name), f"{name}:{raised[0].lineno}"


def test_only_the_scheduler_starts_threads():
    starts = re.compile(r"std::(thread|jthread|async)\b")
    starting = {p.name for p in (ROOT / "native").rglob("*.?pp") if starts.search(p.read_text())}
    assert starting == {"schedule.cpp"}


def test_no_fused_multiply_add_is_contracted():
    assert "-ffp-contract=off" in (ROOT / "CMakeLists.txt").read_text()
    for path in (ROOT / "native").rglob("*.?pp"):
        assert not re.search(r"\bfma\(|_fn?m(add|sub)_", path.read_text()), path


def test_versions_agree():
    import sc_neurocore

    text = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{sc_neurocore.__version__}"' in text
    assert f"## {sc_neurocore.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("room", rooms())
def test_all_names_of_a_room_exist_and_have_a_docstring(room):
    module = import_module(f"sc_neurocore.{room}")
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        assert getattr(module, name).__doc__, name
