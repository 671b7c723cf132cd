"""`comd doctor`: database, broker, workers, pictures and model servers, each asked once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from comd_platform.config.engines import OpenAIConfig
from comd_platform.config.run import RunConfig
from comd_platform.db.embedded import EmbeddedPostgres
from comd_platform.db.engine import database_url, make_engine, transaction
from comd_platform.errors import ComdError
from comd_platform.ledger import alive_workers
from comd_platform.settings import Settings
from comd_platform.tables import ROLES
from comd_workers.checks.configs import ROLES as MODEL_ROLES
from comd_workers.checks.finding import Finding, error, note, ok

SAMPLE = 50
OLDEST = 15


def database(settings: Settings) -> Iterator[Finding]:
    """Reachable, new enough, migrated; then what stands in it. Starts no server."""
    if settings.database_url is None and EmbeddedPostgres(settings.home).status().pid is None:
        yield note("database", "embedded PostgreSQL, not running", "Any command starts it.")
        return
    try:
        engine = make_engine(database_url(settings, start=False))
        try:
            yield from _asked(engine, settings)
        finally:
            engine.dispose()
    except SQLAlchemyError as refused:
        said = str(getattr(refused, "orig", refused)).strip().splitlines()[0]
        yield error("database", f"cannot be reached: {said}", "Check COMD_DATABASE_URL.")
    except ComdError as refused:
        yield error("database", refused.message, refused.hint)


def _asked(engine: Engine, settings: Settings) -> Iterator[Finding]:
    import comd_migrations

    with engine.connect() as connection:
        version = str(connection.execute(text("SHOW server_version")).scalar_one())
    said = f"PostgreSQL {version} at {engine.url.render_as_string(hide_password=True)}"
    if int(version.split(".", 1)[0]) < OLDEST:
        yield error("database", said, f"comd needs PostgreSQL {OLDEST} or newer.")
        return
    yield ok("database", said)
    schema = comd_migrations.status(engine)
    if schema.pending:
        yield error(
            "schema", f"{schema.current or 'empty'}, {len(schema.pending)} migrations to run",
            "comd db upgrade",
        )  # fmt: skip
        return
    yield ok("schema", f"revision {schema.current}, current")
    yield from _workers(engine)
    yield from _pictures(engine, settings.image_root)


def _workers(engine: Engine) -> Iterator[Finding]:
    with transaction(engine) as session:
        counts = {role: len(alive_workers(session, role)) for role in ROLES}
    absent = [role for role, count in counts.items() if not count]
    if absent == list(ROLES):
        yield note("workers", "none running: comd iterate starts its own")
    elif absent:
        yield note("workers", f"nobody works as {', '.join(absent)}", "comd worker --roles …")
    else:
        yield ok("workers", ", ".join(f"{count} {role}" for role, count in counts.items()))


def _pictures(engine: Engine, root: Path) -> Iterator[Finding]:
    with engine.connect() as connection:
        known = connection.execute(text("SELECT count(*) FROM image WHERE state = 'present'"))
        paths = connection.execute(
            text("SELECT path FROM image WHERE state = 'present' ORDER BY random() LIMIT :n"),
            {"n": SAMPLE},
        ).scalars()
        gone = [path for path in paths if not (root / path).is_file()]
        count = known.scalar_one()
    if gone:
        yield error(
            "pictures",
            f"{len(gone)} of {min(SAMPLE, count)} looked for are not under {root}: {gone[0]}",
            "Every machine must see the same COMD_IMAGES.",
        )
    else:
        yield ok("pictures", f"{count:,} known, {min(SAMPLE, count)} looked for and found")


def broker(settings: Settings) -> Iterator[Finding]:
    """Reached with one attempt. Its address may hold a password and is not shown."""
    if settings.broker_url is None:
        yield ok("broker", "pgmq, in the database")
        return
    from kombu.connection import Connection

    url = settings.broker_url.get_secret_value()
    kind = url.split(":", 1)[0]
    try:
        with Connection(url, connect_timeout=5) as connection:
            connection.ensure_connection(max_retries=1, timeout=5)
    except Exception as refused:  # whatever the transport raises, it is not reachable
        yield error("broker", f"{kind}: {refused}", "Check COMD_BROKER_URL.")
    else:
        yield ok("broker", f"{kind}, reachable")


def model_servers(config: RunConfig) -> Iterator[Finding]:
    """Whether each OpenAI-compatible server answers and knows its model."""
    asked: set[tuple[str, str]] = set()
    for role in MODEL_ROLES:
        engine = config.engine(role)
        if isinstance(engine, OpenAIConfig) and (engine.base_url, engine.model) not in asked:
            asked.add((engine.base_url, engine.model))
            yield _server(role, engine)


def _server(role: str, engine: OpenAIConfig) -> Finding:
    import os

    key = os.environ.get(engine.api_key_env or "", "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{engine.base_url}/models", headers=headers, timeout=10)
        answer.raise_for_status()
        known = [str(each["id"]) for each in answer.json()["data"]]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as refused:
        return error(f"{role}.model", f"{engine.base_url}: {refused}", "Is the server up?")
    if engine.model not in known:
        return error(
            f"{role}.model",
            f"{engine.base_url} does not know {engine.model}",
            f"It serves {', '.join(known[:5]) or 'nothing'}.",
        )
    return ok(f"{role}.model", f"{engine.model} at {engine.base_url}")
