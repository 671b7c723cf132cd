"""The filter, end to end: captions in, pairs.jsonl with a report and a plot out."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from comd_platform.errors import ComdError
from comd_training.pretrain.extraction import Spread, extract_elsewhere, extract_here
from comd_training.pretrain.phrases import make_extractor
from comd_training.pretrain.selection import Counts, Curves, Rule, select_pairs
from comd_training.pretrain.shards import Cut, cut_into_shards, phrases_folder, write_text

OnStage = Callable[[str, int, int], None]


def _tell_nobody(stage: str, done: int, total: int) -> None:
    del stage, done, total


@dataclass(frozen=True, slots=True)
class FilterReport:
    """What was read, found, left out and kept; seconds by stage; bytes of memory at the peak.

    `captions_per_second` is over the whole filter, where no stage was taken over from an earlier
    attempt; else None. `peak_memory` is the resident memory of this process and its children
    together, sampled ten times a second; workers elsewhere are not in it.
    """

    extractor: str
    rule: Rule
    read: Cut
    counts: Counts
    curves: Curves
    seconds: dict[str, float]
    captions_per_second: float | None
    peak_memory: int
    resumed: bool

    @property
    def duplicates(self) -> int:
        return self.read.records - self.read.unusable - self.counts.pairs


@dataclass
class _Watch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)

    def lap(self, stage: str) -> None:
        now = time.monotonic()
        self.seconds[stage] = round(now - self._since, 3)
        self._since = now


def filter_captions(
    inputs: Sequence[Path],
    out: Path,
    *,
    model: str,
    rule: Rule | None = None,
    processes: int | None = None,
    memory: str = "8GB",
    skip_bad: bool = False,
    keep_work: bool = False,
    spread: Spread | None = None,
    on_stage: OnStage = _tell_nobody,
) -> FilterReport:
    """Write `out/pairs.jsonl`, `phrases.parquet`, `report.json` and `report.svg`.

    Killed and started again it goes on from the shards in `out/work`, which are removed at the end
    unless `keep_work`. Raises ImportFailed, ExtractorMissing, or ComdError where no caption came.
    """
    rule = rule or Rule()
    extractor = make_extractor(model).name  # says at once what is missing
    out.mkdir(parents=True, exist_ok=True)
    work = out / "work"
    resumed = work.exists()
    watch = _Watch()
    with PeakMemory() as peak:
        cut = cut_into_shards(
            inputs, work, skip_bad=skip_bad, on_records=lambda n: on_stage("reading", n, n)
        )
        watch.lap("reading")
        if not cut.shards:
            raise ComdError(
                f"no caption in {', '.join(map(str, inputs))}",
                hint=f"{cut.unusable:,} of {cut.records:,} records were unusable."
                if cut.records
                else "The files are empty.",
            )

        def on_shards(done: int, total: int) -> None:
            on_stage("phrases", done, total)

        if spread is None:
            extract_here(work, model, processes, on_shards)
        else:
            extract_elsewhere(work, model, spread, on_shards)
        watch.lap("phrases")
        on_stage("selection", 0, 1)
        counts, curves = select_pairs(
            work / "pairs", phrases_folder(work, model), out, rule, memory=memory, threads=processes
        )
        watch.lap("selection")
        on_stage("selection", 1, 1)
    whole = cut.records / sum(watch.seconds.values())
    report = FilterReport(
        extractor=extractor,
        rule=rule,
        read=cut,
        counts=counts,
        curves=curves,
        seconds=watch.seconds,
        captions_per_second=None if resumed else round(whole, 1),
        peak_memory=peak.bytes,
        resumed=resumed,
    )
    _write(report, out)
    skipped = work / "skipped.jsonl"
    if skipped.exists():
        shutil.copyfile(skipped, out / "skipped.jsonl")
    if not keep_work:
        shutil.rmtree(work)
    return report


def _write(report: FilterReport, out: Path) -> None:
    from comd_training.pretrain.plot import draw

    told = asdict(report) | {"duplicates": report.duplicates}
    del told["curves"]  # phrases.parquet has every phrase, and the plot its line
    write_text(out / "report.json", json.dumps(told, indent=1) + "\n")
    draw(report.curves, report.rule, out / "report.svg", title=f"Noun phrases: {report.extractor}")


class PeakMemory:
    """The most resident memory that this process and its children held together, in bytes."""

    def __init__(self, every: float = 0.1) -> None:
        self.bytes = 0
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="peak-memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        own = psutil.Process()
        while True:
            held = own.memory_info().rss
            for child in own.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    held += child.memory_info().rss
            self.bytes = max(self.bytes, held)
            if self._stop.wait(self._every):
                return
