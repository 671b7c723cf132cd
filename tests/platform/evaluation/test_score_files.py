"""Scoring other people's files: the published rows come out, and small files by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comd_platform.errors import ComdError
from comd_platform.evaluation.benchmarks import BENCHMARKS, FileReport

GPT3 = "gpt3_final_test_QCM-ALE_2_seed_3.json"


def score(
    kind: str, questions: Path | None, predictions: Path, *, stored: bool = False
) -> FileReport:
    return BENCHMARKS[kind].score_file(questions, predictions, stored=stored)


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_scienceqa_as_stored_is_the_papers_row(shared_data: Path) -> None:
    folder = shared_data / "scienceqa"
    found = score("scienceqa", folder, folder / GPT3, stored=True)
    row = [75.44, 70.87, 78.09, 74.68, 67.43, 79.93, 78.23, 69.68, 75.17]
    assert found.scores == dict(zip(BENCHMARKS["scienceqa"].columns, row, strict=True))
    assert (found.n, found.unreadable, found.missing) == (4241, 0, 0)


def test_scienceqa_read_strictly(shared_data: Path) -> None:
    folder = shared_data / "scienceqa"
    found = score("scienceqa", folder, folder / GPT3)
    assert found.scores["Avg"] == 72.18
    assert (found.n, found.unreadable, found.duplicates) == (4241, 249, 0)


def test_seed_bench_reads_the_real_results_file_as_it_is(shared_data: Path) -> None:
    path = shared_data / "seed_bench" / "seedbench1_GPT-4V.txt"
    found = score("seed_bench", path, path)
    assert found.scores.pop("Avg") == 69.07
    assert set(found.scores.values()) == {None}
    assert (found.n, found.duplicates, found.unreadable) == (14232, 8, 0)
    assert score("seed_bench", None, path).n == 14232


def test_llava_bench_recomputes_published_reviews(shared_data: Path) -> None:
    path = shared_data / "llava" / "llava_bench_wild_llava-v1.5-7b-eval1.jsonl"
    for stored in (False, True):
        found = score("llava_bench", None, path, stored=stored)
        assert found.scores == {"Con": 59.3, "CR": 77.6, "DD": 47.7, "Avg": 64.8}
        assert (found.n, found.unreadable) == (60, 0)


PROBLEMS = {
    "1": ("natural science", "grade2", "a hint", None, 1, ["x", "y"]),
    "2": ("social science", "grade7", "", "image.png", 0, ["x", "y", "z"]),
    "3": ("language science", "grade12", "a hint", "image.png", 2, ["x", "y", "z"]),
    "4": ("natural science", "grade6", "", None, 0, ["x", "y"]),
    "9": ("natural science", "grade6", "", None, 0, ["x", "y"]),
}


@pytest.fixture
def scienceqa(tmp_path: Path) -> Path:
    """The official layout, four test problems and one to train on."""
    names = ("subject", "grade", "hint", "image", "answer", "choices")
    problems = {key: dict(zip(names, value, strict=True)) for key, value in PROBLEMS.items()}
    write(tmp_path / "problems.json", problems)
    write(tmp_path / "pid_splits.json", {"train": ["9"], "test": ["1", "2", "3", "4"]})
    return tmp_path


def test_scienceqa_columns_by_hand(scienceqa: Path) -> None:
    said = {"1": "The answer is B.", "2": "B", "3": "(C)", "4": "who knows"}
    found = score("scienceqa", scienceqa, write(scienceqa / "said.json", said))
    assert found.scores == {
        "NAT": 50.0,
        "SOC": 0.0,
        "LAN": 100.0,
        "TXT": 100.0,  # 1 and 3
        "IMG": 50.0,  # 2 and 3: a problem with both counts in both
        "NO": 0.0,
        "G1-6": 50.0,
        "G7-12": 50.0,
        "Avg": 50.0,
    }
    assert (found.n, found.unreadable, found.missing, found.unknown) == (4, 1, 0, 0)


def test_questions_without_a_prediction_are_wrong_ones(scienceqa: Path) -> None:
    said = write(scienceqa / "said.json", {"1": "B", "9": "A", "77": "A"})
    found = score("scienceqa", scienceqa / "problems.json", said)
    assert found.scores["Avg"] == 25.0
    assert (found.n, found.missing, found.unknown, found.unreadable) == (4, 3, 2, 0)


def test_scienceqa_by_each_problems_own_split(scienceqa: Path) -> None:
    (scienceqa / "pid_splits.json").unlink()
    problems = json.loads((scienceqa / "problems.json").read_text())
    problems["2"]["split"] = "test"
    write(scienceqa / "problems.json", problems)
    assert score("scienceqa", scienceqa, write(scienceqa / "s.json", {"2": 0})).n == 1


def test_stored_options_are_taken_as_they_stand(scienceqa: Path) -> None:
    both = {"outputs": dict.fromkeys("1234", "A"), "results": {"1": 1, "2": 0, "3": -1, "4": 5}}
    path = write(scienceqa / "said.json", both)
    found = score("scienceqa", scienceqa, path, stored=True)
    assert found.scores["Avg"] == 50.0
    assert found.unreadable == 2
    assert found.extraction == "stored"
    assert score("scienceqa", scienceqa, path).scores["Avg"] == 50.0  # 2 and 4 are A
    texts = write(scienceqa / "texts.json", {"1": "The answer is B."})
    with pytest.raises(ComdError, match="stores no option") as error:
        score("scienceqa", scienceqa, texts, stored=True)
    assert "Without --stored" in (error.value.hint or "")


def test_what_is_no_scienceqa_is_refused(scienceqa: Path) -> None:
    said = write(scienceqa / "said.json", {"77": "A"})
    with pytest.raises(ComdError, match="none of its 1 ids is a question"):
        score("scienceqa", scienceqa, said)
    with pytest.raises(ComdError, match="needs its questions"):
        score("scienceqa", None, said)
    empty = scienceqa / "empty"
    empty.mkdir()
    with pytest.raises(ComdError, match=r"no problems\.json"):
        score("scienceqa", empty, said)
    write(scienceqa / "pid_splits.json", {"test": ["1", "5"]})
    with pytest.raises(ComdError, match="lacks problem 5"):
        score("scienceqa", scienceqa, write(said, {"1": "A"}))


def seed_question(key: str, dimension: int, answer: str) -> dict[str, Any]:
    options = {f"choice_{letter}": letter for letter in "abcd"}
    return {"question_id": key, "question_type_id": dimension, "answer": answer, **options}


def test_seed_bench_by_dimension_weighted_by_questions(tmp_path: Path) -> None:
    questions = [
        seed_question("10", 1, "A"),
        seed_question("11", 1, "B"),
        seed_question("12", 9, "C"),
        seed_question("v13", 10, "D"),
        seed_question("14", 11, "D"),
    ]
    document = {"questions": questions, "question_type": {"Scene Understanding": 1}}
    path = write(tmp_path / "SEED-Bench.json", document)
    said = tmp_path / "said.jsonl"
    said.write_text(
        "\n".join(
            json.dumps({"question_id": key, "prediction": text})
            for key, text in (("10", "A. a dog"), ("11", "A"), ("12", "C"), ("v13", "D"))
        )
    )
    for at in (path, tmp_path, write(tmp_path / "rows.json", questions)):
        found = score("seed_bench", at, said)
        assert (found.scores["SUG"], found.scores["TRN"], found.scores["IY"]) == (50.0, 100.0, None)
        assert found.scores["Avg"] == 66.67
        assert (found.n, found.unknown) == (3, 0)


def test_seed_bench_needs_right_options(tmp_path: Path) -> None:
    said = write(tmp_path / "said.json", [{"question_id": "1", "prediction": "A"}])
    with pytest.raises(ComdError, match="question 1 has no right option") as error:
        score("seed_bench", None, said)
    assert "gt_answer" in (error.value.hint or "")


def test_a_file_does_not_score_itself_by_what_it_said(tmp_path: Path) -> None:
    said = write(tmp_path / "said.json", [{"question_id": "1", "answer": "A"}])
    with pytest.raises(ComdError, match="the model's or the right one"):
        score("seed_bench", None, said)
    questions = write(tmp_path / "SEED-Bench.json", [seed_question("1", 1, "B")])
    assert score("seed_bench", questions, said).scores["Avg"] == 0
    carries = [{"question_id": "1", "answer": "A", "gt_answer": "A"}]
    assert score("seed_bench", None, write(tmp_path / "own.json", carries)).scores["Avg"] == 100


def test_a_file_of_numbers_says_which_is_the_first_or_is_refused(tmp_path: Path) -> None:
    questions = write(tmp_path / "SEED-Bench.json", [seed_question("1", 1, "B")])
    said = write(tmp_path / "said.json", [{"question_id": "1", "prediction": 1}])
    with pytest.raises(ComdError, match="every prediction is a number"):
        score("seed_bench", questions, said)
    declared = write(tmp_path / "idx.json", [{"question_id": "1", "pred_idx": 1}])
    assert score("seed_bench", questions, declared).scores["Avg"] == 100


def test_llava_bench_by_hand(tmp_path: Path) -> None:
    questions = [
        {"question_id": key, "category": category}
        for key, category in enumerate(("conv", "conv", "complex", "detail"))
    ]
    reviews: list[dict[str, Any]] = [
        {"question_id": 0, "content": "8 4\nSo."},
        {"question_id": 1, "content": "8 8\nSo."},
        {"question_id": 2, "content": "No scores here."},
        {"question_id": 1, "content": "2 4\nAgain."},
    ]
    path = write(tmp_path / "reviews.json", reviews)
    found = score("llava_bench", write(tmp_path / "questions.json", questions), path)
    assert found.scores == {"Con": 80.0, "CR": None, "DD": None, "Avg": 80.0}
    assert (found.n, found.unreadable, found.duplicates, found.missing) == (3, 1, 1, 1)
    with pytest.raises(ComdError, match="no category that is known"):
        score("llava_bench", None, path)
    with pytest.raises(ComdError, match="stores no scores"):
        score("llava_bench", tmp_path / "questions.json", path, stored=True)


def test_llava_bench_minus_one_is_no_score(tmp_path: Path) -> None:
    reviews = [
        {"question_id": 0, "category": "llava_bench_conv", "content": "?", "tuple": [-1, -1]},
        {"question_id": 1, "category": "llava_bench_conv", "content": "?", "tuple": [8, 6]},
    ]
    found = score("llava_bench", None, write(tmp_path / "r.json", reviews), stored=True)
    assert found.scores["Con"] == 75.0
    assert found.unreadable == 1
