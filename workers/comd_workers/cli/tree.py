"""Every command there is, for the reference in the docs and for the test of the conventions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: the words a user types after `comd`, and the parsed command."""

    path: tuple[str, ...]
    command: Any  # typer's own click, which has no public name

    @property
    def is_group(self) -> bool:
        return hasattr(self.command, "commands")

    @property
    def examples(self) -> list[str]:
        """The command lines under its help, as they are pasted."""
        lines = (self.command.epilog or "").split("\n\n")
        return [line[2:].replace(r"\[", "[") for line in lines if line.startswith("$ ")]


def walk() -> Iterator[Entry]:
    """Groups before their commands, hidden ones left out, in the order of the help."""
    import typer

    from comd_workers.cli.app import app

    yield from _walk(Entry((), typer.main.get_command(app)))


def _walk(entry: Entry) -> Iterator[Entry]:
    yield entry
    if entry.is_group:
        for name, command in entry.command.commands.items():
            if not command.hidden:
                yield from _walk(Entry((*entry.path, name), command))
