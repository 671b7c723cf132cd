"""Where this machine keeps things, and which servers it talks to: environment variables only."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from comd_platform.errors import ComdError

_ROOT_HOME = Path("/var/lib/comd")


def default_home() -> Path:
    """The user's data directory; for root `/var/lib/comd`, since the embedded PostgreSQL then runs
    as another user, who must not be let into root's home."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return _ROOT_HOME
    return platformdirs.user_data_path("comd")


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"COMD_{name.upper()}"


class SettingsError(ComdError):
    """An environment variable that holds what it cannot hold."""


class Settings(BaseModel):
    """`COMD_*` environment variables; what is given by name goes over them.

    Secrets (the URLs may hold passwords) are never printed.
    """

    model_config = ConfigDict(extra="forbid", validate_default=True)

    home: Path = Field(default_factory=default_home, description="Data directory of this machine.")
    database_url: SecretStr | None = Field(
        None, description="postgresql://… ; unset: the embedded PostgreSQL under the home."
    )
    reader_url: SecretStr | None = Field(
        None,
        description="The same database as a user who may only read (comd db grant-reader); "
        "unset: comd_reader on the embedded PostgreSQL, else the user of COMD_DATABASE_URL.",
    )
    reviewer_url: SecretStr | None = Field(
        None,
        description="The same database as a user who may only add decisions "
        "(comd db grant-reviewer); unset: comd_reviewer on the embedded PostgreSQL, else nobody.",
    )
    broker_url: SecretStr | None = Field(
        None, description="redis://… or amqp://… ; unset: pgmq on the same PostgreSQL."
    )
    database_patience: float = Field(
        1800.0, ge=0, description="Seconds to wait for a database that went away in mid-work."
    )
    dashboard_password: SecretStr | None = Field(
        None,
        min_length=1,
        description="What comd dashboard asks for; unset: nothing, on this machine alone.",
    )
    dashboard_user_header: str | None = Field(
        None, description="Header in which a proxy before the dashboard names who is signed in."
    )
    dashboard_trusted_proxy: str = Field(
        "127.0.0.1,::1", description="Addresses or networks of that proxy; nobody else is answered."
    )
    images: Path | None = Field(None, description="Image root; default HOME/images.")
    artifacts: Path | None = Field(
        None, description="Training sets and checkpoints; default HOME/artifacts. Shared by nodes."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_environment(cls, given: dict[str, Any]) -> dict[str, Any]:
        names = {name: variable(name) for name in cls.model_fields}
        told = {name: os.environ[named] for name, named in names.items() if named in os.environ}
        return told | given

    @property
    def image_root(self) -> Path:
        return (self.images or self.home / "images").absolute()

    @property
    def artifact_root(self) -> Path:
        return (self.artifacts or self.home / "artifacts").absolute()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once. Raises SettingsError naming the variable."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = variable(str(first["loc"][0]))
        raise SettingsError(
            f"{name}: {first['msg']}", hint=f"Set {name} to another value, or unset it."
        ) from None  # what was given may be a secret
