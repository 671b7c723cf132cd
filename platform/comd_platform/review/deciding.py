"""Writing a decision: one INSERT, which is all that the role behind the review page may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from comd_platform.errors import ComdError
from comd_platform.tables import Review

Word = Literal["accept", "reject", "edit", "flag", "undo"]
DECISIONS: tuple[Word, ...] = get_args(Word)
LONGEST_TEXT = 20_000
"""Characters of an edit or a note; an instruction is a question, not a book."""


class ReviewError(ComdError):
    """A decision that cannot be written as it is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What `author` decided about an instruction. Raises ReviewError where it contradicts itself.

    `text` belongs to an edit, `undoes_id` (a review of the same author) to an undo.
    """

    instruction_id: int
    decision: Word
    author: str
    text: str | None = None
    note: str | None = None
    undoes_id: int | None = None

    def __post_init__(self) -> None:
        about = f"instruction {self.instruction_id}"
        if self.decision not in DECISIONS:
            raise ReviewError(
                f"{about}: {self.decision!r} is no decision", hint=f"One of: {', '.join(DECISIONS)}"
            )
        if not self.author.strip():
            raise ReviewError(f"{about}: a decision needs the name of who decides")
        if (self.decision == "edit") != bool((self.text or "").strip()):
            raise ReviewError(f"{about}: an edit, and only an edit, comes with the corrected text")
        if (self.decision == "undo") != (self.undoes_id is not None):
            raise ReviewError(f"{about}: an undo, and only an undo, names what it takes back")
        for value in (self.text, self.note, self.author):
            if value and (len(value) > LONGEST_TEXT or "\0" in value):
                raise ReviewError(
                    f"{about}: a text is longer than {LONGEST_TEXT:,} characters, or holds a NUL"
                )


# Not through the mapped class: that would read the new id back, which its role may not.
_RECORD = text(
    "INSERT INTO review (instruction_id, decision, text, note, author, undoes_id)"
    " VALUES (:instruction_id, :decision, :text, :note, :author, :undoes_id)"
)


def record(session: Session, decision: Decision) -> None:
    """Add the decision. Raises ReviewError: no such instruction, or already undone."""
    try:
        session.execute(
            _RECORD,
            {
                "instruction_id": decision.instruction_id,
                "decision": decision.decision,
                "text": decision.text.strip() if decision.text else None,
                "note": decision.note or None,
                "author": decision.author.strip(),
                "undoes_id": decision.undoes_id,
            },
        )
    except IntegrityError as error:
        name = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if name == "fk_review_instruction_id_instruction":
            raise ReviewError(f"no instruction has the id {decision.instruction_id}") from error
        if name in {"uq_review_undoes_id", "fk_review_undoes_id_review"}:
            raise ReviewError(
                f"instruction {decision.instruction_id}: that decision has been undone already, or "
                "never was"
            ) from error
        raise


def last_of(session: Session, author: str, instruction_id: int | None = None) -> Review | None:
    """The author's last decision that stands, of all or about one instruction: what an undo undoes."""
    undo = aliased(Review)
    wanted = (
        select(Review)
        .outerjoin(undo, (undo.undoes_id == Review.id) & (undo.author == Review.author))
        .where(Review.author == author.strip(), Review.decision != "undo", undo.id.is_(None))
        .order_by(Review.id.desc())
        .limit(1)
    )
    if instruction_id is not None:
        wanted = wanted.where(Review.instruction_id == instruction_id)
    return session.scalars(wanted).first()
