"""What the assessor said, and what it amounts to (section 3.3.2, eq. 5 and 6)."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Computed, Double, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from comd_platform.tables.base import Base, CreatedAt, Id, one_of
from comd_platform.tables.spending import Spent, spent_checks

_DIFFICULTY = "(abs(student_score - teacher_score) + 1) / greatest(student_score, teacher_score)"


class Judgement(Spent, Base):
    """One reply of the assessor; the raw text is always kept.

    The scores lie in [1, 10]; `clamped` says that the judge wrote a number outside. Each order has at
    most one readable reply: asking stops there.
    """

    __tablename__ = "judgement"
    __table_args__ = (
        UniqueConstraint(
            "teacher_answer_id", "student_answer_id", "assessor_id", "position", "attempt"
        ),
        one_of("position", "teacher_first", "student_first"),
        one_of("status", "read", "clamped", "unreadable"),
        CheckConstraint("attempt >= 1", name="attempt_positive"),
        CheckConstraint(
            "teacher_score BETWEEN 1 AND 10 AND student_score BETWEEN 1 AND 10",
            name="scores_in_range",
        ),
        CheckConstraint(
            "(status = 'unreadable') = (teacher_score IS NULL)"
            " AND (teacher_score IS NULL) = (student_score IS NULL)",
            name="unreadable_has_no_scores",
        ),
        Index("ix_judgement_student_answer_id_assessor_id", "student_answer_id", "assessor_id"),
        Index(
            "uq_judgement_readable",
            "teacher_answer_id",
            "student_answer_id",
            "assessor_id",
            "position",
            unique=True,
            postgresql_where=text("status <> 'unreadable'"),
        ),
        *spent_checks(),
    )

    id: Mapped[Id]
    teacher_answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"))
    student_answer_id: Mapped[int] = mapped_column(ForeignKey("answer.id"))
    assessor_id: Mapped[int] = mapped_column(ForeignKey("model.id"), index=True)
    position: Mapped[str]
    attempt: Mapped[int]
    raw: Mapped[str]
    teacher_score: Mapped[float | None] = mapped_column(Double)
    student_score: Mapped[float | None] = mapped_column(Double)
    status: Mapped[str]
    created_at: Mapped[CreatedAt]


class Assessment(Base):
    """One instruction of the cache pool in one iteration. Unscored: no scores, and a flag why."""

    __tablename__ = "assessment"
    __table_args__ = (
        CheckConstraint(
            "teacher_score BETWEEN 1 AND 10 AND student_score BETWEEN 1 AND 10",
            name="scores_in_range",
        ),
        CheckConstraint(
            "(teacher_score IS NULL) = (student_score IS NULL)", name="both_scores_or_none"
        ),
        CheckConstraint("difficulty > 0 AND difficulty <= 1", name="difficulty_in_range"),
        Index("ix_assessment_iteration_id_difficulty", "iteration_id", "difficulty"),
        Index("ix_assessment_instruction_id", "instruction_id"),
        Index(
            "ix_assessment_behind",
            "iteration_id",
            text("(teacher_score - student_score)"),
            "instruction_id",
            postgresql_where=text("student_score < teacher_score"),
        ),
    )

    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    instruction_id: Mapped[int] = mapped_column(ForeignKey("instruction.id"), primary_key=True)
    teacher_score: Mapped[float | None] = mapped_column(Double)
    student_score: Mapped[float | None] = mapped_column(Double)
    flags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    difficulty: Mapped[float | None] = mapped_column(Double, Computed(_DIFFICULTY, persisted=True))
    selection_score: Mapped[float | None] = mapped_column(Double)


class AssessmentCell(Base):
    """Instructions that a closed assess phase scored alike: what reports read in place of the rows.

    Written in the transaction that closes the phase (`count_cells`); `number` counts an iteration's
    cells from 1. An iteration without cells is counted from its rows (`assessment_cells`).
    """

    __tablename__ = "assessment_cell"
    __table_args__ = (CheckConstraint("instructions > 0", name="not_empty"),)

    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    task_type: Mapped[str]
    teacher_score: Mapped[float | None] = mapped_column(Double)
    student_score: Mapped[float | None] = mapped_column(Double)
    difficulty: Mapped[float | None] = mapped_column(Double, Computed(_DIFFICULTY, persisted=True))
    flags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    instructions: Mapped[int]


class JudgementCell(Base):
    """Pairs of answers that the assessor judged alike, by the scores of both orders (null where one
    could not be read); `replies` and `unreadable` count attempts over all its pairs.

    Written together with the iteration's AssessmentCells, and read in the same way.
    """

    __tablename__ = "judgement_cell"
    __table_args__ = (CheckConstraint("pairs > 0", name="not_empty"),)

    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    teacher_score_1: Mapped[float | None] = mapped_column(Double)
    student_score_1: Mapped[float | None] = mapped_column(Double)
    teacher_score_2: Mapped[float | None] = mapped_column(Double)
    student_score_2: Mapped[float | None] = mapped_column(Double)
    clamped: Mapped[bool]
    pairs: Mapped[int]
    replies: Mapped[int]
    unreadable: Mapped[int]


class IterationCount(Base):
    """What a closed iteration's pool, sources, replies and training came to, by `label`.

    `what`: cached; born (label: task type); source, readable source, accepted source (band); a
    reply's status, rejected with its reason; example, dialogue (of the training). Written together
    with the iteration's cells, and read in the same way (`iteration_counts`).
    """

    __tablename__ = "iteration_count"

    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]
    label: Mapped[str | None]
    n: Mapped[int]
