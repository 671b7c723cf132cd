"""`comd doctor` on this machine: what stands, what is down, what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy import URL, Engine
from toy_world import import_toy_world

from comd_platform.db.engine import libpq_url
from comd_platform.settings import Settings
from comd_workers.checks.doctor import examine
from comd_workers.checks.finding import Finding


def looked(settings: Settings, *configs: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(settings, configs)}


def test_a_machine_in_order(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=3)
    found = looked(settings)
    assert not [each for each in found.values() if each.level == "error"]
    assert found["database"].said.startswith("PostgreSQL ")
    assert "current" in found["schema"].said
    assert found["pictures"].said == "6 known, 6 looked for and found"  # its benchmark has three
    assert found["broker"].said.startswith("pgmq")
    assert found["run the loop"].said == "works here"
    assert found["comd demo"].said == "works here"
    # A picture that another machine has and this one does not.
    next(settings.image_root.rglob("*.png")).unlink()
    assert looked(settings)["pictures"].level == "error"


def test_an_unmigrated_database_and_a_broker_that_is_down(
    empty_database: URL, tmp_path: Path
) -> None:
    settings = Settings(
        home=tmp_path,
        database_url=SecretStr(libpq_url(empty_database)),
        broker_url=SecretStr("redis://:secret-word@127.0.0.1:9/0"),
    )
    found = looked(settings)
    assert (found["schema"].level, found["schema"].hint) == ("error", "comd db upgrade")
    assert found["broker"].level == "error"
    assert found["run the loop"].said == "does not work here"
    # What is in order is not named as what is wrong.
    assert found["run the loop"].hint == "mend first: schema; mend first: broker"
    assert found["comd demo"].hint == "mend first: schema; mend first: broker"
    assert not [each for each in found.values() if "secret-word" in each.said]


def test_a_database_that_is_down(tmp_path: Path) -> None:
    url = "postgresql://nobody:secret-word@127.0.0.1:9/none"
    found = looked(Settings(home=tmp_path, database_url=SecretStr(url)))
    assert found["database"].level == "error"
    assert "secret-word" not in str(found["database"])


class Models(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that knows one model."""

    def do_GET(self) -> None:
        body = json.dumps({"data": [{"id": "big"}]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        del format, args


@pytest.fixture
def server() -> Iterator[str]:
    made = HTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/v1"
    made.shutdown()
    thread.join()
    made.server_close()


def test_model_servers_are_asked(settings: Settings, server: str, tmp_path: Path) -> None:
    def config(model: str, url: str) -> Path:
        path = tmp_path / f"{model}.yaml"
        engine = {"engine": "openai", "model": model, "base_url": url, "api_key_env": None}
        path.write_text(yaml.safe_dump({"name": "n", "pool": "p", "teacher": {"model": engine}}))
        return path

    assert looked(settings, config("big", server))["teacher.model"].level == "ok"
    unknown = looked(settings, config("small", server))["teacher.model"]
    assert (unknown.level, unknown.hint) == ("error", "It serves big.")
    down = looked(settings, config("far", "http://127.0.0.1:9/v1"))["teacher.model"]
    assert (down.level, down.hint) == ("error", "Is the server up?")


def test_the_command(settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "comd_workers", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"comd", "memory", "database", "comd dashboard"} <= {
        f["what"] for f in json.loads(done.stdout)
    }
