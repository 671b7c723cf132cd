"""The registry of scripts: one file each, one line here."""

from __future__ import annotations

from comd_workers.engines.scripts.echo import echo
from comd_workers.engines.scripts.quiz import quiz
from comd_workers.engines.scripts.script import Line, Script

SCRIPTS: dict[str, Script] = {
    "echo": echo,
    "quiz": quiz,
}

__all__ = ["SCRIPTS", "Line", "Script"]
