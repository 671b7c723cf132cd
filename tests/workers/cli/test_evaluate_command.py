"""`comd evaluate --from-file`: no database, no torch, one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROWS = [
    {"question_id": "1", "prediction": "A", "gt_answer": "A"},
    {"question_id": "2", "prediction": "The answer is B.", "gt_answer": "C"},
    {"question_id": "3", "prediction": "?", "gt_answer": "C"},
]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of predictions, and no database that could be reached."""
    monkeypatch.setenv("COMD_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("COMD_HOME", str(tmp_path / "home"))
    path = tmp_path / "said.txt"
    path.write_text(",\n".join(json.dumps(row) for row in ROWS))
    return path


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comd_workers", "evaluate", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_json_object_with_nothing_around(nowhere: Path) -> None:
    said = evaluate("--benchmark", "seed_bench", "--from-file", str(nowhere), "--json")
    assert said.returncode == 0, said.stderr
    found = json.loads(said.stdout)
    assert found["scores"]["Avg"] == 33.33
    assert found["scores"]["SUG"] is None
    assert (found["n"], found["unreadable"], found["duplicates"]) == (3, 1, 0)
    assert not said.stderr
    assert not (nowhere.parent / "home").exists()


def test_for_people(nowhere: Path) -> None:
    said = evaluate("--benchmark", "seed_bench", "--from-file", str(nowhere))
    assert "33.33" in said.stdout
    assert "3 questions; 1 predictions unreadable" in said.stdout


def test_wrong_words(nowhere: Path) -> None:
    said = evaluate("--benchmark", "sciencqa", "--from-file", str(nowhere))
    assert said.returncode == 1
    assert "Known: scienceqa, seed_bench, llava_bench" in said.stderr
    said = evaluate("--benchmark", "scienceqa", "--from-file", str(nowhere))
    assert "--questions PATH" in said.stderr


def test_nothing_heavy_is_loaded(nowhere: Path) -> None:
    heavy = "{'torch', 'transformers', 'sqlalchemy', 'celery'}"
    script = (
        "import sys; from comd_workers.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    command = ["evaluate", "--benchmark", "seed_bench", "--from-file", str(nowhere), "--json"]
    said = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
    )
    assert said.stderr.strip() == "[]"
