"""One `vllm serve` process: started, waited for, watched, stopped with all that it started."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from comd_platform.config.engines import VllmConfig
from comd_workers.engines.base import EngineError
from comd_workers.engines.vllm import keeper
from comd_workers.engines.vllm.command import HOST, check_command, command_line, environment

_log = logging.getLogger(__name__)

_TAIL = 3000
_TELL_EVERY = 15.0
_GRACE = 15.0
_PORT_TAKEN = "address already in use"


class Server:
    """A place for one server process at a time; `start` after `stop` or a death makes another.

    Each has a free port and a key of its own, so that nothing else on this machine is taken for it
    and nobody else is served by it.
    """

    def __init__(self, config: VllmConfig, image_root: Path, logs: Path) -> None:
        self._config = config
        self._image_root = image_root
        self._logs = logs
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._unwanted = False
        self.key = ""
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    @property
    def log_path(self) -> Path:
        """Output of every start of this server, the newest last."""
        name = re.sub(r"[^A-Za-z0-9.]+", "-", self._config.model).strip("-")[-60:]
        return self._logs / f"vllm-{name}-{os.getpid()}.log"

    def start(self) -> None:
        """Return when the server answers. Raises EngineError with the end of its log when it ends
        before that, or does not come up within `start_timeout_s`."""
        check_command(self._config)
        try:
            self._start()
        except EngineError as error:
            # A server binds its port when the weights are loaded; until then anybody may take it.
            if _PORT_TAKEN not in str(error).lower():
                raise
            _log.warning("port %d was taken meanwhile, starting vLLM again", self.port)
            self._start()

    def _start(self) -> None:
        self.key = secrets.token_urlsafe(24)
        self.port = _free_port()
        self._process = self._spawn()
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def healthy(self) -> bool:
        """Whether the process runs and says of itself that its engine does."""
        return self.running() and self._get("/health") is not None

    def close(self) -> None:
        """Never start again; a start that is under way in another thread fails."""
        self._unwanted = True

    def stop(self) -> None:
        """End the server and whatever it started: the card and the port are free afterwards."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        # Engines may outlive a server that crashed.
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + _GRACE
        while _group_lives(process.pid):
            if time.monotonic() > deadline:
                _log.warning("processes of vLLM (group %d) do not end", process.pid)
                return
            time.sleep(0.05)

    def tail(self) -> str:
        """The end of what this start wrote, for an error message."""
        with self.log_path.open("rb") as log:
            log.seek(max(self._log_start, self.log_path.stat().st_size - _TAIL))
            text = log.read().decode("utf-8", "replace")
        return text.replace(self.key, "***").strip() or "(it wrote nothing)"

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = command_line(self._config, self.port, self._image_root)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            log.write(f"\n=== {time.strftime('%F %T')} {' '.join(command)}\n".encode())
            log.flush()
            self._log_start = log.tell()
            return subprocess.Popen(  # noqa: S603 - our own file and the config's command
                [sys.executable, "-I", keeper.__file__, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(self.key),
            )

    def _wait(self) -> None:
        began = told = time.monotonic()
        pause = 0.05
        while True:
            if not self.running():
                raise self._failure("ended before it could serve")
            if self._unwanted:
                raise self._failure("is not wanted any more")
            if self._is_ours():
                _log.info("vLLM serves %s after %.0f s", self._config.model, _since(began))
                return
            if _since(began) > self._config.start_timeout_s:
                raise self._failure(f"did not come up within {self._config.start_timeout_s:g} s")
            if _since(told) > _TELL_EVERY:
                told = time.monotonic()
                last = self.tail().splitlines()[-1][:200]
                _log.warning("waiting for vLLM, %.0f s so far; it says: %s", _since(began), last)
            time.sleep(pause)
            pause = min(1.0, pause * 1.3)

    def _is_ours(self) -> bool:
        """Healthy, and serving our model to our key: a stranger on the port does neither."""
        if self._get("/health") is None:
            return False
        listed = self._get("/v1/models")
        if listed is None:
            return False
        try:
            return self._config.model in {each["id"] for each in json.loads(listed)["data"]}
        except (ValueError, KeyError, TypeError):
            return False

    def _get(self, path: str) -> bytes | None:
        """The body of a reply 200; None for any other reply and for none. Never through a proxy."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30.0)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.key}"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return body if response.status == http.HTTPStatus.OK else None

    def _failure(self, what: str) -> EngineError:
        return EngineError(
            f"vLLM with {self._config.model} {what}. Its log ends with:\n{self.tail()}",
            hint=f"All of it is in {self.log_path}.",
        )


def _since(moment: float) -> float:
    return time.monotonic() - moment


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _signal_group(group: int, number: signal.Signals) -> None:
    # Nobody left in it: nothing to do.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs; one that nobody has collected yet does not."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
