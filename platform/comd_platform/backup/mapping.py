"""From old ids to new ones: each table's rows are inserted with what they refer to put in place.

Everything follows from the tables' declarations; only what makes two rows *the same* is said here.
"""

from __future__ import annotations

from sqlalchemy import Column, Table, text
from sqlalchemy.orm import Session

from comd_platform.backup.archive import LEFT_OUT, BackupError, backed_up

SAME: dict[str, tuple[str, ...]] = {
    "answer": ("instruction_id", "model_id"),
    "benchmark": ("fingerprint",),
    "evaluation": ("benchmark_id", "model_id", "assessor_id"),
    "evaluation_item": ("benchmark_id", "key"),
    "image": ("sha256",),
    "instruction": ("pool_id", "key"),
    "judgement": (
        "teacher_answer_id",
        "student_answer_id",
        "assessor_id",
        "position",
        "attempt",
    ),
    "model": ("fingerprint",),
    "pool": ("name",),
    "review": ("instruction_id", "author", "decision", "created_at"),
}
"""Columns by which a row of the backup is one that the database has already."""

_SUBJECTS = """(
    SELECT coalesce(array_agg(found.new ORDER BY place), '{{}}')
    FROM unnest(o.subject_ids) WITH ORDINALITY AS subject (old, place)
    JOIN map_{table} AS found USING (old)
)"""


def put_rows(session: Session) -> dict[str, int]:
    """Insert what the temporary tables `old_*` hold; returns how many new rows each table got."""
    made: dict[str, int] = {}
    for table in backed_up():
        if "id" in table.columns:
            _map_ids(session, table)
        if table.name == "instruction":
            _require_same_seeds(session)
        count = session.connection().execute(text(_insert(table))).rowcount
        if count:
            made[table.name] = count
    for table in backed_up():
        for column in _deferred(table):
            session.execute(text(_late(table, column)))
    return made


def _map_ids(session: Session, table: Table) -> None:
    """`map_<table>`: old id, new id, and whether the database knew the row."""
    naming = [table.columns[name] for name in SAME.get(table.name, ())]
    joins = _joins(table, set(naming))
    same = " AND ".join(
        # An absent reference is one like another; an absent name (of a pool) is none.
        f"known.{column.name}"
        f" {'IS NOT DISTINCT FROM' if _is_mapped(column) else '='} {_value(column)}"
        for column in naming
    )
    session.execute(
        text(
            f"CREATE TEMPORARY TABLE map_{table.name} ON COMMIT DROP AS"  # noqa: S608
            f" SELECT old, coalesce(found, nextval(pg_get_serial_sequence('{table.name}', 'id')))"
            " AS new, found IS NOT NULL AS known FROM ("
            f"  SELECT o.id AS old, known.id AS found FROM old_{table.name} AS o {joins}"
            f'  LEFT JOIN "{table.name}" AS known ON {same or "false"} ORDER BY o.id) AS matched'
        )
    )
    session.execute(text(f"ANALYZE map_{table.name}"))


def _insert(table: Table) -> str:
    late = _deferred(table)
    columns = [column for column in table.columns if column.computed is None and column not in late]
    values = [
        "map.new"
        if column.name == "id"
        else _subjects()
        if column.name == "subject_ids"
        else _value(column)
        for column in columns
    ]
    own = f"JOIN map_{table.name} AS map ON map.old = o.id AND NOT map.known"
    names = ", ".join(column.name for column in columns)
    has_id = "id" in table.columns
    return (
        f'INSERT INTO "{table.name}" ({names}) SELECT {", ".join(values)}'  # noqa: S608
        f" FROM old_{table.name} AS o {own if has_id else ''} {_joins(table, set(columns))}"
        f" {'ORDER BY map.new' if has_id else ''} ON CONFLICT DO NOTHING"
    )


def _late(table: Table, column: Column[object]) -> str:
    """Set a reference that could not be there yet; of rows that are new."""
    return (
        f'UPDATE "{table.name}" AS row SET {column.name} = target.new'  # noqa: S608
        f" FROM old_{table.name} AS o JOIN map_{table.name} AS map ON map.old = o.id"
        f" JOIN map_{_target(column)} AS target ON target.old = o.{column.name}"
        " WHERE row.id = map.new AND NOT map.known"
    )


def _subjects() -> str:
    """A work item's records: evaluation items in the phase evaluate, else instructions."""
    items = _SUBJECTS.format(table="evaluation_item")
    instructions = _SUBJECTS.format(table="instruction")
    return f"CASE o.phase WHEN 'evaluate' THEN {items} ELSE {instructions} END"


def _joins(table: Table, columns: set[Column[object]]) -> str:
    """The maps of what `columns` refer to, under the columns' names."""
    return " ".join(
        f"LEFT JOIN map_{_target(column)} AS m_{column.name} ON m_{column.name}.old = o.{column.name}"
        for column in table.columns
        if column in columns and _is_mapped(column)
    )


def _value(column: Column[object]) -> str:
    return f"m_{column.name}.new" if _is_mapped(column) else f"o.{column.name}"


def _is_mapped(column: Column[object]) -> bool:
    return _target(column) is not None


def _target(column: Column[object]) -> str | None:
    """The table whose id a column holds, be it through the key of another table; None for other
    columns, and for ids of what a backup leaves out."""
    for key in column.foreign_keys:
        if key.column.name == "id":
            name = key.column.table.name
            return None if name in LEFT_OUT else name
        if (further := _target(key.column)) is not None:
            return further
    return None


def _deferred(table: Table) -> list[Column[object]]:
    """References of a cycle; set when both ends are there."""
    return [column for column in table.columns if any(key.use_alter for key in column.foreign_keys)]


def _require_same_seeds(session: Session) -> None:
    """A pool of the same name has to hold the same, or the restored run would stand on another."""
    name = session.scalar(
        text(
            "SELECT pool.name FROM map_pool JOIN pool ON pool.id = map_pool.new AND known WHERE"
            " (SELECT count(*) FROM instruction WHERE pool_id = pool.id) <> (SELECT count(*)"
            "  FROM old_instruction AS o JOIN map_instruction AS map ON map.old = o.id"
            "  WHERE o.pool_id = map_pool.old AND map.known)"
            " OR EXISTS (SELECT FROM old_instruction AS o JOIN map_instruction AS map"
            "  ON map.old = o.id WHERE o.pool_id = map_pool.old AND NOT map.known) LIMIT 1"
        )
    )
    if name is not None:
        raise BackupError(
            f"a pool named {name!r} is there already, and holds other instructions",
            hint="Rename that one first, in comd sql: UPDATE pool SET name = … WHERE name = …",
        )
