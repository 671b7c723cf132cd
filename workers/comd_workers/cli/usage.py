"""What a run has asked of its models, as `comd status` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comd_workers.cli.output import build_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from comd_platform.reports.usage import UsageRow


def usage_table(rows: Sequence[UsageRow]) -> list[RenderableType]:
    """A line a phase and role, and the sum of what this run itself has asked; [] where it is nothing.

    Iterations shared with another run were paid for there, so the sum leaves them out.
    """
    from rich.text import Text

    if not rows:
        return []
    table = build_table(
        ("iteration", "phase", "role", "requests", "tokens in", "cached", "tokens out", "cost"),
        (_line(row) for row in rows),
        left=3,
    )
    own = [row for row in rows if not row.shared]
    costs = [row.cost for row in own if row.cost is not None]
    cost = f", cost {_money(sum(costs))}" if costs else ""
    total = Text(
        f"this run asked {sum(row.requests for row in own):,} requests: "
        f"{sum(row.prompt_tokens for row in own):,} tokens in, "
        f"{sum(row.completion_tokens for row in own):,} out{cost}"
    )
    return [table, total]


def _line(row: UsageRow) -> tuple[object, ...]:
    return (
        f"{row.iteration} (shared)" if row.shared else row.iteration,
        row.phase,
        row.role,
        row.requests,
        row.prompt_tokens,
        row.cached_tokens,
        row.completion_tokens,
        _money(row.cost),
    )


def _money(cost: float | None) -> str | None:
    return None if cost is None else f"{cost:,.4f}"
