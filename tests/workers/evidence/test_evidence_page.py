"""The page says what the raw results say: verdicts, tables, flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.evaluation.over_seeds import paired
from comd_workers.evidence.__main__ import main
from comd_workers.evidence.arms import ARMS, TRIED
from comd_workers.evidence.claims import CLAIMS, Claim, judged, verdict
from comd_workers.evidence.figure import draw
from comd_workers.evidence.page import page
from comd_workers.evidence.results import LOOK, NATURAL, TAIL, Results
from comd_workers.evidence.truth import flagging

GAIN = {"competitive": 0.1, "seed-only": 0.0, "accumulate": 0.2}


def document() -> dict[str, Any]:
    """Three arms, three seeds, two iterations: made up, the later the better."""
    scores, iterations = [], []
    for arm, gain in GAIN.items():
        for seed in (1, 2, 3):
            for number in (1, 2):
                tail = 0.3 + (number - 1) * (gain + seed / 100)
                scores += [
                    {"arm": arm, "seed": seed, "test": test, "who": "student"}
                    | {"iteration": number, "items": 10, "score": tail + 0.1}
                    | {"class=knowledge": tail, "class=look": 0.9, "third=common": 0.8}
                    | {"third=tail": tail, "type=who": tail}
                    for test in ("balanced", "natural")
                ]
                iterations.append(
                    {"arm": arm, "seed": seed, "iteration": number, "new": 100, "steps": 5}
                    | {"difficult": 1, "easy": 3, "examples": 100, "dialogues": 50}
                )
    scores.append(
        {"arm": "competitive", "seed": 1, "test": "balanced", "who": "teacher", "iteration": None}
        | {"items": 10, "score": 0.99, "class=knowledge": 0.98}
    )
    truth = {"arm": "competitive", "seed": 1, "iteration": 1, "instructions": 10}
    truth |= {"readable_questions": 9, "teacher_right": 1.0, "judge_exact": 0.9, "first_lead": 0.0}
    truth |= {"judge_verdict": 0.95, "flips": 0.1, "precision": 0.8, "recall": 0.7, "auc": 0.75}
    return {
        "split": "dev",
        "seeds": [1, 2, 3],
        "arms": [{"name": name, "title": f"arm {name}"} for name in GAIN],
        "ended_early": {"dev-1-x": "the student has caught up"},
        "made": {"date": "2026-01-01", "machine": "2 CPU cores", "versions": "Python 3.11"},
        "scores": scores,
        "iterations": iterations,
        "truth": [truth],
    }


def test_numbers_are_read_by_arm_and_seed() -> None:
    results = Results(document())
    assert results.last == 2
    assert results.by_seed("accumulate", TAIL) == pytest.approx({1: 0.51, 2: 0.52, 3: 0.53})
    assert results.by_seed("accumulate", TAIL, 1) == {1: 0.3, 2: 0.3, 3: 0.3}
    assert results.spread("nobody", TAIL) is None
    assert results.reference("teacher", TAIL) == 0.98
    found = results.difference("competitive", "seed-only", TAIL)
    assert found is not None
    assert (found.wins, found.n) == (3, 3)


def test_an_arm_that_lacks_seeds_says_so() -> None:
    made = document()
    made["scores"] = [
        row for row in made["scores"] if (row["arm"], row["seed"]) != ("accumulate", 3)
    ]
    titles = Results(made).titles
    assert titles["accumulate"] == "arm accumulate (2 seeds only)"
    assert titles["competitive"] == "arm competitive"


def test_a_page_tells_every_arm_and_every_claim_that_was_played() -> None:
    results = Results(document())
    made = page(results, "# Title", "## Words")
    for title in results.titles.values():
        assert made.count(f"| {title} |") >= 5
    assert "Accumulating beats the seed pool alone | tail facts | +0.200" in made
    assert "`dev-1-x` ended early: the student has caught up." in made
    assert "| arm competitive, iteration 1 | 0.9000 | 1.0000 |" in made
    assert "None" not in made
    assert "nan" not in made


@pytest.mark.parametrize(
    ("values", "margin", "said"),
    [
        ([0.1, 0.11, 0.12], 0.0, "**holds**"),
        ([-0.1, -0.11, -0.12], 0.0, "**the opposite holds**"),
        ([-0.1, 0.0, 0.12], 0.0, "not shown"),
        ([-0.01, -0.011, -0.012], 0.02, "**holds**"),
        ([-0.05, -0.051, -0.052], 0.02, "**the opposite holds**"),
        ([0.1], 0.0, "one seed, no test"),
    ],
)
def test_verdicts_come_from_the_interval(values: list[float], margin: float, said: str) -> None:
    found = paired(dict(enumerate(values)), dict.fromkeys(range(len(values)), 0.0))
    assert found is not None
    assert verdict(Claim("", "a", "b", LOOK, margin), found) == said


def test_claims_are_about_arms_that_there_are() -> None:
    known = {arm.name for arm in (*ARMS, *TRIED)}
    assert {name for claim in CLAIMS for name in (claim.arm, claim.baseline)} <= known
    assert [claim.arm for claim, _, _ in judged(Results(document())) if claim.measure is NATURAL]


def test_flags_against_the_truth() -> None:
    found = flagging([0.9, 0.8, 0.2, 0.1], [True, False, True, False], 0.5)
    assert found == {
        "flagged": 2,
        "wrong": 2,
        "precision": 0.5,
        "recall": 0.5,
        "auc": 0.75,
    }
    assert flagging([0.1, 0.1], [True, False], 0.5)["auc"] == 0.5  # a tie is half
    nothing = flagging([0.1], [False], 0.5)
    assert (nothing["precision"], nothing["recall"], nothing["auc"]) == (None, None, None)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=20))
def test_auc_is_how_often_a_wrong_one_stands_above_a_right_one(
    rows: list[tuple[int, bool]],
) -> None:
    found = flagging([float(score) for score, _ in rows], [wrong for _, wrong in rows], 3)["auc"]
    pairs = [
        (above > below) + 0.5 * (above == below)
        for above, is_wrong in rows
        if is_wrong
        for below, other in rows
        if not other
    ]
    assert found == (pytest.approx(sum(pairs) / len(pairs), abs=1e-4) if pairs else None)


def test_the_page_in_the_docs_is_made_from_the_raw_results_beside_it(tmp_path: Path) -> None:
    docs = Path(__file__).parents[3] / "docs"
    raw = docs / "evidence" / "results.json"
    main(["--page-only", "--results", str(raw), "--docs", str(tmp_path)])
    assert (tmp_path / "evidence.md").read_text() == (docs / "evidence.md").read_text()


def test_the_same_results_draw_the_same_figure(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(Results(document()), tmp_path / name)
    first = (tmp_path / "a.svg").read_bytes()
    assert first.startswith(b"<?xml")
    assert first == (tmp_path / "b.svg").read_bytes()
