"""`comd db`: where the data live, and the state of the schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comd_platform.errors import ComdError
from comd_workers.cli.options import AsJson, examples
from comd_workers.cli.output import print_json

app = typer.Typer(no_args_is_help=True, help="The database: server, schema, psql.")


@app.command(epilog=examples("comd db status", "comd db status --json"))
def status(as_json: AsJson = False) -> None:
    """Where the database lives, whether it runs, and which revision it has."""
    found = _standing()
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{name:<11} {shown}")
    if found.get("pending"):
        typer.echo("migrate it  comd db upgrade")
    elif "schema" not in found:
        typer.echo("start it    comd db start")


def _standing() -> dict[str, object]:
    """What there is to say, by name; of a stopped server it cannot be told which schema it holds."""
    import comd_migrations
    from comd_platform.db.embedded import EmbeddedPostgres
    from comd_platform.db.engine import database_url, make_engine
    from comd_platform.settings import get_settings

    settings = get_settings()
    found: dict[str, object] = {
        "COMD_HOME": str(settings.home),
        "images": str(settings.image_root),
        "artifacts": str(settings.artifact_root),
    }
    if settings.database_url is None:
        server = EmbeddedPostgres(settings.home).status()
        running = f"running, pid {server.pid}" if server.pid else "stopped"
        made = "" if server.initialized else " (not made yet)"
        found |= {
            "server": f"embedded PostgreSQL, {running}",
            "data": f"{server.data}{made}",
            "log": str(server.log),
        }
        if server.pid is None:
            return found
        found["psql"] = f"psql -h {server.socket_dir} -U postgres comd   (or: comd db psql)"
    else:
        url = database_url(settings)
        found["server"] = url.render_as_string(hide_password=True)
    engine = make_engine(database_url(settings))
    schema = comd_migrations.status(engine)
    engine.dispose()
    return found | {"schema": schema.current or "empty", "pending": list(schema.pending)}


@app.command(epilog=examples("comd db start"))
def start() -> None:
    """Start the embedded PostgreSQL; it runs until `comd db stop` or a reboot."""
    from comd_platform.db.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(_embedded_home())
    server.start()
    found = server.status()
    typer.echo(f"running, pid {found.pid}; psql -h {found.socket_dir} -U postgres comd")


@app.command(epilog=examples("comd db stop"))
def stop() -> None:
    """Stop the embedded PostgreSQL. Data stay; any comd command starts it again."""
    from comd_platform.db.embedded import EmbeddedPostgres

    stopped = EmbeddedPostgres(_embedded_home()).stop()
    typer.echo("stopped" if stopped else "it was not running")


@app.command(epilog=examples("comd db upgrade"))
def upgrade(
    revision: Annotated[str, typer.Argument(help="Where to migrate to.")] = "head",
) -> None:
    """Migrate the schema up, in one transaction."""
    import comd_migrations
    from comd_platform.db.engine import database_url, make_engine
    from comd_platform.settings import get_settings

    engine = make_engine(database_url(get_settings()))
    comd_migrations.upgrade(engine, revision)
    typer.echo(f"schema at {comd_migrations.status(engine).current}")
    engine.dispose()


@app.command(epilog=examples("comd db downgrade 0001"))
def downgrade(
    revision: Annotated[str, typer.Argument(help='Where to migrate to; "base" drops everything.')],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Migrate the schema down. What the dropped tables hold is gone."""
    import comd_migrations
    from comd_platform.db.engine import database_url, make_engine
    from comd_platform.settings import get_settings

    engine = make_engine(database_url(get_settings()))
    if not yes:
        typer.confirm(f"Drop everything newer than {revision}, rows included?", abort=True)
    comd_migrations.downgrade(engine, revision)
    typer.echo(f"schema at {comd_migrations.status(engine).current or 'base'}")
    engine.dispose()


@app.command(epilog=examples("comd db psql", 'comd db psql -c "SELECT * FROM iteration_summary"'))
def psql(
    command: Annotated[str | None, typer.Option("-c", help="Run this and leave.")] = None,
) -> None:
    """Open psql on the database (the psql on the PATH, or the embedded one)."""
    from comd_workers.cli.psql import open_psql

    open_psql(*(("-c", command) if command else ()))


@app.command("grant-reader", epilog=examples("comd db grant-reader"))
def grant_reader() -> None:
    """Make the role that may only read, for `comd dashboard` and SQL that people type.

    On a server of your own: set COMD_READER_URL to COMD_DATABASE_URL with another user and password,
    run this once, and give COMD_READER_URL to whoever shall read. The embedded PostgreSQL needs
    nothing: its role is made when it is first used.
    """
    from comd_platform.db.reader import grant_reader
    from comd_platform.settings import get_settings

    typer.echo(f"{grant_reader(get_settings())} may read every table, and write none")


def _embedded_home() -> Path:
    from comd_platform.settings import get_settings

    settings = get_settings()
    if settings.database_url is not None:
        raise ComdError(
            "COMD_DATABASE_URL names a server that comd does not manage",
            hint="Unset it to use the embedded PostgreSQL.",
        )
    return settings.home


@app.command("grant-reviewer", epilog=examples("comd db grant-reviewer"))
def grant_reviewer() -> None:
    """Make the role that may add review decisions and nothing else, for the dashboard's review page.

    On a server of your own: set COMD_REVIEWER_URL to COMD_DATABASE_URL with another user and
    password, run this once, and give COMD_REVIEWER_URL to the dashboard. The embedded PostgreSQL
    needs nothing: its role is made when it is first used.
    """
    from comd_platform.db.reviewer import grant_reviewer
    from comd_platform.settings import get_settings

    typer.echo(f"{grant_reviewer(get_settings())} may add decisions, and do nothing else")
