"""Environments of the tools that comd is measured beside: made once, under build/bench, and kept.

They are no dependency of ours. A peer that cannot be installed here is no reason to measure nothing:
its row says why it is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOM = Path(__file__).resolve().parent.parent / "build" / "bench"
PEERS = {
    "distilabel": ("distilabel[openai]==1.5.3", "requests"),  # it imports requests and says not so
    "curator": ("bespokelabs-curator==0.1.31",),
    "trl": ("trl==1.16.0",),
    "rensa": ("rensa==0.5.0",),
}
SHARES = frozenset({"trl"})
"""Peers beside the very torch and transformers of this environment: nothing else is installed."""


class NoPeer(Exception):
    """A peer cannot be had on this machine, and why."""


def environment(name: str) -> Path:
    """The interpreter of a peer's environment, made where it is not there. Raises NoPeer."""
    room = ROOM / name
    python = room / "bin" / "python"
    wanted = "\n".join(PEERS[name])
    stamp = room / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {name} into {room} ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", room], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PEERS[name]]
    if name in SHARES:
        pip.append("--no-deps")
        packages = next(room.glob("lib/python*/site-packages"))
        (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    outcome = subprocess.run(pip, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise NoPeer(f"{name} could not be installed: {_last_line(outcome.stderr)}")
    stamp.write_text(wanted)
    return python


def seconds_told(command: list[str | Path]) -> float:
    """Run a client; its last line of output is its time. Raises NoPeer where it fails.

    It is at home in an empty directory that goes with it: some keep every run, a gigabyte of it, below
    ~/.cache.
    """
    with tempfile.TemporaryDirectory(prefix="comd-bench-") as home:
        elsewhere = {"HOME": home, "XDG_CACHE_HOME": home, "HF_HOME": home}
        outcome = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **elsewhere}
        )
    if outcome.returncode:
        raise NoPeer(f"{Path(str(command[1])).stem} failed: {_last_line(outcome.stderr)}")
    return float(_last_line(outcome.stdout))


def _last_line(output: str) -> str:
    return output.strip().splitlines()[-1] if output.strip() else "it said nothing"
