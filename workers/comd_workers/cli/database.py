"""`comd db`: where the data live, and the state of the schema."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from comd_platform.errors import ComdError
from comd_platform.settings import get_settings

app = typer.Typer(no_args_is_help=True, help="The database: server, schema, psql.")


@app.command()
def status() -> None:
    """Where the database lives, whether it runs, and which revision it has."""
    import comd_migrations
    from comd_platform.db.embedded import EmbeddedPostgres
    from comd_platform.db.engine import database_url, make_engine

    settings = get_settings()
    typer.echo(f"COMD_HOME   {settings.home}")
    typer.echo(f"images      {settings.image_root}")
    typer.echo(f"artifacts   {settings.artifact_root}")
    if settings.database_url is None:
        found = EmbeddedPostgres(settings.home).status()
        running = f"running, pid {found.pid}" if found.pid else "stopped"
        typer.echo(f"server      embedded PostgreSQL, {running}")
        typer.echo(f"data        {found.data}{'' if found.initialized else ' (not made yet)'}")
        typer.echo(f"log         {found.log}")
        if found.pid is None:
            typer.echo("start it    comd db start")
            return
        typer.echo(f"psql        psql -h {found.socket_dir} -U postgres comd   (or: comd db psql)")
    else:
        url = database_url(settings)
        typer.echo(f"server      {url.render_as_string(hide_password=True)}")
    engine = make_engine(database_url(settings))
    schema = comd_migrations.status(engine)
    pending = f", {len(schema.pending)} to run: comd db upgrade" if schema.pending else ", current"
    typer.echo(f"schema      {schema.current or 'empty'}{pending}")
    engine.dispose()


@app.command()
def start() -> None:
    """Start the embedded PostgreSQL; it runs until `comd db stop` or a reboot."""
    from comd_platform.db.embedded import EmbeddedPostgres

    server = EmbeddedPostgres(_embedded_home())
    server.start()
    found = server.status()
    typer.echo(f"running, pid {found.pid}; psql -h {found.socket_dir} -U postgres comd")


@app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL. Data stay; any comd command starts it again."""
    from comd_platform.db.embedded import EmbeddedPostgres

    stopped = EmbeddedPostgres(_embedded_home()).stop()
    typer.echo("stopped" if stopped else "it was not running")


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="Where to migrate to.")] = "head",
) -> None:
    """Migrate the schema up, in one transaction."""
    import comd_migrations
    from comd_platform.db.engine import database_url, make_engine

    engine = make_engine(database_url(get_settings()))
    comd_migrations.upgrade(engine, revision)
    typer.echo(f"schema at {comd_migrations.status(engine).current}")
    engine.dispose()


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help='Where to migrate to; "base" drops everything.')],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Migrate the schema down. What the dropped tables hold is gone."""
    import comd_migrations
    from comd_platform.db.engine import database_url, make_engine

    engine = make_engine(database_url(get_settings()))
    if not yes:
        typer.confirm(f"Drop everything newer than {revision}, rows included?", abort=True)
    comd_migrations.downgrade(engine, revision)
    typer.echo(f"schema at {comd_migrations.status(engine).current or 'base'}")
    engine.dispose()


@app.command()
def psql(
    command: Annotated[str | None, typer.Option("-c", help="Run this and leave.")] = None,
) -> None:
    """Open psql on the database (the psql on the PATH, or the embedded one)."""
    from comd_platform.db.embedded import psql_program
    from comd_platform.db.engine import database_url, libpq_url

    program = shutil.which("psql") or psql_program()
    url = libpq_url(database_url(get_settings()))
    # The URL may hold a password: libpq takes it from the environment, not from the process list.
    from psycopg.conninfo import conninfo_to_dict

    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
        "sslmode": "PGSSLMODE",
    }
    environment = dict(os.environ)
    for key, value in conninfo_to_dict(url).items():
        if key in names and value is not None:
            environment[names[key]] = str(value)
    arguments = [program, "-c", command] if command else [program]
    os.execve(program, arguments, environment)  # noqa: S606 - psql takes the terminal over


@app.command("grant-reader")
def grant_reader() -> None:
    """Make the role that may only read, for `comd dashboard` and SQL that people type.

    On a server of your own: set COMD_READER_URL to COMD_DATABASE_URL with another user and password,
    run this once, and give COMD_READER_URL to whoever shall read. The embedded PostgreSQL needs
    nothing: its role is made when it is first used.
    """
    from comd_platform.db.reader import grant_reader

    typer.echo(f"{grant_reader(get_settings())} may read every table, and write none")


def _embedded_home() -> Path:
    settings = get_settings()
    if settings.database_url is not None:
        raise ComdError(
            "COMD_DATABASE_URL names a server that comd does not manage",
            hint="Unset it to use the embedded PostgreSQL.",
        )
    return settings.home
