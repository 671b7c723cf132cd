"""The tutorial, pasted as a new user would."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


def blocks() -> list[str]:
    """What is to be pasted, in order."""
    return re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter when the test runs as root."""
    with tempfile.TemporaryDirectory(prefix="comd-tutorial-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_pasting_the_tutorial_reaches_a_trained_student(room: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COMD_")
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(blocks())],
        cwd=room,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = room / "comd-tutorial"
    # Iteration 1, shared, and the second of either run.
    assert len(list(folder.glob("home/artifacts/training/**/model.safetensors"))) == 3
    assert "400 new instructions" in done.stdout
    assert "run my-copy stands" in done.stdout
    students = list(csv.DictReader((folder / "scores.csv").read_text().splitlines()))
    assert {row["subject"] for row in students} == {"teacher", "student"}
    manifest = json.loads((folder / "for-the-hub" / "manifest.json").read_text())
    assert manifest["counts"]["generations"].keys() == {"0", "1"}
