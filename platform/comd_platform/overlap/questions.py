"""Questions of a pool that are nearly a benchmark's: to the temporary table `near_text`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.db.copy import copy_rows
from comd_platform.method.near_duplicates import NearTexts
from comd_platform.method.rouge import tokens

_AT_ONCE = 5_000

_ASKED = """
SELECT DISTINCT instruction.text
FROM pool_closure JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
WHERE pool_closure.pool_id = :pool_id
"""


def stage_near_texts(
    session: Session, *, pool_id: int, benchmarks: Sequence[int], threshold: float
) -> None:
    """Fill `near_text` (text, question, rouge_l, words) over the distinct texts of both sides.

    `words` counts the distinct words of the pool's text. The pool is streamed: memory grows with the
    benchmarks alone.
    """
    questions = session.scalars(
        text(
            "SELECT DISTINCT question FROM evaluation_item WHERE benchmark_id = ANY(:benchmarks)"
            " ORDER BY question"
        ),
        {"benchmarks": list(benchmarks)},
    ).all()
    index = NearTexts(questions, threshold)
    asked = session.execute(
        text(_ASKED).execution_options(stream_results=True, yield_per=_AT_ONCE),
        {"pool_id": pool_id},
    )
    for rows in asked.partitions(_AT_ONCE):
        texts = [row.text for row in rows]
        copy_rows(
            session,
            "near_text",
            ("text", "question", "rouge_l", "words"),
            (
                (
                    texts[match.left],
                    questions[match.right],
                    match.rouge_l,
                    len(set(tokens(texts[match.left]))),
                )
                for match in index.matches(texts)
            ),
            ("text", "text", "float8", "int8"),
        )
    session.execute(text("ANALYZE near_text"))
