"""docs/objectives.md says what its raw results say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from comd_workers.evidence.objectives import LOOP, PAGE, RESULTS, SAME_LABELS, main, tables
from comd_workers.evidence.results import TAIL, Results

ROOT = Path(__file__).parents[3]


def test_the_page_in_the_docs_is_made_from_the_raw_results(tmp_path: Path) -> None:
    page = tmp_path / "objectives.md"
    shutil.copy(ROOT / PAGE, page)
    main(["--page-only", "--results", str(ROOT / RESULTS), "--page", str(page)])
    assert page.read_text() == (ROOT / PAGE).read_text()


def test_a_page_without_its_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "objectives.md"
    page.write_text("# Objectives\n")
    with pytest.raises(ValueError, match="measured"):
        main(["--page-only", "--results", str(ROOT / RESULTS), "--page", str(page)])
    assert page.read_text() == "# Objectives\n"


def test_every_arm_was_played_on_every_seed_from_the_same_answers() -> None:
    document = json.loads((ROOT / RESULTS).read_text())
    results = Results(document)
    assert len(results.seeds) >= 3
    for arm in SAME_LABELS:
        assert set(results.by_seed(arm.name, TAIL)) == set(results.seeds)
        rows = results.iterations(arm.name)
        assert {(row["examples"], row["dialogues"], row["steps"]) for row in rows} == {
            (row["examples"], row["dialogues"], row["steps"]) for row in results.iterations("sft")
        }
    told = tables(results)
    for arm in (*SAME_LABELS, *LOOP):
        assert (f"| {arm.title} |" in told) == (arm.name in results.titles)
