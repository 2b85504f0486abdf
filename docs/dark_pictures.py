"""Sphinx extension: a picture NAME.png is shown on light pages only if there is a NAME_dark.png."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform


class DarkPictures(SphinxTransform):
    """Add the dark form of each picture that has one; the theme shows one of both."""

    default_priority = 100

    def apply(self, **_: Any) -> None:
        """Mark the picture and insert its dark form after it."""
        if self.app.builder.format != "html":
            return
        folder = Path(self.env.doc2path(self.env.docname)).parent
        for light in list(self.document.findall(nodes.image)):
            path = Path(light["uri"])
            dark = path.with_name(f"{path.stem}_dark{path.suffix}")
            if (folder / dark).exists():
                other = light.deepcopy()
                other["uri"] = dark.as_posix()
                light["classes"].append("only-light")
                other["classes"].append("only-dark")
                light.parent.insert(light.parent.index(light) + 1, other)


def setup(app: Any) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(DarkPictures)
    return {"parallel_read_safe": True}
