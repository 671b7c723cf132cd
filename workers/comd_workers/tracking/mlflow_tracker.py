"""MLflow: one run of theirs for one of ours, in the experiment `comd`; MLFLOW_TRACKING_URI applies,
without it a SQLite file under `place`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

_TAG = "comd.run"


class MlflowTracker:
    """Found again by its tag; the last step of the loss says what it holds."""

    def __init__(self, run: str, config: Mapping[str, object], place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        uri = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{place.absolute()}/mlflow.db")
        self._client = MlflowClient(tracking_uri=uri)
        experiment = self._client.get_experiment_by_name("comd")
        experiment_id = experiment.experiment_id if experiment else self._create(place)
        quoted = run.replace("'", "")
        found = self._client.search_runs([experiment_id], f"tags.`{_TAG}` = '{quoted}'")
        if found:
            self._id = found[0].info.run_id
        else:
            made = self._client.create_run(experiment_id, run_name=run, tags={_TAG: run})
            self._id = made.info.run_id
            for name, value in config.items():
                self._client.log_param(self._id, name, str(value)[:500])

    def _create(self, place: Path) -> str:
        return str(
            self._client.create_experiment(
                "comd", artifact_location=(place.absolute() / "mlflow-artifacts").as_uri()
            )
        )

    def seen(self) -> int:
        history = self._client.get_metric_history(self._id, "train/loss")
        return max((metric.step for metric in history), default=0)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._id)


def open_tracker(run: str, config: Mapping[str, object], place: Path) -> MlflowTracker:
    return MlflowTracker(run, config, place)
