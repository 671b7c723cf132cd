"""`comd import` and `comd export`: data in and out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, Images, Link, RunName, examples
from comd_workers.cli.output import duration, print_json


class Scope(StrEnum):
    """Which instructions of an iteration."""

    cache = "cache"
    tuning = "tuning"


import_app = typer.Typer(
    no_args_is_help=True, help="Bring instructions, pictures and benchmarks in."
)


@import_app.command(
    "llava",
    epilog=examples(
        "comd import llava seed.json --images pictures/",
        "comd import llava seed.json --images-later --skip-bad",
    ),
)
def import_llava(
    file: Annotated[Path, typer.Argument(help="LLaVA JSON or JSONL.")],
    images: Images = None,
    pool: Annotated[
        str | None, typer.Option("--pool", help="The pool's name; none: the file's.")
    ] = None,
    keep_answers: Annotated[
        bool, typer.Option("--keep-answers", help="Keep answers aside as reference answers.")
    ] = False,
    images_later: Annotated[
        bool, typer.Option("--images-later", help="Let records wait for absent pictures.")
    ] = False,
    text_only: Annotated[
        bool, typer.Option("--text-only", help="Take records without a picture too.")
    ] = False,
    skip_bad: Annotated[
        bool,
        typer.Option("--skip-bad", help="Leave bad records out, with a report beside the file."),
    ] = False,
    link: Link = False,
    as_json: AsJson = False,
) -> None:
    """Import a LLaVA instruction file as a root pool: single turns, answers dropped, all or nothing."""
    from comd_platform.importers import import_file
    from comd_workers.cli.stages import StageBars

    with database() as (engine, settings), StageBars() as bars:
        report = import_file(
            engine,
            settings,
            format="llava",
            path=file,
            images=images,
            pool=pool,
            keep_answers=keep_answers,
            images_later=images_later,
            text_only=text_only,
            skip_bad=skip_bad,
            link=link,
            on_progress=bars,
        )
    if as_json:
        print_json(report)
        return
    typer.echo(
        f"pool {report.pool}: {report.instructions_new:,} new instructions, "
        f"{report.instructions_known:,} known, {report.duplicates:,} duplicates, from "
        f"{report.records:,} records; {report.images_new:,} new pictures, {report.images_known:,} "
        f"known; {duration(report.seconds)}"
    )
    if report.images_missing:
        typer.echo(f"{report.images_missing:,} pictures are missing: comd import images DIR")
    if report.skipped:
        typer.echo(f"{report.skipped:,} records skipped, listed in {report.skip_report}")


@import_app.command("images", epilog=examples("comd import images pictures/"))
def import_late_images(
    directory: Annotated[Path, typer.Argument(help="Folder with the missing pictures.")],
    link: Link = False,
    as_json: AsJson = False,
) -> None:
    """Bring the pictures that imported records wait for."""
    from comd_platform.importers import import_images
    from comd_workers.cli.stages import StageBars

    with database() as (engine, settings), StageBars() as bars:
        report = import_images(engine, settings, directory, link=link, on_progress=bars)
    if as_json:
        print_json(report)
    else:
        typer.echo(f"{report.arrived:,} pictures came, {report.missing:,} are still missing")


@import_app.command(
    "benchmark", epilog=examples("comd import benchmark test.jsonl --images pictures/ --name mine")
)
def import_benchmark(
    file: Annotated[Path, typer.Argument(help="JSONL of image, question, answer(s), groups.")],
    images: Images = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The benchmark's name; none: the file's.")
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="exact or normalized.")] = "normalized",
    as_json: AsJson = False,
) -> None:
    """Import held-out questions; a run names them in evaluation.benchmarks."""
    from comd_platform.evaluation.items import import_benchmark as import_items

    with database() as (engine, settings):
        report = import_items(engine, settings, path=file, images=images, name=name, metric=metric)
    if as_json:
        print_json(report)
    else:
        typer.echo(f"benchmark {report.name}: {report.items:,} items")


def export(
    run: RunName,
    out: Annotated[Path, typer.Argument(help="The JSON file to write.")],
    iteration: Annotated[
        int | None, typer.Option("--iteration", help="Which iteration; none: the last.")
    ] = None,
    scope: Annotated[
        Scope,
        typer.Option("--scope", help="cache: all so far; tuning: what the iteration brought."),
    ] = Scope.cache,
    images: Annotated[
        Path | None, typer.Option("--images", help="Copy the pictures here; none: leave them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a pool with the teacher's answers as LLaVA JSON, for any trainer."""
    from comd_platform.db.engine import transaction
    from comd_platform.exporters import export_pool
    from comd_platform.runs import RunError, chain, find_run

    with database() as (engine, settings), transaction(engine) as session:
        found = chain(session, find_run(session, run))
        wanted = [each for each in found if iteration in (None, each.number)]
        if not wanted:
            raise RunError(f"run {run!r} has no iteration {iteration or 1}")
        last = wanted[-1]
        manifest = export_pool(
            session,
            settings,
            pool_id=last.pool_id,
            out=out,
            scope=scope.value,
            answers=last.teacher_model_id,
            seed=last.id,
            images=images,
        )
    if as_json:
        print_json(manifest)
        return
    typer.echo(
        f"{manifest.path}: {manifest.records:,} records, {manifest.turns:,} turns, "
        f"{manifest.images:,} pictures; {manifest.unanswered:,} instructions had no answer"
    )
