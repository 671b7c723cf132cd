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

    `image` is the picture's path under the image root, or, while it is missing, the name it waits
    under; None for an instruction without one. `answer` is None where there is none of the kind asked.
    """

    key: str
    image: str | None
    missing: bool
    task_type: str
    question: str
    answer: str | None


_ANSWER = {
    "model": (
        "answer.text",
        "LEFT JOIN answer ON answer.instruction_id = instruction.id AND answer.model_id = :model",
    ),
    "reference": ("instruction.reference_answer", ""),
    "none": ("CAST(NULL AS text)", ""),
}


def read_pictures(
    session: Session, pool_id: int, *, scope: Scope, answers: Answers
) -> Generator[list[Row], None, None]:
    """Yield the instructions of each picture together, in the order of their keys.

    `scope` tuning: born in the pool; cache: or in one of its ancestors. `answers` is a model's id,
    "reference", or None. Instructions without a picture come one by one, last. Close the generator
    when it is left early: a cursor on the server stands behind it.
    """
    kind = answers if isinstance(answers, str) else "none" if answers is None else "model"
    column, join = _ANSWER[kind]
    statement = (
        f"SELECT instruction.key, coalesce(image.path, image.source), image.state = 'missing',"  # noqa: S608 - built from constants
        f" instruction.task_type, instruction.text, {column}"
        " FROM pool_closure JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id"
        f" LEFT JOIN image ON image.id = instruction.image_id {join}"
        " WHERE pool_closure.pool_id = :pool AND (:cache OR pool_closure.depth = 0)"
        ' ORDER BY coalesce(image.path, image.source) COLLATE "C" NULLS LAST,'
        ' instruction.key COLLATE "C"'
    )
    with session.execute(
        text(statement),
        {"pool": pool_id, "cache": scope == "cache", "model": answers},
        execution_options={"stream_results": True, "yield_per": _BATCH},
    ) as found:
        rows = (
            Row(key, image, bool(missing), task_type, question, answer)
            for key, image, missing, task_type, question, answer in found
        )
        for image, together in itertools.groupby(rows, key=lambda row: row.image):
            if image is None:
                yield from ([row] for row in together)
            else:
                yield list(together)
