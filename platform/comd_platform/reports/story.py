"""One instruction with everything that is known of it: its origin, what was said, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from comd_platform.reports.lineages import Relative, family
from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class Facts:
    """The row itself. `picture` is the sha256 of its image; None for none, or one that is missing."""

    instruction_id: int
    key: str
    text: str
    task_type: str
    parent_id: int | None
    pool: str | None
    source_record: str | None
    picture: str | None
    picture_name: str | None
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of the assessor, as it came. `status`: read, clamped or unreadable."""

    iteration: int
    position: str
    attempt: int
    raw: str
    teacher_score: float | None
    student_score: float | None
    status: str


@dataclass(frozen=True, slots=True)
class Written:
    """A reply of the augmentor: the one that wrote this instruction, or one written from it."""

    iteration: int | None
    source_id: int
    child_id: int | None
    band: str
    attempt: int
    raw: str
    text: str | None
    status: str
    reason: str | None
    rouge_l: float | None
    nearest_id: int | None
    nearest: str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """That an iteration's pool grew from it, as which kind, at which difficulty."""

    iteration: int
    band: str
    score: float | None
    threshold: float


@dataclass(frozen=True, slots=True)
class Trained:
    """That an iteration's student was tuned on it: why, and as which turn of which dialogue."""

    iteration: int
    reason: str
    dialogue: str
    turn: int
    image_position: str


@dataclass(frozen=True, slots=True)
class Failed:
    """That it failed a phase of an iteration."""

    iteration: int
    phase: str
    reason: str
    detail: str
    attempts: int
    state: str


@dataclass(frozen=True, slots=True)
class Overlapping:
    """That it overlaps with an item of a benchmark, and what an iteration did about it; questions
    that any two pictures may share (verdict `generic`) are none."""

    iteration: int
    benchmark: str
    kind: str
    verdict: str
    question: str


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision of a person. `undone`: its author took it back."""

    review_id: int
    decision: str
    text: str | None
    note: str | None
    author: str
    created_at: datetime
    undone: bool


@dataclass(frozen=True, slots=True)
class Honoured:
    """That an iteration went by a person's verdict."""

    iteration: int
    verdict: str
    author: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """Who corrected the parent into this instruction."""

    author: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """`family`: ancestors and descendants with their answers and scores, `written_by`: the reply it
    came from, None for an imported or corrected one; `offspring`: what the run had written from it."""

    facts: Facts
    family: tuple[Relative, ...]
    replies: tuple[Reply, ...]
    written_by: Written | None
    corrected_by: Corrected | None
    offspring: tuple[Written, ...]
    chosen: tuple[Chosen, ...]
    trained: tuple[Trained, ...]
    failures: tuple[Failed, ...]
    overlaps: tuple[Overlapping, ...]
    decisions: tuple[Decided, ...]
    honoured: tuple[Honoured, ...]

    @property
    def itself(self) -> Relative:
        """The instruction among its family: its answers and scores through the iterations."""
        return next(one for one in self.family if one.depth == 0)


_FACTS = """
SELECT
    instruction.id AS instruction_id,
    instruction.key,
    instruction.text,
    instruction.task_type,
    instruction.parent_id,
    pool.name AS pool,
    instruction.source_record,
    image.sha256 AS picture,
    coalesce(image.path, image.source) AS picture_name,
    image.width,
    image.height
FROM instruction
JOIN pool ON pool.id = instruction.pool_id
LEFT JOIN image ON image.id = instruction.image_id
WHERE instruction.id = :instruction_id
"""

_REPLIES = """
SELECT
    run_iteration.iteration,
    judgement.position,
    judgement.attempt,
    judgement.raw,
    judgement.teacher_score,
    judgement.student_score,
    judgement.status
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN answer AS teacher ON teacher.instruction_id = :instruction_id
    AND teacher.model_id = iteration.teacher_model_id
JOIN answer AS student ON student.instruction_id = :instruction_id
    AND student.model_id = iteration.student_model_id
JOIN judgement ON judgement.teacher_answer_id = teacher.id
    AND judgement.student_answer_id = student.id
    AND judgement.assessor_id = iteration.assessor_model_id
WHERE run_iteration.run_id = :run_id
ORDER BY 1, judgement.position DESC, judgement.attempt
"""

_WRITTEN = """
SELECT
    (
        SELECT min(run_iteration.iteration) FROM run_iteration
        WHERE run_iteration.run_id = :run_id AND run_iteration.pool_id = augmentation.pool_id
    ) AS iteration,
    augmentation.source_instruction_id AS source_id,
    augmentation.child_id,
    augmentation.band,
    augmentation.attempt,
    augmentation.raw,
    augmentation.text,
    augmentation.status,
    augmentation.reason,
    augmentation.rouge_l,
    augmentation.nearest_id,
    nearest.text AS nearest
FROM augmentation
LEFT JOIN instruction AS nearest ON nearest.id = augmentation.nearest_id
WHERE {condition}
ORDER BY augmentation.id
LIMIT 50
"""

_CORRECTED = """
SELECT review.author, review.note
FROM revision JOIN review ON review.id = revision.review_id
WHERE revision.instruction_id = :instruction_id
"""

_CHOSEN = """
SELECT run_iteration.iteration, selection.band, selection.score, run_iteration.threshold
FROM selection
JOIN run_iteration ON run_iteration.pool_id = selection.pool_id AND run_iteration.run_id = :run_id
WHERE selection.instruction_id = :instruction_id
ORDER BY 1
"""

_TRAINED = """
SELECT
    run_iteration.iteration,
    example.reason,
    example.dialogue,
    example.turn,
    example.image_position
FROM training_example AS example
JOIN training_run ON training_run.id = example.training_run_id
JOIN run_iteration ON run_iteration.iteration_id = training_run.iteration_id
    AND run_iteration.run_id = :run_id
WHERE example.instruction_id = :instruction_id
ORDER BY 1
"""

_FAILURES = """
SELECT run_iteration.iteration, failure.phase, failure.reason, failure.detail, failure.attempts,
    failure.state
FROM failure
JOIN run_iteration ON run_iteration.iteration_id = failure.iteration_id
    AND run_iteration.run_id = :run_id
WHERE failure.instruction_id = :instruction_id
ORDER BY 1, failure.id
"""

_OVERLAPS = """
SELECT iteration, benchmark, kind, verdict, question
FROM contaminated_instruction
WHERE run_id = :run_id AND instruction_id = :instruction_id AND verdict <> 'generic'
ORDER BY 1, 2, 3
"""

_DECISIONS = """
SELECT
    review.id AS review_id,
    review.decision,
    review.text,
    review.note,
    review.author,
    review.created_at,
    EXISTS (
        SELECT FROM review AS undo
        WHERE undo.undoes_id = review.id AND undo.author = review.author
    ) AS undone
FROM review
WHERE review.instruction_id = :instruction_id AND review.decision <> 'undo'
ORDER BY review.id
"""

_HONOURED = """
SELECT run_iteration.iteration, review.decision AS verdict, review.author
FROM honoured_review
JOIN review ON review.id = honoured_review.review_id
JOIN run_iteration ON run_iteration.iteration_id = honoured_review.iteration_id
    AND run_iteration.run_id = :run_id
WHERE honoured_review.instruction_id = :instruction_id
ORDER BY 1
"""


def story(session: Session, instruction_id: int, run_id: int) -> Story:
    """Everything that one run knows of an instruction. Raises UnknownInstruction."""
    kin = family(session, instruction_id, run_id=run_id)
    given = {"instruction_id": instruction_id, "run_id": run_id}
    by = rows(
        session,
        Written,
        _WRITTEN.format(condition="augmentation.child_id = :instruction_id"),
        **given,
    )
    corrected = rows(session, Corrected, _CORRECTED, instruction_id=instruction_id)
    of = (
        "augmentation.source_instruction_id = :instruction_id AND augmentation.pool_id IN"
        " (SELECT pool_id FROM run_iteration WHERE run_id = :run_id)"
    )
    return Story(
        facts=rows(session, Facts, _FACTS, instruction_id=instruction_id)[0],
        family=tuple(kin),
        replies=tuple(rows(session, Reply, _REPLIES, **given)),
        written_by=by[0] if by else None,
        corrected_by=corrected[0] if corrected else None,
        offspring=tuple(rows(session, Written, _WRITTEN.format(condition=of), **given)),
        chosen=tuple(rows(session, Chosen, _CHOSEN, **given)),
        trained=tuple(rows(session, Trained, _TRAINED, **given)),
        failures=tuple(rows(session, Failed, _FAILURES, **given)),
        overlaps=tuple(rows(session, Overlapping, _OVERLAPS, **given)),
        decisions=tuple(rows(session, Decided, _DECISIONS, instruction_id=instruction_id)),
        honoured=tuple(rows(session, Honoured, _HONOURED, **given)),
    )
