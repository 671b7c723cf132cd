"""Upgrade, downgrade and status over an engine, without an alembic.ini.

Every command asks whether the schema is at head, and nearly always it is. That takes one query;
Alembic, which takes longer to load than most commands to run, is imported where there is more to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from comd_platform.db.engine import DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config

_VERSIONS = Path(__file__).parent / "versions"


@dataclass(frozen=True, slots=True)
class SchemaStatus:
    """`current` is None for an empty database; `pending` are the revisions still to run, in order."""

    current: str | None
    head: str
    pending: tuple[str, ...]


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for this package's scripts over `connection`."""
    from alembic.config import Config

    result = Config()
    result.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    result.attributes["connection"] = connection
    return result


def head_revision() -> str:
    """The newest revision that this version of comd knows: its files are numbered."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


def is_current(engine: Engine) -> bool:
    """Whether the schema is at head."""
    with engine.connect() as connection:
        if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return False
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return bool(found == head_revision())


def status(engine: Engine) -> SchemaStatus:
    """Where the database stands. Raises DatabaseError when it is ahead of this version of comd."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    script = ScriptDirectory.from_config(config())
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    try:
        newer = [found.revision for found in script.iterate_revisions("head", current or "base")]
    except (CommandError, RevisionError) as error:
        raise DatabaseError(
            f"the database is at revision {current}, which this version of comd does not know",
            hint="Install the version of comd that made it, or a newer one.",
        ) from error
    return SchemaStatus(current, head_revision(), tuple(reversed(newer)))


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Migrate up. All of it or nothing: every step runs in one transaction."""
    from alembic import command

    _migrate(engine, command.upgrade, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Migrate down to `revision` ("base" empties the schema). Data of dropped tables are gone."""
    from alembic import command

    _migrate(engine, command.downgrade, revision)


def require_current(engine: Engine) -> None:
    """Raise DatabaseError, saying how to mend it, unless the schema is at head."""
    if is_current(engine):
        return
    found = status(engine)
    if found.pending:
        raise DatabaseError(
            f"the database is at revision {found.current or 'none'}, comd needs {found.head}",
            hint="Run: comd db upgrade",
        )


def _migrate(engine: Engine, action: Callable[[Config, str], None], revision: str) -> None:
    from alembic.util import CommandError

    try:
        with engine.begin() as connection:
            action(config(connection), revision)
    except CommandError as error:
        raise DatabaseError(str(error), hint="comd db status lists the revisions.") from error
    except OperationalError as error:
        if "lock timeout" not in str(error.orig):
            raise
        raise DatabaseError(
            "another session holds a lock on a table that has to change",
            hint="Stop running workers and drivers, then run comd db upgrade again.",
        ) from error
