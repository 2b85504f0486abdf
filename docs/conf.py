"""Sphinx configuration."""

from typing import Any

project = "sc-neurocore"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 2
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "literal"
html_theme = "furo"
html_title = "sc-neurocore"
exclude_patterns = ["pictures"]


def setup(app: Any) -> None:
    """Leave out of the reference what the package does not export."""
    import sc_neurocore

    def skip(app: Any, what: str, name: str, *_: object) -> bool | None:
        return True if what == "module" and name not in sc_neurocore.__all__ else None

    app.connect("autodoc-skip-member", skip)
