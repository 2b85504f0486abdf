"""Packages for comparison: an environment for each, and a process that times its workloads.

An environment is a folder of build/bench/envs with pinned versions, separate from the project's own. A
process runs a `peer_*.py` script, which imports the peer and its dependencies and answers requests with
timings (see `serve.py`). Several processes run at once and are asked in turn, so that other load on the
machine affects all of them alike.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "bench"
OURS, PYPI = "sc-neurocore", "PyPI's sc-neurocore"
BUSY = 0.5  # load average at the start above which a run is marked
PATIENCE = 300.0  # seconds to wait for an answer; compiling at first use takes tens


@dataclass(frozen=True)
class Peer:
    """Name, script and environment of a peer; None is the project's own environment."""

    name: str
    script: str
    env: str | None = None
    requirements: tuple[str, ...] = ()


_TORCH = ("torch==2.13.0", "snntorch==1.0.0")
PEERS = {
    peer.name: peer
    for peer in (
        Peer(OURS, "peer_ours.py"),
        Peer("plain Python", "peer_python.py"),
        Peer("NumPy", "peer_numpy.py"),
        Peer("NumPy, binarized", "peer_binarized.py"),
        Peer("numba", "peer_numba.py", "numba", ("numba==0.68.1",)),
        Peer("torch", "peer_torch.py", "torch", _TORCH),
        Peer("snnTorch", "peer_snntorch.py", "torch", _TORCH),
        Peer("Norse", "peer_norse.py", "norse", ("torch==2.13.0", "norse==1.1.0")),
        Peer(
            "Brian2",
            "peer_brian2.py",
            "brian2",
            ("brian2==2.9.0", "numpy==1.26.*", "cython==3.3.1", "setuptools==80.*"),
        ),
        Peer("Nengo", "peer_nengo.py", "nengo", ("nengo==4.1.0",)),
        # Another project of the same name.
        Peer(PYPI, "peer_pypi.py", "sc-neurocore-pypi", ("sc-neurocore==3.16.0",)),
    )
}


class UnavailableError(Exception):
    """A peer cannot be installed or started; the message is one line."""


def python_of(peer: Peer) -> Path:
    """Return the interpreter of a peer's environment, creating the environment if it is missing."""
    if peer.env is None:
        return Path(sys.executable)
    folder = BUILD / "envs" / peer.env
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    wanted = "\n".join(peer.requirements)
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"  installing {' '.join(peer.requirements)}", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [*pip, *peer.requirements], cwd=folder, env=_environment(1), capture_output=True, text=True
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["pip said nothing"]
        raise UnavailableError(lines[-1])
    stamp.write_text(wanted)
    return python


def install_all() -> dict[str, str]:
    """Create all environments; print and return the unavailable peers and the reasons."""
    reasons = {peer.name: _reason(peer) for peer in PEERS.values()}
    missing = {name: reason for name, reason in reasons.items() if reason}
    for name, reason in missing.items():
        print(f"  skipped: {name}: {reason}", flush=True)
    return missing


def _reason(peer: Peer) -> str:
    """Return the reason why a peer is unavailable, or an empty string."""
    try:
        python_of(peer)
    except (UnavailableError, OSError, subprocess.CalledProcessError) as error:
        return str(error)
    return ""


def _environment(threads: int) -> dict[str, str]:
    """Return the environment variables of a peer, which set the size of all thread pools."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "SC_NEUROCORE"):
        env[f"{name}_{'THREADS' if name == 'SC_NEUROCORE' else 'NUM_THREADS'}"] = str(threads)
    return env


class Process:
    """A running peer with a number of threads."""

    def __init__(self, peer: Peer, threads: int) -> None:
        self.name, self.threads = peer.name, threads
        self._process = subprocess.Popen(
            [str(python_of(peer)), str(HERE / peer.script), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(threads),
            cwd=BUILD,
        )
        self.version = str(self._answer()["version"])

    def ask(self, case: str) -> list[float]:
        """Return some timings of a case, in seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(case).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise UnavailableError(str(answer["error"]))
        return [float(seconds) for seconds in answer["seconds"]]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self._process.kill()
            said = self._process.communicate()[1].decode(errors="replace").strip().splitlines()
            raise UnavailableError(said[-1] if said and ready else "no answer")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer
