"""No report is forgotten, and the made-up run they are measured on is one that comd could have made."""

from __future__ import annotations

import psycopg
import pytest
import reports
import synthetic
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from comd_platform.db.engine import libpq_url, transaction
from comd_platform.loop.context import Context
from comd_platform.loop.phases import assess

SEEDS = 300


def test_every_report_is_measured_or_excused() -> None:
    found = reports.public_reports()
    unknown = {
        name: f"{error.args[0]} stands in no line of PARAMETERS"
        for name, report in found.items()
        if name not in reports.EXCUSED and (error := _error(report)) is not None
    }
    assert unknown == {}
    assert set(reports.EXCUSED) <= set(found)
    assert set(reports.CASES) <= set(found)
    asked = {question.split(":")[0] for question in reports.questions()}
    assert asked == set(found) - set(reports.EXCUSED)
    assert {"cells.score_cells", "orders.order_cells", "lineages.family"} <= asked


def test_a_report_with_an_unknown_parameter_is_named() -> None:
    def new_report(session: Session, colour: str) -> None: ...

    with pytest.raises(KeyError, match="colour"):
        reports.arguments(new_report)


def test_the_made_up_run_holds_what_the_loop_would_have_made_and_every_question_is_answered(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With every key checked as rows come in.
    monkeypatch.setattr(
        synthetic,
        "_SESSION",
        synthetic._SESSION.replace("SET session_replication_role = replica", ""),
    )
    synthetic.fill(engine.url, SEEDS)
    rows = "SELECT * FROM assessment WHERE iteration_id = 3 ORDER BY instruction_id"
    with transaction(engine) as session:
        made = session.execute(text(rows)).all()
        counted = session.scalars(text("SELECT DISTINCT iteration_id FROM judgement_cell"))
        assert sorted(counted) == [1, 2, 3, 4]
        assert len(made) > SEEDS
        session.execute(text("DELETE FROM assessment WHERE iteration_id = 3"))
        assess.settle(session, Context.load(session, 3))
        assert session.execute(text(rows)).all() == made
        funnel = session.execute(
            text(
                "SELECT sources_difficult, sources_easy, accepted FROM iteration_summary"
                " WHERE run = 'paper' AND iteration = 4"
            )
        ).one()
        assert min(funnel) > 0
    timings = reports.time_reports(engine.url, rounds=1)
    assert {timing.report for timing in timings} == set(reports.questions())
    assert all(0 < timing.median < reports.TIMEOUT_S for timing in timings)
    plan = reports.plans(engine.url, reports.questions()["pools.pool_growth"])
    assert "iteration_count" in plan
    with psycopg.connect(libpq_url(engine.url)) as connection:
        deepest = connection.execute("SELECT max(depth), count(*) FROM forest").fetchone()
        nodes = connection.execute("SELECT count(*) FROM instruction").fetchone()
    assert nodes is not None
    assert deepest == (3, nodes[0])


def _error(report: object) -> KeyError | None:
    try:
        reports.arguments(report)  # type: ignore[arg-type]
    except KeyError as error:
        return error
    return None
