"""`comd decontaminate` and `comd duplicates`: what instructions share with benchmarks and each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from comd_platform.plain import line
from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName
from comd_workers.cli.output import percent, print_json, show, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comd_platform.overlap import Cluster
    from comd_platform.reports.decontamination import Overlap, OverlapCount

Limit = Annotated[int, typer.Option("--limit", min=0, help="How many to list.")]
OfIteration = Annotated[
    int | None, typer.Option("--iteration", min=1, help="Which iteration; none: the last.")
]


def decontaminate(
    run: RunName,
    iteration: OfIteration = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", help="Compare with this one now, and only look; repeatable."),
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Which instructions overlap with the run's benchmarks, and what was kept out of its training.

    Before a run has begun, and with --benchmark, the comparison is made now and nothing is recorded.
    """
    from comd_platform.db.engine import transaction
    from comd_platform.overlap.looking import overlap_of_run

    with database() as (engine, settings), transaction(engine) as session:
        seen = overlap_of_run(
            session,
            settings,
            run,
            iteration=iteration,
            benchmarks=benchmark or (),
            limit=limit,
        )
    if as_json:
        print_json(seen)
        return
    how = "recorded" if seen.recorded else f"looked up now, mode {seen.mode}, nothing recorded"
    typer.echo(
        f"run {run}, iteration {seen.iteration}: {seen.checked:,} instructions against "
        f"{', '.join(seen.benchmarks)} ({how})"
    )
    if not seen.counts:
        typer.echo("no overlap")
        return
    _print_counts(seen.counts)
    _print_overlaps(seen.overlaps)


def _print_counts(counts: Sequence[OverlapCount]) -> None:
    table(
        None,
        ("verdict", "kind", "benchmark", "instructions"),
        [(row.verdict, row.kind, row.benchmark, row.instructions) for row in counts],
        left=3,
    )


def _print_overlaps(found: Sequence[Overlap]) -> None:
    table(
        None,
        ("verdict", "how near", "instruction", "nearest item", "asks", "id", "items"),
        [
            (
                row.verdict,
                f"{row.kind} {show(row.distance if row.rouge_l is None else row.rouge_l)}",
                line(row.text, 100),
                f"{row.benchmark} {row.item}",
                line(row.question, 100),
                row.instruction_id,
                row.items,
            )
            for row in found
        ],
        left=5,
    )


def duplicates(
    name: Annotated[str, typer.Argument(help="A run's name (its cache pool), or a pool's.")],
    iteration: OfIteration = None,
    threshold: Annotated[
        float,
        typer.Option("--threshold", min=0.5, max=1.0, help="ROUGE-L F from which two are one."),
    ] = 0.9,
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """Near-duplicate instructions of a pool, across all pictures; the loop looks within each only."""
    from comd_platform.db.engine import transaction
    from comd_platform.overlap import find_duplicates
    from comd_platform.overlap.looking import pool_of

    with database() as (engine, _), transaction(engine) as session:
        pool = pool_of(session, name, iteration)
        found = find_duplicates(session, pool.id, threshold=threshold)
    if as_json:
        print_json(found)
        return
    typer.echo(
        f"{pool.title}: {found.instructions:,} instructions, {found.wordings:,} different texts; "
        f"at ROUGE-L {threshold:g}, {found.duplicated:,} stand in {len(found.clusters):,} clusters, "
        f"{found.redundant:,} ({percent(found.redundant / max(1, found.instructions))}) beyond the "
        "first of each"
    )
    if found.clusters and limit:
        _print_clusters(found.clusters[:limit])


def _print_clusters(clusters: Sequence[Cluster]) -> None:
    table(
        None,
        ("most frequent wordings", "instructions", "pictures", "wordings"),
        [
            (
                "\n".join(
                    f"{each.instructions:,}: {line(each.text, 100)}" for each in row.examples
                ),
                row.instructions,
                row.pictures,
                row.wordings,
            )
            for row in clusters
        ],
    )
