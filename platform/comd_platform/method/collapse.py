"""Why nothing is difficult any more: the student has caught up, or it has memorised its pool."""

from __future__ import annotations

from dataclasses import dataclass

# A student that is as good on what it never saw has caught up. Pool and benchmark are rarely equally
# hard, so a small distance says nothing; the tinyworld collapse of docs/decisions.md was .99 to .55.
MEMORISED_GAP = 0.1


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when the difficult share has collapsed. Ratios are student / teacher, None unknown.

    on_pool: mean scores on the cache pool. held_out: the lowest ratio on any benchmark. passes: how
    often the last tuning went over its pool; loss: its last.
    """

    on_pool: float | None
    held_out: float | None
    passes: float | None
    loss: float | None


def explain(evidence: Evidence) -> str:
    """One sentence that names the likelier of the two, with the numbers that speak for it."""
    pool = 1.0 if evidence.on_pool is None else evidence.on_pool
    trained = (
        "" if evidence.passes is None else f" after {evidence.passes:.1f} passes over its pool"
    )
    if evidence.loss is not None:
        trained += f" (last loss {evidence.loss:.3f})"
    if evidence.held_out is None:
        return (
            f"the student has caught up or memorised{trained}; no held-out benchmark tells which "
            "(evaluation.benchmarks)"
        )
    numbers = f"{pool:.2f} of the teacher's score on its pool, {evidence.held_out:.2f} held out"
    if pool - evidence.held_out > MEMORISED_GAP:
        return f"the student has memorised its pool{trained}: {numbers}"
    return f"the student has caught up: {numbers}"
