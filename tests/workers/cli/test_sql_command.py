"""`comd sql` and `comd schema`, on a database that holds data."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_texts import HOSTILE
from sqlalchemy import Engine, text
from toy_world import import_toy_world

from comd_platform.settings import Settings
from comd_platform.tables import Base


def comd(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comd_workers", *arguments],
        capture_output=True,
        text=True,
        check=False,
        input=stdin,
        timeout=120,
    )


@pytest.fixture
def world(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=3)
    return engine


def test_one_question_as_table_csv_and_json(world: Engine, tmp_path: Path) -> None:
    query = "SELECT id, name, config, created_at, 1.5 AS half, NULL AS none FROM pool"
    shown = comd("sql", query).stdout
    assert shown.splitlines()[0].split() == ["id", "name", "config", "created_at", "half", "none"]
    assert "toy" in shown
    assert "(1 row)" in shown

    (row,) = csv.DictReader(io.StringIO(comd("sql", "--csv", query).stdout))
    assert row["name"] == "toy"
    assert json.loads(row["config"]) == {"file": "toy.json", "format": "llava"}
    assert row["none"] == ""

    (document,) = json.loads(comd("sql", "--json", query).stdout)
    assert document["name"] == "toy"
    assert document["config"]["format"] == "llava"
    assert (document["half"], document["none"]) == (1.5, None)

    (tmp_path / "q.sql").write_text("SELECT count(*) AS n FROM instruction")
    assert json.loads(comd("sql", "--json", "-f", str(tmp_path / "q.sql")).stdout) == [{"n": 6}]
    assert json.loads(comd("sql", "--json", stdin="SELECT 1 AS n").stdout) == [{"n": 1}]
    assert json.loads(comd("sql", "--json", "SELECT 1 AS n WHERE false").stdout) == []
    assert "the first 2 rows" in comd("sql", "--rows", "2", "SELECT * FROM instruction").stdout


def test_a_write_is_refused_and_points_to_psql(world: Engine) -> None:
    done = comd("sql", "DELETE FROM instruction")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "comd sql without a statement: psql" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_statement_is_pointed_at(world: Engine) -> None:
    said = comd("sql", "SELECT id,\n  txt FROM instruction").stderr
    assert 'column "txt" does not exist' in said
    assert "\n    txt FROM instruction\n    ^\n" in said
    assert "empty" in comd("sql", " ").stderr
    assert "--timeout" in comd("sql", "--timeout", "0.1", "SELECT pg_sleep(5)").stderr
    assert comd("sql", "--csv", "--json", "SELECT 1").returncode == 2


def test_every_table_and_view_is_described(world: Engine) -> None:
    known = {row["name"]: row for row in json.loads(comd("schema", "--json").stdout)}
    assert known.keys() >= set(Base.metadata.tables) | {"lineage", "tuning_pool", "judge_health"}
    assert [name for name, row in known.items() if not row["description"]] == []
    with world.connect() as connection:
        for name, row in known.items():
            found = connection.execute(text(f"SELECT * FROM {name} LIMIT 0")).keys()
            assert {column["name"] for column in row["columns"]} == set(found), name

    shown = comd("schema", "assessment").stdout
    assert "-> iteration.id" in shown
    assert "no table or view 'x'" in comd("schema", "x").stderr


def test_texts_in_the_database_steer_no_terminal(world: Engine) -> None:
    with world.begin() as connection:
        connection.execute(
            text("UPDATE instruction SET text = :text || id"), {"text": HOSTILE["ansi"]}
        )
        number = connection.execute(text("SELECT min(id) FROM instruction")).scalar_one()
    for arguments in (
        ("sql", "--rows", "1", "SELECT text, jsonb_build_object('t', text) AS d FROM instruction"),
        ("lineage", str(number)),
    ):
        done = comd(*arguments)
        assert done.returncode == 0
        assert "␛[31mred" in done.stdout
        assert not {"\x1b", "\x07"} & set(done.stdout)
