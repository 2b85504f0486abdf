"""Safe reading of untrusted HDF5 files.

Damaged files can hang or crash the HDF5 library, and well-formed ones can ask for terabytes or point
into other files. So a separate process reads the file, with limits on time and memory. It follows
no links, and compares the declared size of each array with the size of the file before
it reads the array.

This module is also the program of that process, which imports nothing from the package.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import numpy as np

# Size of all arrays in bytes that is always accepted, and the largest ratio of arrays to file above it;
# gzip can reach 1,032.
_SMALL, _RATIO = 2**28, 100
_DEPTH, _OBJECTS, _TEXTS = 32, 100_000, 1_000_000
# Seconds allowed for any file, and bytes per second for the additional time.
_SECONDS, _RATE = 30, 2**22


def read_tree(path: str | os.PathLike[str], group: str) -> dict[str, Any]:
    """Return a group of a file as nested dictionaries of arrays, numbers and texts.

    Raises
    ------
    ValueError
        If the file is damaged, declares far more data than it has bytes, links to other objects or
        files, or takes too long to read.
    OSError
        If the file cannot be opened.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
    command = [sys.executable, os.path.abspath(__file__), os.path.abspath(path), group]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    limit = _SECONDS + size / _RATE
    try:
        done = subprocess.run(command, capture_output=True, env=paths, timeout=limit)
    except subprocess.TimeoutExpired:
        raise ValueError(f"reading it takes longer than {limit:.0f} seconds") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise ValueError(lines[-1] if lines else f"the HDF5 library crashed ({done.returncode})")
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as arrays:
        tree: dict[str, Any] = _with_arrays(json.loads(str(arrays["tree"])), arrays)
    return tree


def _with_arrays(tree: Any, arrays: Any) -> Any:
    """Return a tree in which the number of an array is replaced by the array."""
    if isinstance(tree, dict):
        return {name: _with_arrays(inner, arrays) for name, inner in tree.items()}
    return arrays[f"array{tree}"][()] if isinstance(tree, int) else tree


def _main(path: str, group: str) -> None:
    """Write the tree of a file to standard output, or the reason for a failure to standard error."""
    import h5py

    size = os.path.getsize(path)
    most = max(_SMALL, _RATIO * size)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (4 * most + 2**31,) * 2)
    except (ImportError, ValueError, OSError):
        pass  # a system without such limits
    arrays: list[np.ndarray[Any, Any]] = []
    seen: set[int] = set()
    left = {"bytes": most, "objects": _OBJECTS, "texts": _TEXTS}

    def count(kind: str, n: int, name: str) -> None:
        left[kind] -= n
        if left[kind] < 0:
            raise ValueError(f"{name} declares more {kind} than a file of {size} bytes can hold")

    def tree(node: Any, name: str, depth: int) -> Any:
        """Return a group as a dictionary, or a text, or the number of an array."""
        count("objects", 1, name)
        if isinstance(node, h5py.Dataset):
            return leaf(node, name)
        address = h5py.h5o.get_info(node.id).addr
        if depth > _DEPTH or address in seen:
            raise ValueError(f"{name} is nested in itself or too deeply")
        seen.add(address)
        inner = {}
        for key in node:
            named = f"{name}/{key}"
            if not isinstance(node.get(key, getlink=True), h5py.HardLink):
                raise ValueError(f"{named} links to another object or file")
            inner[key] = tree(node[key], named, depth + 1)
        return inner

    def leaf(data: Any, name: str) -> Any:
        """Return a single text, or the number of an array."""
        if data.shape is None:
            raise ValueError(f"{name} is empty")
        if data.external or data.is_virtual:
            raise ValueError(f"{name} is stored in another file")
        if h5py.check_string_dtype(data.dtype):
            count("texts", int(data.size), name)
            count("bytes", data.id.get_storage_size(), name)
            text = np.asarray(data.asstr()[()] if data.size else [], np.str_)
            if data.ndim == 0:
                return str(text)
            arrays.append(text)
        elif data.dtype.kind in "iufb":
            count("bytes", int(data.size) * data.dtype.itemsize, name)
            arrays.append(np.asarray(data[()]))
        else:
            raise ValueError(f"{name} holds neither numbers nor text")
        return len(arrays) - 1

    try:
        with h5py.File(path, "r", locking=False) as file:
            if not isinstance(file.get(group, getlink=True), h5py.HardLink):
                raise ValueError(f"group {group!r} is missing")
            content = tree(file[group], group, 0)
        if not isinstance(content, dict):
            raise ValueError(f"{group!r} is not a group")
        archive = io.BytesIO()
        numbered: dict[str, Any] = {f"array{i}": array for i, array in enumerate(arrays)}
        np.savez(archive, tree=np.array(json.dumps(content)), **numbered)
    except Exception as error:  # damaged bytes can raise anything
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
    sys.stdout.buffer.write(archive.getbuffer())


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file, so that none of its modules is imported by name
    _main(*sys.argv[1:])
