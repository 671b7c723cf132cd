"""The processes of one training: one per rank, one process group, one log. No torch here.

comd starts them itself rather than through torchrun: that puts workers into sessions of their own,
where a kill of the group does not reach them, and costs another start of torch.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Protocol, Self

from comd_training import warm
from comd_training.hosts import launcher_command, write_hostfile
from comd_training.orphan import SUPERVISOR
from comd_training.spec import TrainingSpec

# A rank that sees another one end may need a moment to say so.
GRACE = 2.0


class Process(Protocol):
    """One rank: `warm.Forked`, or a Popen in `Started`."""

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...


class Started:
    """A rank started from nothing; the first one leads the process group."""

    def __init__(self, process: subprocess.Popen[bytes], leader: int) -> None:
        self.pid = process.pid
        self._process = process
        self._group = leader or process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        # Nobody left in the group: nothing to do.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._group, signal.SIGKILL)
        self._process.wait()


class Ranks:
    """All ranks of one training; leaving the context kills whatever is still there."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes

    @classmethod
    def start(cls, spec: TrainingSpec, lock: IO[bytes], *, from_template: bool) -> Ranks:
        """Start them, output to `train.log`; each inherits `lock`.

        from_template: fork from a process that has imported everything. Only ever done for a
        single rank on a CPU: CUDA does not survive a fork.
        """
        path = str(spec.output / "spec.json")
        with (spec.output / "train.log").open("ab") as log:
            if spec.hosts:
                return cls([_launch(spec, path, log, lock)])
            if from_template and spec.device == "cpu" and spec.processes == 1:
                environment = rank_environment(spec, 0, 0)
                # A model that brings its own code is left to the training, which was told to trust it.
                model = "" if spec.trust_remote_code else spec.model
                return cls([warm.fork(path, model, environment, log, lock)])
            return cls(_start(spec, path, log, lock))

    def running(self) -> bool:
        """Whether to go on waiting: a rank is running and none has failed."""
        codes = [process.poll() for process in self._processes]
        return any(code is None for code in codes) and not any(codes)

    def failed(self) -> int | None:
        """The exit status of a rank that failed, negative for a signal; None when all went well."""
        return next((code for code in (p.poll() for p in self._processes) if code), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            until = time.monotonic() + GRACE
            while time.monotonic() < until and any(p.poll() is None for p in self._processes):
                time.sleep(0.02)
        for process in self._processes:
            process.kill()


def rank_environment(spec: TrainingSpec, rank: int, port: int) -> dict[str, str]:
    """The supervisor's environment, with what a training must not inherit taken out or set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # A launcher's leftovers would choose another strategy than the spec; a test runner's
        # change from call to call, and with them every template would be another one.
        if not name.startswith(("ACCELERATE_", "TORCHELASTIC_", "FSDP_", "PYTEST_"))
    }
    threads = str(spec.threads_per_rank())
    return kept | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(spec.processes),
        "LOCAL_WORLD_SIZE": str(spec.processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        SUPERVISOR: str(os.getpid()),
    }


def _launch(spec: TrainingSpec, path: str, log: IO[bytes], lock: IO[bytes]) -> Started:
    """The deepspeed launcher, which starts the ranks of every host and ends when one of them fails."""
    hostfile = spec.output / "hostfile"
    write_hostfile(spec, hostfile)
    left_to_it = ("RANK", "WORLD_SIZE", "MASTER_", "LOCAL_", SUPERVISOR)
    environment = {
        name: value
        for name, value in rank_environment(spec, 0, 0).items()
        if not name.startswith(left_to_it)
    }
    process = subprocess.Popen(  # noqa: S603 - our own interpreter, DeepSpeed's module
        launcher_command(spec, hostfile, path, spec.master_port or _free_port()),
        env=environment | {"DS_ACCELERATOR": spec.device},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=(lock.fileno(),),
        process_group=0,
    )
    return Started(process, process.pid)


def _start(spec: TrainingSpec, path: str, log: IO[bytes], lock: IO[bytes]) -> list[Started]:
    port = _free_port() if spec.processes > 1 else 0
    command = [sys.executable, "-m", "comd_training.tune", path]
    ranks: list[Started] = []
    try:
        for rank in range(spec.processes):
            leader = ranks[0].pid if ranks else 0
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                env=rank_environment(spec, rank, port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(lock.fileno(),),
                process_group=leader,
            )
            ranks.append(Started(process, leader))
    except BaseException:
        for started in ranks:
            started.kill()
        raise
    return ranks


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
