"""A real run with a key and a database password, through refusals: neither is found anywhere after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from processes import comd
from pydantic import SecretStr
from sqlalchemy import URL, Engine, inspect, text
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import libpq_url, transaction
from comd_platform.runs import create_run
from comd_platform.settings import Settings, get_settings

KEY = "sk-verysecret-0123456789"
PASSWORD = "hunter2-of-the-database"


def test_neither_key_nor_password_is_ever_written(
    chat_server: Any,
    engine: Engine,
    settings: Settings,
    database: URL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some requests are refused for themselves, then the key is: a handful more, and one message."""

    def refuse(words: str, before: int) -> Any:
        answered = len(chat_server.bodies)
        if answered > 12:
            return 401, {}, json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}})
        if answered % 2:
            return 400, {}, json.dumps({"error": {"message": f"not with {KEY}"}})
        return None

    chat_server.misbehave = refuse
    monkeypatch.setenv("SOME_KEY", KEY)
    # The tests' server trusts its socket, so that any password will do.
    monkeypatch.setenv("COMD_DATABASE_URL", libpq_url(database.set(password=PASSWORD)))
    get_settings.cache_clear()
    import_toy_world(engine, settings, tmp_path / "toy", pictures=40)
    model = {
        "engine": "openai",
        "model": "m",
        "base_url": chat_server.base_url,
        "api_key_env": "SOME_KEY",
        "max_retries": 1,
        "backoff_s": 0.01,
        "concurrency": 3,
    }
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=1, teacher={"model": model, "batch": 3}))

    driver = comd("--debug", "iterate", "toy", "--workers", "2")
    output, _ = driver.communicate(timeout=240)

    assert driver.returncode == 1, output
    assert output.count("Incorrect API key provided: ***") >= 1
    # 80 records in 27 items: what the two workers have in flight is told, and one more, not each item.
    assert len(chat_server.bodies) <= 12 + 2 * (3 + 1)
    with engine.connect() as connection:
        failed = connection.execute(
            text("SELECT count(*) FROM failure WHERE detail LIKE '%not with ***%'")
        ).scalar_one()
        assert failed > 0
        for table in inspect(engine).get_table_names():
            rows = connection.execute(text(f'SELECT t::text FROM "{table}" t')).scalars()
            told = "\n".join(rows)
            assert KEY not in told, table
            assert PASSWORD not in told, table
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    for path in written:
        content = path.read_bytes()
        assert KEY.encode() not in content, path
        assert PASSWORD.encode() not in content, path
    assert KEY not in output
    assert PASSWORD not in output


@pytest.mark.parametrize("arguments", [("db", "status"), ("--debug", "status", "none")])
def test_a_database_that_refuses_tells_no_password(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    url = f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/nowhere"
    output, _ = comd(
        *arguments, COMD_DATABASE_URL=url, COMD_HOME=str(tmp_path), COMD_DATABASE_PATIENCE="0"
    ).communicate(timeout=120)
    assert output
    assert PASSWORD not in output


def test_settings_show_no_secret() -> None:
    url = SecretStr(f"postgresql://u:{PASSWORD}@h/d")
    shown = Settings(database_url=url, reader_url=url, broker_url=url)
    assert PASSWORD not in f"{shown} {shown!r} {shown.model_dump()} {shown.model_dump_json()}"
