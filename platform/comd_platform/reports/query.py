"""From a statement to rows of a dataclass: the columns are the fields, by name."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

Row = TypeVar("Row")


def rows(session: Session, kind: type[Row], statement: str, **parameters: object) -> list[Row]:
    """Run `statement` and make one `kind` of each row.

    Raises TypeError where the statement's columns are not exactly the fields of `kind`.
    """
    found = session.execute(text(statement), parameters)
    names = tuple(found.keys())
    return [kind(**dict(zip(names, row, strict=True))) for row in found]
