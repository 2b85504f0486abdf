"""Sphinx configuration."""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy.typing
from docutils.nodes import SkipNode

sys.path.append(str(Path(__file__).parent))  # for dark_pictures

T = TypeVar("T")


class NDArray(Generic[T]):
    """Name of an array's type in signatures, in place of what NumPy expands it to."""

    __module__ = "numpy.typing"


numpy.typing.NDArray = NDArray  # type: ignore[assignment]  # before the package is imported

project = "sc-neurocore"
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "dark_pictures"]
tags = globals().get("tags")  # of Sphinx
is_reference = tags is not None and tags.has("reference")  # tests build the reference alone
if not is_reference:
    extensions.append("sphinx_gallery.gen_gallery")
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 2
numpydoc_show_class_members = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
default_role = "py:obj"  # `encode` in a docstring is a link if there is such a name, else literal text
html_theme = "basic" if is_reference else "pydata_sphinx_theme"
html_title = "sc-neurocore"
html_static_path = [os.path.join(os.path.dirname(__file__), "static")]
html_css_files = ["custom.css"]
html_math_renderer = "mathml"  # which browsers render themselves: no network, no scripts
html_theme_options: dict[str, object] = (
    {}
    if is_reference
    else {
        "navigation_with_keys": False,
        "show_prev_next": True,
        "header_links_before_dropdown": 6,
        "secondary_sidebar_items": ["page-toc"],
        "footer_start": ["copyright"],
        "footer_end": [],
    }
)
html_show_sourcelink = False
copyright = "The sc-neurocore developers"
exclude_patterns = ["pictures", "gallery", "sg_execution_times.rst", "auto_gallery/*.py"]
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": "plot_",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "image_scrapers": ("matplotlib",),
}


def exported(module: str) -> list[str]:
    """Return the public names of the room that a module belongs to."""
    room = ".".join(module.split(".")[:2])
    return [] if module == room else import_module(room).__all__


def skip(app: Any, what: str, name: str, value: Any, *_: Any) -> bool | None:
    """Leave out of a module what its room shows already, and the fields of named tuples.

    The docstring of a named tuple describes its fields.
    """
    module = getattr(value, "__module__", None) or ""
    shown = what == "module" and module.startswith("sc_neurocore.") and name in exported(module)
    return True if shown or str(value.__doc__).startswith("Alias for field number") else None


def link(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Resolve a public name that is written without its room."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].removesuffix("()")
    domain = env.get_domain("py")
    found = [full for full in domain.objects if full.split(".", 2)[2:] == [name]]
    if len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)


def mathml(text: str, *, block: bool) -> str:
    """Return a formula of LaTeX as MathML."""
    from latex2mathml.converter import convert

    return str(convert(text, display="block" if block else "inline"))


def visit_math(translator: Any, node: Any) -> None:
    """Write a formula in a line."""
    translator.body.append(mathml(node.astext(), block=False))
    raise SkipNode


def visit_math_block(translator: Any, node: Any) -> None:
    """Write a formula of its own."""
    translator.body.append(f'<div class="formula">{mathml(node.astext(), block=True)}</div>\n')
    raise SkipNode


def setup(app: Any) -> None:
    """Connect the functions above."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", link)
