"""Where a pool overlaps with benchmarks, and what follows from it: to the temporary table `hit`.

The same picture, by its bytes or by its looks, is contamination whatever is asked about it: the
teacher's answers tell what is to be seen. The same question is contamination where no picture stands
between it and the answer (none on either side, or the same one), or where it is too specific to be
asked twice by chance. "What is in the picture?" about another picture is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.config.decontamination import DecontaminationConfig
from comd_platform.images.store import ImageStore
from comd_platform.overlap.pictures import stage_near_images
from comd_platform.overlap.questions import stage_near_texts

_PREPARE = (
    "DROP TABLE IF EXISTS near_image, near_text, hit",
    "CREATE TEMPORARY TABLE near_image (image_id int8, other_id int8, distance int8)"
    " ON COMMIT DROP",
    "CREATE TEMPORARY TABLE near_text (text text, question text, rouge_l float8, words int8)"
    " ON COMMIT DROP",
)

# One row for an instruction, a benchmark and a kind: the item that tells most, and how many there are.
_HITS = """
CREATE TEMPORARY TABLE hit ON COMMIT DROP AS
WITH pool AS (
    SELECT instruction.id, instruction.image_id, instruction.text
    FROM pool_closure JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
    WHERE pool_closure.pool_id = :pool_id
), item AS (
    SELECT id, benchmark_id, key, image_id, question
    FROM evaluation_item WHERE benchmark_id = ANY(:benchmarks)
), overlap AS (
    SELECT
        pool.id AS instruction_id, item.benchmark_id, 'same_image' AS kind, item.id AS item_id,
        item.key, CAST(0 AS int8) AS distance, CAST(NULL AS float8) AS rouge_l, true AS counts
    FROM pool JOIN item USING (image_id)
    WHERE 'same_image' = ANY(:kinds)
    UNION ALL
    SELECT
        pool.id, item.benchmark_id, 'near_image', item.id,
        item.key, near_image.distance, NULL, true
    FROM pool
    JOIN near_image USING (image_id)
    JOIN item ON item.image_id = near_image.other_id
    UNION ALL
    SELECT
        pool.id, item.benchmark_id, 'near_text', item.id,
        item.key, NULL, near_text.rouge_l,
        pool.image_id IS NOT DISTINCT FROM item.image_id OR near_text.words >= :specific_words
    FROM pool JOIN near_text USING (text) JOIN item USING (question)
)
SELECT DISTINCT ON (instruction_id, benchmark_id, kind)
    instruction_id, benchmark_id, kind, item_id,
    count(*) OVER (PARTITION BY instruction_id, benchmark_id, kind) AS items,
    distance,
    rouge_l,
    CASE WHEN NOT counts THEN 'generic'
        WHEN :exclude THEN 'excluded' ELSE 'reported' END AS verdict
FROM overlap
ORDER BY instruction_id, benchmark_id, kind, counts DESC, distance, rouge_l DESC, key
"""


@dataclass(frozen=True, slots=True)
class Checked:
    """How many instructions were looked at, and how many pictures could not be read for it."""

    instructions: int
    unread: int


def find_hits(
    session: Session,
    store: ImageStore,
    *,
    pool_id: int,
    benchmarks: Sequence[int],
    config: DecontaminationConfig,
) -> Checked:
    """Compare a pool and its ancestors with benchmarks; fills `hit`, in the caller's transaction."""
    for statement in _PREPARE:
        session.execute(text(statement))
    unread = 0
    if "near_image" in config.kinds:
        unread = stage_near_images(
            session,
            store,
            pool_id=pool_id,
            benchmarks=benchmarks,
            distance=config.image_distance,
        )
    if "near_text" in config.kinds:
        stage_near_texts(
            session, pool_id=pool_id, benchmarks=benchmarks, threshold=config.text_threshold
        )
    session.execute(
        text(_HITS),
        {
            "pool_id": pool_id,
            "benchmarks": list(benchmarks),
            "kinds": list(config.kinds),
            "specific_words": config.specific_words,
            "exclude": config.mode == "exclude",
        },
    )
    instructions = session.scalar(
        text(
            "SELECT count(*) FROM pool_closure"
            " JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id"
            " WHERE pool_closure.pool_id = :pool_id"
        ),
        {"pool_id": pool_id},
    )
    return Checked(instructions or 0, unread)
