"""From a YAML file and `--set` overrides to a checked run config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from comd_platform.config.run import RunConfig
from comd_platform.errors import ComdError


class ConfigError(ComdError):
    """A config that cannot be read, or a value in it that cannot be."""


def load_config(path: Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a run config; paths in it count from the file's folder. Raises ConfigError."""
    document = read_document(path)
    base = path.parent.absolute()
    return parse_config(_resolve_paths(document, base), overrides, origin=str(path))


def read_document(path: Path) -> dict[str, Any]:
    """A YAML file's mapping. Raises ConfigError where it cannot be read, or holds something else."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(
            f"{path} holds no mapping at its top", hint="See examples/ for run configs."
        )
    return document


def parse_config(
    document: Mapping[str, Any], overrides: Iterable[str] = (), *, origin: str = "config"
) -> RunConfig:
    """Check a config document after applying `section.key=value` overrides. Raises ConfigError."""
    merged = with_overrides(document, overrides)
    try:
        return RunConfig.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(
            refusal(error, f"{origin} is not a run config"),
            hint="comd config show lists every key with its default.",
        ) from error


def refusal(error: ValidationError, what: str) -> str:
    """`what`, and under it a line for each value that cannot be."""
    lines = [
        f"  {'.'.join(str(part) for part in problem['loc']) or 'config'}: {problem['msg']}"
        for problem in error.errors()
    ]
    return f"{what}:\n" + "\n".join(lines)


def with_overrides(document: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of `document` with `a.b=value` set; values are YAML. Raises ConfigError."""
    result: dict[str, Any] = _copy(document)
    for override in overrides:
        name, separator, raw = override.partition("=")
        if not separator or not name:
            raise ConfigError(f"--set {override!r} is not of the form section.key=value")
        try:
            value = yaml.safe_load(raw)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override!r}: the value is not YAML: {error}") from error
        *sections, key = name.strip().split(".")
        place = result
        for section in sections:
            child = place.setdefault(section, {})
            if not isinstance(child, dict):
                raise ConfigError(f"--set {override!r}: {section} is a value, not a section")
            place = child
        place[key] = value
    return result


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(child) for key, child in value.items()}
    return value


def _resolve_paths(document: dict[str, Any], base: Path) -> dict[str, Any]:
    """Prompt files, hostfile, and model directories written ./x or ../x, relative to the config file."""
    result: dict[str, Any] = _copy(document)
    for role in ("teacher", "student", "assessor", "augmentor", "bootstrap"):
        section = result.get(role)
        if not isinstance(section, dict):
            continue
        if isinstance(section.get("prompt"), str):
            section["prompt"] = str((base / section["prompt"]).resolve())
        model = section.get("model")
        if isinstance(model, dict) and str(model.get("model", "")).startswith((".", "~")):
            model["model"] = str((base / Path(model["model"]).expanduser()).resolve())
    training = result.get("training")
    if isinstance(training, dict) and isinstance(training.get("hostfile"), str):
        training["hostfile"] = str((base / training["hostfile"]).resolve())
    return result
