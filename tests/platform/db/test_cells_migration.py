"""Cells are counted for what was assessed before there were any, and say what the rows said."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text

import comd_migrations
from comd_platform.db.engine import libpq_url

SYNTHETIC = Path(__file__).parents[2] / "support" / "synthetic_run.sql"
BEFORE, AFTER = "0009", "0012"


def _views(engine: Engine) -> dict[str, list[dict[str, object]]]:
    with engine.connect() as connection:
        return {
            view: [
                dict(row)
                for row in connection.execute(
                    text(f"SELECT * FROM {view} ORDER BY run, iteration")
                ).mappings()
            ]
            for view in ("iteration_summary", "judge_health")
        }


def test_closed_phases_are_counted_on_the_way_up_and_views_go_on_saying_the_same(
    engine: Engine,
) -> None:
    comd_migrations.downgrade(engine, BEFORE)
    with psycopg.connect(libpq_url(engine.url)) as connection:
        connection.execute("SET comd.instructions = 60")
        connection.execute(SYNTHETIC.read_bytes())
    said = _views(engine)
    comd_migrations.upgrade(engine, AFTER)
    with engine.begin() as connection:
        for table in ("assessment_cell", "judgement_cell", "iteration_count"):
            counted = connection.execute(
                text(f"SELECT DISTINCT iteration_id FROM {table} ORDER BY 1")
            )
            assert counted.scalars().all() == [1, 2, 3, 4]  # 5 has not assessed
        for cell, live in (
            ("assessment_cell", "live_assessment_cell"),
            ("judgement_cell", "live_judgement_cell"),
            ("iteration_count", "live_iteration_count"),
        ):
            connection.execute(text(f"ALTER TABLE {cell} DROP COLUMN number"))
            columns = ", ".join(connection.execute(text(f"SELECT * FROM {live} LIMIT 0")).keys())
            live = f"{live} WHERE iteration_id < 5"
            differing = (
                f"(SELECT {columns} FROM {cell} EXCEPT ALL SELECT {columns} FROM {live})"
                f" UNION ALL (SELECT {columns} FROM {live} EXCEPT ALL SELECT {columns} FROM {cell})"
            )
            assert connection.execute(text(differing)).all() == []
        connection.rollback()
    now = _views(engine)
    for view, rows in said.items():
        for before, after in zip(rows, now[view], strict=True):
            assert after == pytest.approx(before)
    comd_migrations.downgrade(engine, "0010")
    with engine.begin() as connection:
        connection.execute(text("SELECT count_cells(1)"))
    comd_migrations.downgrade(engine, BEFORE)
    assert _views(engine) == said
    comd_migrations.upgrade(engine)
