"""Several machines: a hostfile, and the deepspeed launcher's command line. No torch here."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from comd_training.failures import ConfigurationError
from comd_training.spec import Host, TrainingSpec

LINE = re.compile(r"^(\S+)\s+slots=(\d+)\s*$")


def read_hostfile(path: Path) -> tuple[Host, ...]:
    """The machines of a hostfile: lines `NAME slots=RANKS`, # begins a remark (DeepSpeed's form).

    Raises ConfigurationError naming the line that is none, a name that stands twice, or the file.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"cannot read the hostfile {path}: {error.strerror}") from error
    hosts: list[Host] = []
    for number, line in enumerate(lines, start=1):
        told = line.partition("#")[0].strip()
        if not told:
            continue
        found = LINE.match(told)
        if found is None or int(found[2]) < 1:
            raise ConfigurationError(
                f"{path}:{number}: {told!r} is not of the form NAME slots=RANKS"
            )
        if found[1] in {host.name for host in hosts}:
            raise ConfigurationError(f"{path}:{number}: {found[1]} stands there twice")
        hosts.append(Host(found[1], int(found[2])))
    if not hosts:
        raise ConfigurationError(f"{path} names no host")
    return tuple(hosts)


def launcher_command(spec: TrainingSpec, hostfile: Path, told: str, port: int) -> list[str]:
    """The words that start every rank of `spec` on its hosts; `told`: the spec's file.

    pdsh over ssh unless `spec.launcher` says otherwise (--launcher slurm; --no_ssh --node_rank 0).
    What the launcher prints goes to the training's log.
    """
    return [
        sys.executable,
        "-m",
        "deepspeed.launcher.runner",
        "--hostfile",
        str(hostfile),
        "--master_port",
        str(port),
        "--no_local_rank",
        "--module",
        *spec.launcher,
        "comd_training.tune",
        told,
    ]


def write_hostfile(spec: TrainingSpec, path: Path) -> None:
    """`spec.hosts` in the form that DeepSpeed reads."""
    path.write_text("".join(f"{host.name} slots={host.slots}\n" for host in spec.hosts))
