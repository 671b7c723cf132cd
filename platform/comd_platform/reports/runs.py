"""Which runs there are, and which of them branched off which."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from comd_platform.errors import ComdError
from comd_platform.reports.query import rows


class UnknownRun(ComdError):
    """No run has this name."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `iterations` counts those shared with the run it branched from, `own` those it made.

    `phase` is where its newest iteration stands ('done' after the last phase), None before the first.
    """

    run_id: int
    run: str
    parent: str | None
    branched_after: int | None
    selection: str
    threshold: float
    wanted: int
    iterations: int
    own: int
    phase: str | None
    created_at: datetime


_RUNS = """
SELECT
    run.id AS run_id,
    run.name AS run,
    parent.name AS parent,
    base.number AS branched_after,
    run.config -> 'method' ->> 'selection' AS selection,
    (run.config -> 'method' ->> 'difficulty_threshold')::double precision AS threshold,
    (run.config ->> 'iterations')::bigint AS wanted,
    coalesce(made.iterations, 0) AS iterations,
    coalesce(made.own, 0) AS own,
    made.phase,
    run.created_at
FROM run
LEFT JOIN run AS parent ON parent.id = run.parent_id
LEFT JOIN iteration AS base ON base.id = run.base_iteration_id
LEFT JOIN (
    SELECT
        run_id,
        count(*) AS iterations,
        count(*) FILTER (WHERE NOT shared) AS own,
        (array_agg(phase ORDER BY iteration DESC))[1] AS phase
    FROM run_iteration
    GROUP BY run_id
) AS made ON made.run_id = run.id
ORDER BY run.created_at DESC, run.id DESC
"""


def list_runs(session: Session) -> list[RunRow]:
    """Every run, the newest first."""
    return rows(session, RunRow, _RUNS)


def find_run(session: Session, name: str) -> RunRow:
    """The run of that name. Raises UnknownRun, which names those there are."""
    found = list_runs(session)
    for run in found:
        if run.run == name:
            return run
    known = ", ".join(run.run for run in found[:10])
    raise UnknownRun(
        f"no run is called {name!r}",
        hint=f"There are: {known}" if known else "Make one with: comd run create CONFIG.yaml",
    )
