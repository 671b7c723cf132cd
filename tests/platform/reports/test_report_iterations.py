"""Summary, pools and judge, recomputed in Python from the raw rows."""

from __future__ import annotations

from collections import Counter
from statistics import mean

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.reports import judge, pools, summary
from comd_platform.reports.cells import score_cells
from comd_platform.reports.orders import order_cells
from comd_platform.tables import (
    Answer,
    Assessment,
    Augmentation,
    Instruction,
    Iteration,
    Judgement,
    Pool,
    Selection,
    TrainingExample,
)

# What run 1 and its branch consist of, iteration by iteration.
ITERATIONS = {1: [1, 2, 3], 2: [1, 4, 5]}
TAU = 0.33


def _closure(session: Session, pool_id: int | None) -> set[int]:
    found: set[int] = set()
    while pool_id is not None:
        found.add(pool_id)
        pool_id = session.get_one(Pool, pool_id).parent_id
    return found


def _assessments(session: Session, iteration_id: int) -> list[Assessment]:
    return list(session.scalars(select(Assessment).where(Assessment.iteration_id == iteration_id)))


@pytest.mark.parametrize("run_id", [1, 2])
def test_pool_sizes_are_the_instructions_born_there_and_before(
    session: Session, run_id: int
) -> None:
    told = pools.pool_growth(session, run_id)
    for row, iteration_id in zip(told, ITERATIONS[run_id], strict=True):
        iteration = session.get_one(Iteration, iteration_id)
        born = Counter(session.scalars(select(Instruction.pool_id)))
        assert row.iteration == iteration.number
        assert row.shared == (iteration.run_id != run_id)
        assert row.tuning == born[iteration.pool_id] > 0
        assert row.cache == sum(born[p] for p in _closure(session, iteration.pool_id))


@pytest.mark.parametrize("run_id", [1, 2])
def test_the_summary_is_what_the_rows_say(session: Session, run_id: int) -> None:
    told = summary.run_summary(session, run_id)
    sizes = pools.pool_growth(session, run_id)
    assert [row.iteration_id for row in told] == ITERATIONS[run_id]
    for row, size in zip(told, sizes, strict=True):
        assert (row.tuning_pool, row.cache_pool) == (size.tuning, size.cache)
        scored = [a for a in _assessments(session, row.iteration_id) if a.difficulty is not None]
        hard = [a for a in scored if a.difficulty is not None and a.difficulty >= TAU]
        assert row.difficult == len(hard)
        assert row.easy == len(scored) - len(hard)
        if scored:
            assert row.difficult_share == pytest.approx(len(hard) / len(scored))
            assert row.student_score == pytest.approx(mean(a.student_score for a in scored))
            assert row.teacher_score == pytest.approx(mean(a.teacher_score for a in scored))
            assert row.wins + row.ties + row.losses == len(scored)
        else:
            assert row.difficult_share is row.student_score is row.flip_share is None
        iteration = session.get_one(Iteration, row.iteration_id)
        chosen = select(Selection).where(Selection.pool_id == iteration.pool_id)
        assert row.sources == len(session.scalars(chosen).all())
        replies = session.scalars(
            select(Augmentation).where(Augmentation.pool_id == iteration.pool_id)
        ).all()
        assert row.generated == len(replies)
        assert row.accepted == sum(reply.status == "accepted" for reply in replies)
        if row.sources:
            assert row.accepted_share == pytest.approx(row.accepted / row.sources)
        examples = select(TrainingExample).where(
            TrainingExample.training_run_id == row.iteration_id
        )
        assert row.trained_examples == len(session.scalars(examples).all())
        assert row.trained_steps == 100


def test_the_judge_is_counted_from_its_replies(session: Session) -> None:
    row = judge.judge_rows(order_cells(session, 1))[1]
    replies = session.scalars(
        select(Judgement)
        .join(Answer, Answer.id == Judgement.student_answer_id)
        .where(Answer.model_id == 12)
    ).all()
    leads: dict[int, list[float]] = {reply.student_answer_id: [] for reply in replies}
    for reply in replies:
        if reply.teacher_score is not None and reply.student_score is not None:
            leads[reply.student_answer_id].append(reply.teacher_score - reply.student_score)
    flips = sum(len(pair) == 2 and pair[0] * pair[1] < 0 for pair in leads.values())
    assert flips > 0
    assert row.flips == flips
    assert row.pairs == len(leads)
    assert row.both_orders == sum(len(pair) == 2 for pair in leads.values())
    assert row.one_order == sum(len(pair) == 1 for pair in leads.values()) > 0
    assert row.unscored == sum(len(pair) == 0 for pair in leads.values()) > 0
    assert row.replies == len(replies)
    assert row.unreadable == sum(reply.status == "unreadable" for reply in replies) > 0


def test_the_summary_tells_of_the_judge_what_the_replies_tell(session: Session) -> None:
    for row, health in zip(
        summary.run_summary(session, 1), judge.judge_rows(order_cells(session, 1)), strict=True
    ):
        assert (row.flips, row.one_order) == (health.flips, health.one_order)
        assert (row.clamped, row.unscored) == (health.clamped, health.unscored)
        assert row.flip_share == pytest.approx(health.flips / health.both_orders)


def test_the_funnel_narrows_and_adds_up(session: Session) -> None:
    told = pools.augmentation_funnel(session, 1)
    growth = {row.iteration: row.tuning for row in pools.pool_growth(session, 1)}
    reasons = pools.rejections(session, 1)
    replies = session.scalars(select(Augmentation).where(Augmentation.pool_id == 2)).all()
    assert {(row.iteration, row.band) for row in told} == {
        (number, band) for number in (2, 3) for band in ("difficult", "easy")
    }
    for row in told:
        assert row.selected >= row.generated >= row.accepted > 0
    for number in (2, 3):
        assert sum(row.accepted for row in told if row.iteration == number) == growth[number]
    generated = {reply.source_instruction_id for reply in replies if reply.text is not None}
    assert sum(row.generated for row in told if row.iteration == 2) == len(generated)
    rejected = Counter(reply.reason for reply in replies if reply.status == "rejected")
    assert {row.reason: row.replies for row in reasons if row.iteration == 2} == rejected
    assert set(rejected) == {"too similar", "unreadable"}


def test_an_unknown_run_or_iteration_has_no_rows(session: Session) -> None:
    assert summary.run_summary(session, 99) == []
    assert pools.augmentation_funnel(session, 99) == []
    assert score_cells(session, 99) == []
    assert score_cells(session, 2, 3) == []
    assert order_cells(session, 99) == []
