"""The phase assess, one statement for a whole pool, beside a binary COPY of the rows it makes."""

from __future__ import annotations

from collections.abc import Callable

from common import Row, in_turns, main, scaled, timed
from databases import CONFIG, connected, database, maintain, make_run, server
from sqlalchemy import Engine, text

from comd_platform.db.copy import copy_rows
from comd_platform.db.engine import transaction
from comd_platform.loop.context import Context
from comd_platform.loop.iterations import next_iteration
from comd_platform.loop.phases import assess
from comd_platform.models import role_model

INSTRUCTIONS = 50_000
COLUMNS = (
    "iteration_id",
    "instruction_id",
    "teacher_score",
    "student_score",
    "flags",
    "selection_score",
)
TYPES = ("int8", "int8", "float8", "float8", "text[]", "float8")

# Scores of 1 to 10 from the ids, nothing random; one reply in 50 of the first order is unreadable.
JUDGED = """
INSERT INTO instruction (pool_id, task_type, text, key)
SELECT :pool, 'conversation', 'Question ' || n || '?', encode(sha256(n::text::bytea), 'hex')
FROM generate_series(1, :instructions) AS n;

INSERT INTO answer (instruction_id, model_id, text, finish_reason)
SELECT id, model, 'It is so, and this is how it came about.', 'stop'
FROM instruction CROSS JOIN unnest(ARRAY[CAST(:teacher AS int8), :student]) AS model;

INSERT INTO judgement (teacher_answer_id, student_answer_id, assessor_id, position, attempt, raw,
    teacher_score, student_score, status)
SELECT teacher.id, student.id, :assessor, position, 1, 'Answer 1 tells more than answer 2.',
    CASE WHEN readable THEN 5 + abs(hashint8(teacher.id + shift)) % 6 END,
    CASE WHEN readable THEN 1 + abs(hashint8(student.id + shift)) % 10 END,
    CASE WHEN readable THEN 'read' ELSE 'unreadable' END
FROM answer AS teacher
JOIN answer AS student USING (instruction_id)
CROSS JOIN (VALUES ('teacher_first', 0), ('student_first', 1)) AS orders (position, shift)
CROSS JOIN LATERAL (SELECT shift = 1 OR instruction_id % 50 > 0) AS reply (readable)
WHERE teacher.model_id = :teacher AND student.model_id = :student
"""


def measure(scale: float, rounds: int) -> list[Row]:
    instructions = scaled(INSTRUCTIONS, scale)
    with server() as where, database(where) as url, connected(url) as engine:
        context = _prepare(engine, instructions)

        def settle() -> None:
            with transaction(engine) as session:
                assess.settle(session, context)

        def copy() -> None:
            with transaction(engine) as session:
                copy_rows(session, "assessment", COLUMNS, rows, TYPES)

        settle()
        rows = _assessments(engine)
        if len(rows) != instructions:
            raise AssertionError(f"{len(rows)} assessments of {instructions} instructions")
        contenders = {
            "comd": lambda: _on_empty(engine, settle),
            "raw binary COPY": lambda: _on_empty(engine, copy),
        }
        seconds = in_turns(contenders, rounds)
    return [
        Row(
            what="Assess: scores, flags and difficulty from judgements",
            amount=instructions,
            unit="instructions",
            ours="comd",
            seconds=seconds,
            note=f"{instructions:,} judged instructions. comd joins two answers and two judgements"
            " for each and computes the row; COPY puts the finished rows from memory into the same"
            " table with its indexes and its generated column.",
        )
    ]


def _prepare(engine: Engine, instructions: int) -> Context:
    """An iteration in which everything is judged and nothing assessed."""
    with transaction(engine) as session:
        iteration = next_iteration(session, make_run(session))
        iteration.student_model_id = role_model(session, CONFIG, "student")
        iteration.phase = "assess"
        session.flush()
        parameters = {
            "pool": iteration.pool_id,
            "instructions": instructions,
            "teacher": iteration.teacher_model_id,
            "student": iteration.student_model_id,
            "assessor": iteration.assessor_model_id,
        }
        for statement in JUDGED.split(";"):
            session.execute(text(statement), parameters)
        context = Context.load(session, iteration.id)
    maintain(engine, "VACUUM ANALYZE")
    return context


def _assessments(engine: Engine) -> list[tuple[object, ...]]:
    with transaction(engine) as session:
        found = session.execute(
            text(f"SELECT {', '.join(COLUMNS)} FROM assessment ORDER BY instruction_id")
        )
        return [tuple(row) for row in found]


def _on_empty(engine: Engine, work: Callable[[], None]) -> float:
    maintain(engine, "TRUNCATE assessment")
    return timed(work)


if __name__ == "__main__":
    main(measure)
