"""The root of every error that a user may see."""

from __future__ import annotations


class ComdError(Exception):
    """Something a user can act on: what happened, to which record; `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
