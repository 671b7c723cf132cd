"""A missing picture comes: its row is completed, and the instructions that waited get their keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from comd_platform.errors import ComdError
from comd_platform.keys import root_key_sql


@dataclass(frozen=True, slots=True)
class Settled:
    """`images` rows became present, `merged` were a picture known under another row, `duplicates`
    are instructions dropped because their question stood there for that picture already, `rekeyed`
    the instructions that now carry the key of their picture."""

    images: int
    merged: int
    duplicates: int
    rekeyed: int


# Rows are locked, so that nobody adds an instruction to a row that is about to be merged away. One
# picture may keep several promises: the row that has it already, else the oldest, stands for all.
_MATCH = """
CREATE TEMPORARY TABLE arrival ON COMMIT DROP AS
WITH waiting AS (
    SELECT image.id, arrived.*
    FROM image JOIN arrived ON arrived.source = image.source
    WHERE image.state = 'missing' AND (CAST(:pool AS int8) IS NULL OR EXISTS (
        SELECT FROM instruction WHERE pool_id = :pool AND image_id = image.id
    ))
    FOR UPDATE OF image
)
SELECT
    waiting.id AS missing_id,
    coalesce(present.id, min(waiting.id) OVER (PARTITION BY waiting.sha256)) AS target_id,
    waiting.sha256, waiting.path, waiting.width, waiting.height, waiting.format, waiting.bytes
FROM waiting LEFT JOIN image AS present ON present.sha256 = waiting.sha256
"""

_COMPLETE = """
UPDATE image SET
    state = 'present', sha256 = arrival.sha256, path = arrival.path, width = arrival.width,
    height = arrival.height, format = arrival.format, bytes = arrival.bytes
FROM arrival WHERE image.id = arrival.missing_id AND arrival.missing_id = arrival.target_id
"""

# Among the instructions of a pool that will ask the same of the same picture, the one that already
# had the picture stays (answers may refer to it), else the oldest.
_DROP_DUPLICATES = """
WITH touched AS (
    SELECT missing_id AS image_id, target_id, 1 AS late FROM arrival
    UNION
    SELECT target_id, target_id, 0 FROM arrival
    WHERE target_id NOT IN (SELECT missing_id FROM arrival)
), ranked AS (
    SELECT
        instruction.id,
        row_number() OVER (
            PARTITION BY instruction.pool_id, touched.target_id, instruction.text
            ORDER BY touched.late, instruction.id
        ) AS place
    FROM instruction JOIN touched USING (image_id)
)
DELETE FROM instruction USING ranked WHERE instruction.id = ranked.id AND ranked.place > 1
"""

_REKEY = f"""
UPDATE instruction SET
    image_id = arrival.target_id,
    key = {root_key_sql("arrival.sha256", "instruction.text")}
FROM arrival WHERE instruction.image_id = arrival.missing_id
"""  # noqa: S608 - built from constants

_FORGET = """
DELETE FROM image USING arrival
WHERE image.id = arrival.missing_id AND arrival.missing_id <> arrival.target_id
"""


def lock_images(session: Session) -> None:
    """Wait until no other transaction settles or inserts pictures, and keep others out until the end
    of this one: so two imports of the same pictures neither collide nor block each other for ever."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('comd.image'))"))


def settle_missing(session: Session, pool_id: int | None = None) -> Settled:
    """Fulfil the promises that the rows of the temporary table `arrived` keep.

    With `pool_id` only those that this pool waits for: another data set's 1.jpg is another picture.
    Raises ComdError when a duplicate that would have to go is in use by a run.
    """
    lock_images(session)
    session.execute(text("DROP TABLE IF EXISTS arrival"))
    matched = _rows(session, _MATCH, pool=pool_id)
    if matched == 0:
        return Settled(0, 0, 0, 0)
    completed = _rows(session, _COMPLETE)
    try:
        duplicates = _rows(session, _DROP_DUPLICATES)
    except IntegrityError as error:
        raise ComdError(
            "two records turn out to ask the same of the same picture, and a run already refers to"
            " both of them",
            hint="Import the file into a new pool, now that its pictures are here.",
        ) from error
    rekeyed = _rows(session, _REKEY)
    merged = _rows(session, _FORGET)
    return Settled(images=completed, merged=merged, duplicates=duplicates, rekeyed=rekeyed)


def _rows(session: Session, statement: str, **parameters: object) -> int:
    return int(session.connection().execute(text(statement), parameters).rowcount)
