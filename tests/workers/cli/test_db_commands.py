"""`comd db`, on a database that holds data."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine, inspect, text
from toy_world import import_toy_world

from comd_migrations import head_revision
from comd_platform.settings import Settings


def comd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comd_workers", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def test_down_and_up_again_with_data_in_it(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=3)
    assert f"schema      {head_revision()}\npending     \n" in comd("db", "status").stdout

    # Without a yes nothing is dropped.
    assert comd("db", "downgrade", "base").returncode == 1
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM instruction")).scalar_one() == 6

    assert comd("db", "downgrade", "base", "--yes").stdout == "schema at base\n"
    assert inspect(engine).get_table_names() == ["alembic_version"]
    status = comd("db", "status").stdout
    assert re.search(
        r"schema      empty\npending     0001\b.*\nmigrate it  comd db upgrade", status
    )

    # A user's own server is never migrated without being asked.
    refused = comd("run", "list")
    assert refused.returncode == 1
    assert "Run: comd db upgrade" in refused.stderr
    assert comd("db", "upgrade").stdout == f"schema at {head_revision()}\n"
    assert comd("run", "list").returncode == 0

    unknown = comd("db", "upgrade", "0815")
    assert unknown.returncode == 1
    assert "0815" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_psql_opens_on_the_same_database(engine: Engine, settings: Settings) -> None:
    done = comd("db", "psql", "-c", "SELECT current_database() AS here")
    assert done.returncode == 0
    assert str(engine.url.database) in done.stdout


def test_start_and_stop_are_for_the_embedded_server(settings: Settings) -> None:
    for command in ("start", "stop"):
        done = comd("db", command)
        assert done.returncode == 1
        assert "COMD_DATABASE_URL names a server that comd does not manage" in done.stderr
