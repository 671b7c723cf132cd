"""`comd track`: training metrics for TensorBoard, Weights & Biases or MLflow."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from comd_workers.cli.connect import database
from comd_workers.cli.options import AsJson, RunName
from comd_workers.cli.output import print_json


class TrackerName(StrEnum):
    """Where metrics may go; comd_workers.tracking has a file for each."""

    tensorboard = "tensorboard"
    wandb = "wandb"
    mlflow = "mlflow"


def track(
    run: RunName,
    to: Annotated[TrackerName, typer.Option("--to", help="Which tracker.")] = (
        TrackerName.tensorboard
    ),
    out: Annotated[
        Path | None, typer.Option("--out", help="Where files go; none: tracking/ in COMD_HOME.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on until the run is finished, or Ctrl-C.")
    ] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.1, help="Seconds between looks, with --watch.")
    ] = 5.0,
    as_json: AsJson = False,
) -> None:
    """Hand a run's training metrics, scores and held-out results on to a tracker.

    They come from the rows: start it before, during or after the run, on any machine that reaches the
    database, and as often as you like. Steps count on over the iterations.
    """
    from comd_platform.db.engine import transaction
    from comd_platform.runs import find_run
    from comd_workers.cli.status import look
    from comd_workers.tracking.follow import Follower
    from comd_workers.tracking.port import open_tracker

    with database() as (engine, settings):
        with transaction(engine) as session:
            found = find_run(session, run)
        place = out or settings.home / "tracking"
        tracker = open_tracker(to.value, run, found.config, place)
        try:
            follower = Follower(engine, found.id, tracker)
            told = follower.tell()
            while watch and not look(engine, run).finished:
                time.sleep(interval)
                told += follower.tell()
            if watch:
                told += follower.tell()
        finally:
            tracker.close()
    if as_json:
        print_json({"run": run, "tracker": to.value, "points": told, "place": place})
    else:
        typer.echo(f"{told:,} points of {run} for {to.value}, under {place}")
