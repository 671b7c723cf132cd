"""What a pool holds, streamed picture by picture in an order that is the same on every machine."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text
from sqlalchemy.orm import Session

Scope = Literal["tuning", "cache"]
Answers = int | Literal["reference"] | None
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction on its way out.

    `image` is what records call its picture: a path, or, while it is missing, the name it waits
    under; None for an instruction without one. `stored` is the path under the image root, None while
    missing. `answer` is None where there is none of the kind asked. `generation` counts the
    augmentations since the import: 0 for a seed. Scores are those of the iteration asked for.
    """

    key: str
    image: str | None
    stored: str | None
    task_type: str
    question: str
    answer: str | None
    parent_key: str | None
    generation: int
    difficulty: float | None
    teacher_score: float | None
    student_score: float | None

    @property
    def missing(self) -> bool:
        """Whether its picture has not come yet."""
        return self.image is not None and self.stored is None


@dataclass(frozen=True, slots=True)
class Filters:
    """What is left out. Scores and difficulty are those of an iteration's assessment; an instruction
    that it did not score passes no bound on them."""

    task_types: tuple[str, ...] = ()
    min_difficulty: float | None = None
    max_difficulty: float | None = None
    min_teacher_score: float | None = None


NO_FILTERS = Filters()

_ANSWER = {
    "model": (
        "answer.text",
        "LEFT JOIN answer ON answer.instruction_id = instruction.id AND answer.model_id = :model",
    ),
    "reference": ("instruction.reference_answer", ""),
    "none": ("CAST(NULL AS text)", ""),
}

_STATEMENT = """
SELECT
    instruction.key,
    coalesce(:prefix || image.path, image.source) AS image,
    image.path AS stored,
    instruction.task_type,
    instruction.text AS question,
    {answer} AS answer,
    parent.key AS parent_key,
    max(closure.depth) OVER () - closure.depth AS generation,
    assessment.difficulty,
    assessment.teacher_score,
    assessment.student_score
FROM pool_closure AS closure
JOIN instruction ON instruction.pool_id = closure.ancestor_id
LEFT JOIN image ON image.id = instruction.image_id
LEFT JOIN instruction AS parent ON parent.id = instruction.parent_id
LEFT JOIN assessment ON assessment.instruction_id = instruction.id
    AND assessment.iteration_id = :assessed_in
{join}
WHERE closure.pool_id = :pool
    AND (:cache OR closure.depth = 0)
    AND NOT EXISTS (
        SELECT FROM contamination
        WHERE contamination.iteration_id = :assessed_in
            AND contamination.instruction_id = instruction.id
            AND contamination.verdict = 'excluded'
    )
    AND (CAST(:types AS text[]) = '{{}}' OR instruction.task_type = ANY(:types))
    AND (CAST(:hardest AS float8) IS NULL OR assessment.difficulty <= :hardest)
    AND (CAST(:easiest AS float8) IS NULL OR assessment.difficulty >= :easiest)
    AND (CAST(:scored AS float8) IS NULL OR assessment.teacher_score >= :scored)
ORDER BY coalesce(image.path, image.source) COLLATE "C" NULLS LAST, instruction.key COLLATE "C"
"""


def read_pictures(
    session: Session,
    pool_id: int,
    *,
    scope: Scope,
    answers: Answers,
    assessed_in: int | None = None,
    filters: Filters = NO_FILTERS,
    prefix: str = "",
) -> Generator[list[Row], None, None]:
    """Yield the instructions of each picture together, in the order of their keys.

    `scope` tuning: born in the pool; cache: or in one of its ancestors. `answers` is a model's id,
    "reference", or None; `assessed_in` an iteration's id. `prefix` goes before the path of every
    picture. Instructions without a picture come one by one, last. Close the generator when it is
    left early: a cursor on the server stands behind it.
    """
    kind = answers if isinstance(answers, str) else "none" if answers is None else "model"
    column, join = _ANSWER[kind]
    with session.execute(
        text(_STATEMENT.format(answer=column, join=join)),
        {
            "pool": pool_id,
            "cache": scope == "cache",
            "model": answers,
            "prefix": prefix,
            "assessed_in": assessed_in,
            "types": list(filters.task_types),
            "easiest": filters.min_difficulty,
            "hardest": filters.max_difficulty,
            "scored": filters.min_teacher_score,
        },
        execution_options={"stream_results": True, "yield_per": _BATCH},
    ) as found:
        rows = (Row(**row) for row in found.mappings())
        for image, together in itertools.groupby(rows, key=lambda row: row.image):
            if image is None:
                yield from ([row] for row in together)
            else:
                yield list(together)
