from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from comd_platform.reports.progress import run_failures, run_progress
from comd_platform.reports.workers import list_workers
from comd_platform.tables import WorkItem


def test_the_open_phase_counts_records_by_the_state_of_their_item(fresh: Session) -> None:
    phases = run_progress(fresh, 2)
    items = fresh.scalars(
        select(WorkItem).where(WorkItem.iteration_id == 5, WorkItem.phase == "answer")
    ).all()
    last = phases[-1]
    assert (last.iteration, last.phase, last.finished_at) == (3, "answer", None)
    size = {
        state: sum(len(item.subject_ids) for item in items if item.state == state)
        for state in ("pending", "leased", "done", "failed", "split")
    }
    assert all(size.values())
    assert last.open == size["pending"] + size["leased"]
    assert last.failed == size["failed"]
    assert last.done == size["done"]
    assert last.total == last.open + last.failed + last.done
    assert last.share == pytest.approx((last.done + last.failed) / last.total)
    assert (last.items_pending, last.items_leased) == (3, 1)
    assert (last.items_done, last.items_failed) == (8, 1)
    # Items ended 5, 20, 35 and 50 seconds ago, and half of the split one 3 seconds ago.
    lately = sum(len(item.subject_ids) for item in items[:4]) + len(items[-2].subject_ids)
    assert last.rate == pytest.approx(lately / 60)
    assert last.seconds_left == pytest.approx(last.open / (lately / 60))
    assert last.retrying + last.quarantined > 0


def test_the_rate_falls_back_to_the_mean_since_the_beginning(fresh: Session) -> None:
    fresh.execute(
        text("UPDATE work_item SET finished_at = now() - interval '2 min' WHERE state = 'done'")
    )
    last = run_progress(fresh, 2)[-1]
    assert last.seconds == pytest.approx(240, abs=5)
    assert last.rate == pytest.approx(last.done / last.seconds)


def test_finished_phases_are_whole_and_have_their_mean_rate(fresh: Session) -> None:
    phases = run_progress(fresh, 1)
    assert [p.phase for p in phases if p.iteration == 1] == [
        "label",
        "tune",
        "answer",
        "judge",
        "assess",
    ]
    assert [p.phase for p in phases if p.iteration == 2][:2] == ["augment", "accept"]
    for phase in phases:
        assert phase.share == 1.0
        assert phase.seconds_left is None
        assert (phase.open, phase.failed) == (0, 0)
        assert phase.done == phase.total
        assert phase.seconds == pytest.approx(480)
        assert phase.rate == pytest.approx(phase.done / 480)


def test_records_planned_anew_do_not_count_twice(fresh: Session) -> None:
    # The assessor is asked again about two instructions that its first item already held.
    fresh.execute(
        text(
            "UPDATE iteration_phase SET finished_at = NULL"
            " WHERE iteration_id = 3 AND phase = 'judge'"
        )
    )
    before = next(p for p in run_progress(fresh, 1) if (p.iteration, p.phase) == (3, "judge"))
    fresh.execute(
        text(
            "INSERT INTO work_item (iteration_id, phase, role, subject_ids)"
            " VALUES (3, 'judge', 'assessor', '{1, 2}')"
        )
    )
    after = next(p for p in run_progress(fresh, 1) if (p.iteration, p.phase) == (3, "judge"))
    assert before.total is not None
    assert after.total == before.total
    assert after.done == before.done - 2
    assert after.open == 2


def test_tuning_counts_optimizer_steps(fresh: Session) -> None:
    fresh.execute(
        text(
            "UPDATE iteration_phase SET finished_at = NULL, started_at = now() - interval '20 s'"
            " WHERE iteration_id = 5 AND phase = 'tune'"
        )
    )
    fresh.execute(text("DELETE FROM training_metric WHERE training_run_id = 5 AND step > 40"))
    tune = next(p for p in run_progress(fresh, 2) if (p.iteration, p.phase) == (3, "tune"))
    fresh.execute(text("UPDATE training_run SET config = '{}' WHERE id = 5"))
    unknown = next(p for p in run_progress(fresh, 2) if (p.iteration, p.phase) == (3, "tune"))
    assert (tune.unit, tune.done, tune.total, tune.open) == ("steps", 40, 100, 60)
    assert tune.seconds_left == pytest.approx(30, rel=0.2)
    assert (unknown.done, unknown.total, unknown.share) == (40, None, None)
    assert unknown.seconds_left is None


def test_a_phase_that_was_begun_but_not_planned_has_done_nothing(fresh: Session) -> None:
    fresh.execute(
        text("INSERT INTO iteration_phase (iteration_id, phase, total) VALUES (5, 'judge', 50)")
    )
    judge = run_progress(fresh, 2)[-1]
    assert (judge.phase, judge.done, judge.total, judge.share) == ("judge", 0, 50, 0.0)
    assert judge.rate is None
    assert judge.seconds_left is None


def test_failures_are_grouped_and_resolved_ones_left_out(fresh: Session) -> None:
    branch = run_failures(fresh, 2)
    base = run_failures(fresh, 1)
    assert [(row.phase, row.reason, row.state, row.records) for row in base] == [
        ("label", "image unreadable", "quarantined", 1)
    ]
    answers = [row for row in branch if row.phase == "answer"]
    assert {row.state for row in answers} == {"retrying", "quarantined"}
    assert branch[-1] == base[0]


def test_workers_are_listed_with_what_they_hold(fresh: Session) -> None:
    workers = {row.worker: row for row in list_workers(fresh)}
    recent = list_workers(fresh, recent_seconds=60)
    assert list(workers) == ["node-a-1", "node-a-2", "node-b-1"]
    assert workers["node-a-1"].state == "busy"
    assert workers["node-a-1"].roles == ["teacher", "assessor", "augmentor"]
    assert workers["node-a-2"].working_on == "random / 3 / answer"
    assert workers["node-b-1"].state == "lost"
    assert workers["node-b-1"].heartbeat_age == pytest.approx(600, abs=30)
    assert [row.worker for row in recent] == ["node-a-1", "node-a-2"]


def test_an_empty_database_has_no_progress_and_no_workers(empty: Session) -> None:
    assert run_progress(empty, 1) == []
    assert run_failures(empty, 1) == []
    assert list_workers(empty) == []
