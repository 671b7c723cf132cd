"""What instructions have in common with the benchmarks that their student is measured by."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Double, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from comd_platform.tables.base import Base, one_of


class Contamination(Base):
    """An instruction of an iteration's cache pool that overlaps with a benchmark, and how.

    `item_id` is the nearest of the `items` that it overlaps with. `distance` is in bits of the
    perceptual hash (0 for the same picture), `rouge_l` that of the two questions. `verdict`:
    excluded (never tuned on, never a source), reported (the config says to keep it), or generic (a
    question that two unlike pictures may well share: no contamination).
    """

    __tablename__ = "contamination"
    __table_args__ = (
        one_of("kind", "same_image", "near_image", "near_text"),
        one_of("verdict", "excluded", "reported", "generic"),
        CheckConstraint("(kind = 'near_text') = (rouge_l IS NOT NULL)", name="text_has_rouge_l"),
        CheckConstraint("(kind = 'near_text') = (distance IS NULL)", name="image_has_distance"),
        CheckConstraint("kind = 'near_text' OR verdict <> 'generic'", name="pictures_are_specific"),
        CheckConstraint("rouge_l BETWEEN 0 AND 1", name="rouge_l_in_range"),
        CheckConstraint("distance BETWEEN 0 AND 64", name="distance_in_range"),
        CheckConstraint("items >= 1", name="items_positive"),
    )

    iteration_id: Mapped[int] = mapped_column(ForeignKey("iteration.id"), primary_key=True)
    instruction_id: Mapped[int] = mapped_column(
        ForeignKey("instruction.id"), primary_key=True, index=True
    )
    benchmark_id: Mapped[int] = mapped_column(
        ForeignKey("benchmark.id"), primary_key=True, index=True
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("evaluation_item.id"), index=True)
    items: Mapped[int]
    distance: Mapped[int | None]
    rouge_l: Mapped[float | None] = mapped_column(Double)
    verdict: Mapped[str]
