"""Noun phrases over many machines: a queue of shard names, and files that say what is done.

Postgres holds no row of this: a shard's file is its done-mark, on a file system that all of them see.
Whatever the broker loses is asked for again.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from celery import Celery
from celery.signals import worker_process_init
from kombu.entity import Queue

from comd_platform.errors import ComdError
from comd_platform.settings import Settings
from comd_training.pretrain.extraction import extract_one
from comd_training.pretrain.shards import phrases_folder, write_text
from comd_workers.broker import make_app

TASK = "comd.phrases"
QUEUE = "comd-phrases"

log = logging.getLogger(__name__)


class CelerySpread:
    """The filter's side: rings a bell a shard."""

    def __init__(self, settings: Settings) -> None:
        self._app = _app(settings)
        self._connection = self._app.connection_for_write()
        self._producer = self._app.amqp.Producer(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.release()
        self._app.close()

    def ask(self, work: Path, model: str, shards: Sequence[str]) -> None:
        for shard in shards:
            _error_file(work, model, shard).unlink(missing_ok=True)
            self._app.send_task(
                TASK, args=(str(work.absolute()), model, shard), producer=self._producer
            )

    def check(self, work: Path, model: str) -> None:
        for path in phrases_folder(work, model).glob("*.error"):
            said = path.read_text(encoding="utf-8")
            path.unlink()
            raise ComdError(
                f"a phrase worker failed at shard {path.stem}: {said}",
                hint="Mend it and give the same command again: finished shards stand.",
            )


def run_phrase_worker(settings: Settings, processes: int | None = None) -> None:
    """Serve the queue with a pool of processes until SIGTERM. Blocks."""
    worker_process_init.connect(_leave_stopping_to_the_parent)
    app = _app(settings)
    app.task(name=TASK, shared=False)(_find_phrases)
    worker = app.Worker(
        pool="prefork",
        concurrency=processes or os.cpu_count(),
        queues=[QUEUE],
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
        loglevel=logging.getLevelName(logging.getLogger().level),
        quiet=True,
    )
    worker.start()


def _leave_stopping_to_the_parent(**_: object) -> None:
    # Who stops a service often signals the whole process group. A child that died of it in the
    # middle of a shard would be waited for without end; one that goes on finishes it and is let go.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _find_phrases(work: str, model: str, shard: str) -> None:
    try:
        extract_one(work, model, shard)
    except Exception as error:
        log.exception("shard %s of %s", shard, work)
        path = _error_file(Path(work), model, shard)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, f"{type(error).__name__}: {error}")


def _error_file(work: Path, model: str, shard: str) -> Path:
    return phrases_folder(work, model) / f"{shard}.error"


def _app(settings: Settings) -> Celery:
    app = make_app(settings)
    app.conf.update(
        task_queues=[Queue(QUEUE, routing_key=QUEUE)],
        task_default_queue=QUEUE,
    )
    return app
