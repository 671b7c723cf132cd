"""The prompts that turn one teacher into three roles: the text of a single user turn with a picture.

The files are Jinja2 templates, so a run config can point at them (`prompt_path`). Variables:
`instruction`; for the assessor also `first` and `second`, the answers in slot order; for the
augmentor also `task_type`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, get_args

from jinja2 import Environment, StrictUndefined, Template

Role = Literal["teacher", "assessor", "augmentor", "student"]
ROLES: tuple[Role, ...] = get_args(Role)


def prompt_path(role: Role) -> Path:
    """Where the template of a role lies."""
    return Path(__file__).with_name(f"{role}.j2")


def render(role: Role, **variables: str) -> str:
    """The user's text for a role. Raises `jinja2.UndefinedError` when a variable is missing."""
    return _template(role).render(**variables)


@cache
def _template(role: Role) -> Template:
    # Text for a language model, not HTML: escaping would put entities into questions.
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return environment.from_string(prompt_path(role).read_text(encoding="utf-8").rstrip("\n"))
