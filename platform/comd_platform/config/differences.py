"""In which settings configs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comd_platform.config.load import parse_config


def differing(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The keys (dotted) whose values are not the same in all configs, name aside; defaults filled in."""
    flat = [_flat(parse_config(config).model_dump(mode="json")) for config in configs]
    keys = sorted({key for each in flat for key in each} - {"name"})
    found = {key: tuple(each.get(key) for each in flat) for key in keys}
    return {key: values for key, values in found.items() if any(v != values[0] for v in values)}


def _flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
