"""The demo as a new user plays it, and every row of its three arms computed again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from recompute import check_run
from sqlalchemy import Engine

from comd_platform.db.engine import transaction
from comd_platform.reports.evaluations import run_scores
from comd_platform.runs import find_run
from comd_platform.settings import Settings

pytestmark = [pytest.mark.full, pytest.mark.timeout(1200)]


def play() -> str:
    done = subprocess.run(
        [sys.executable, "-m", "comd_workers", "demo"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_teaches_its_student_and_plays_once(engine: Engine, settings: Settings) -> None:
    told = play()
    for arm in ("demo-0", "demo-0-random", "demo-0-seed-only"):
        assert check_run(engine, arm) == 4
    with transaction(engine) as session:
        scores = run_scores(session, find_run(session, "demo-0").id)
    untuned = next(row for row in scores if row.who == "untuned student")
    last = next(row for row in scores if row.iteration == 4)
    # Well beyond its sampling error.
    assert last.score - untuned.score > 2 * (last.half_width + untuned.half_width)
    assert f"{last.score:.3f} ± {last.standard_error:.3f}" in told
    assert "Lineage 3" in told
    assert "comd db psql" in told

    # Played again it finds everything done and says the same.
    again = play()
    assert "iteration 1 label done" not in again
    assert again.split("Held-out accuracy")[1][:400] == told.split("Held-out accuracy")[1][:400]
