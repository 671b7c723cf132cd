"""docker-compose.yml: valid, without default secrets, and its command lines run for real.

There is no Docker here: each command of a comd service, and each health check, is started as the
file has it, with the names of containers replaced by this machine's own PostgreSQL and Redis.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import URL

from comd_platform.db.engine import libpq_url

FILE = Path(__file__).parents[2] / "docker-compose.yml"
SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "FLOWER_AUTH", "DASHBOARD_PASSWORD")
PASSWORD = "only-in-this-test"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_the_file_keeps_to_the_compose_specification() -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", FILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_secret_has_a_default() -> None:
    said = FILE.read_text()
    for name in SECRETS:
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", said)
        assert uses
        assert all(use.startswith(":?") or use == "" for use in uses), name
        assert any(use.startswith(":?") for use in uses)


def test_everything_long_lived_has_a_health_check_and_cards_are_reserved(
    services: dict[str, Any],
) -> None:
    for name, service in services.items():
        if service.get("restart") != "no":
            assert "healthcheck" in service, name
    for name in ("student", "vllm"):
        (device,) = services[name]["deploy"]["resources"]["reservations"]["devices"]
        assert device["driver"] == "nvidia"
    roles = {
        role
        for service in services.values()
        if (command := service.get("command", []))[:1] == ["worker"]
        for role in command[2].split(",")
    }
    assert roles == {"teacher", "student", "assessor", "augmentor", "trainer"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Stage:
    """This machine in the place of the compose network."""

    def __init__(self, database: URL, redis: int, home: Path) -> None:
        self.ports = {"8501": str(free_port()), "5555": str(free_port())}
        self.redis = redis
        binaries = str(Path(sys.executable).parent)
        self.environment = os.environ | {
            "COMD_DATABASE_URL": libpq_url(database),
            "COMD_BROKER_URL": f"redis://:{PASSWORD}@127.0.0.1:{redis}/0",
            "COMD_HOME": str(home),
            "FLOWER_BASIC_AUTH": "user:password",
            "COMD_DASHBOARD_PASSWORD": PASSWORD,
            "REDISCLI_AUTH": PASSWORD,
            "PATH": f"{binaries}:{os.environ['PATH']}",
        }

    def line(self, service: dict[str, Any]) -> list[str]:
        """What the container would run; its entrypoint is `comd` unless the service has its own."""
        entry = service.get("entrypoint", ["comd"])
        words = [*entry, *service["command"]]
        return [self._here(word) for word in words]

    def healthy(self, service: dict[str, Any]) -> bool:
        kind, *words = service["healthcheck"]["test"]
        assert kind == "CMD"
        if words[0] == "redis-cli":
            words[1:1] = ["-p", str(self.redis)]
        done = subprocess.run(
            [self._here(word) for word in words],
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
        return done.returncode == 0

    def _here(self, word: str) -> str:
        word = word.replace("$$", "$")
        for theirs, ours in self.ports.items():
            word = word.replace(theirs, ours)
        return word


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Ended with all that it started, as a container is."""
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_healthy(stage: Stage, service: dict[str, Any], process: subprocess.Popen[bytes]) -> None:
    for _ in range(120):
        assert process.poll() is None, "it ended before it was healthy"
        if stage.healthy(service):
            return
        time.sleep(0.5)
    pytest.fail("it never became healthy")


@pytest.mark.full
@pytest.mark.timeout(600)
def test_every_service_starts_and_answers_its_health_check(
    services: dict[str, Any], empty_database: URL, tmp_path: Path
) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server")
    port = free_port()
    stage = Stage(empty_database, port, tmp_path / "home")
    redis = ["redis-server", "--port", str(port), "--dir", str(tmp_path), "--save", ""]
    # The file's own flags, with the secret that compose would put in.
    redis += [PASSWORD if "REDIS_PASSWORD" in w else w for w in services["redis"]["command"][1:]]
    with running(redis, stage.environment) as process:
        wait_healthy(stage, services["redis"], process)
        for name in ("migrate", "cli"):
            subprocess.run(stage.line(services[name]), env=stage.environment, check=True)
        for name in ("speakers", "student", "dashboard", "flower"):
            with running(stage.line(services[name]), stage.environment) as service:
                wait_healthy(stage, services[name], service)
