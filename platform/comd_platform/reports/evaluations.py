"""Held-out scores of a run's students, beside the teacher and the untuned student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows

Who = Literal["student", "fine-tuned student", "untuned student", "teacher"]


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One model on one benchmark. `score` is the mean over its items, 0 to 1; of a judged benchmark the
    ratio to the reference's mean, which may exceed 1.

    `standard_error` is the sample's, None for a single item. `iteration` is None for the teacher and
    the untuned student.
    """

    benchmark: str
    who: Who
    iteration: int | None
    shared: bool
    items: int
    score: float
    standard_error: float | None

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval: 1.96 standard errors; 0 where there is none."""
        return 1.96 * (self.standard_error or 0.0)


@dataclass(frozen=True, slots=True)
class GroupScoreRow:
    """The same over the items whose label has the value `value` ('' for items without the label)."""

    benchmark: str
    who: Who
    iteration: int | None
    value: str
    items: int
    score: float
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class ItemScoreRow:
    """One model on one item. `unreadable`: no option could be read in its reply."""

    who: Who
    iteration: int | None
    key: str
    groups: dict[str, str]
    score: float
    reference: float
    unreadable: bool


# A checkpoint may be shared by iterations that train alike, and evaluated under another prompt or
# sampling than it answers with; so an iteration's evaluations are those of its checkpoint. Teacher
# and untuned student are found by what the run's config names; of several, the newest counts.
CHOSEN = """
WITH tuned AS (
    SELECT run_iteration.iteration, run_iteration.iteration_id, run_iteration.shared,
        model.checkpoint_id
    FROM run_iteration
    JOIN iteration ON iteration.id = run_iteration.iteration_id
    LEFT JOIN model ON model.id = iteration.student_model_id
    WHERE run_iteration.run_id = :run_id
), named AS (
    SELECT role.who, run.config -> role.section -> 'model' AS config
    FROM run
    CROSS JOIN (VALUES ('teacher', 'teacher'), ('untuned student', 'student')) AS role (who, section)
    WHERE run.id = :run_id
), candidate AS (
    SELECT evaluation.id, evaluation.benchmark_id,
        CASE evaluation.subject WHEN 'student' THEN 'student' ELSE 'fine-tuned student' END AS who,
        tuned.iteration, tuned.shared
    FROM tuned
    JOIN evaluation ON evaluation.iteration_id = tuned.iteration_id
    WHERE evaluation.finished_at IS NOT NULL AND evaluation.subject IN ('student', 'fine_tuned')
    UNION
    SELECT evaluation.id, evaluation.benchmark_id, 'student', tuned.iteration, tuned.shared
    FROM tuned
    JOIN model ON model.checkpoint_id = tuned.checkpoint_id
    JOIN evaluation ON evaluation.model_id = model.id
    WHERE evaluation.finished_at IS NOT NULL
    UNION
    SELECT evaluation.id, evaluation.benchmark_id, named.who, NULL, false
    FROM named
    JOIN model ON model.checkpoint_id IS NULL
        AND model.engine = named.config ->> 'engine'
        AND coalesce(model.identity ->> 'model', model.uri) = named.config ->> 'model'
        AND (model.identity ->> 'revision') IS NOT DISTINCT FROM (named.config ->> 'revision')
    JOIN evaluation ON evaluation.model_id = model.id
    WHERE evaluation.finished_at IS NOT NULL AND evaluation.iteration_id IS NULL
        AND evaluation.subject = CASE named.who WHEN 'teacher' THEN 'teacher' ELSE 'student' END
), chosen AS (
    SELECT DISTINCT ON (benchmark_id, who, iteration) *
    FROM candidate
    ORDER BY benchmark_id, who, iteration, id DESC
)
"""

_SCORES = (
    CHOSEN
    + """
SELECT
    summary.benchmark,
    chosen.who,
    chosen.iteration,
    chosen.shared,
    summary.items,
    summary.score,
    summary.standard_error
FROM chosen
JOIN evaluation_summary AS summary ON summary.evaluation_id = chosen.id
ORDER BY summary.benchmark, chosen.iteration NULLS FIRST, chosen.who DESC
"""
)

_GROUPS = (
    CHOSEN
    + """
SELECT
    benchmark.name AS benchmark,
    chosen.who,
    chosen.iteration,
    coalesce(item.groups ->> :label, '') AS value,
    count(*) AS items,
    avg(made.score) / avg(coalesce(made.reference_score, 1)) AS score,
    stddev_samp(made.score) / avg(coalesce(made.reference_score, 1)) / sqrt(count(*))
        AS standard_error
FROM chosen
JOIN benchmark ON benchmark.id = chosen.benchmark_id
JOIN evaluation_score AS made ON made.evaluation_id = chosen.id AND made.score IS NOT NULL
JOIN evaluation_item AS item ON item.id = made.item_id
GROUP BY 1, 2, 3, 4
ORDER BY 1, 3 NULLS FIRST, 2 DESC, 4
"""
)

_ITEMS = (
    CHOSEN
    + """
SELECT
    chosen.who,
    chosen.iteration,
    item.key,
    item.groups,
    made.score,
    coalesce(made.reference_score, 1) AS reference,
    made.choice IS NULL AND benchmark.metric = 'choice' AS unreadable
FROM chosen
JOIN benchmark ON benchmark.id = chosen.benchmark_id AND benchmark.name = :benchmark
JOIN evaluation_score AS made ON made.evaluation_id = chosen.id AND made.score IS NOT NULL
JOIN evaluation_item AS item ON item.id = made.item_id
WHERE CAST(:student_of AS bigint) IS NULL
    OR chosen.who = 'student' AND chosen.iteration = :student_of
ORDER BY chosen.iteration NULLS FIRST, chosen.who DESC, item.key
"""
)

_LABELS = (
    CHOSEN
    + """
SELECT
    label
FROM chosen
JOIN evaluation_item USING (benchmark_id)
CROSS JOIN LATERAL jsonb_object_keys(groups) AS label
GROUP BY label
ORDER BY label
"""
)


@dataclass(frozen=True, slots=True)
class _Label:
    label: str


def run_scores(session: Session, run_id: int) -> list[ScoreRow]:
    """Every finished evaluation of a run: per benchmark untuned student, teacher, iterations."""
    return rows(session, ScoreRow, _SCORES, run_id=run_id)


def item_scores(
    session: Session, run_id: int, benchmark: str, *, student_of: int | None = None
) -> list[ItemScoreRow]:
    """What each of the run's models made of each item of one benchmark; or the student of one
    iteration alone."""
    given = {"run_id": run_id, "benchmark": benchmark, "student_of": student_of}
    return rows(session, ItemScoreRow, _ITEMS, **given)


def group_labels(session: Session, run_id: int) -> list[str]:
    """The labels that the run's benchmarks break their items down by."""
    return [row.label for row in rows(session, _Label, _LABELS, run_id=run_id)]


def group_scores(session: Session, run_id: int, label: str) -> list[GroupScoreRow]:
    """The scores of `run_scores` by the value of one label of the items."""
    return rows(session, GroupScoreRow, _GROUPS, run_id=run_id, label=label)
