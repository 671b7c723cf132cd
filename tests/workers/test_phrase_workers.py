"""Phrases by Celery workers: real ones, over the broker; one is killed, and the result is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comd_platform.errors import ComdError
from comd_platform.settings import Settings
from comd_training.pretrain import extraction, shards
from comd_training.pretrain.filtering import filter_captions
from comd_training.pretrain.phrases import BUNDLED
from comd_workers.phrases import CelerySpread

pytestmark = pytest.mark.full


def start_worker(said: int | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "comd_workers", "pretrain", "worker", "--processes", "1"],
        start_new_session=True,
        stderr=said,
    )


def end(worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
    os.killpg(worker.pid, number)
    worker.wait(60)


def test_a_killed_phrase_worker_changes_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_PAIRS", 500)
    monkeypatch.setattr(extraction, "ASKED_AT_ONCE", 4)
    captions = tmp_path / "captions.tsv"
    captions.write_text("".join(f"a dog on street{n % 900}\t{n}.jpg\n" for n in range(5_000)))
    filter_captions([captions], tmp_path / "here", model=BUNDLED, processes=1)
    out = tmp_path / "spread"
    workers = [start_worker()]

    def kill_the_first(stage: str, done: int, total: int) -> None:
        if stage == "phrases" and done >= 2 and len(workers) == 1:
            end(workers[0], signal.SIGKILL)
            workers.append(start_worker())

    # Bells that the dead worker had taken are rung again after a while.
    monkeypatch.setattr(
        extraction.extract_elsewhere, "__kwdefaults__", {"again_after": 3, "poll": 0.05}
    )
    try:
        with CelerySpread(settings) as spread:
            report = filter_captions(
                [captions], out, model=BUNDLED, spread=spread, on_stage=kill_the_first
            )
    finally:
        for worker in workers:
            if worker.poll() is None:
                end(worker, signal.SIGTERM)
    assert len(workers) == 2
    assert report.counts.pairs == 5_000
    for name in ("pairs.jsonl", "phrases.parquet"):
        assert (out / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_signal_to_the_whole_group_lets_the_shard_in_hand_be_finished(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that died of it was waited for without end, one time in six."""
    monkeypatch.setattr(shards, "SHARD_PAIRS", 4_000)
    captions = tmp_path / "captions.tsv"
    captions.write_text("".join(f"a dog on street{n % 900}\t{n}.jpg\n" for n in range(20_000)))

    class BusyError(Exception):
        pass

    def leave_it_busy(stage: str, done: int, total: int) -> None:
        if stage == "phrases" and done >= 1:
            raise BusyError

    with (tmp_path / "said").open("wb") as said:
        worker = start_worker(said.fileno())
        with CelerySpread(settings) as spread, pytest.raises(BusyError):
            filter_captions(
                [captions], tmp_path / "out", model=BUNDLED, spread=spread, on_stage=leave_it_busy
            )
        end(worker, signal.SIGTERM)
    assert worker.returncode == 0
    assert "signal 15" not in (tmp_path / "said").read_text()


def test_what_fails_at_a_worker_is_said_at_the_filter(settings: Settings, tmp_path: Path) -> None:
    work = tmp_path / "work"
    captions = tmp_path / "captions.tsv"
    captions.write_text("a dog\t1.jpg\n")
    shards.cut_into_shards([captions], work)
    worker = start_worker()
    try:
        with (
            CelerySpread(settings) as spread,
            pytest.raises(ComdError, match=r"shard 00000\.parquet: ExtractorMissing") as caught,
        ):
            extraction.extract_elsewhere(work, "en_core_web_none", spread, lambda *_: None)
    finally:
        end(worker, signal.SIGTERM)
    assert "same command again" in str(caught.value.hint)
