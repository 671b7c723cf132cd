"""ScienceQA's train split, worded as LLaVA's QCM-LEA: what a student is fine-tuned on before the test.

The file is the official `problems.json`, with `pid_splits.json` beside it (or `split` in each problem).
Pictures are named `ID/image.png`, so --images is the folder of the split.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from comd_platform.evaluation.benchmarks.base import QuestionsError
from comd_platform.evaluation.benchmarks.scienceqa import official_problems, qcm_lea
from comd_platform.evaluation.documents import UnreadableFile
from comd_platform.importers.records import (
    BadRecord,
    ImportFailed,
    OnBytes,
    RecordError,
    SourceRecord,
    image_name,
)
from comd_platform.method.dialogues import Turn

SPLIT = "train"
TASK_TYPE = "multiple_choice"


def read_scienceqa(path: Path, on_bytes: OnBytes) -> Iterator[SourceRecord | BadRecord]:
    """Every problem of the train split. Raises ImportFailed for a damaged file."""
    try:
        for position, (key, problem) in enumerate(official_problems(path, SPLIT), start=1):
            try:
                question, answer = qcm_lea(problem)
                picture = {"image": f"{key}/{problem['image']}" if problem["image"] else None}
                turn = Turn(question, answer)
                yield SourceRecord(position, key, image_name(picture), (turn,), TASK_TYPE)
            except RecordError as error:
                yield BadRecord(position, key, error.field, error.reason, error.hint)
            except (KeyError, TypeError, IndexError) as error:
                yield BadRecord(position, key, "problem", f"cannot be read: {error!r}")
        on_bytes(path.stat().st_size)
    except (QuestionsError, UnreadableFile) as error:
        raise ImportFailed(error.message, hint=error.hint) from error
