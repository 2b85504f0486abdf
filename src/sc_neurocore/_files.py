"""Files: written whole or not at all, read without running what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pathlib import Path

# The modules for files take longer to import than the rest of the package: only who uses them waits.


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside the target to write to; it takes the target's place if the block succeeds."""
    from pathlib import Path

    target = Path(path)
    part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file; ValueError if it is damaged, foreign or holds objects."""
    import tokenize
    import zipfile
    import zlib

    # What the zip reader, the decompressor and NumPy's reader of array headers raise on damaged bytes.
    damaged = (zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError)
    if not zipfile.is_zipfile(path) and os.path.exists(path):
        raise ValueError("it is no .npz file, or one that was cut")
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except (*damaged, EOFError, NotImplementedError) as error:
        raise ValueError(str(error)) from error
