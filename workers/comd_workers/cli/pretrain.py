"""`comd pretrain`: stage 1, from raw captions to a student whose projector is aligned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from comd_workers.cli.config import Overrides
from comd_workers.cli.options import AsJson, examples

if TYPE_CHECKING:
    from comd_training.pretrain.filtering import FilterReport
    from comd_workers.phrases import CelerySpread

app = typer.Typer(
    no_args_is_help=True, help="Stage 1: a balanced choice of captions, and the projector."
)

Config = Annotated[
    Path | None, typer.Option("--config", help="A stage 1 config; none: the paper's values.")
]


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
    config: Config = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A spaCy model or its folder (none: en_core_web_sm); bundled: needs no download.",
        ),
    ] = None,
    minimum: Annotated[
        int | None, typer.Option("--minimum", min=1, help="Rarer phrases are left out (none: 3).")
    ] = None,
    cap: Annotated[
        int | None,
        typer.Option("--cap", min=1, help="Pairs a more frequent phrase brings (none: 100)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of the draw among frequent phrases (none: 0).")
    ] = None,
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
    from comd_platform.config.stage1 import load_stage1
    from comd_training.pretrain.filtering import filter_captions
    from comd_training.pretrain.selection import Rule
    from comd_workers.cli.stages import StageBars

    given = {"extractor": model, "minimum": minimum, "cap": cap, "seed": seed}
    asked = load_stage1(
        config, [f"filter.{key}={value}" for key, value in given.items() if value is not None]
    ).filter
    with _spread(spread) as others, StageBars() as bars:
        report = filter_captions(
            inputs,
            out,
            model=asked.extractor,
            rule=Rule(minimum=asked.minimum, cap=asked.cap, seed=asked.seed),
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


@app.command(
    epilog=examples(
        "comd pretrain train filtered/pairs.jsonl --images cc3m/ --model llava --out stage1/",
        "comd pretrain train pairs.jsonl --images laion/ --config examples/paper-stage1.yaml"
        " --out stage1/ --set processes=8",
    )
)
def train(
    pairs: Annotated[Path, typer.Argument(help="pairs.jsonl of the filter, or any caption file.")],
    images: Annotated[
        Path, typer.Option("--images", help="Folder that picture names, or shards, count from.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of this training.")],
    model: Annotated[
        str | None, typer.Option("--model", help="Student to start from; none: the config's.")
    ] = None,
    config: Config = None,
    overrides: Overrides = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave pairs without a usable picture out.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train the projector on captions, everything else frozen: a student for run configs."""
    from comd_platform.config.stage1 import load_stage1
    from comd_platform.errors import ComdError
    from comd_training.failures import TrainingFailed
    from comd_training.pretrain.projector import prepare, projector_spec
    from comd_training.supervise import run_training
    from comd_workers.cli.output import duration, print_json
    from comd_workers.cli.stages import StageBars

    asked = load_stage1(config, overrides)
    start = model or asked.model
    if start is None:
        raise ComdError(
            "no student to start from",
            hint="Name one: --model DIRECTORY, or `model` in the config.",
        )
    out.mkdir(parents=True, exist_ok=True)
    prepared = prepare(pairs, images, out, skip_missing=skip_missing)
    spec = projector_spec(asked, start, prepared, out.absolute())
    steps = spec.hyperparameters.max_steps or -(
        -prepared.pairs * spec.hyperparameters.epochs // spec.hyperparameters.batch_size
    )
    with StageBars() as bars:
        try:
            result = run_training(
                spec,
                on_metric=lambda metric: bars("steps", metric.step, steps),
                on_alive=lambda: None,
            )
        except TrainingFailed as failed:
            log = out / "train.log"
            raise ComdError(failed.message, hint=f"{failed.hint} Its log: {log}") from failed
    if as_json:
        print_json({"pairs": prepared.pairs, "missing": prepared.missing, "result": result})
        return
    typer.echo(
        f"{result.steps:,} steps over {prepared.pairs:,} pairs ({prepared.missing:,} left out), mean "
        f"loss {result.train_loss:.3f}, {duration(result.seconds)}; "
        f"{result.frozen_tensors:,} frozen tensors unchanged"
    )
    typer.echo(f"student.model.model: {result.checkpoint}")


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
