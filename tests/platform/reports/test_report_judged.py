"""Pages of judged pairs and of rejected replies: every case once, and what each says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.reports.judge import judge_rows
from comd_platform.reports.judged import KINDS, judge_replies, judged_pairs
from comd_platform.reports.orders import order_cells
from comd_platform.reports.pools import augmentation_funnel, rejected_replies, rejections
from comd_platform.tables import Assessment, Augmentation, TrainingExample


def _walk(page: Callable[[Any], list[Any]], place: Callable[[Any], Any], start: Any) -> list[Any]:
    """Every row, page by page."""
    found: list[Any] = []
    after = start
    while rows := page(after):
        found += rows
        after = place(rows[-1])
    return found


def _pairs(session: Session, kind: str) -> list[Any]:
    return _walk(
        lambda after: judged_pairs(session, 1, 2, kind, after=after, limit=5),
        lambda row: row.instruction_id,
        0,
    )


def test_the_pages_hold_as_many_as_the_row_counts(session: Session) -> None:
    row = judge_rows(order_cells(session, 1))[1]
    counts = {kind: len(_pairs(session, kind)) for kind in KINDS}
    assert counts["orders disagree"] == row.flips > 0
    assert counts["first one preferred"] == row.first_preferred
    assert counts["second one preferred"] == row.second_preferred
    assert counts["one order only"] == row.one_order > 0
    assert counts["unreadable"] == row.unscored > 0
    assert counts["clamped"] == row.clamped > 0
    top = select(Assessment).where(
        Assessment.iteration_id == 2, Assessment.teacher_score >= 9, Assessment.student_score >= 9
    )
    assert counts["both at the top"] == len(session.scalars(top).all())


def test_a_pair_says_what_its_replies_say(session: Session) -> None:
    for pair in _pairs(session, "orders disagree"):
        replies = judge_replies(session, 1, 2, pair.instruction_id)
        read = {reply.position: reply for reply in replies if reply.status != "unreadable"}
        first, second = read["teacher_first"], read["student_first"]
        assert (first.teacher_score, first.student_score) == (pair.teacher_1, pair.student_1)
        assert (second.teacher_score, second.student_score) == (pair.teacher_2, pair.student_2)
        assert (pair.teacher_1 - pair.student_1) * (pair.teacher_2 - pair.student_2) < 0
        assert replies[0].position == "teacher_first"
        assert first.raw.split() == [f"{pair.teacher_1:g}", f"{pair.student_1:g}"]


def test_another_kind_is_no_kind(session: Session) -> None:
    with pytest.raises(KeyError):
        judged_pairs(session, 1, 2, "whatever")


def test_every_rejected_reply_is_on_a_page_of_its_reason(session: Session) -> None:
    reasons = [row for row in rejections(session, 1) if row.iteration == 2]
    assert len(reasons) == 2
    total = len(session.scalars(select(Augmentation).where(Augmentation.pool_id == 2)).all())
    for row in reasons:
        assert row.share == pytest.approx(row.replies / total)
        found = {
            (reply.source_id, reply.attempt): reply
            for reply in _walk(
                lambda after, row=row: rejected_replies(
                    session, 1, 2, row.reason, after=after, limit=3
                ),
                lambda reply: (reply.source_id, reply.attempt),
                (0, 0),
            )
        }
        kept = session.scalars(
            select(Augmentation).where(Augmentation.pool_id == 2, Augmentation.reason == row.reason)
        ).all()
        assert found.keys() == {(each.source_instruction_id, each.attempt) for each in kept}
        assert len(found) == row.replies
        for reply in found.values():
            assert (reply.nearest is None) == (reply.rouge_l is None)


def test_the_funnel_ends_in_what_the_student_was_tuned_on(session: Session) -> None:
    told = [row for row in augmentation_funnel(session, 1) if row.iteration == 2]
    assert all(r.selected >= r.replied >= r.generated >= r.accepted >= r.trained for r in told)
    trained = session.scalars(select(TrainingExample).where(TrainingExample.training_run_id == 2))
    examples = trained.all()
    assert sum(row.trained for row in told) == len(examples) > 0
    session.delete(examples[0])
    session.flush()
    again = [row for row in augmentation_funnel(session, 1) if row.iteration == 2]
    assert sum(row.trained for row in again) == len(examples) - 1
