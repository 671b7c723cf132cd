"""The prompts of the four roles: Jinja2 files beside this one, overridable, known by their hash."""

from comd_platform.method.prompts.prompt import (
    ROLES,
    VARIABLES,
    Prompt,
    PromptError,
    Role,
    load_prompt,
)

__all__ = ["ROLES", "VARIABLES", "Prompt", "PromptError", "Role", "load_prompt"]
