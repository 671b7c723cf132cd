"""A process that has imported everything and forks a training per request. CPU only, one rank.

On a CPU most of a small training is importing torch, transformers and DeepSpeed. This process does
it once; a fork of it starts in a tenth of a second. It computes nothing itself, so no thread pool
exists that a fork could break, and it never sees a GPU.

    python -m comd_training.template FD MODEL

FD is a socket to the supervisor (`warm.py`): each request is a line of JSON with two descriptors,
the log and the lock; the answers are lines, {"pid": n} at once and {"pid": n, "code": c} at its end.
It ends, and its children with it, when the socket closes or the supervisor is gone.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from comd_training.deepspeed_setup import (
    choose_accelerator,
    set_rank_variables,
    without_compiled_operations,
    without_compiler,
)
from comd_training.orphan import SUPERVISOR


def main() -> None:
    """Import, then serve until nobody is left to serve."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    preload(sys.argv[2])
    supervisor = os.getppid()
    children: set[int] = set()
    try:
        while os.getppid() == supervisor:
            readable, _, _ = select.select([connection], [], [], 0.05 if children else 0.5)
            _reap(connection, children)
            if readable and not _serve(connection, children):
                return
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)


def preload(model: str) -> None:
    """Import what a training of this family of models imports; computes nothing."""
    set_rank_variables()
    choose_accelerator("cpu")
    without_compiler()
    without_compiled_operations()
    torch = importlib.import_module("torch")
    for name in (
        "deepspeed.runtime.engine",
        "deepspeed.runtime.zero.stage_1_and_2",
        "deepspeed.runtime.zero.muon.muon_optimizer",
        "comd_training.checks",
        "comd_training.checkpoint",
        "comd_training.collate",
        "comd_training.examples",
        "comd_training.objectives",
        "comd_training.reading",
        "comd_training.student",
        "comd_training.trainer",
        "comd_training.tune",
    ):
        importlib.import_module(name)
    transformers: Any = importlib.import_module("transformers")
    if not Path(model).is_dir():
        return
    try:
        transformers.AutoProcessor.from_pretrained(model)
        config = transformers.AutoConfig.from_pretrained(model)
        with torch.device("meta"):  # imports the modules of the model's parts, allocates nothing
            transformers.AutoModelForImageTextToText.from_config(config)
    except (OSError, ValueError, KeyError, ImportError):
        # Only a head start is lost; the training itself will say by name what is wrong.
        traceback.print_exc()


def _serve(connection: socket.socket, children: set[int]) -> bool:
    """Fork for one request; False when the supervisor has hung up."""
    message, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 2)
    while message and not message.endswith(b"\n"):
        message += connection.recv(1 << 20)
    if not message:
        return False
    asked = json.loads(message)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _train(asked, *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    with contextlib.suppress(ProcessLookupError):
        os.setpgid(pid, pid)  # here and in the child: whoever comes first
    children.add(pid)
    _say(connection, pid=pid)
    return True


def _train(asked: dict[str, Any], log: int, lock: int) -> NoReturn:
    """In the child: become what `python -m comd_training.tune SPEC` would be, and be it."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.set_inheritable(lock, False)
        os.environ.clear()
        os.environ.update(asked["environment"], **{SUPERVISOR: str(os.getppid())})
        tune = importlib.import_module("comd_training.tune")
        code = tune.main([asked["spec"]])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def _reap(connection: socket.socket, children: set[int]) -> None:
    for child in tuple(children):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            children.discard(child)
            _say(connection, pid=pid, code=os.waitstatus_to_exitcode(status))


def _say(connection: socket.socket, **told: int) -> None:
    connection.sendall(json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main()
