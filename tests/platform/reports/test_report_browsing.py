"""Browsing, stories and queues against the rows themselves, counted in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.reports.browsing import (
    ORDERS,
    STATUSES,
    BrowseRow,
    Filters,
    Order,
    UnknownFilter,
    browse,
    matching,
    task_types,
)
from comd_platform.reports.lineages import UnknownInstruction
from comd_platform.reports.reasons import reasons
from comd_platform.reports.reviews import SLICES, UnknownSlice, review_queue
from comd_platform.reports.story import story

PAPER = 1


def everything(session: Session, filters: Filters, order: Order = "oldest") -> list[BrowseRow]:
    """All pages, one after the other."""
    found: list[BrowseRow] = []
    after = None
    while True:
        page = browse(session, PAPER, filters, order=order, after=after, limit=7)
        found += page.rows
        after = page.after
        if after is None:
            return found


def cache_pool(session: Session, iteration: int) -> list[Any]:
    return list(
        session.execute(
            text(
                "SELECT i.*, a.teacher_score, a.student_score, a.difficulty,"
                " coalesce(a.flags, '{}') AS flags, p.iteration AS born"
                " FROM instruction i JOIN run_iteration p ON p.pool_id = i.pool_id AND p.run_id = 1"
                " LEFT JOIN assessment a ON a.instruction_id = i.id AND a.iteration_id = :iteration"
                " WHERE p.iteration <= :iteration ORDER BY i.id"
            ),
            {"iteration": iteration},
        )
    )


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        (Filters(3), lambda row: True),
        (Filters(1), lambda row: True),
        (Filters(3, task_type="look"), lambda row: row.task_type == "look"),
        (Filters(3, band="difficult"), lambda row: (row.difficulty or 0) >= 0.33),
        (Filters(3, band="easy"), lambda row: row.difficulty is not None and row.difficulty < 0.33),
        (Filters(3, band="unscored"), lambda row: row.difficulty is None),
        (Filters(3, status="unscored"), lambda row: row.difficulty is None),
        (Filters(3, status="flip"), lambda row: "flip" in row.flags),
        (Filters(3, teacher=(8, 9)), lambda row: 8 <= (row.teacher_score or 0) <= 9),
        (
            Filters(3, teacher=(8, 9), student=(1, 3)),
            lambda row: 8 <= (row.teacher_score or 0) <= 9 and 1 <= (row.student_score or 0) <= 3,
        ),
        (Filters(3, words="*ABOUT*"), lambda row: "*about*" in row.text),
        (Filters(3, words="_"), lambda row: "_" in row.text),
        (Filters(3, words="%"), lambda row: "%" in row.text),
        (Filters(3, born_in=2), lambda row: row.born == 2),
        # What a later iteration brought is not in this one's cache pool.
        (Filters(2, born_in=3), lambda row: False),
    ],
    ids=lambda value: str(value) if isinstance(value, Filters) else "",
)
def test_pages_hold_what_the_rows_say(
    session: Session, filters: Filters, holds: Callable[[Any], bool]
) -> None:
    wanted = [row.id for row in cache_pool(session, filters.iteration) if holds(row)]
    assert [row.instruction_id for row in everything(session, filters)] == wanted
    assert matching(session, PAPER, filters) == len(wanted)


@pytest.mark.parametrize("words", ["l'ÉTÉ", "l'été", "in it, L'été"])
def test_words_are_found_in_either_case_beyond_ascii_too(session: Session, words: str) -> None:
    session.execute(text("UPDATE instruction SET text = 'What is in it, l''Été?' WHERE id = 1"))
    [row] = everything(session, Filters(3, words=words))
    assert row.instruction_id == 1


@pytest.mark.parametrize("order", ORDERS)
def test_orders_leave_nothing_out_and_repeat_nothing(session: Session, order: Order) -> None:
    found = everything(session, Filters(3), order)
    pool = cache_pool(session, 3)
    if order == "difficult":
        pool = [row for row in pool if row.difficulty is not None]
    if order == "behind":
        pool = [row for row in pool if (row.student_score or 0) < (row.teacher_score or 0)]
    assert sorted(row.instruction_id for row in found) == [row.id for row in pool]
    places = [(row.place, row.instruction_id) for row in found]
    assert places == sorted(places, reverse=order != "oldest")


def test_people_s_decisions_can_be_browsed(session: Session) -> None:
    session.execute(
        text(
            "INSERT INTO review (instruction_id, decision, text, author) VALUES"
            " (1, 'reject', NULL, 'ada'), (2, 'edit', 'x', 'ada'), (3, 'accept', NULL, 'ada'),"
            " (4, 'flag', NULL, 'ada')"
        )
    )
    for status, wanted in (("rejected", 1), ("edited", 2), ("accepted", 3), ("flagged", 4)):
        [row] = everything(session, Filters(3, status=status))
        assert row.instruction_id == wanted
    assert {everything(session, Filters(3, status=each)) is not None for each in STATUSES} == {True}
    queue = review_queue(session, PAPER, 3, "flagged", author="ada")
    assert [(each.instruction_id, each.decided) for each in queue] == [(4, "flag")]
    told = story(session, 1, PAPER)
    assert [(each.decision, each.author) for each in told.decisions] == [("reject", "ada")]


def test_what_is_no_filter_is_told(session: Session) -> None:
    with pytest.raises(UnknownFilter, match="no iteration 9"):
        browse(session, PAPER, Filters(9))
    with pytest.raises(UnknownFilter, match="no band"):
        browse(session, PAPER, Filters(3, band="hard"))
    with pytest.raises(UnknownFilter, match="no status"):
        browse(session, PAPER, Filters(3, status="nice"))
    with pytest.raises(UnknownSlice, match="no slice"):
        review_queue(session, PAPER, 3, "nice", author="ada")  # type: ignore[arg-type]
    assert task_types(session, PAPER) == ["knowledge", "look"]


def test_a_story_tells_what_the_rows_tell(session: Session) -> None:
    child = session.execute(
        text(
            "SELECT child_id, source_instruction_id, augmentation.band FROM augmentation"
            " JOIN run_iteration USING (pool_id) WHERE run_id = 1 AND iteration = 2"
            " AND child_id IN (SELECT instruction_id FROM selection WHERE pool_id = 3)"
            " ORDER BY child_id LIMIT 1"
        )
    ).one()
    told = story(session, child.child_id, PAPER)
    assert told.itself.instruction_id == child.child_id
    assert told.written_by is not None
    assert told.written_by.source_id == child.source_instruction_id
    assert [one.depth for one in told.family][:2] == [-1, 0]
    assert {reply.position for reply in told.replies} == {"teacher_first", "student_first"}
    assert {reply.iteration for reply in told.replies} == {2, 3}
    assert [row.iteration for row in told.trained] == [2]
    assert [row.iteration for row in told.chosen] == [3]
    assert {reply.iteration for reply in told.offspring} == {3}
    said = reasons(told)
    kind = "a difficult one" if child.band == "difficult" else "an easy one"
    assert said[0].startswith(
        f"Written by the augmentor in iteration 2 after instruction {child.source_instruction_id}, "
        f"which was {kind}"
    )
    assert any(line.startswith("Iteration 2: the student was tuned on it") for line in said)
    assert any(line.startswith("Iteration 3: the pool grew from it") for line in said)
    assert reasons(story(session, 1, PAPER))[0] == "Imported with the pool seed, record record-1."
    with pytest.raises(UnknownInstruction):
        story(session, 10**9, PAPER)


@pytest.mark.parametrize("which", SLICES)
def test_a_queue_keeps_its_order_whoever_asks(session: Session, which: Any) -> None:
    iteration = 1 if which == "quarantined" else 3
    mine = review_queue(session, PAPER, iteration, which, author="ada")
    others = review_queue(session, PAPER, iteration, which, author="bob")
    assert [each.instruction_id for each in mine] == [each.instruction_id for each in others]
    assert len({each.instruction_id for each in mine}) == len(mine)
    assert all(each.why for each in mine)
    assert bool(mine) == (which != "flagged")
    assert review_queue(session, PAPER, iteration, which, author="ada", most=2) == mine[:2]
