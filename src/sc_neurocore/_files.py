"""Atomic writes, and reading archives of arrays without executing or over-allocating anything."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

# The modules for files take longer to import than the rest of the package: only who uses them waits.

# Largest array that is read whatever its size in the file, 256 MiB, and how many times as large as its
# file a larger one may be: deflate reaches 1,032.
_SMALL, _RATIO = 2**28, 100


# Exceptions from code that builds objects from the content of a damaged file: fields can be missing, of
# another type, out of range, nested too deeply or too large. A reader turns them into a ValueError.
DAMAGED: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    OverflowError,
    RecursionError,
    MemoryError,
)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yield a binary file to write to; its content becomes that of the target if the block succeeds.

    The target is replaced in one step and keeps its permissions and, if possible, its owner; symbolic
    links are followed. Until then the content has no name where the system allows it, so that a killed
    process leaves nothing behind, or between two system calls a whole file named ``.*.part``. A pipe or
    device is written to when the block has succeeded.
    """
    path = os.fsdecode(path)
    if not path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    target = os.path.realpath(path)
    try:
        known = os.stat(path)
    except FileNotFoundError:
        known = None
    if path.endswith(os.sep) or (known and stat.S_ISDIR(known.st_mode)):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if known and not stat.S_ISREG(known.st_mode):
        import tempfile

        with tempfile.TemporaryFile() as content:
            yield content
            with _errors_naming(path):
                _copy(content, path, is_pipe=stat.S_ISFIFO(known.st_mode))
        return
    if known and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    folder = os.path.dirname(target)
    # Short, whatever the target is called, and not to be foreseen.
    named = os.path.join(folder, f".{os.urandom(8).hex()}.part")
    with _errors_naming(path):
        descriptor, is_named = _opened(folder, named)
    try:
        with open(descriptor, "wb") as content:
            yield content
            content.flush()
            if known:
                _keep_access(descriptor, known)
            os.fsync(descriptor)
            with _errors_naming(path):
                if not is_named:  # the folder's descriptor makes it follow the link that /proc holds
                    os.link(f"/proc/self/fd/{descriptor}", named, src_dir_fd=descriptor)
                    is_named = True
        with _errors_naming(path):
            os.replace(named, target)
        is_named = False
    finally:
        if is_named:
            os.unlink(named)


@contextmanager
def _errors_naming(path: str) -> Iterator[None]:
    """Name the caller's path in an OSError, not a temporary file that the caller does not know."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def _keep_access(descriptor: int, known: os.stat_result) -> None:
    """Give a new file the permissions of the old one and, where the system allows it, its owner.

    The right to run as the owner or the group is dropped, as it is by writing to a file.
    """
    for owner in (known.st_uid, -1):  # only the superuser can change the owner, others their group
        with suppress(OSError):
            os.fchown(descriptor, owner, known.st_gid)
            break
    os.fchmod(descriptor, stat.S_IMODE(known.st_mode) & ~(stat.S_ISUID | stat.S_ISGID))


def check_regular(path: str | os.PathLike[str]) -> None:
    """Raise ValueError for a pipe or device: reading it can wait or go on forever."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # open raises for a folder
        raise ValueError("not a regular file")


def check_writable(name: str, path: str | os.PathLike[str]) -> None:
    """Raise unless a file can be written there: before the work whose result it is to hold."""
    from sc_neurocore import _checks

    folder = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        _checks.fail(name, "be a file", f"the folder {os.fspath(path)!r}")
    if not os.path.isdir(folder):
        _checks.fail(name, "lie in a folder that exists", repr(os.fspath(path)))
    if not os.access(path if os.path.exists(path) else folder, os.W_OK):
        _checks.fail(name, "be writable", repr(os.fspath(path)))


def check_folder(name: str, path: str | os.PathLike[str]) -> None:
    """Raise unless a folder is there, or can be made there, and files can be written to it."""
    from sc_neurocore import _checks

    existing = os.path.realpath(path)
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
        _checks.fail(name, "be a folder", f"{os.fspath(path)!r}, and {existing!r} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        _checks.fail(name, "be writable", repr(os.fspath(path)))


def check_distinct(name: str, path: str | os.PathLike[str], other: str, known: Any) -> None:
    """Raise if a file to be written is the file of another argument, also through links."""
    from sc_neurocore import _checks

    if os.path.exists(path) and os.path.exists(known):
        is_same = os.path.isfile(path) and os.path.samefile(path, known)
    else:
        is_same = os.path.realpath(path) == os.path.realpath(known)
    if is_same:
        _checks.fail(name, f"be another file than {other}", repr(os.fspath(path)))


def read_arrays(
    path: str | os.PathLike[str], names: Collection[str] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file, all or those of the names that it holds.

    Nothing in the file is executed, and no more memory is taken than the arrays of these names need.

    Raises
    ------
    ValueError
        If the file is damaged, is no .npz file, is a pipe or device, holds objects or two arrays of one
        name, or declares arrays that do not fit it.
    OSError
        If the file cannot be opened.
    """
    with _archive(path) as (members, archive, size):
        wanted = members if names is None else [name for name in members if name in names]
        return {name: _array(archive, members[name], name, size) for name in wanted}


def array_names(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the arrays of an .npz file. Raises as `read_arrays`."""
    with _archive(path) as (members, _, _):
        return list(members)


@contextmanager
def _archive(path: str | os.PathLike[str]) -> Iterator[tuple[dict[str, ZipInfo], ZipFile, int]]:
    """Yield the members of an .npz file by name, the archive and the size of the file."""
    import tokenize
    import zipfile
    import zlib
    from struct import error as struct_error

    # What the zip reader, the decompressor and NumPy's reader of headers raise on damaged bytes.
    damaged: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, tokenize.TokenError)
    damaged += (SyntaxError, EOFError, OSError, struct_error, NotImplementedError, RuntimeError)
    damaged += DAMAGED
    check_regular(path)
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("not an .npz file, or truncated")
        try:
            with zipfile.ZipFile(file) as archive:
                members: dict[str, ZipInfo] = {}
                for info in archive.infolist():
                    name = info.filename.removesuffix(".npy")
                    if members.setdefault(name, info) is not info:
                        raise ValueError(f"it holds two arrays of the name {name!r}")
                yield members, archive, os.fstat(file.fileno()).st_size
        except damaged as error:
            raise ValueError(str(error) or type(error).__name__) from error


def _array(archive: ZipFile, info: ZipInfo, name: str, file_size: int) -> NDArray[Any]:
    """Return an array of the archive, once its header has been compared with its size."""
    with archive.open(info) as member:
        dtype, size = _declared(member)
        declared = size * dtype.itemsize + member.tell()
    if dtype.hasobject:
        raise ValueError(f"{name} holds objects")
    if declared != info.file_size:
        raise ValueError(f"{name} declares {declared} bytes, but has {info.file_size}")
    if declared > max(_SMALL, _RATIO * file_size):
        raise ValueError(f"{name} declares {declared} bytes in a file of {file_size}")
    with archive.open(info) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def _declared(member: IO[bytes]) -> tuple[np.dtype[Any], int]:
    """Return data type and number of values that the header of a .npy file declares."""
    version = np.lib.format.read_magic(member)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of the .npy format is not supported")
    shape, _, dtype = read[version](member)
    size = 1
    for n in shape:
        size *= n
    if size < 0:
        raise ValueError(f"negative shape {shape}")
    return dtype, size


def _opened(folder: str, named: str) -> tuple[int, bool]:
    """Return the descriptor of a new empty file, and whether it has that name or none."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        with suppress(OSError):  # a file system without such files
            return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), False
    return os.open(named, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666), True


def _copy(content: IO[bytes], target: str | os.PathLike[str], *, is_pipe: bool) -> None:
    """Write a file into a pipe or device; fail, instead of waiting, if nothing reads the pipe."""
    try:
        descriptor = os.open(target, os.O_WRONLY | (os.O_NONBLOCK if is_pipe else 0))
    except OSError as error:
        if is_pipe and error.errno == errno.ENXIO:
            raise OSError(error.errno, "no program reads this pipe", target) from None
        raise
    os.set_blocking(descriptor, True)
    content.seek(0)
    with open(descriptor, "wb") as into:
        while block := content.read(2**20):
            into.write(block)
