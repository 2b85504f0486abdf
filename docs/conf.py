"""Sphinx configuration."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))  # for dark_pictures

project = "sc-neurocore"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
extensions += ["dark_pictures"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
default_role = "py:obj"  # `encode` in a docstring is a link if there is such a name, else literal text
html_theme = "furo"
html_title = "sc-neurocore"
exclude_patterns = ["pictures"]


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


def setup(app: Any) -> None:
    """Connect the two functions above."""
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", link)
