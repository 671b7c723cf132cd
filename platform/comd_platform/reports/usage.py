"""What a run has asked of its models: tokens, and money where a price is known."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from comd_platform.reports.query import rows


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One role in one phase of one iteration.

    `cached_tokens` are among the `prompt_tokens`; `cost` is in the price table's currency, None
    where the config has no prices. `shared`: asked by the run that this one branched from.
    """

    iteration: int
    shared: bool
    phase: str
    role: str
    model: str
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float | None


_USAGE = """
SELECT
    run_iteration.iteration,
    run_iteration.shared,
    used.phase,
    used.role,
    used.model,
    used.requests,
    used.prompt_tokens,
    used.cached_tokens,
    used.completion_tokens,
    used.cost
FROM run_iteration
JOIN usage_summary AS used USING (iteration_id)
WHERE run_iteration.run_id = :run_id
ORDER BY run_iteration.iteration, array_position(
    ARRAY['augment', 'label', 'answer', 'evaluate', 'judge'], used.phase
), used.role, used.model
"""


def run_usage(session: Session, run_id: int) -> list[UsageRow]:
    """Every phase that has asked a model, those of the iterations before a branch included."""
    return rows(session, UsageRow, _USAGE, run_id=run_id)
