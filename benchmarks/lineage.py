"""Lineage at 0.5 and 5 million nodes: one chain up, one tree down, the whole forest.

Through the view, the function and the view that a user asks, over psycopg; beside psql with the same
statements (its start-up taken off) and beside the goal.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
from common import Row, in_turns, main, scaled, timed
from growth import Curve, short
from sqlalchemy import URL
from synthetic import MADE_ALWAYS, kept, synthetic_run, synthetic_server

from comd_platform.db.embedded import psql_program
from comd_platform.db.engine import libpq_url

SIZES = (500_000, 5_000_000)
GROWING = (10_000, 100_000, 1_000_000, 5_000_000)
ASKED = 200  # instructions a round, each asked once

ANCESTORS = "SELECT ancestor_id, depth FROM lineage WHERE instruction_id = {}"
DESCENDANTS = "SELECT instruction_id, depth FROM descendants({})"
FOREST = "SELECT depth, count(*), count(DISTINCT seed_id) FROM forest GROUP BY depth"
# what -> (statement, seconds that it may take)
STATEMENTS = {
    "Ancestors of one instruction": (ANCESTORS, 0.002),
    "Descendants of one seed": (DESCENDANTS, 0.010),
}
FOREST_GOAL = 60.0


def measure(scale: float, rounds: int) -> list[Row]:
    with synthetic_server() as where:
        sizes = [scaled(size, scale) for size in SIZES]
        present = [n for n in sizes if n <= MADE_ALWAYS * scale or kept(where, n)]
        return [row for n in present for row in _rows(synthetic_run(where, n), n, rounds)]


def grow(scale: float) -> list[Curve]:
    found: dict[str, list[float]] = {}
    with synthetic_server() as where:
        sizes = [scaled(size, scale) for size in GROWING]
        sizes = [n for n in sizes if n <= 2 * MADE_ALWAYS * scale or kept(where, n)]
        for n in sizes:
            with psycopg.connect(libpq_url(synthetic_run(where, n))) as connection:
                chosen = _chosen(connection)
                for what, (statement, _) in STATEMENTS.items():
                    ask = partial(_each, connection, statement, chosen[what])
                    ask()
                    found.setdefault(what, []).append(timed(ask) / ASKED)
                forest = timed(lambda at=connection: at.execute(FOREST).fetchall())
                found.setdefault("The whole forest", []).append(forest)
    return [
        Curve("Lineage", what, "instructions", sizes, seconds) for what, seconds in found.items()
    ]


def _rows(url: URL, nodes: int, rounds: int) -> list[Row]:
    with psycopg.connect(libpq_url(url)) as connection:
        chosen = _chosen(connection)
        rows = []
        for what, (statement, goal) in STATEMENTS.items():
            ids = chosen[what]
            contenders: dict[str, Callable[[], float]] = {
                "comd": lambda s=statement, i=ids: timed(partial(_each, connection, s, i)) / ASKED,
                "psql": partial(_psql, url, [statement.format(one) for one in ids]),
                "the goal": lambda goal=goal: goal,
            }
            for contender in contenders.values():
                contender()
            rows.append(
                Row(
                    what=f"{what}, {short(nodes)} nodes",
                    amount=1,
                    unit="",
                    ours="comd",
                    seconds=in_turns(contenders, rounds),
                    note=f"`{statement.format('…')}`, {ASKED} of them one after the other, a mean.",
                )
            )
        forest: dict[str, Callable[[], float]] = {
            "comd": lambda: timed(lambda: connection.execute(FOREST).fetchall()),
            "psql": lambda: _psql(url, [FOREST]),
            "the goal": lambda: FOREST_GOAL,
        }
        rows.append(
            Row(
                what=f"The whole forest, {short(nodes)} nodes",
                amount=1,
                unit="",
                ours="comd",
                seconds=in_turns(forest, rounds),
                note=f"`{FOREST}`: every instruction with its seed and its depth, counted.",
            )
        )
    return rows


def _chosen(connection: psycopg.Connection[tuple[int, ...]]) -> dict[str, list[int]]:
    """Whom to ask about: the youngest for ancestors, seeds that bore something for descendants."""
    chance = random.Random(1)
    bounds = "SELECT min(id), max(id) FROM instruction WHERE pool_id = (SELECT max(id) FROM pool)"
    (found,) = connection.execute(bounds).fetchall()
    young = [chance.randint(found[0], found[1]) for _ in range(ASKED)]
    parents = connection.execute(
        "SELECT DISTINCT parent_id FROM instruction"
        " WHERE pool_id = 2 AND id % 7 = 0 ORDER BY parent_id"
    ).fetchall()
    seeds = [row[0] for row in chance.choices(parents, k=ASKED)]
    return dict(zip(STATEMENTS, (young, seeds), strict=True))


def _each(connection: psycopg.Connection[tuple[int, ...]], statement: str, ids: list[int]) -> None:
    asked = statement.format("%s")
    for one in ids:
        if not connection.execute(asked, [one]).fetchall():
            raise AssertionError(f"{statement.format(one)} found nothing")


def _psql(url: URL, statements: list[str]) -> float:
    """Seconds of psql a statement, without its start-up."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(";\n".join(statements) + ";\n")
        script.flush()

        def run(file: str) -> None:
            command = [psql_program(), "-X", "-q", "-o", "/dev/null", "-f", file, libpq_url(url)]
            subprocess.run(command, check=True, cwd=Path("/"))

        return max(1e-9, timed(lambda: run(script.name)) - timed(lambda: run("/dev/null"))) / len(
            statements
        )


if __name__ == "__main__":
    main(measure, grow)
