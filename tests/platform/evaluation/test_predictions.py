"""Files of predictions: every layout that we know of says the same, and the rest is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comd_platform.errors import ComdError
from comd_platform.evaluation.predictions import Predictions, read_predictions

SAID = {"4": "The answer is B.", "v5": "C"}


def read(tmp_path: Path, text: str) -> Predictions:
    path = tmp_path / "predictions.json"
    path.write_text(text)
    return read_predictions(path)


def rows(key: str = "question_id", said: str = "text", **more: Any) -> list[dict[str, Any]]:
    return [{key: name, said: text, **more} for name, text in SAID.items()]


LAYOUTS: dict[str, str] = {
    "ScienceQA": json.dumps({"acc": 0.5, "outputs": SAID, "results": {"4": 1, "v5": 2}}),
    "map": json.dumps(SAID),
    "map of rows": json.dumps({key: {"prediction": text} for key, text in SAID.items()}),
    "predictions": json.dumps({"model": "x", "predictions": SAID}),
    "array": json.dumps(rows()),
    "pid and pred": json.dumps(rows("pid", "pred")),
    "id and output": json.dumps(rows("id", "output")),
    "answer": json.dumps(rows(said="answer")),
    "in an object": json.dumps({"results": rows()}),
    "lines": "\n".join(json.dumps(row) for row in rows(prompt="<image>")),
    "commas": ",\n".join(json.dumps(row) for row in rows("question_id", "prediction")) + ",\n",
    "byte order mark": "\ufeff" + json.dumps(rows()),
    "LLaVA's analysis": json.dumps(
        {"correct": rows(said="pred")[:1], "incorrect": rows(said="pred")[1:]}
    ),
    "lists of one": json.dumps([{**row, "text": [row["text"]]} for row in rows()]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_says_the_same(layout: str, tmp_path: Path) -> None:
    found = read(tmp_path, LAYOUTS[layout])
    assert found.said == SAID
    assert found.repeated == {}


def test_one_row_is_a_file_too(tmp_path: Path) -> None:
    assert read(tmp_path, '{"question_id": 7, "text": "A"}').said == {"7": "A"}


def test_stored_options_stand_beside_the_texts(tmp_path: Path) -> None:
    both = read(tmp_path, LAYOUTS["ScienceQA"])
    assert both.stored == {"4": 1, "v5": 2}
    analysed = read(tmp_path, json.dumps({"correct": rows(parsed_ans="B"), "incorrect": []}))
    assert analysed.stored == {"4": "B", "v5": "B"}
    alone = read(tmp_path, '{"results": {"4": 1, "5": -1, "6": 2.0, "7": null}}')
    assert alone.said == alone.stored == {"4": 1, "5": -1, "6": 2, "7": None}


def test_a_number_that_was_said_is_no_index(tmp_path: Path) -> None:
    assert read(tmp_path, '{"question_id": 7, "prediction": 1}').said == {"7": "1"}
    assert read(tmp_path, '{"question_id": 7, "pred_idx": 1}').said == {"7": 1}
    assert read(tmp_path, '{"7": 1}').said == {"7": 1}


def test_of_a_repeated_id_the_last_counts(tmp_path: Path) -> None:
    twice = read(tmp_path, json.dumps([*rows(), *rows(), {"question_id": "4", "text": "D"}]))
    assert twice.said == {"4": "D", "v5": "C"}
    assert twice.repeated == {"4": 2, "v5": 1}
    # Python's parser takes the last of a repeated key in silence.
    mapped = read(tmp_path, '{"outputs": {"4": "A", "4": "B", "5": "C"}}')
    assert mapped.said == {"4": "B", "5": "C"}
    assert mapped.repeated == {"4": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("nonsense", "line 1"),
        ('{"question_id": 1, "text": "A"}\n{"question_id": 2, "text": ', "line 2"),
        ("[1, 2]", "record 1 is no object"),
        ('[{"text": "A"}]', "record 1 has none of question_id"),
        ('[{"question_id": 3, "label": "A"}]', r"record 1 \(id 3\) has none of text"),
        ('[{"question_id": 3, "text": {"a": 1}}]', "prediction of 3 is neither"),
        ('[{"question_id": 3, "text": true}]', "prediction of 3 is neither"),
        ('[{"id": "3", "answer": "A", "choices": ["x", "y"]}]', "is a question with its answer"),
        ('{"preds": ["A", "B"], "labels": ["A", "B"]}', "prediction of preds is neither"),
        ('"x"', "no file of predictions"),
    ],
)
def test_what_cannot_be_made_out_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ComdError, match=said):
        read(tmp_path, text)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ComdError, match="cannot read"):
        read_predictions(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'["\xe9"]')
    with pytest.raises(ComdError, match="not UTF-8 near byte 3"):
        read_predictions(tmp_path / "latin.json")
