"""What tables and views there are: for `comd schema`, and for the reference in the docs.

Tables come from their declarations, so the picture cannot differ from the code; views exist in SQL
only, so they come from a migrated database.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from comd_platform.tables import Base

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `references` is table.column; `key` PK or FK or neither."""

    name: str
    type: str
    nullable: bool
    key: str
    references: str | None


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view, and in a sentence or two what a row of it is."""

    name: str
    description: str
    columns: tuple[Column, ...]


def tables() -> list[Relation]:
    """Every table by name."""
    described: dict[str, str] = {
        mapper.local_table.name: inspect.cleandoc(mapper.class_.__doc__ or "")
        for mapper in Base.registry.mappers
        if isinstance(mapper.local_table, Table)
    }
    return [
        Relation(table.name, described.get(table.name, ""), tuple(map(_column, table.columns)))
        for table in sorted(Base.metadata.tables.values(), key=lambda table: table.name)
    ]


def views(session: Session, described: Mapping[str, str]) -> list[Relation]:
    """Every view of the database by name; `described` says what a row of each is."""
    found = session.execute(
        text(
            "SELECT relation.relname AS name,"
            " array_agg(attname ORDER BY attnum) AS names,"
            " array_agg(format_type(atttypid, atttypmod) ORDER BY attnum) AS types"
            " FROM pg_class AS relation JOIN pg_attribute ON attrelid = relation.oid"
            " WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace AND attnum > 0"
            " GROUP BY relation.oid, relname ORDER BY relname"
        )
    )
    return [
        Relation(
            row.name,
            described.get(row.name, ""),
            tuple(
                Column(name, kind, nullable=True, key="", references=None)
                for name, kind in zip(row.names, row.types, strict=True)
            ),
        )
        for row in found
    ]


def mermaid(relations: Iterable[Relation]) -> str:
    """An entity diagram (https://mermaid.js.org/syntax/entityRelationshipDiagram.html) of tables and
    the keys that connect them; other columns would hide what belongs to what."""
    known = list(relations)
    lines = ["erDiagram"]
    for relation in known:
        lines.append(f"  {relation.name} {{")
        lines.extend(
            f"    {column.type.replace(' ', '_')} {column.name} {column.key}"
            for column in relation.columns
            if column.key
        )
        lines.append("  }")
    for relation in known:
        for column in relation.columns:
            if column.references is not None:
                target = column.references.split(".")[0]
                many = "|o" if column.nullable else "||"
                lines.append(f"  {target} {many}--o{{ {relation.name} : {column.name}")
    return "\n".join(lines) + "\n"


def _column(column: Any) -> Column:
    reference = next(iter(column.foreign_keys), None)
    return Column(
        name=column.name,
        type=str(column.type.compile(_DIALECT)).lower(),
        nullable=bool(column.nullable),
        key="PK" if column.primary_key else "FK" if reference is not None else "",
        references=reference.target_fullname if reference is not None else None,
    )
