"""The schema as a page of the documentation: diagram, then every table and view with its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comd_platform.schema import Relation

_HEAD = """\
# Tables and views

Written by `comd schema --out docs/schema.md` from the declarations in `comd_platform/tables` and the
newest migration; `comd schema NAME` shows one in the terminal. Questions to ask of them are in
[sql.md](sql.md). A view is what one usually asks: its names are those of the
[method](method.md), and it knows which iterations a branch shares with the run it came from.
"""


def page(tables: Sequence[Relation], views: Sequence[Relation]) -> str:
    """Markdown."""
    from comd_platform.schema import mermaid

    parts = [_HEAD, "## Diagram\n", f"```mermaid\n{mermaid(tables)}```\n", "## Views\n"]
    for relation in views:
        parts.extend(_section(relation))
    parts.append("## Tables\n")
    for relation in tables:
        parts.extend(_section(relation))
    return "\n".join(parts)


def _section(relation: Relation) -> Iterator[str]:
    yield f"### {relation.name}\n"
    if relation.description:
        yield relation.description + "\n"
    yield "| column | type | |\n|---|---|---|"
    for column in relation.columns:
        notes = [column.key] if column.key == "PK" else []
        if column.references:
            target = column.references.split(".")[0]
            notes.append(f"[{column.references}](#{target})")
        if column.nullable and relation.columns[0].key:
            notes.append("may be null")
        yield f"| {column.name} | {column.type} | {', '.join(notes)} |"
    yield ""
