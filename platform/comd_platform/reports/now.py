"""Where a run stands this moment, whole: one look, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.ledger import LedgerRow, run_driver, run_ledger
from comd_platform.reports.progress import FailureRow, PhaseProgress, run_failures, run_progress
from comd_platform.reports.remaining import Spending, TimeLeft, ahead, spending, time_left
from comd_platform.reports.runs import RunRow, list_runs
from comd_platform.reports.training import TrainingRow, trainings
from comd_platform.reports.usage import run_usage
from comd_platform.reports.workers import WorkerRow, list_workers


@dataclass(frozen=True, slots=True)
class Now:
    """`driver`: who drives it ("host:pid"), None when nobody does. `training`: of the last iteration,
    None before it has one. `time_left` and `spent` are estimates of `reports.remaining`."""

    run: RunRow
    driver: str | None
    phases: list[PhaseProgress]
    ledger: LedgerRow
    failures: list[FailureRow]
    training: TrainingRow | None
    workers: list[WorkerRow]
    time_left: TimeLeft
    spent: Spending

    @property
    def finished(self) -> bool:
        """Whether every iteration that was asked for is done."""
        return self.run.phase == "done" and self.run.iterations >= self.run.wanted

    @property
    def current(self) -> PhaseProgress | None:
        """The phase at work, or the last one that was; None before the first."""
        return self.phases[-1] if self.phases else None


def run_now(session: Session, run_id: int) -> Now | None:
    """Everything about where a run stands; None where there is no such run."""
    run = next((row for row in list_runs(session) if row.run_id == run_id), None)
    if run is None:
        return None
    phases = run_progress(session, run_id)
    finished = run.phase == "done" and run.iterations >= run.wanted
    left = [] if finished else ahead(phases, run.wanted, grows=run.selection != "none")
    last = phases[-1].iteration if phases else 0
    return Now(
        run=run,
        driver=run_driver(session, run_id),
        phases=phases,
        ledger=run_ledger(session, run_id),
        failures=run_failures(session, run_id),
        training=next((row for row in trainings(session, run_id) if row.iteration == last), None),
        workers=list_workers(session),
        time_left=time_left(left),
        spent=spending(run_usage(session, run_id), phases, left),
    )
