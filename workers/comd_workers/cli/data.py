"""`comd import` and `comd export`: data in and out."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, Images, Link, Rehash, RunName, examples
from comd_workers.cli.output import duration, print_json

if TYPE_CHECKING:
    from comd_platform.importers import ImportReport


class Scope(StrEnum):
    """Which instructions of an iteration."""

    cache = "cache"
    tuning = "tuning"


class ExportFormat(StrEnum):
    """What `comd export` writes; the registry in comd_platform.exporters has the writers."""

    llava = "llava"
    sharegpt = "sharegpt"
    openai = "openai"
    hf = "hf"
    parquet = "parquet"


class AnswersOf(StrEnum):
    """Whose answers are exported."""

    teacher = "teacher"
    student = "student"
    reference = "reference"
    none = "none"


class Layout(StrEnum):
    """How the questions about one picture stand together."""

    dialogues = "dialogues"
    single = "single"


class Pictures(StrEnum):
    """What becomes of the pictures."""

    copy = "copy"
    link = "link"
    none = "none"


import_app = typer.Typer(
    no_args_is_help=True, help="Bring instructions, pictures and benchmarks in."
)


SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad records out, with a report beside the file.")
]


def _importer(format: str) -> Callable[..., None]:
    """The command for one format; all of them take the same options."""

    def command(
        file: Annotated[Path, typer.Argument(help="The file, or the folder of a dataset.")],
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
        skip_bad: SkipBad = False,
        link: Link = False,
        rehash: Rehash = False,
        as_json: AsJson = False,
    ) -> None:
        from comd_platform.importers import import_file
        from comd_workers.cli.stages import StageBars

        with database() as (engine, settings), StageBars() as bars:
            report = import_file(
                engine,
                settings,
                format=format,
                path=file,
                images=images,
                pool=pool,
                keep_answers=keep_answers,
                images_later=images_later,
                text_only=text_only,
                skip_bad=skip_bad,
                link=link,
                rehash=rehash,
                on_progress=bars,
            )
        if as_json:
            print_json(report)
        else:
            _tell(report)

    return command


def _tell(report: ImportReport) -> None:
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


FORMATS = {
    "llava": ("LLaVA conversations or questions, JSON or JSONL", "llava seed.json"),
    "sharegpt": ("ShareGPT conversations, JSON or JSONL", "sharegpt data.json"),
    "openai": ("OpenAI chat messages, JSONL or JSON", "openai chats.jsonl"),
    "parquet": ("a Parquet file of conversations or questions", "parquet train.parquet"),
    "hf": ("a Hugging Face dataset on disk, its pictures inside or beside", "hf my-dataset"),
    "scienceqa": (
        "ScienceQA's train split, to fine-tune on",
        "scienceqa problems.json --keep-answers --text-only --pool scienceqa-train",
    ),
}
"""Format -> (what it reads, an example); the registry in comd_platform.importers has the readers."""

for _format, (_reads, _example) in FORMATS.items():
    import_app.command(
        _format,
        help=f"Import {_reads}, as a root pool: single turns, answers dropped, all or nothing.",
        epilog=examples(
            f"comd import {_example} --images pictures/",
            f"comd import {_example} --images-later --skip-bad   # the pictures come later",
        ),
    )(_importer(_format))


@import_app.command(
    "images-folder",
    epilog=examples(
        "comd import images-folder photographs/",
        "comd import images-folder photographs/ --pool holiday --skip-bad",
    ),
)
def import_images_folder(
    directory: Annotated[Path, typer.Argument(help="Folder of pictures, subfolders included.")],
    pool: Annotated[
        str | None, typer.Option("--pool", help="The pool's name; none: the folder's.")
    ] = None,
    skip_bad: SkipBad = False,
    link: Link = False,
    rehash: Rehash = False,
    as_json: AsJson = False,
) -> None:
    """Import pictures without instructions: the augmentor writes those when the run begins."""
    from comd_platform.importers import import_pictures
    from comd_workers.cli.stages import StageBars

    with database() as (engine, settings), StageBars() as bars:
        report = import_pictures(
            engine,
            settings,
            directory,
            pool=pool,
            skip_bad=skip_bad,
            link=link,
            rehash=rehash,
            on_progress=lambda done, total: bars("pictures", done, total),
        )
    if as_json:
        print_json(report)
        return
    typer.echo(
        f"pool {report.pool}: {report.new:,} new pictures, {report.known:,} known, "
        f"{report.duplicates:,} duplicates, from {report.files:,} files"
    )
    if report.skipped:
        typer.echo(f"{report.skipped:,} pictures skipped, listed in {report.skip_report}")
    typer.echo(f"ask about them: a run config with pool: {report.pool} and bootstrap: {{}}")


@import_app.command("images", epilog=examples("comd import images pictures/"))
def import_late_images(
    directory: Annotated[Path, typer.Argument(help="Folder with the missing pictures.")],
    link: Link = False,
    rehash: Rehash = False,
    as_json: AsJson = False,
) -> None:
    """Bring the pictures that imported records wait for."""
    from comd_platform.importers import import_images
    from comd_workers.cli.stages import StageBars

    with database() as (engine, settings), StageBars() as bars:
        report = import_images(
            engine, settings, directory, link=link, rehash=rehash, on_progress=bars
        )
    if as_json:
        print_json(report)
    else:
        typer.echo(f"{report.arrived:,} pictures came, {report.missing:,} are still missing")


@import_app.command(
    "benchmark",
    epilog=examples(
        "comd import benchmark test.jsonl --images pictures/ --name mine",
        "comd import benchmark scienceqa/ --kind scienceqa --images scienceqa/images/test",
        "comd import benchmark SEED-Bench.json --kind seed_bench --images SEED-Bench-image",
    ),
)
def import_benchmark(
    path: Annotated[Path, typer.Argument(help="The benchmark's file, or its folder.")],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="custom (JSONL of image, question, answer(s), choices, groups), scienceqa, "
            "seed_bench or llava_bench.",
        ),
    ] = "custom",
    images: Images = None,
    without_images: Annotated[
        bool, typer.Option("--without-images", help="Ask the questions alone, without pictures.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The benchmark's name; none: the kind's, or the file's."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="exact, normalized, contains, choice (by letter), likelihood (choices ranked) or "
            "judge; none: what is usual for the kind.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import held-out questions; a run names them in evaluation.benchmarks, and comd evaluate."""
    from comd_platform.evaluation.items import import_benchmark as import_items

    with database() as (engine, settings):
        report = import_items(
            engine,
            settings,
            path=path,
            images=images,
            name=name,
            kind=kind,
            metric=metric,
            without_images=without_images,
        )
    if as_json:
        print_json(report)
    else:
        typer.echo(f"benchmark {report.name}: {report.items:,} items")


def export(
    run: RunName,
    folder: Annotated[Path, typer.Argument(help="The folder to write to.")],
    format: Annotated[
        ExportFormat, typer.Option("--format", help="For whose trainer; see docs/data.md.")
    ] = ExportFormat.llava,
    iteration: Annotated[
        int | None, typer.Option("--iteration", help="Which iteration; none: the last.")
    ] = None,
    scope: Annotated[
        Scope,
        typer.Option("--scope", help="cache: all so far; tuning: what the iteration brought."),
    ] = Scope.cache,
    answers: Annotated[
        AnswersOf, typer.Option("--answers", help="Whose answers, or none: questions alone.")
    ] = AnswersOf.teacher,
    layout: Annotated[
        Layout, typer.Option("--layout", help="Dialogues of one picture, or single turns.")
    ] = Layout.dialogues,
    images: Annotated[
        Pictures,
        typer.Option(
            "--images", help="Copy the pictures, hard-link them, or name them in COMD_IMAGES."
        ),
    ] = Pictures.copy,
    task_type: Annotated[
        list[str] | None, typer.Option("--task-type", help="Only these; may be repeated.")
    ] = None,
    min_difficulty: Annotated[
        float | None, typer.Option("--min-difficulty", help="As the iteration assessed it (eq. 6).")
    ] = None,
    max_difficulty: Annotated[
        float | None, typer.Option("--max-difficulty", help="The same from above.")
    ] = None,
    min_teacher_score: Annotated[
        float | None, typer.Option("--min-teacher-score", help="1 to 10, of the assessor.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write what a run has for any trainer: a folder of data, pictures, manifest and dataset card."""
    from comd_platform.db.engine import transaction
    from comd_platform.exporters import Filters, Wanted, export_run

    wanted = Wanted(
        format=format.value,
        iteration=iteration,
        scope=scope.value,
        answers=answers.value,
        layout=layout.value,
        pictures=images.value,
        filters=Filters(tuple(task_type or ()), min_difficulty, max_difficulty, min_teacher_score),
    )
    with database() as (engine, settings), transaction(engine) as session:
        done = export_run(session, settings, run, folder, wanted)
    if as_json:
        print_json(done.manifest)
        return
    data = done.data
    typer.echo(
        f"{data.path}: {data.records:,} records, {data.turns:,} turns, {data.images:,} pictures; "
        f"{data.unanswered:,} instructions had no answer\n"
        f"{folder / 'README.md'} and manifest.json say what it is"
    )
