"""`comd schema`: the tables and views, to look at, as JSON, or as a page with the entity diagram."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson
from comd_workers.cli.output import print_json, table

if TYPE_CHECKING:
    from comd_platform.schema import Relation


def schema(
    name: Annotated[
        str | None, typer.Argument(help="A table or view, to see its columns; none: list all.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a Markdown page with the entity diagram.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What can be asked: every table and view, and what a row of it is."""
    from comd_platform.errors import ComdError

    found_tables, found_views = read_schema()
    known = found_tables + found_views
    if name is not None:
        known = [relation for relation in known if relation.name == name]
        if not known:
            raise ComdError(f"there is no table or view {name!r}", hint="comd schema lists them.")
    if out is not None:
        from comd_workers.cli.schema_page import page

        out.write_text(page(found_tables, found_views), encoding="utf-8")
        typer.echo(f"wrote {out}")
    elif as_json:
        print_json(known)
    elif name is not None:
        _print_columns(known[0])
    else:
        for title, relations in (("Views", found_views), ("Tables", found_tables)):
            rows = ((relation.name, _sentence(relation)) for relation in relations)
            table(title, (title[:-1].lower(), "a row is"), rows, left=2)
        typer.echo("columns of one: comd schema NAME")


def read_schema() -> tuple[list[Relation], list[Relation]]:
    """(tables, views) of the database at hand."""
    import comd_migrations
    from comd_platform.db.engine import transaction
    from comd_platform.schema import tables, views

    with database() as (engine, _), transaction(engine) as session:
        return tables(), views(session, comd_migrations.view_descriptions())


def _print_columns(relation: Relation) -> None:
    if relation.description:
        typer.echo(relation.description + "\n")
    rows = [
        (
            column.name,
            column.type,
            "" if column.nullable else "not null",
            f"-> {column.references}" if column.references else column.key,
        )
        for column in relation.columns
    ]
    table(relation.name, ("column", "type", "null", "key"), rows, left=4)


def _sentence(relation: Relation) -> str:
    """The first sentence of the description."""
    first = " ".join(relation.description.split("\n\n")[0].split())
    return first.split(". ")[0].removesuffix(".")
