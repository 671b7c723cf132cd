"""How a command ends: its exit status, and an error that says what to do next."""

from __future__ import annotations

import sys
from typing import NoReturn

from comd_platform.errors import ComdError
from comd_workers.cli.output import print_error

DONE, FAILED, USAGE, BUG, INTERRUPTED = 0, 1, 2, 70, 130

EXIT_STATUS = {
    DONE: "done; also when there was nothing left to do",
    FAILED: "refused or failed: the message says what happened and what to do next",
    USAGE: "wrong usage: no such command or option, or a value that cannot be",
    BUG: "a mistake of comd's own (sysexits' EX_SOFTWARE); --debug shows where",
    INTERRUPTED: "interrupted, by Ctrl-C or asked to stop; the same command goes on",
}
"""Documented in docs/reference; 1 to 2 and 130 are what shells and click have always meant."""


def explain(error: Exception) -> tuple[ComdError, int]:
    """What to tell about an exception, and the exit status."""
    # By name: neither SQLAlchemy nor psycopg is imported for this, `comd --help` must stay quick.
    name = type(error).__name__
    if isinstance(error, ComdError):
        return error, INTERRUPTED if name == "Stopped" else FAILED
    said = " ".join(str(error).split("\n", 1)[0].split()) or name
    if name == "OperationalError":
        hint = "Nothing is lost. When it is back, give the same command again."
        return ComdError(f"the database went away: {said}", hint=hint), FAILED
    if isinstance(error, OSError):
        reason = error.strerror or said
        where = f"{error.filename}: " if error.filename else ""
        return ComdError(f"{where}{reason}", hint="comd --debug … shows where."), FAILED
    hint = "This is a mistake in comd. comd --debug … shows where; please report it with that."
    return ComdError(f"unexpected {name}: {said}", hint=hint), BUG


def end(error: Exception) -> NoReturn:
    """Tell the error on stderr and leave."""
    told, status = explain(error)
    print_error(told)
    sys.exit(status)
