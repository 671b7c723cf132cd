"""Held-out scores of a run's students, beside the teacher and the untuned student."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sqlalchemy import text
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
    """One model on one item. `unreadable`: no option could be read in its reply. `groups` is shared by
    the items that have the same, and not to be written to."""

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
    CAST(item.groups AS text) AS groups,
    made.score,
    coalesce(made.reference_score, 1) AS reference,
    made.choice IS NULL AND benchmark.metric = 'choice' AS unreadable
FROM chosen
JOIN benchmark ON benchmark.id = chosen.benchmark_id AND benchmark.name = :benchmark
JOIN evaluation_score AS made ON made.evaluation_id = chosen.id AND made.score IS NOT NULL
JOIN evaluation_item AS item ON item.id = made.item_id
ORDER BY chosen.iteration NULLS FIRST, chosen.who DESC, item.key
"""
)

_RESULTS = (
    CHOSEN
    + """
SELECT
    item.key,
    made.score,
    coalesce(made.reference_score, 1) AS reference
FROM chosen
JOIN benchmark ON benchmark.id = chosen.benchmark_id AND benchmark.name = :benchmark
JOIN evaluation_score AS made ON made.evaluation_id = chosen.id AND made.score IS NOT NULL
JOIN evaluation_item AS item ON item.id = made.item_id
WHERE chosen.who = 'student' AND chosen.iteration = :iteration
ORDER BY item.key
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


def student_results(
    session: Session, run_id: int, benchmark: str, iteration: int
) -> dict[str, tuple[float, float]]:
    """(score, reference) of an iteration's student on each item of one benchmark, by the item's key."""
    given = {"run_id": run_id, "benchmark": benchmark, "iteration": iteration}
    return {key: (score, other) for key, score, other in session.execute(text(_RESULTS), given)}


def item_scores(session: Session, run_id: int, benchmark: str) -> list[ItemScoreRow]:
    """What each of the run's models made of each item of one benchmark."""
    given = {"run_id": run_id, "benchmark": benchmark}
    read = cache(json.loads)  # the same few labels, item by item and model by model
    return [
        ItemScoreRow(
            made.who,
            made.iteration,
            made.key,
            read(made.groups),
            made.score,
            made.reference,
            made.unreadable,
        )
        for made in session.execute(text(_ITEMS), given)
    ]


def group_labels(session: Session, run_id: int) -> list[str]:
    """The labels that the run's benchmarks break their items down by."""
    return [row.label for row in rows(session, _Label, _LABELS, run_id=run_id)]


def group_scores(session: Session, run_id: int, label: str) -> list[GroupScoreRow]:
    """The scores of `run_scores` by the value of one label of the items."""
    return rows(session, GroupScoreRow, _GROUPS, run_id=run_id, label=label)
