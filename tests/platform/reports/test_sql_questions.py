"""Every question of docs/sql.md, asked of a database whose answers can be counted otherwise."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

DOCS = Path(__file__).parents[3] / "docs"
TOOL = runpy.run_path(str(DOCS / "_tools" / "sql_page.py"))
QUESTIONS = TOOL["questions"]()


def ask(session: Session, name: str) -> list[Any]:
    (question,) = [each for each in QUESTIONS if name in each.file.stem]
    return list(session.execute(text(question.statement.replace("'demo-0'", "'paper'"))))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.file.stem)
def test_has_an_answer_and_stands_in_the_page(session: Session, question: Any) -> None:
    assert question.title.endswith("?")
    assert question.explanation
    assert "'demo-0'" in question.statement
    assert ask(session, question.file.stem)
    begin, end = TOOL["section"](question, "ANSWER").split("ANSWER")
    page = (DOCS / "sql.md").read_text(encoding="utf-8")
    assert begin in page, "run: make docs-pages"
    answer = page.split(begin)[1].split(end)[0]
    assert "row" in answer.splitlines()[-1]


def test_descendants_are_those_of_the_function(session: Session) -> None:
    for row in ask(session, "most_descendants"):
        found = session.execute(
            text("SELECT count(*) - 1, max(depth) FROM descendants(:root)"),
            {"root": row.instruction_id},
        ).one()
        assert row.descendants <= found[0]
        assert row.generations <= found[1]


def test_the_chain_ends_at_a_seed(session: Session) -> None:
    chain = ask(session, "chain_to_the_seed")
    assert [row.up for row in chain] == list(range(len(chain)))
    assert chain[-1].born_in == 1
    assert chain[-1].written_from_a is None
    assert all(row.written_from_a for row in chain[:-1])


def test_flips_are_those_that_judge_health_counts(session: Session) -> None:
    flips = session.scalar(text("SELECT sum(flips) FROM judge_health WHERE run = 'paper'"))
    assert len(ask(session, "judge_flips")) == min(8, flips)


def test_wins_ties_and_losses_are_the_summarys(session: Session) -> None:
    found = ask(session, "wins_by_task_type")
    assert all(float(row.wins + row.ties + row.losses) == pytest.approx(1) for row in found)
    summary = session.execute(
        text("SELECT iteration, wins + ties + losses FROM iteration_summary WHERE run = 'paper'")
    )
    for iteration, scored in summary:
        assert sum(row.scored for row in found if row.iteration == iteration) == scored


def test_learned_and_forgotten_add_up_to_the_change(session: Session) -> None:
    by_iteration: dict[int, int] = {}
    for row in ask(session, "learned_and_forgotten"):
        change = row.forgotten - row.learned
        by_iteration[row.iteration] = by_iteration.get(row.iteration, 0) + change
    for iteration, change in by_iteration.items():
        difficult = [
            session.scalar(
                text(
                    "SELECT count(*) FROM difficult_instruction AS d JOIN assessment AS other"
                    " ON other.instruction_id = d.instruction_id AND other.difficulty IS NOT NULL"
                    " AND other.iteration_id = (SELECT iteration_id FROM run_iteration"
                    "  WHERE run = 'paper' AND iteration = :other)"
                    " WHERE d.run = 'paper' AND d.iteration = :iteration"
                ),
                {"iteration": which, "other": other},
            )
            for which, other in ((iteration - 1, iteration), (iteration, iteration - 1))
        ]
        assert difficult[1] - difficult[0] == change
