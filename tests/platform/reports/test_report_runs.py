from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.reports.query import rows
from comd_platform.reports.runs import RunRow, UnknownRun, find_run, list_runs


def test_runs_say_what_they_branched_off(session: Session) -> None:
    branch, base = list_runs(session)
    assert (base.run, base.parent, base.branched_after) == ("paper", None, None)
    assert (base.iterations, base.own, base.phase) == (3, 3, "done")
    assert (branch.run, branch.parent, branch.branched_after) == ("random", "paper", 1)
    assert (branch.iterations, branch.own, branch.phase) == (3, 2, "answer")
    assert (branch.selection, branch.threshold, branch.wanted) == ("random", 0.33, 3)


def test_a_run_without_iterations_is_listed(session: Session) -> None:
    session.execute(
        text(
            "INSERT INTO run (id, name, seed, pool_id, config)"
            " SELECT 3, 'planned', seed, pool_id, config FROM run WHERE id = 1"
        )
    )
    planned = find_run(session, "planned")
    assert (planned.iterations, planned.phase) == (0, None)


def test_an_unknown_run_is_told_with_those_there_are(session: Session) -> None:
    with pytest.raises(UnknownRun) as error:
        find_run(session, "papers")
    assert error.value.hint == "There are: random, paper"


def test_without_runs_the_hint_is_how_to_make_one(empty: Session) -> None:
    assert list_runs(empty) == []
    with pytest.raises(UnknownRun) as error:
        find_run(empty, "paper")
    assert error.value.hint == "Make one with: comd run create CONFIG.yaml"


def test_columns_that_are_not_fields_are_an_error(empty: Session) -> None:
    with pytest.raises(TypeError, match="surprise"):
        rows(empty, RunRow, "SELECT 1 AS surprise")
