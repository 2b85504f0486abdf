"""The built reference shows every public name; code in the pages runs; tables agree with their figures.

Doctests of the pages are collected by pytest itself, see pyproject.toml.
"""

import html
import json
import re
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "sc_neurocore"


def public_modules():
    """Rooms and their modules without a leading underscore; `cli` is a command, not an API."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        if name.count(".") > 0 and "._" not in name and ".cli" not in name:
            yield name


def addresses():
    """The address of each public name in the reference: that of its room if the room exports it."""
    for module in public_modules():
        room = import_module(".".join(module.split(".")[:2]))
        for name in getattr(import_module(module), "__all__", ()):
            yield f"{room.__name__ if name in room.__all__ else module}.{name}"
    yield from ("sc_neurocore.set_threads", "sc_neurocore.get_threads")


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The built pages of the reference as one text, and the warnings; no other page is built."""
    out = tmp_path_factory.mktemp("reference")
    build = [
        "-m",
        "sphinx",
        "-t",
        "reference",
        "-qEc",
        ROOT / "docs",
        ROOT / "docs" / "reference",
    ]
    done = subprocess.run([sys.executable, *build, out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return "".join(page.read_text() for page in out.glob("*.html")), done.stderr


def test_every_public_name_has_an_anchor_in_the_built_reference(reference):
    pages, _ = reference
    missing = [name for name in dict.fromkeys(addresses()) if f'id="{name}"' not in pages]
    assert not missing


def test_the_reference_is_built_without_warnings(reference):
    _, warnings = reference
    assert not warnings


@pytest.fixture(scope="module")
def small_page(tmp_path_factory):
    """A page with three pictures and some numbers, built with the extension for pictures."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("page")
    for name, width in (("a.png", 2), ("a_dark.png", 2), ("b.png", 950)):
        Image.new("RGB", (width, 2)).save(folder / name)
    (folder / "index.md").write_text(
        "# Title\n\n![First](a.png)\n\n![Second](b.png)\n\n95 % and 0.5 ± 0.1, `95 % and 0.5 ± 0.1`\n"
    )
    (folder / "conf.py").write_text(
        f"import sys; sys.path.append({str(ROOT / 'docs')!r})\n"
        "extensions = ['myst_parser', 'dark_pictures']; html_theme = 'basic'\n"
    )
    build = [sys.executable, "-m", "sphinx", "-qEW", folder, folder / "out"]
    subprocess.run(build, check=True)
    return (folder / "out" / "index.html").read_text()


def test_pictures_with_a_dark_form_are_shown_by_the_theme_of_the_page(small_page):
    shown = {
        re.search(r'src="_images/([^"]+)"', tag)[1]: tag
        for tag in re.findall(r"<img[^>]*>", small_page)
    }
    assert set(shown) == {"a.png", "a_dark.png", "b.png"}
    assert "only-light" in shown["a.png"]
    assert "only-dark" in shown["a_dark.png"]
    assert "only-" not in shown["b.png"]
    assert [name for name, tag in shown.items() if re.search(r'class="[^"]*\bwide\b', tag)] == ["b.png"]


def test_numbers_stay_on_a_line_with_their_units_and_errors_outside_of_code(small_page):
    prose, code = re.search(r"<p>(95.*?), <code[^>]*>(.*?)</code>", small_page, re.DOTALL).groups()
    assert prose == "95\N{NO-BREAK SPACE}% and 0.5\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.1"
    assert "\N{NO-BREAK SPACE}" not in code


def test_every_name_of_the_package_belongs_to_a_room():
    import sc_neurocore

    assert set(sc_neurocore.__all__) <= {address.rpartition(".")[2] for address in addresses()}


def test_every_public_module_lists_its_names():
    missing = [m for m in public_modules() if not hasattr(import_module(m), "__all__")]
    assert not missing


def pages():
    """The pages of the repository in Markdown."""
    docs = ROOT / "docs"
    folders = (ROOT, docs, docs / "hardware", docs / "howto", docs / "reference", PACKAGE / "data")
    return [page for folder in folders for page in sorted(folder.glob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_has_no_dead_links_and_no_power_that_renders_as_bold_text(page):
    text = page.read_text()
    for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", text):
        program = re.sub(
            r"auto_gallery/(\w+)\.rst$", r"gallery/\1.py", target
        )  # as sphinx-gallery does
        assert (page.parent / program).exists(), target
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    assert not re.search(r"\w\*\*\w", prose)


# What the code blocks of a page expect, which readers have: data, a model, a file.
SETUP = {
    "bits_per_step.md": """
from sc_neurocore import Sobol, load_digits, noise_budget
from sc_neurocore.evidence import sufficient_bits_per_step
digits = load_digits()
from sc_neurocore import Bitstream, encode, evaluate
network, x, labels = digits.network, encode(digits.images[:20], 8, key=1), digits.labels[:20]
""",
    "bring.md": """
import warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)  # of nirtorch, which snnTorch calls
import numpy as np
images, labels = np.random.default_rng(0).random((60, 64)), np.arange(60) % 10
""",
    "exchange.md": """
from sc_neurocore import Dense, LIF, Network
from sc_neurocore.exchange import to_nir
to_nir(Network([Dense([[0.5, 0.25]], gain=0.5, neuron=LIF(dt=0.1))]), "network.nir")
import numpy as np
spikes = np.random.default_rng(0).random((3, 2, 100)) < 0.5
""",
    "networks.md": """
from sc_neurocore import Dense, Network, Record, simulate
network = Network([Dense([[0.9, -0.2], [0.1, 0.8]]), Dense([[0.5, 0.5]])])
simulate(network, [[1.0, 0.5]] * 3, 100, record=Record(potentials=True, file="run.h5"))
""",
    "training.md": """
import numpy as np
import torch
torch.manual_seed(0)
loader = [(torch.rand(8, 784), torch.arange(8)) for _ in range(2)]
images = test_images = np.random.default_rng(0).random((80, 784))
labels = test_labels = np.arange(80) % 10
relu_model = torch.nn.Sequential(torch.nn.Linear(784, 16), torch.nn.ReLU(), torch.nn.Linear(16, 10))
""",
}


def code_blocks(page):
    """The blocks of Python in a page that are no doctests."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [block for block in blocks if not block.startswith(">>>")]


def pages_with_code():
    """Pages with code that is no doctest; the tutorial has tests of its own."""
    return [page for page in pages() if code_blocks(page) and page.name != "tutorial.md"]


@pytest.mark.parametrize("page", pages_with_code(), ids=lambda page: page.name)
def test_the_code_of_a_page_runs_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    exec(SETUP.get(page.name, ""), namespace)
    for block in code_blocks(page):
        exec(compile(block, page.name, "exec"), namespace)
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


PROGRAMS = sorted((ROOT / "docs" / "gallery").glob("plot_*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_tutorial_runs_and_names_pages_that_are_there(program, tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    runpy.run_path(str(program))
    assert plt.get_fignums()
    plt.close("all")
    for page in re.findall(r":doc:`/([^`]+)`", program.read_text()):
        page = page.replace("auto_gallery", "gallery")
        assert any((ROOT / "docs" / f"{page}{end}").exists() for end in (".md", ".py")), page


def test_doctests_of_every_page_are_collected():
    assert "--doctest-glob=*.md" in (ROOT / "pyproject.toml").read_text()
    for page in pages():
        for block in re.findall(r"```python\n(>>>.*?)```", page.read_text(), flags=re.DOTALL):
            assert block.endswith("\n\n"), f"{page.name}: a doctest ends with an empty line"


def test_the_pages_name_targets_that_the_makefile_has():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in pages():
        code = " ".join(re.findall(r"```.*?```|`[^`\n]*`", page.read_text(), flags=re.DOTALL))
        named = set(re.findall(r"\bmake ([a-z][\w-]+)", code))
        assert named <= targets, page.name


def test_the_page_on_the_other_package_shows_what_this_one_does(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    observe = import_module("observe_3x")
    page = observe.PAGE.read_text()
    for what, here in observe.observed().items():
        assert re.search(rf"^\| {re.escape(what)} \| .* \| {re.escape(here)} \|$", page, re.MULTILINE)


def test_tables_in_the_pages_are_those_of_the_measured_figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    draw_results = import_module("draw_results")
    tables = draw_results.all_tables(json.loads(draw_results.FIGURES.read_text()))
    pages = {page: page.read_text() for page in draw_results.PAGES}
    for page, text in pages.items():
        assert draw_results.filled(text, tables) == text, f"{page.name} is stale: run draw_results.py"
    for name in tables:
        assert any(f"<!-- {name} -->" in text for text in pages.values()), f"no page shows {name}"


def test_the_table_of_learned_digits_is_that_of_its_figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    module = import_module("draw_plasticity")
    page = module.PAGE.read_text()
    assert module.filled(page, module.tables()) == page, "run draw_plasticity.py"
    found = json.loads(module.FIGURES.read_text())
    assert abs(found["bitstreams"]["accuracy"] - found["real weights"]["accuracy"]) < 0.02


def test_the_table_of_operators_is_that_of_its_figures(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "docs")
    module = import_module("measure_operators")
    figures = json.loads(module.FIGURES.read_text())
    page = module.PAGE.read_text()
    content = module.operator_table(figures)
    assert module.fill(page, "operators", content) == page, "run measure_operators.py"
    assert set(figures) == {row.name for row in module.ROWS}
    for row in module.ROWS[11:13]:  # their cells do not depend on the version of a tool
        made = module.cells(row, tmp_path)
        assert made == {key: figures[row.name][key] for key in made}


def test_the_pictures_of_designs_show_the_blocks_and_nets_of_their_verilog(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    module = import_module("draw_hardware")
    for name, design in module.designs().items():
        picture = html.unescape((module.PICTURES / f"{name}.svg").read_text())
        drawn = set(re.findall(r">([^<>\n]+)</text>", picture))
        graph = module.dot(design)
        wanted = set(re.findall(r">([^<>\n]+)<", graph)) | {
            line for text in re.findall(r'label="([^"]+)"', graph) for line in text.split(r"\n")
        }
        assert wanted <= drawn, f"{name} is stale: run docs/draw_hardware.py"


def test_the_tables_of_hardware_are_those_of_their_figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    hardware, mnist = import_module("measure_hardware"), import_module("measure_mnist")
    figures = json.loads(hardware.FIGURES.read_text())
    tables = {
        "resources": hardware.resource_table(figures["designs"]),
        "speeds": hardware.speed_table(figures["designs"]),
        **hardware.sources_tables(figures["sources"]),
        **mnist.tables(json.loads(mnist.FIGURES.read_text())),
    }
    page, blocks = hardware.PAGE.read_text(), hardware.BLOCKS.read_text()
    for name, content in tables.items():
        assert hardware.fill(page, name, content) == page, f"{name} is stale"
    assert hardware.fill(blocks, "early", hardware.early_table()) == blocks
    pipelined = hardware.pipelined_table(figures["pipelined"])
    assert hardware.fill(blocks, "pipelined", pipelined) == blocks
