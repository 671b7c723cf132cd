"""Pairs that the assessor made one thing or another of, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """One instruction with the scores of both orders; None where an order could not be read.

    `teacher_1`, `student_1`: with the teacher's answer first; `*_2`: with the student's.
    """

    instruction_id: int
    text: str
    task_type: str
    flags: list[str]
    teacher_1: float | None
    student_1: float | None
    teacher_2: float | None
    student_2: float | None


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """One reply of the assessor, as it wrote it. `position`: whose answer stood first."""

    position: str
    attempt: int
    status: str
    teacher_score: float | None
    student_score: float | None
    raw: str


# kind -> what an assessment must be like. The second of each: a condition on both orders.
KINDS: Final[dict[str, tuple[str, str]]] = {
    "orders disagree": ("flags @> '{flip}'", "true"),
    "first one preferred": ("flags @> '{flip}'", "judged.teacher_1 > judged.student_1"),
    "second one preferred": ("flags @> '{flip}'", "judged.teacher_1 < judged.student_1"),
    "one order only": ("flags @> '{one_order}'", "true"),
    "unreadable": ("flags @> '{unreadable}'", "true"),
    "clamped": ("flags @> '{clamped}'", "true"),
    "both at the top": ("teacher_score >= 9 AND student_score >= 9", "true"),
}
"""The cases that can be asked for."""

LONGEST = 20_000

# Walks the iteration's assessments in the order of their key and stops when the page is full.
_PAIRS = """
SELECT
    assessment.instruction_id,
    instruction.text,
    instruction.task_type,
    assessment.flags,
    judged.teacher_1,
    judged.student_1,
    judged.teacher_2,
    judged.student_2
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN assessment ON assessment.iteration_id = iteration.id
JOIN instruction ON instruction.id = assessment.instruction_id
JOIN answer AS teacher ON teacher.instruction_id = assessment.instruction_id
    AND teacher.model_id = iteration.teacher_model_id
JOIN answer AS student ON student.instruction_id = assessment.instruction_id
    AND student.model_id = iteration.student_model_id
CROSS JOIN LATERAL (
    SELECT
        max(teacher_score) FILTER (WHERE position = 'teacher_first') AS teacher_1,
        max(student_score) FILTER (WHERE position = 'teacher_first') AS student_1,
        max(teacher_score) FILTER (WHERE position = 'student_first') AS teacher_2,
        max(student_score) FILTER (WHERE position = 'student_first') AS student_2
    FROM judgement
    WHERE judgement.student_answer_id = student.id
        AND judgement.assessor_id = iteration.assessor_model_id
        AND judgement.teacher_answer_id = teacher.id
) AS judged
WHERE run_iteration.run_id = :run_id
    AND run_iteration.iteration = :iteration
    AND assessment.instruction_id > :after
    AND assessment.{assessed}
    AND {judged}
ORDER BY assessment.instruction_id
LIMIT :limit
"""

_REPLIES = """
SELECT
    judgement.position,
    judgement.attempt,
    judgement.status,
    judgement.teacher_score,
    judgement.student_score,
    left(judgement.raw, :longest) AS raw
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN answer AS teacher ON teacher.instruction_id = :instruction_id
    AND teacher.model_id = iteration.teacher_model_id
JOIN answer AS student ON student.instruction_id = :instruction_id
    AND student.model_id = iteration.student_model_id
JOIN judgement ON judgement.student_answer_id = student.id
    AND judgement.assessor_id = iteration.assessor_model_id
    AND judgement.teacher_answer_id = teacher.id
WHERE run_iteration.run_id = :run_id AND run_iteration.iteration = :iteration
ORDER BY judgement.position DESC, judgement.attempt
"""


def judged_pairs(
    session: Session, run_id: int, iteration: int, kind: str, *, after: int = 0, limit: int = 20
) -> list[JudgedPair]:
    """Pairs of one of KINDS, by instruction id, from the one behind `after` on.

    Raises KeyError for another kind.
    """
    assessed, judged = KINDS[kind]
    return rows(
        session,
        JudgedPair,
        _PAIRS.format(assessed=assessed.replace(" AND ", " AND assessment."), judged=judged),
        run_id=run_id,
        iteration=iteration,
        after=after,
        limit=limit,
    )


def judge_replies(
    session: Session, run_id: int, iteration: int, instruction_id: int
) -> list[JudgeReply]:
    """Every reply about one instruction in one iteration, the teacher first and then the student."""
    return rows(
        session,
        JudgeReply,
        _REPLIES,
        run_id=run_id,
        iteration=iteration,
        instruction_id=instruction_id,
        longest=LONGEST,
    )
