"""From `staged` and `arrived` to rows of `image` and `instruction`, in a handful of statements."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.images.arrivals import settle_missing
from comd_platform.images.register import register_arrivals
from comd_platform.keys import awaited, root_key_sql


@dataclass(frozen=True, slots=True)
class Inserted:
    """Counts of one insertion; turns = new + known + duplicates."""

    turns: int
    new: int
    known: int
    duplicates: int
    images_new: int
    images_known: int


_PROMISE = """
INSERT INTO image (source, state)
SELECT DISTINCT image, 'missing' FROM staged
WHERE image IS NOT NULL
    AND NOT EXISTS (SELECT FROM arrived WHERE arrived.source = staged.image)
ON CONFLICT (source) WHERE state = 'missing' DO NOTHING
"""

# A row of `staged` finds its picture by content where it came, by the name it waits under elsewhere.
_IMAGE = f"coalesce(present.sha256, '{awaited('')}' || staged.image, '')"

# The same question about the same picture is kept once: the first that has an answer, else the first.
_KEY = f"""
CREATE TEMPORARY TABLE keyed ON COMMIT DROP AS
SELECT DISTINCT ON (key) *
FROM (
    SELECT
        staged.position, staged.turn, staged.record, staged.task_type, staged.text, staged.answer,
        coalesce(present.id, waiting.id) AS image_id,
        {root_key_sql(_IMAGE, "staged.text")} AS key
    FROM staged
    LEFT JOIN arrived ON arrived.source = staged.image
    LEFT JOIN image AS present ON present.sha256 = arrived.sha256
    LEFT JOIN image AS waiting
        ON waiting.source = staged.image AND waiting.state = 'missing' AND present.id IS NULL
) AS turns
ORDER BY key, (answer IS NULL), position, turn
"""  # noqa: S608 - built from constants

# In file order, so that serial ids follow the file.
_INSERT = """
INSERT INTO instruction (pool_id, image_id, task_type, text, key, source_record, reference_answer)
SELECT :pool, image_id, task_type, text, key, record, answer FROM keyed ORDER BY position, turn
ON CONFLICT DO NOTHING
"""

_KEEP_ANSWERS = """
UPDATE instruction SET reference_answer = keyed.answer
FROM keyed
WHERE instruction.pool_id = :pool AND instruction.key = keyed.key
    AND instruction.reference_answer IS NULL AND keyed.answer IS NOT NULL
"""


def insert_staged(session: Session, pool_id: int) -> Inserted:
    """Add what `staged` holds to the pool; what the pool has already stays as it is.

    A reference answer is added to an instruction that has none.
    """
    settled = settle_missing(session, pool_id)
    pictures = register_arrivals(session)
    session.execute(text(_PROMISE))
    turns = session.scalar(text("SELECT count(*) FROM staged")) or 0
    distinct = _rows(session, _KEY)
    new = _rows(session, _INSERT, pool=pool_id)
    if new < distinct:
        _rows(session, _KEEP_ANSWERS, pool=pool_id)
    return Inserted(
        turns=turns,
        new=new,
        known=distinct - new,
        duplicates=turns - distinct,
        images_new=pictures.new + settled.images,
        images_known=pictures.known - settled.images,
    )


def _rows(session: Session, statement: str, **parameters: object) -> int:
    return int(session.connection().execute(text(statement), parameters).rowcount)
