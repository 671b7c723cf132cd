"""A model's answers to a benchmark, from whatever layout its script wrote: id -> what was said.

Known layouts, told apart by what is in the file:
- `{"outputs": {id: text}, "results": {id: index}}` (ScienceQA's and LLaVA's result files);
- rows, in any form of JSON, each with an id and a prediction under one of the usual names;
- `{"correct": [rows], "incorrect": [rows]}` (LLaVA's analysis file), `{"results": [rows]}` and the like;
- `{id: text}`, `{id: letter}`, `{id: index}` and `{id: row}`.

Of a repeated id the last row counts. A number in a row's prediction is what the model said, a text like
any other: nothing tells whether its options begin at 0 or at 1. `pred_idx` and `{id: index}` do: at 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from comd_platform.errors import ComdError
from comd_platform.evaluation.documents import Repeats, Row, read_document

ID_FIELDS: Final = ("question_id", "qid", "q_id", "pid", "id", "problem_id")
SURE_FIELDS: Final = (
    "text",
    "pred",
    "prediction",
    "output",
    "response",
    "model_output",
    "model_answer",
    "generated_text",
)
SAID_FIELDS: Final = (*SURE_FIELDS, "answer")
"""Names of a prediction; `answer`, which may be the right one, goes last: see `_is_question`."""
STORED_FIELDS: Final = ("parsed_ans", "pred_idx", "result")
_LISTS: Final = ("results", "outputs", "predictions", "answers", "data")

Said = str | int | None
"""A text, the index of an option, or nothing at all."""


class PredictionError(ComdError):
    """A file of predictions that cannot be made out."""


@dataclass(slots=True)
class Predictions:
    """What a file says: `said` is to be read, `stored` what its own script read (both by id).

    `repeated` counts, by id, the rows that a later one took the place of.
    """

    said: dict[str, Said] = field(default_factory=dict)
    stored: dict[str, Said] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)


def read_predictions(path: Path) -> Predictions:
    """Read a file of predictions. Raises PredictionError or UnreadableFile, naming the record."""
    document = read_document(path)
    if isinstance(document, list):
        return _from_rows(path, document)
    if not isinstance(document, dict):
        raise _unknown_layout(path)
    if "correct" in document and isinstance(document.get("incorrect"), list):
        return _from_rows(path, [*document["correct"], *document["incorrect"]])
    tables = {name: document[name] for name in ("outputs", "results") if name in document}
    if any(isinstance(table, dict) for table in tables.values()):
        return _from_tables(path, tables)
    for name in _LISTS:
        if isinstance(document.get(name), list):
            return _from_rows(path, document[name])
        if isinstance(document.get(name), dict):
            return _from_map(path, document[name])
    if _first(document, ID_FIELDS) is not None:
        return _from_rows(path, [document])
    return _from_map(path, document)


def _from_tables(path: Path, tables: Mapping[str, Any]) -> Predictions:
    """Texts and stored indices side by side; where there are no texts, the indices are the answers."""
    found = Predictions()
    maps = {name: table for name, table in tables.items() if isinstance(table, dict)}
    if "outputs" in maps:
        found = _from_map(path, maps["outputs"])
    if "results" in maps:
        results = _from_map(path, maps["results"])
        found.stored = results.said
        if "outputs" not in maps:
            found.said, found.repeated = dict(results.said), results.repeated
    return found


def _from_map(path: Path, table: Mapping[str, Any]) -> Predictions:
    if table and all(isinstance(value, dict) for value in table.values()):
        found = _from_rows(path, [{"question_id": key, **row} for key, row in table.items()])
    else:
        found = Predictions({key: _said(path, key, value) for key, value in table.items()})
    if isinstance(table, Repeats):
        found.repeated = dict(table.repeated)
    return found


def _from_rows(path: Path, rows: Iterable[Any]) -> Predictions:
    found = Predictions()
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise _unknown_layout(path, f"record {number} is no object")
        key = _first(row, ID_FIELDS)
        if key is None or isinstance(key, bool) or not isinstance(key, str | int):
            raise _unknown_layout(path, f"record {number} has none of {', '.join(ID_FIELDS)}")
        key = str(key)
        fields = [name for name in (*SAID_FIELDS, *STORED_FIELDS) if name in row]
        if not fields:
            raise _unknown_layout(
                path, f"record {number} (id {key}) has none of {', '.join(SAID_FIELDS)}"
            )
        if key in found.said:
            found.repeated[key] = found.repeated.get(key, 0) + 1
        if fields[0] == "answer" and _is_question(row):
            raise _unknown_layout(path, f"record {number} (id {key}) is a question with its answer")
        said = _said(path, key, row[fields[0]])
        found.said[key] = str(said) if isinstance(said, int) and fields[0] in SAID_FIELDS else said
        found.stored[key] = _said(path, key, _stored(row, fields[0]))
    return found


def _is_question(row: Row) -> bool:
    """Whether a row's `answer` is the right one: where the options stand beside it."""
    return any(name in row for name in ("choices", "options", "choice_a", "A"))


def _stored(row: Row, said: str) -> Any:
    """What the file's own script made of the reply; the reply itself where it keeps nothing else."""
    return next((row[name] for name in STORED_FIELDS if name in row), row[said])


def _said(path: Path, key: str, value: Any) -> Said:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return value
    raise _unknown_layout(path, f"the prediction of {key} is neither text nor an index")


def _first(row: Row, names: Iterable[str]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _unknown_layout(path: Path, reason: str | None = None) -> PredictionError:
    return PredictionError(
        f"{path} is no file of predictions" + (f": {reason}" if reason else ""),
        hint='Known: rows with an id and a prediction, {"outputs": {id: text}}, {id: text}; '
        "see docs/evaluation.md.",
    )
