"""`comd pretrain`: stage 1, from raw captions to a student whose projector is aligned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.options import AsJson, examples

if TYPE_CHECKING:
    from comd_training.pretrain.filtering import FilterReport
    from comd_workers.phrases import CelerySpread

app = typer.Typer(
    no_args_is_help=True, help="Stage 1: a balanced choice of captions, and the projector."
)


@app.command(
    "filter",
    epilog=examples(
        "comd pretrain filter cc3m.tsv sbu.jsonl --out filtered/",
        "comd pretrain filter laion/*.tar --out filtered/ --model bundled --skip-bad",
        "comd pretrain filter cc3m.tsv --out /shared/filtered --spread   # comd pretrain worker",
    ),
)
def filter_pairs(
    inputs: Annotated[
        list[Path], typer.Argument(help="TSV, JSONL, LLaVA JSON, webdataset .tar; one or more.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for pairs, report and plot.")],
    model: Annotated[
        str,
        typer.Option("--model", help="A spaCy model or its folder; bundled: needs no download."),
    ] = "en_core_web_sm",
    minimum: Annotated[
        int, typer.Option("--minimum", min=1, help="Phrases in fewer pairs are left out.")
    ] = 3,
    cap: Annotated[
        int, typer.Option("--cap", min=1, help="A more frequent phrase brings so many pairs.")
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw among frequent phrases.")] = 0,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="None: one a core.")
    ] = None,
    memory: Annotated[
        str, typer.Option("--memory", help="What the selection may hold before it spills to disk.")
    ] = "8GB",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave unusable records out and list them.")
    ] = False,
    keep_work: Annotated[
        bool, typer.Option("--keep-work", help="Keep the shards, for another cap or seed.")
    ] = False,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread", help="Let `comd pretrain worker`s find the phrases; they must see --out."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose pairs so that frequent concepts do not crowd out rare ones (section 3.2)."""
    _require("duckdb", "matplotlib")
    from comd_training.pretrain.filtering import filter_captions
    from comd_training.pretrain.selection import Rule
    from comd_workers.cli.stages import StageBars

    with _spread(spread) as others, StageBars() as bars:
        report = filter_captions(
            inputs,
            out,
            model=model,
            rule=Rule(minimum=minimum, cap=cap, seed=seed),
            processes=processes,
            memory=memory,
            skip_bad=skip_bad,
            keep_work=keep_work,
            spread=others,
            on_stage=bars,
        )
    if as_json:
        typer.echo((out / "report.json").read_text(encoding="utf-8"), nl=False)
    else:
        _print_report(report, out)


@app.command(epilog=examples("comd pretrain worker", "comd pretrain worker --processes 4"))
def worker(
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="None: one a core.")
    ] = None,
) -> None:
    """Find phrases for `comd pretrain filter --spread` until SIGTERM. Needs the broker only."""
    _require("textblob")
    from comd_platform.settings import get_settings
    from comd_workers.phrases import run_phrase_worker

    run_phrase_worker(get_settings(), processes)


@contextmanager
def _spread(wanted: bool) -> Iterator[CelerySpread | None]:
    if not wanted:
        yield None
        return
    from comd_platform.settings import get_settings
    from comd_workers.phrases import CelerySpread

    with CelerySpread(get_settings()) as spread:
        yield spread


def _require(*modules: str) -> None:
    from importlib.util import find_spec

    from comd_platform.errors import ComdError

    lacking = [module for module in modules if find_spec(module) is None]
    if lacking:
        raise ComdError(
            f"the filter stands on {' and '.join(lacking)}, which this installation lacks",
            hint="pip install 'comd[pretrain]'",
        )


def _print_report(report: FilterReport, out: Path) -> None:
    from comd_workers.cli.output import duration, percent

    read, counts = report.read, report.counts
    typer.echo(
        f"{read.records:,} records: {counts.pairs:,} pairs, {report.duplicates:,} duplicates, "
        f"{read.unusable:,} unusable; {counts.pairs - counts.with_phrases:,} without a noun phrase"
    )
    typer.echo(f"phrases by {report.extractor}")
    typer.echo(
        f"{counts.phrases:,} phrases: {counts.phrases_rare:,} in fewer than {report.rule.minimum} "
        f"pairs left out, {counts.phrases_kept:,} kept, {counts.phrases_cut:,} cut at "
        f"{report.rule.cap}"
    )
    share = percent(counts.selected / counts.pairs)
    typer.echo(f"{counts.selected:,} pairs selected ({share}): {out / 'pairs.jsonl'}")
    took = duration(sum(report.seconds.values()))
    rate = (
        "went on from an earlier attempt"
        if report.captions_per_second is None
        else f"{report.captions_per_second:,.0f} captions/s"
    )
    typer.echo(f"{took}, {rate}, {report.peak_memory / 2**20:,.0f} MiB at the peak")
    typer.echo(f"report {out / 'report.json'}, plot {out / 'report.svg'}")
