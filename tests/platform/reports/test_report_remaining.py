"""Time, tokens and cost until the end of a run, from what its phases have taken so far."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.reports.ledger import run_driver, run_ledger
from comd_platform.reports.now import run_now
from comd_platform.reports.progress import PhaseProgress
from comd_platform.reports.remaining import ahead, spending, time_left
from comd_platform.reports.usage import UsageRow

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def _phase(
    iteration: int, phase: str, total: int | None, seconds: float, done: int | None = None
) -> PhaseProgress:
    """A finished phase; with `done` one at work, at a rate of one record a second."""
    running = done is not None
    return PhaseProgress(
        iteration=iteration,
        iteration_id=iteration,
        shared=False,
        phase=phase,
        unit="instructions",
        total=total,
        done=(total or 0) if done is None else done,
        open=0,
        failed=0,
        started_at=THEN,
        finished_at=None if running else THEN,
        seconds=seconds,
        rate=1.0 if running else None,
        seconds_left=None,
        items_pending=0,
        items_leased=0,
        items_done=0,
        items_failed=0,
        retrying=0,
        quarantined=0,
        note=None,
    )


FIRST = [
    _phase(1, "label", 100, 100),
    _phase(1, "tune", 10, 20),
    _phase(1, "answer", 100, 50),
    _phase(1, "judge", 100, 200),
    _phase(1, "assess", 100, 0.0),
]
SECOND = [
    _phase(2, "augment", 80, 40),
    _phase(2, "accept", 80, 0.0),
    _phase(2, "label", 60, 60),
    _phase(2, "tune", 10, 30),
    _phase(2, "answer", 160, 80),
    _phase(2, "judge", 160, 320),
    _phase(2, "assess", 160, 0.0),
]


def _usage(iteration: int, phase: str, tokens: int, cost: float | None, shared: bool) -> UsageRow:
    return UsageRow(iteration, shared, phase, "student", "m", 1, tokens - 1, 0, 1, cost)


def test_a_coming_iteration_takes_the_phases_and_the_paces_of_the_last() -> None:
    left = ahead(FIRST + SECOND, 4, grows=True)
    # The third: augment 80, label 60, tune 10, answer 160 + 60, judge 160 + 60; the fourth 60 more.
    third = 40 + 60 + 30 + 220 * 0.5 + 220 * 2
    fourth = 40 + 60 + 30 + 280 * 0.5 + 280 * 2
    assert time_left(left).seconds == pytest.approx(third + fourth)
    assert time_left(left).lacking == ()


def test_the_phase_at_work_counts_with_its_own_pace_and_those_after_it_with_the_last_ones() -> None:
    now = [_phase(2, "augment", 80, 40), _phase(2, "accept", 60, 0), _phase(2, "label", 60, 15, 15)]
    left = ahead(FIRST + now, 2, grows=True)
    # 45 more at one a second; then tune as before, and answer and judge over 100 + 60.
    expected = 45 + 20 + 160 * 0.5 + 160 * 2
    assert time_left(left).seconds == pytest.approx(expected)


def test_what_nobody_has_done_yet_is_named_and_left_out() -> None:
    left = time_left(ahead(FIRST, 2, grows=True))
    assert left.lacking == ("augment", "accept")
    assert left.seconds == pytest.approx(100 + 20 + 50 + 200)
    assert time_left(ahead(FIRST, 2, grows=False)).lacking == ()


def test_a_first_phase_knows_nothing_of_the_run_but_itself() -> None:
    left = ahead([_phase(1, "label", 100, 10, 40)], 1, grows=True)
    assert time_left(left).seconds == pytest.approx(60)
    unknown = ahead([_phase(1, "tune", None, 10, 40)], 1, grows=True)
    assert time_left(unknown).seconds is None
    assert ahead([], 4, grows=True) == []
    assert time_left([]).seconds == 0


def test_tokens_and_cost_go_on_at_the_newest_price_of_a_record() -> None:
    usage = [_usage(1, "judge", 1000, 1.0, True), _usage(2, "judge", 3200, 1.6, False)]
    phases = FIRST + SECOND
    told = spending(usage, phases, ahead(phases, 3, grows=True))
    assert (told.tokens, told.of_shared, told.requests) == (4200, 1000, 2)
    assert told.cost == pytest.approx(2.6)
    assert told.tokens_at_end == pytest.approx(4200 + 220 * 20)
    assert told.cost_at_end == pytest.approx(2.6 + 220 * 0.01)
    free = spending([_usage(1, "judge", 1000, None, False)], FIRST, [])
    assert (free.cost, free.cost_at_end) == (None, None)


def test_a_look_tells_where_the_run_stands(fresh: Session) -> None:
    now = run_now(fresh, 2)
    assert now is not None
    assert now.current is not None
    assert (now.current.iteration, now.current.phase, now.finished) == (3, "answer", False)
    assert now.time_left.seconds is not None
    assert now.time_left.seconds > (now.current.seconds_left or 0) > 0
    assert now.training is not None
    assert now.training.iteration == 3
    done = run_now(fresh, 1)
    assert done is not None
    assert done.finished
    assert done.time_left.seconds == 0
    assert run_now(fresh, 99) is None


def test_lost_items_are_told_apart_from_failed_ones(fresh: Session) -> None:
    before = run_ledger(fresh, 2)
    assert (before.overdue, before.taken_over, before.tried_again) == (0, 0, 0)
    assert before.leased == 1
    assert before.split == 1
    fresh.execute(text("UPDATE work_item SET claims = 1 WHERE state IN ('leased', 'done')"))
    assert run_ledger(fresh, 2).taken_over == 0
    fresh.execute(
        text(
            "UPDATE work_item SET claims = 2, lease_expires_at = now() - interval '1 s'"
            " WHERE state = 'leased' AND iteration_id = 5"
        )
    )
    lost = run_ledger(fresh, 2)
    assert (lost.overdue, lost.taken_over, lost.tried_again) == (1, 1, 0)
    fresh.execute(text("UPDATE work_item SET failures = 1 WHERE state = 'leased'"))
    failed = run_ledger(fresh, 2)
    assert (failed.taken_over, failed.tried_again) == (0, 1)
    fresh.execute(
        text("UPDATE work_item SET fatal = true, error = 'no such model' WHERE state = 'failed'")
    )
    assert run_ledger(fresh, 2).error == "no such model"
    assert run_ledger(fresh, 99).items == 0


def test_nobody_drives_a_run_without_a_lock(session: Session) -> None:
    assert run_driver(session, 1) is None
    assert run_driver(session, 99) is None
