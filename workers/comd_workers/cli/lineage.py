"""`comd lineage`: why an instruction is here, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from comd_platform.plain import line, plain
from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson
from comd_workers.cli.output import console_for_people, print_json, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from comd_platform.reports.lineages import AssessedRow, Relative


def lineage(
    instruction: Annotated[int, typer.Argument(help="An instruction's id.")],
    run: Annotated[str | None, typer.Option("--run", help="Only what this run knows.")] = None,
    as_json: AsJson = False,
) -> None:
    """Why an instruction is here: its ancestors, what was written from it, and every score."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.lineages import family
    from comd_platform.runs import find_run

    with database() as (engine, _), transaction(engine) as session:
        run_id = find_run(session, run).id if run else None
        found = family(session, instruction, run_id=run_id)
    if as_json:
        print_json(found)
    else:
        print_lineage(found, marked=instruction)


def print_lineage(found: Sequence[Relative], marked: int | None = None) -> None:
    """A tree in the terminal; text of models is printed as text."""
    from rich.text import Text
    from rich.tree import Tree

    nodes: dict[int, Tree] = {}
    root: Tree | None = None
    for relative in found:
        told = Text()
        told.append(f"{relative.instruction_id} ", style="dim")
        told.append(plain(relative.text), style="bold" if relative.instruction_id == marked else "")
        told.append(f"  [{_origin(relative)}]", style="cyan")
        parent = nodes.get(relative.parent_id or -1)
        node = parent.add(told) if parent is not None else Tree(told)
        root = root or node
        nodes[relative.instruction_id] = node
        for row in relative.assessed:
            node.add(_assessed(row))
    if root is not None:
        console_for_people().print(root)


def _origin(relative: Relative) -> str:
    """Where an instruction came from, with the evidence of its augmentation."""
    born = f"{relative.task_type}, iteration {relative.born_in or 1}"
    if relative.source_band is None:
        return born
    article = "an" if relative.source_band == "easy" else "a"
    return f"{born}, from {article} {relative.source_band} one, ROUGE-L {show(relative.rouge_l)}"


def _assessed(row: AssessedRow) -> Text:
    """One line: how this instruction stood in one iteration, and what was answered."""
    from rich.text import Text

    return Text(
        f"{row.run} {row.iteration}: {row.band} {show(row.difficulty)}, "
        f"teacher {show(row.teacher_score)} {_brief(row.teacher_answer)}, "
        f"student {show(row.student_score)} {_brief(row.student_answer)}",
        style="green" if row.band == "easy" else "yellow",
    )


def _brief(answer: str | None) -> str:
    return "(no answer)" if answer is None else f"“{line(answer, 80)}”"
