"""The supervisor's side of the template process: one per supervisor, made when first needed."""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO

# Seconds; a template that has done its imports forks in a few hundredths.
FORK_TAKES = 1.0


class Template:
    """A `comd_training.template` process, and what it has told about its children."""

    def __init__(self, environment: dict[str, str], model: str, log: IO[bytes] | None) -> None:
        """log: where its own words go (an import that fails, say); nowhere without."""
        self.environment = environment
        self._connection, theirs = socket.socketpair()
        self._unread = b""
        # Children in the order asked for; a pid is known once the template has imported and forked.
        self._asked: list[Forked] = []
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "comd_training.template", str(theirs.fileno()), model],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if log is None else log,
                stderr=subprocess.DEVNULL if log is None else log,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )

    def fork(self, spec: str, environment: dict[str, str], log: int, lock: int) -> Forked:
        """Ask for a training; returns at once. Raises OSError where the process is gone."""
        request = json.dumps({"spec": spec, "environment": environment}).encode() + b"\n"
        self._connection.setblocking(True)
        sent = socket.send_fds(self._connection, [request], [log, lock])
        self._connection.sendall(request[sent:])
        forked = Forked(self)
        self._asked.append(forked)
        return forked

    def listen(self) -> None:
        """Take in what the template has said; its own end is the end of its children."""
        self._connection.setblocking(False)
        try:
            while piece := self._connection.recv(1 << 16):
                self._unread += piece
        except BlockingIOError:
            pass
        except OSError:
            self._end()
        else:
            self._end()
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, told: dict[str, int]) -> None:
        if "code" not in told:
            next(f for f in self._asked if f.pid is None).pid = told["pid"]
            return
        ended = next(f for f in self._asked if f.pid == told["pid"])
        ended.code = told["code"]
        self._asked.remove(ended)

    def _end(self) -> None:
        for forked in self._asked:
            # Killed with it; or never started, and then the log tells why.
            forked.code = 1 if forked.pid is None else -signal.SIGKILL
        self._asked.clear()

    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the template and whatever it still runs. Idempotent."""
        for forked in self._asked:
            if forked.pid is not None:
                with suppress(ProcessLookupError):
                    os.killpg(forked.pid, signal.SIGKILL)
        self._end()
        self._connection.close()
        self._process.kill()
        self._process.wait()


class Forked:
    """A training forked from the template, as far as `ranks.Ranks` needs a process."""

    def __init__(self, template: Template) -> None:
        self.pid: int | None = None
        self.code: int | None = None
        self._template = template

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs, or has yet to start."""
        if self.code is None:
            self._template.listen()
        return self.code

    def kill(self) -> None:
        """End it and wait. Where a template still importing has yet to fork it, that ends too."""
        until = time.monotonic() + FORK_TAKES
        while self.poll() is None and self.pid is None:
            if time.monotonic() > until:
                self._template.close()
            time.sleep(0.01)
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        while self.poll() is None:
            time.sleep(0.01)


class _Only:
    """The one template of this process; replaced when it died or its environment changed."""

    template: Template | None = None
    lock = threading.Lock()


def fork(
    spec: str, model: str, environment: dict[str, str], log: IO[bytes], lock: IO[bytes]
) -> Forked:
    """Fork a training from this process's template, starting that first where needed."""
    with _Only.lock:
        template = _template(model, environment, log)
        try:
            return template.fork(spec, environment, log.fileno(), lock.fileno())
        except OSError:
            # It died since it was looked at (out of memory, say): once more with a new one.
            _close()
            return _template(model, environment, log).fork(
                spec, environment, log.fileno(), lock.fileno()
            )


def warm_up(model: str, environment: dict[str, str]) -> None:
    """Start the template ahead of the first training, while there is something else to wait for."""
    with _Only.lock:
        _template(model, environment, None)


def close_template() -> None:
    """End the template of this process. Idempotent; also done at exit."""
    with _Only.lock:
        _close()


def _template(model: str, environment: dict[str, str], log: IO[bytes] | None) -> Template:
    template = _Only.template
    # Libraries read the environment as they are imported, so another one needs another template.
    if template is None or not template.alive() or template.environment != environment:
        _close()
        template = _Only.template = Template(environment, model, log)
    return template


def _close() -> None:
    template, _Only.template = _Only.template, None
    if template is not None:
        template.close()


atexit.register(close_template)
