"""`comd review`: what people decide about instructions, without a browser."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName, examples
from comd_workers.cli.output import print_json, table

app = typer.Typer(
    no_args_is_help=True, help="Accept, reject or correct instructions; the next pool goes by it."
)

Author = Annotated[
    str | None, typer.Option("--author", help="Who decides; none: the name you are logged in by.")
]
Instruction = Annotated[int, typer.Argument(help="An instruction's id.")]


@app.command(
    epilog=examples(
        "comd review queue demo-0 --slice inconsistent",
        "comd review queue demo-0 --slice random --seed 1 --limit 50 --json",
    )
)
def queue(
    run: RunName,
    which: Annotated[
        str,
        typer.Option("--slice", help="quarantined, inconsistent, difficult, flagged or random."),
    ] = "inconsistent",
    iteration: Annotated[
        int | None, typer.Option("--iteration", min=1, help="Which iteration; none: the last.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another random sample.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to list.")] = 20,
    author: Author = None,
    as_json: AsJson = False,
) -> None:
    """What waits to be looked at, in an order that stays, and what you decided about it."""
    from typing import cast

    from comd_platform.db.engine import transaction
    from comd_platform.reports.reviews import Slice, review_queue
    from comd_platform.runs import RunError, chain, find_run

    with database() as (engine, _), transaction(engine) as session:
        found = find_run(session, run)
        numbers = [each.number for each in chain(session, found)]
        if not numbers:
            raise RunError(f"run {run!r} has not begun", hint=f"Run: comd iterate {run}")
        waiting = review_queue(
            session,
            found.id,
            iteration or numbers[-1],
            cast("Slice", which),
            author=_name(author),
            seed=seed,
            most=limit,
        )
    if as_json:
        print_json(waiting)
        return
    table(
        None,
        ("why", "decided", "instruction"),
        [(each.why, each.decided or "", each.instruction_id) for each in waiting],
        left=2,
    )


@app.command("list", epilog=examples("comd review list demo-0", "comd review list demo-0 --json"))
def listed(
    run: RunName,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to list.")] = 100,
    as_json: AsJson = False,
) -> None:
    """What has been decided about the instructions of a run, the latest first."""
    from comd_platform.db.engine import transaction
    from comd_platform.reports.reviews import reviewed
    from comd_platform.runs import find_run

    with database() as (engine, _), transaction(engine) as session:
        found = reviewed(session, find_run(session, run).id, limit)
    if as_json:
        print_json(found)
        return
    table(
        None,
        ("verdict", "flagged", "author", "text", "corrected", "note", "instruction"),
        [
            (
                row.verdict or "",
                "yes" if row.flagged else "",
                row.author or "",
                row.text,
                row.corrected or "",
                row.note or "",
                row.instruction_id,
            )
            for row in found
        ],
        left=6,
    )


@app.command(
    epilog=examples(
        'comd review decide 42 reject --note "the picture is blurred"',
        'comd review decide 42 edit --text "Which ball is red?"',
        "comd review decide 42 accept --author ada",
    )
)
def decide(
    instruction: Instruction,
    decision: Annotated[str, typer.Argument(help="accept, reject, edit or flag.")],
    text: Annotated[
        str | None, typer.Option("--text", help="The corrected instruction, for edit.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="Why.")] = None,
    author: Author = None,
) -> None:
    """Decide about an instruction. Rejected and edited ones are not tuned on from the next pool on."""
    from typing import cast

    from comd_platform.db.engine import transaction
    from comd_platform.review import Decision, ReviewError, record
    from comd_platform.review.deciding import Word

    if decision == "undo":
        raise ReviewError("an undo has a command of its own", hint="Run: comd review undo ID")
    made = Decision(instruction, cast("Word", decision), _name(author), text=text, note=note)
    with database() as (engine, _), transaction(engine) as session:
        record(session, made)
    typer.echo(f"{instruction}: {decision}, by {made.author}")


@app.command(epilog=examples("comd review undo 42", "comd review undo 42 --author ada"))
def undo(instruction: Instruction, author: Author = None) -> None:
    """Take back your last decision about an instruction; the one before it stands again."""
    from comd_platform.db.engine import transaction
    from comd_platform.review import Decision, ReviewError, last_of, record

    name = _name(author)
    with database() as (engine, _), transaction(engine) as session:
        last = last_of(session, name, instruction)
        if last is None:
            raise ReviewError(
                f"{name} has decided nothing about instruction {instruction} that stands",
                hint="--author names somebody else.",
            )
        record(session, Decision(instruction, "undo", name, undoes_id=last.id))
    typer.echo(f"{instruction}: {last.decision} taken back, by {name}")


def _name(author: str | None) -> str:
    return author or getpass.getuser()
