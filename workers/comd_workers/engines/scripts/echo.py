"""Says what it was told."""

from __future__ import annotations

from comd_workers.engines.scripts.script import Line


def echo(line: Line) -> str:
    """The request's own text; with option `prefix`, after that."""
    return f"{line.options.get('prefix', '')}{line.text}"
