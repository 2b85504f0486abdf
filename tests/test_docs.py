"""The built reference shows every public name; generated tables agree with their figures."""

import json
import re
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
        "-D",
        "html_theme=basic",
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


def test_every_name_of_the_package_belongs_to_a_room():
    import sc_neurocore

    assert set(sc_neurocore.__all__) <= {address.rpartition(".")[2] for address in addresses()}


def test_every_public_module_lists_its_names():
    missing = [m for m in public_modules() if not hasattr(import_module(m), "__all__")]
    assert not missing


def pages():
    """The pages of the repository in Markdown."""
    folders = (ROOT, ROOT / "docs", ROOT / "docs" / "reference", PACKAGE / "data")
    return [page for folder in folders for page in sorted(folder.glob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_has_no_dead_links_and_no_power_that_renders_as_bold_text(page):
    text = page.read_text()
    for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", text):
        assert (page.parent / target).exists(), target
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    assert not re.search(r"\w\*\*\w", prose)


def test_tables_in_the_pages_are_those_of_the_measured_figures(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    draw_results = import_module("draw_results")
    tables = draw_results.all_tables(json.loads(draw_results.FIGURES.read_text()))
    pages = {page: page.read_text() for page in draw_results.PAGES}
    for page, text in pages.items():
        assert draw_results.filled(text, tables) == text, f"{page.name} is stale: run draw_results.py"
    for name in tables:
        assert any(f"<!-- {name} -->" in text for text in pages.values()), f"no page shows {name}"
