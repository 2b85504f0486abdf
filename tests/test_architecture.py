"""What ARCHITECTURE.md promises of the shape of the code."""

import ast
import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "sc_neurocore"
FOUNDATION = {"_checks", "_files", "_native", "_progress", "_runtime", "_tables", "_types"}
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


def test_importing_the_package_loads_its_stages_when_they_are_used():
    code = (
        "import sys; import sc_neurocore as sc;"
        "loaded = lambda: {m for m in sys.modules if m.startswith('sc_neurocore')};"
        "print(sorted(m.split('.')[1] for m in loaded() if '.' in m));"
        "sc.encode; print('sc_neurocore.streams' in loaded(), 'sc_neurocore.networks' in loaded())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["['_checks', '_native', '_runtime']", "True False"]


def test_importing_the_package_does_not_import_pathlib():
    # It takes longer than the rest of the package, and NumPy does without.
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
        # The peak of this program: that of getrusage is at least that of the process which forked.
        "print(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    # Every large array gets pages of its own: holes of the C library's heap come and go by chance.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20)}
    peaks = []
    for length in (10, 2**17, 2**19):
        run = [sys.executable, "-c", code, str(length)]
        done = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
        peaks.append(int(done.stdout))
    assert peaks[2] - peaks[0] < 1.3 * (peaks[1] - peaks[0]) + 10_000


def test_python_never_loops_over_time():
    # The kernels do: a loop in the package's Python runs over layers, blocks, streams' names or rows.
    # That of training, which goes back in time, is the exception.
    for path in set(PACKAGE.rglob("*.py")) - set(PACKAGE.rglob("_autograd.py")):
        assert not re.search(r"for \w+ in range\((T|steps|length|self\.length)\)", path.read_text()), (
            path
        )


def test_versions_agree():
    import sc_neurocore

    text = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{sc_neurocore.__version__}"' in text
    assert f"## {sc_neurocore.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_all_names_exist_and_have_a_docstring():
    import sc_neurocore

    for name in sc_neurocore.__all__:
        assert getattr(sc_neurocore, name).__doc__, name
