"""Sphinx configuration."""

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
