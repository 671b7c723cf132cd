"""Decisions as rows: what is refused, and what stands after them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from toy_world import import_toy_world

from comd_platform.db.engine import transaction
from comd_platform.review import Decision, ReviewError, last_of, record
from comd_platform.review.deciding import LONGEST_TEXT
from comd_platform.settings import Settings


@pytest.fixture
def world(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=2)
    return engine


def decide(engine: Engine, *decisions: Decision) -> None:
    for decision in decisions:
        with transaction(engine) as session:
            record(session, decision)


def undo(engine: Engine, author: str, instruction_id: int) -> None:
    with transaction(engine) as session:
        last = last_of(session, author, instruction_id)
        assert last is not None
        record(session, Decision(instruction_id, "undo", author, undoes_id=last.id))


def standing(engine: Engine) -> dict[int, tuple[str | None, str | None, bool]]:
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT instruction_id, verdict, author, flagged FROM reviewed_instruction")
        )
        return {row.instruction_id: (row.verdict, row.author, row.flagged) for row in found}


def test_the_last_verdict_stands_and_an_undo_brings_the_one_before_back(world: Engine) -> None:
    decide(world, Decision(1, "reject", "ada"), Decision(1, "accept", "bob"))
    assert standing(world) == {1: ("accept", "bob", False)}
    undo(world, "bob", 1)
    assert standing(world) == {1: ("reject", "ada", False)}
    undo(world, "ada", 1)
    assert standing(world) == {}


def test_a_flag_changes_no_verdict_and_a_later_verdict_answers_it(world: Engine) -> None:
    decide(world, Decision(1, "reject", "ada"), Decision(1, "flag", "bob", note="why?"))
    decide(world, Decision(2, "flag", "bob"))
    assert standing(world) == {1: ("reject", "ada", True), 2: (None, None, True)}
    decide(world, Decision(1, "reject", "ada"))
    assert standing(world)[1] == ("reject", "ada", False)


def test_two_at_once_write_beside_each_other_and_undo_only_their_own(world: Engine) -> None:
    with transaction(world) as first, transaction(world) as second:
        record(first, Decision(1, "accept", "ada"))
        record(second, Decision(1, "reject", "bob"))
    undo(world, "ada", 1)
    assert standing(world) == {1: ("reject", "bob", False)}
    with transaction(world) as session:
        assert last_of(session, "ada") is None
        bobs = last_of(session, "bob")
    assert bobs is not None
    # Somebody else's undo is a row that changes nothing.
    decide(world, Decision(1, "undo", "ada", undoes_id=bobs.id))
    assert standing(world) == {1: ("reject", "bob", False)}


def test_nothing_is_undone_twice(world: Engine) -> None:
    decide(world, Decision(1, "accept", "ada"))
    with transaction(world) as session:
        last = last_of(session, "ada")
    assert last is not None
    again = Decision(1, "undo", "ada", undoes_id=last.id)
    decide(world, again)
    with pytest.raises(ReviewError, match="undone already"):
        decide(world, again)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"decision": "delete"}, "no decision"),
        ({"decision": "accept", "author": " "}, "name of who decides"),
        ({"decision": "edit"}, "corrected text"),
        ({"decision": "edit", "text": " \n"}, "corrected text"),
        ({"decision": "reject", "text": "x"}, "corrected text"),
        ({"decision": "undo"}, "names what it takes back"),
        ({"decision": "flag", "note": "x" * (LONGEST_TEXT + 1)}, "longer than"),
        ({"decision": "edit", "text": "a\0b"}, "NUL"),
    ],
)
def test_a_decision_that_contradicts_itself_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(ReviewError, match=told):
        Decision(**({"instruction_id": 7, "author": "ada"} | given))  # type: ignore[arg-type]


def test_an_unknown_instruction_is_named(world: Engine) -> None:
    with pytest.raises(ReviewError, match="no instruction has the id 999"):
        decide(world, Decision(999, "accept", "ada"))
