"""What asking models took: tokens and money, per reply and per work item."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Double, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import BigInteger

from comd_platform.tables.base import Base


class Spent:
    """Columns of every row that keeps a model's reply.

    `cached_tokens` are those of the prompt that the server had read before; `cost` is in the
    currency of the config's price table, NULL where there is none.
    """

    prompt_tokens: Mapped[int] = mapped_column(server_default="0")
    completion_tokens: Mapped[int] = mapped_column(server_default="0")
    cached_tokens: Mapped[int] = mapped_column(server_default="0")
    cost: Mapped[float | None] = mapped_column(Double)


def spent_checks() -> tuple[CheckConstraint, ...]:
    """What holds of those columns, for the `__table_args__` of a table that has them."""
    return (
        CheckConstraint(
            "prompt_tokens >= 0 AND completion_tokens >= 0", name="tokens_not_negative"
        ),
        CheckConstraint("cached_tokens BETWEEN 0 AND prompt_tokens", name="cached_within_prompt"),
        CheckConstraint("cost >= 0", name="cost_not_negative"),
    )


class Usage(Spent, Base):
    """Everything that a finished work item asked for, replies that left no row included (refusals,
    broken pairs). What was asked by a worker that died is not known."""

    __tablename__ = "usage"
    __table_args__ = (CheckConstraint("requests > 0", name="asked_something"), *spent_checks())

    work_item_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("work_item.id"), primary_key=True
    )
    requests: Mapped[int]
