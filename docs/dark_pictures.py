"""Sphinx extension: a picture NAME.png is shown on light pages only if there is a NAME_dark.png.

Wide pictures have the class "wide", so that they scroll on a phone. Numbers stay on one line with their
unit or error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util.images import get_image_size

# In pixels: the text of wider ones is too small on a phone.
WIDE = 900


class DarkPictures(SphinxTransform):
    """Add the dark form of each picture that has one, and mark wide ones."""

    default_priority = 100

    def apply(self, **_: Any) -> None:
        """Mark the picture and insert its dark form after it."""
        if self.app.builder.format != "html":
            return
        folder = Path(self.env.doc2path(self.env.docname)).parent
        for light in list(self.document.findall(nodes.image)):
            path = Path(light["uri"])
            size = get_image_size(str(folder / path)) if (folder / path).exists() else None
            if size and size[0] > WIDE:
                light["classes"].append("wide")
            dark = path.with_name(f"{path.stem}_dark{path.suffix}")
            if (folder / dark).exists():
                other = light.deepcopy()
                other["uri"] = dark.as_posix()
                light["classes"].append("only-light")
                other["classes"].append("only-dark")
                light.parent.insert(light.parent.index(light) + 1, other)


class WholeNumbers(SphinxTransform):
    """Put no-break spaces around ± and before %, outside of code."""

    default_priority = 100

    def apply(self, **_: Any) -> None:
        """Replace the spaces."""
        for text in list(self.document.findall(nodes.Text)):
            whole = re.sub(r" (?=±|%)|(?<=±) ", "\N{NO-BREAK SPACE}", text)
            if whole != text and not isinstance(text.parent, nodes.literal | nodes.literal_block):
                text.parent.replace(text, nodes.Text(whole))


def setup(app: Any) -> dict[str, bool]:
    """Register the transforms."""
    app.add_transform(DarkPictures)
    app.add_transform(WholeNumbers)
    return {"parallel_read_safe": True}
