"""Many ids as one bound array: PostgreSQL takes no more than 65,535 parameters in a statement."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, any_, cast
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute


def among(column: InstrumentedAttribute[Any], ids: Iterable[int]) -> ColumnElement[bool]:
    """`column = ANY(ids)`, however many ids there are."""
    return column == any_(cast(list(ids), ARRAY(BigInteger)))
