"""The assessor and the flags against the truth, which tinyworld knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.method.selection.uncertainty import doubt
from comd_tinyworld.data import seed_set
from comd_tinyworld.questions import is_right, read_question
from comd_tinyworld.roles import score
from comd_tinyworld.scenes import Scene

_PAIRS = text(
    """
    SELECT
        image.source,
        instruction.text AS question,
        teacher.text AS teacher,
        student.text AS student,
        student.mean_logprob,
        pair.teacher_score_1, pair.student_score_1, pair.teacher_score_2, pair.student_score_2,
        assessment.difficulty
    FROM iteration
    JOIN pool_closure ON pool_closure.pool_id = iteration.pool_id
    JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
    JOIN image ON image.id = instruction.image_id
    JOIN answer AS teacher ON teacher.instruction_id = instruction.id
        AND teacher.model_id = iteration.teacher_model_id
    JOIN answer AS student ON student.instruction_id = instruction.id
        AND student.model_id = iteration.student_model_id
    LEFT JOIN judged_pair AS pair ON pair.teacher_answer_id = teacher.id
        AND pair.student_answer_id = student.id
        AND pair.student_model_id = iteration.student_model_id
        AND pair.assessor_id = iteration.assessor_model_id
    LEFT JOIN assessment ON assessment.iteration_id = iteration.id
        AND assessment.instruction_id = instruction.id
    WHERE iteration.id = :iteration_id
    """
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One instruction with what was said, what the assessor made of it, and what is true."""

    student_right: bool
    teacher_right: bool
    judged: tuple[tuple[float, int], ...]  # (score given, score deserved) of every answer judged
    first_minus_second: tuple[float, ...]  # of every order: first answer's score minus second's
    flipped: bool
    difficulty: float | None
    doubt: float | None


def against_truth(
    session: Session, iteration_id: int, threshold: float, by_doubt: bool
) -> dict[str, Any]:
    """Counts and shares of one iteration, rounded; flags by the student's doubt in place of eq. 6 if
    asked."""
    rows = session.execute(_PAIRS, {"iteration_id": iteration_id}).all()
    seen = [each for each in map(_see, rows) if each is not None]
    judged = [pair for each in seen for pair in each.judged]
    leads = [lead for each in seen for lead in each.first_minus_second]
    scores = [each.doubt if by_doubt else each.difficulty for each in seen]
    known = [(s, not e.student_right) for s, e in zip(scores, seen, strict=True) if s is not None]
    return {
        "instructions": len(rows),
        "readable_questions": len(seen),
        "teacher_right": _share(each.teacher_right for each in seen),
        "student_right": _share(each.student_right for each in seen),
        "judged": len(judged),
        "judge_exact": _share(given == deserved for given, deserved in judged),
        "judge_verdict": _share((given >= 7) == (deserved >= 7) for given, deserved in judged),
        "flips": _share(each.flipped for each in seen if each.judged),
        "first_lead": round(sum(leads) / len(leads), 4) if leads else None,
        **flagging([s for s, _ in known], [w for _, w in known], threshold),
    }


def flagging(scores: Sequence[float], wrong: Sequence[bool], threshold: float) -> dict[str, Any]:
    """Precision, recall and AUC of "score >= threshold" for "the student got it wrong".

    AUC: how often a wrong one scores above a right one, ties counted half. None where undefined.
    """
    flagged = [score >= threshold for score in scores]
    hits = sum(flag and is_wrong for flag, is_wrong in zip(flagged, wrong, strict=True))
    return {
        "flagged": sum(flagged),
        "wrong": sum(wrong),
        "precision": round(hits / sum(flagged), 4) if any(flagged) else None,
        "recall": round(hits / sum(wrong), 4) if any(wrong) else None,
        "auc": _auc(scores, wrong),
    }


def _auc(scores: Sequence[float], wrong: Sequence[bool]) -> float | None:
    from scipy.stats import rankdata

    positives = sum(wrong)
    negatives = len(wrong) - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(scores)
    total = sum(float(rank) for rank, is_wrong in zip(ranks, wrong, strict=True) if is_wrong)
    return round((total - positives * (positives + 1) / 2) / (positives * negatives), 4)


def _see(row: Any) -> Seen | None:
    """None where the question is none of this world's: nobody can be right about it."""
    scene, question = _scenes()[row.source], read_question(row.question)
    if question is None:
        return None
    judged: list[tuple[float, int]] = []
    leads: list[float] = []
    orders = (
        (row.teacher_score_1, row.student_score_1),
        (row.student_score_2, row.teacher_score_2),
    )
    said = ((row.teacher, row.student), (row.student, row.teacher))
    for scores, answers in zip(orders, said, strict=True):
        if scores[0] is None:
            continue
        leads.append(scores[0] - scores[1])
        for given, answer in zip(scores, answers, strict=True):
            judged.append((given, score(scene, question.type, answer)))
    return Seen(
        student_right=is_right(scene, question.type, row.student),
        teacher_right=is_right(scene, question.type, row.teacher),
        judged=tuple(judged),
        first_minus_second=tuple(leads),
        # In the first order the teacher stands first, in the second the student.
        flipped=len(leads) == 2 and leads[0] * -leads[1] < 0,
        difficulty=row.difficulty,
        doubt=None if row.mean_logprob is None else doubt(row.mean_logprob),
    )


@cache
def _scenes() -> dict[str, Scene]:
    """The seed set's pictures by file name."""
    return {asked.image: asked.scene for asked in seed_set()}


def _share(values: Iterable[bool]) -> float | None:
    found = list(values)
    return round(sum(found) / len(found), 4) if found else None
