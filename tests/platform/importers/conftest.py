from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[..., Path]:
    """`pictures("a.png", "sub/b.png", ...)` draws a distinct picture for each name; returns their
    directory. A pair ("c.png", "a.png") draws the first like the second."""
    directory = tmp_path / "pictures"

    def draw(*names: str | tuple[str, str]) -> Path:
        directory.mkdir(exist_ok=True)
        for entry in names:
            name, like = (entry, entry) if isinstance(entry, str) else entry
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4), tuple(like.encode()[:3])).save(path)
        return directory

    return draw


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records as a JSON array, or as JSON lines where the name says so."""

    def records(entries: Sequence[object], name: str = "seed.json") -> Path:
        path = tmp_path / name
        lines = [json.dumps(entry) for entry in entries]
        path.write_text("\n".join(lines) if name.endswith(".jsonl") else f"[{', '.join(lines)}]")
        return path

    return records
