"""One thing that was looked at, and what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """ok: as it should be; note: to be known, or not to be known from here; error: cannot work."""

    level: Level
    what: str
    said: str
    hint: str | None = None


def ok(what: str, said: str) -> Finding:
    return Finding("ok", what, said)


def note(what: str, said: str, hint: str | None = None) -> Finding:
    return Finding("note", what, said, hint)


def error(what: str, said: str, hint: str | None = None) -> Finding:
    return Finding("error", what, said, hint)


def failed(findings: Iterable[Finding]) -> bool:
    """Whether something cannot work."""
    return any(finding.level == "error" for finding in findings)
