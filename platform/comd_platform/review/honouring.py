"""What the loop makes of the decisions: who is not tuned on, not grown from, and put right.

They are read at two moments. When the next pool begins: what is rejected or edited then is no source,
and every edit becomes an instruction of its own in that pool. And when the work on a pool begins (the
first phase after it has grown): `pin` writes down which verdicts stand, and the iteration goes by those.
So a run that is stopped and taken up again is of one mind, whatever was decided meanwhile.
"""

from __future__ import annotations

from sqlalchemy import Exists, column, exists, insert, table, text
from sqlalchemy.orm import Session

from comd_platform.keys import revision_key
from comd_platform.tables import HonouredReview, Instruction, Pool, Review, Revision

_DOWN = ("reject", "edit")
_REVIEWED = table("reviewed_instruction", column("instruction_id"), column("verdict"))

_PIN = text(
    """
    INSERT INTO honoured_review (iteration_id, instruction_id, review_id)
    SELECT :iteration_id, reviewed.instruction_id, reviewed.review_id
    FROM reviewed_instruction AS reviewed
    JOIN instruction ON instruction.id = reviewed.instruction_id
    JOIN pool_closure ON pool_closure.ancestor_id = instruction.pool_id
    WHERE pool_closure.pool_id = :pool_id AND reviewed.verdict IS NOT NULL
    ON CONFLICT DO NOTHING
    """
)

# An edit whose text stands in the cache pool already, at the same picture, brings nothing new.
_EDITED = text(
    """
    SELECT instruction.id, instruction.key, instruction.image_id, instruction.task_type,
        reviewed.text, reviewed.review_id
    FROM reviewed_instruction AS reviewed
    JOIN instruction ON instruction.id = reviewed.instruction_id
    JOIN pool_closure ON pool_closure.ancestor_id = instruction.pool_id
    WHERE pool_closure.pool_id = :pool_id
        AND reviewed.verdict = 'edit'
        AND NOT EXISTS (
            SELECT FROM instruction AS standing
            JOIN pool_closure AS held ON held.ancestor_id = standing.pool_id
            WHERE held.pool_id = :pool_id
                AND standing.text = reviewed.text
                AND standing.image_id IS NOT DISTINCT FROM instruction.image_id
        )
    ORDER BY instruction.key
    """
)


def set_aside(iteration_id: int) -> Exists:
    """That the instruction at hand was rejected or edited when the iteration began on its pool."""
    return exists().where(
        HonouredReview.instruction_id == Instruction.id,
        HonouredReview.iteration_id == iteration_id,
        Review.id == HonouredReview.review_id,
        Review.decision.in_(_DOWN),
    )


def turned_down() -> Exists:
    """That the instruction at hand is rejected or edited, as things stand now."""
    return exists().where(
        _REVIEWED.c.instruction_id == Instruction.id, _REVIEWED.c.verdict.in_(_DOWN)
    )


def pin(session: Session, iteration_id: int, pool_id: int) -> None:
    """Write down which verdicts about its cache pool an iteration goes by, once."""
    session.execute(_PIN, {"iteration_id": iteration_id, "pool_id": pool_id})


def revise(session: Session, pool: Pool) -> int:
    """Put what people corrected in the cache pool before `pool` into `pool`; returns how many.

    A revision is the child of what it corrects, and its key follows from that one's and the text: the
    same decisions give the same keys. Nobody has answered it, so the teacher will.
    """
    edits = session.execute(_EDITED, {"pool_id": pool.parent_id}).all()
    rows = {
        (edit.image_id, edit.text): {
            "pool_id": pool.id,
            "image_id": edit.image_id,
            "parent_id": edit.id,
            "task_type": edit.task_type,
            "text": edit.text,
            "key": revision_key(edit.key, edit.text),
        }
        for edit in reversed(edits)  # of two that say the same, the one with the first key
    }
    if not rows:
        return 0
    made = session.execute(
        insert(Instruction).returning(Instruction.id, Instruction.parent_id), list(rows.values())
    ).all()
    reviews = {edit.id: edit.review_id for edit in edits}
    session.execute(
        insert(Revision),
        [{"instruction_id": row.id, "review_id": reviews[row.parent_id]} for row in made],
    )
    return len(made)
