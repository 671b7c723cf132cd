"""The root pool that an import fills: found or made by name, and left alone once a run uses it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from comd_platform.importers.records import ImportFailed

PICTURES = "pictures"  # the format of a pool of pictures without instructions


def pool_name(path: Path, pool: str | None) -> str:
    """`pool`, or the file's or folder's own name. Raises ImportFailed where it cannot be one."""
    name = path.stem if pool is None else pool
    if not name or not name.isprintable() or name != name.strip():
        raise ImportFailed(
            f"{name!a} cannot be a pool's name", hint="--pool NAME gives it another one."
        )
    return name


def open_pool(session: Session, name: str, config: dict[str, str]) -> int:
    """The root pool called `name`, made when it is new, locked until the transaction ends.

    config: `format` and `file`. Raises ImportFailed for a pool of another kind.
    """
    session.execute(
        text(
            "INSERT INTO pool (name, origin, config) VALUES"
            " (:name, 'import', jsonb_build_object('format', CAST(:format AS text),"
            " 'file', CAST(:file AS text))) ON CONFLICT (name) DO NOTHING"
        ),
        {"name": name, **config},
    )
    # FOR UPDATE also waits for a run that is just being created on the pool, and makes it wait.
    pool_id, origin, kind = session.execute(
        text("SELECT id, origin, config->>'format' FROM pool WHERE name = :name FOR UPDATE"),
        {"name": name},
    ).one()
    if origin != "import":
        raise ImportFailed(
            f"the pool {name!r} came from {origin}, not from an import",
            hint="--pool NAME gives the new pool another name.",
        )
    if (kind == PICTURES) != (config["format"] == PICTURES):
        holds = "pictures without instructions" if kind == PICTURES else "instructions"
        raise ImportFailed(
            f"the pool {name!r} holds {holds}", hint="--pool NAME gives the new pool another name."
        )
    return int(pool_id)


def require_unused(session: Session, pool_id: int, name: str, adding: str) -> None:
    """Raise ImportFailed where a run has used the pool; `adding` says what would come into it."""
    used = session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM run WHERE pool_id = :pool)"
            " OR EXISTS (SELECT FROM iteration WHERE pool_id = :pool)"
            " OR EXISTS (SELECT FROM pool WHERE parent_id = :pool)"
        ),
        {"pool": pool_id},
    )
    if used:
        raise ImportFailed(
            f"{adding} to the pool {name!r}, which a run has used",
            hint="A pool that was used does not change: --pool NAME imports into a new one.",
        )
