"""Loading and rendering a role's prompt template (sections 3.3.1-3.3.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final, Literal, get_args

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from comd_platform.errors import ComdError

Role = Literal["teacher", "student", "assessor", "augmentor"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

# What a template is given, and which of it a template that makes sense must use.
VARIABLES: Final[Mapping[Role, tuple[str, ...]]] = {
    "teacher": ("instruction",),
    "student": ("instruction",),
    "assessor": ("instruction", "first", "second"),
    "augmentor": ("instruction", "task_type"),
}
_OPTIONAL: Final = frozenset({"task_type"})


class PromptError(ComdError):
    """A prompt template cannot be read, understood or filled in."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One role's template; `hash` (sha256, hex) of its text is stored with each row it produced."""

    role: Role
    template: str
    name: str = field(compare=False)  # where it came from, for messages
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Refuse, here and not in the middle of a run, a template that can never be rendered.

        Raises:
            PromptError: for a syntax error, a variable that the role does not have, or one that the
                role cannot do without and the template does not use.
        """
        object.__setattr__(self, "hash", hashlib.sha256(self.template.encode("utf-8")).hexdigest())
        known = VARIABLES[self.role]
        used = _variables(self.name, self.template)
        for variable in sorted(used - set(known)):
            raise PromptError(
                f"{self.name}: unknown variable {variable!r}",
                hint=f"a {self.role} template is given: {', '.join(known)}",
            )
        for variable in known:
            if variable not in used and variable not in _OPTIONAL:
                raise PromptError(
                    f"{self.name}: the variable {variable!r} is not used",
                    hint=f"a {self.role} prompt makes no sense without {{{{ {variable} }}}}",
                )

    def render(self, **variables: str) -> str:
        """Return the prompt's text with `variables` filled in, stripped of outer white space.

        Values are inserted as they are: template syntax inside a question or an answer stays text.

        Raises:
            PromptError: if a variable of the role is missing, an unknown one is given, or the
                template fails (it runs in a sandbox).
        """
        known = VARIABLES[self.role]
        for variable in known:
            if variable not in variables:
                raise PromptError(f"{self.name}: no value for the variable {variable!r}")
        for variable in variables:
            if variable not in known:
                raise PromptError(
                    f"{self.name}: a value for the unknown variable {variable!r}",
                    hint=f"a {self.role} template is given: {', '.join(known)}",
                )
        try:
            return _compiled(self.template).render(variables).strip()
        except Exception as error:  # a template is a program: whatever it does wrong is its error
            raise PromptError(f"{self.name}: {type(error).__name__}: {error}") from error


def load_prompt(
    role: Role, override: Path | str | None = None, *, shipped: str | None = None
) -> Prompt:
    """Return the prompt of `role`: comd's own, or the user's.

    `override` is the path of a template file (`Path`) or a template's text (`str`). comd's own is
    called after the role, or `shipped` (bootstrap: the augmentor's, for first questions).

    Raises:
        PromptError: if the file cannot be read as UTF-8, or the template is not one for this role.
    """
    if isinstance(override, str):
        return Prompt(role, override, name=f"{role} template")
    if override is not None:
        try:
            return Prompt(role, override.read_text(encoding="utf-8"), name=str(override))
        except (OSError, UnicodeDecodeError) as error:
            raise PromptError(f"{override}: cannot read the {role} template: {error}") from error
    name = f"{shipped or role}.j2"
    own = resources.files("comd_platform.method.prompts").joinpath(name)
    return Prompt(role, own.read_text(encoding="utf-8"), name=name)


@cache
def _environment() -> SandboxedEnvironment:
    # The prompts are plain text for a model: escaping for HTML would change what the model reads.
    return SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


@cache
def _compiled(template: str) -> Template:
    compiled = _environment().from_string(template)
    # Every rendering copies the globals, and the ChainMap that they come in is slow to copy.
    compiled.globals = dict(compiled.globals)
    return compiled


@cache  # a work item makes its prompt again
def _variables(name: str, template: str) -> frozenset[str]:
    try:
        used = meta.find_undeclared_variables(_environment().parse(template))
        _compiled(template)  # some errors show only when compiling
    except TemplateSyntaxError as error:
        raise PromptError(f"{name}, line {error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise PromptError(f"{name}: {error}") from error
    # `range`, `dict` and the like are names that the environment itself provides
    return frozenset(used - set(_environment().globals))
