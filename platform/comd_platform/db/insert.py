"""Many rows in one statement: an array a column, unnested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import cast, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from comd_platform.tables import Base


def insert_new(session: Session, table: type[Base], rows: Sequence[Mapping[str, object]]) -> None:
    """Insert `rows`, which all name the same columns, in their order; a row that conflicts with one
    that is there is left out.

    Not for columns that are arrays themselves: PostgreSQL unnests those through all dimensions.
    """
    if not rows:
        return
    names = list(rows[0])
    columns = table.__table__.columns
    arrays = (cast([row[name] for row in rows], ARRAY(columns[name].type)) for name in names)
    given = func.unnest(*arrays).table_valued(*(column(name) for name in names)).render_derived()
    session.execute(insert(table).from_select(names, select(given)).on_conflict_do_nothing())
