"""Tokenised dialogues on disk, by content: built once, read by all ranks through a memory map.

    ROOT/KEY/tokens.arrow   a dialogue a row: as in the training set, its tokens, where answers are
    ROOT/KEY/sum.json       rows, bytes and SHA-256 of that file: what is not whole is built again

KEY is a hash of the examples, the tokenizer, the chat template and the libraries. Pictures are not in
it, only their names; their tokens are put in as a batch is made (collate.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import pyarrow as pa

from comd_training import examples
from comd_training.checkpoint import fresh_directory, publish
from comd_training.examples import Dialogue, ImagePosition, Turn, read_examples
from comd_training.failures import TrainingDataError
from comd_training.files import write_json
from comd_training.spec import file_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from comd_training.collate import Collator

FORMAT = 1
ROWS = 1024
"""Dialogues a record batch: what is in memory while it is built."""
UNUSED_DAYS = 30

SCHEMA = examples.SCHEMA.append(pa.field("tokens", pa.list_(pa.int32()), nullable=False)).append(
    pa.field("answers", pa.list_(pa.int32()), nullable=False)
)
"""`tokens`: T of them, a picture being one placeholder; `answers`: [start, end) of each run of tokens
that carries loss, one after the other."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """One dialogue. ids: (T,) int32; learned: (T,) bool, what carries loss."""

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]


class TokenisedDialogues(Sequence[Dialogue]):
    """The dialogues of a cache that stands complete. Memory: what of the file the system keeps."""

    def __init__(self, directory: Path) -> None:
        reader = pa.ipc.open_file(pa.memory_map(str(directory / "tokens.arrow")))
        self._batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        self._rows = sum(batch.num_rows for batch in self._batches)
        counted = [np.diff(batch.column("tokens").offsets.to_numpy()) for batch in self._batches]
        self.lengths: NDArray[np.int32] = np.concatenate(counted) if counted else np.zeros(0, "i4")

    def __len__(self) -> int:
        return int(self._rows)

    @overload
    def __getitem__(self, index: int) -> Dialogue: ...
    @overload
    def __getitem__(self, index: slice) -> list[Dialogue]: ...
    def __getitem__(self, index: int | slice) -> Dialogue | list[Dialogue]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._rows))]
        if not -self._rows <= index < self._rows:
            raise IndexError(index)
        batch, row = self._place(index % self._rows)
        return Dialogue(
            dialogue=batch.column("dialogue")[row].as_py(),
            image=batch.column("image")[row].as_py(),
            image_position=cast("ImagePosition", batch.column("image_position")[row].as_py()),
            turns=tuple(Turn(**turn) for turn in batch.column("turns")[row].as_py()),
        )

    def tokens(self, index: int) -> Tokens:
        """Row `index`'s tokens, the ids straight from the file."""
        batch, row = self._place(index)
        ids = batch.column("tokens")[row].values.to_numpy()
        learned = np.zeros(len(ids), np.bool_)
        runs = batch.column("answers")[row].values.to_numpy()
        for start, end in zip(runs[::2], runs[1::2], strict=True):
            learned[start:end] = True
        return Tokens(ids, learned)

    def images(self) -> set[str]:
        """The names of all pictures."""
        return {
            name
            for batch in self._batches
            for name in batch.column("image").unique().to_pylist()
            if name is not None
        }

    def has_picture(self) -> NDArray[np.bool_]:
        """(rows,) whether a picture belongs to it."""
        told = [
            batch.column("image").is_valid().to_numpy(zero_copy_only=False)
            for batch in self._batches
        ]
        return np.concatenate(told) if told else np.zeros(0, np.bool_)

    def _place(self, index: int) -> tuple[Any, int]:
        return self._batches[index // ROWS], index % ROWS


def open_tokens(
    root: Path, source: Path, collator: Collator, alive: Callable[[], None] = lambda: None
) -> TokenisedDialogues:
    """The cache of the training set `source` under `root`; built where there is none that is whole.

    Only one process builds, the others wait; `alive` is called while either takes its time.
    Raises TrainingDataError that names every instruction found wanting, and then nothing is kept.
    """
    root.mkdir(parents=True, exist_ok=True)
    directory = root / cache_key(source, collator)
    with _alone(directory.with_suffix(".lock"), alive):
        if not is_whole(directory):
            _forget_unused(root)
            _build(directory, source, collator, alive)
    os.utime(directory)
    return TokenisedDialogues(directory)


def cache_key(source: Path, collator: Collator) -> str:
    """A hash of all that decides the tokens; the examples count by content."""
    tokenizer = collator.processor.tokenizer
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    for changing in ("padding", "truncation"):  # as the last call left them
        rules.pop(changing, None)
    told = {
        "format": FORMAT,
        "examples": file_sha256(source),
        "tokenizer": rules,
        "special": {name: str(token) for name, token in tokenizer.special_tokens_map.items()},
        "template": collator.template(),
        "layout": collator.layout,
        "stops": sorted(collator.stops),
        "libraries": [importlib.metadata.version(name) for name in ("transformers", "tokenizers")],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:40]


def is_whole(directory: Path) -> bool:
    """Whether what was built there is all there, byte by byte."""
    try:
        told = json.loads((directory / "sum.json").read_text(encoding="utf-8"))
        file = directory / "tokens.arrow"
        return bool(file.stat().st_size == told["bytes"] and file_sha256(file) == told["sha256"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def _build(directory: Path, source: Path, collator: Collator, alive: Callable[[], None]) -> None:
    from comd_training.checks import control_tokens, refuse, text_problems

    control = control_tokens(collator.processor)
    problems: list[tuple[str, str]] = []
    aside = fresh_directory(directory.with_suffix(".tmp"))
    with (
        pa.OSFile(str(aside / "tokens.arrow"), "wb") as file,
        pa.ipc.new_file(file, SCHEMA) as made,
    ):
        for dialogues in _batches(read_examples(source)):
            alive()
            problems += [problem for each in dialogues for problem in text_problems(each, control)]
            if problems:
                continue
            try:
                made.write_batch(_tokenised(dialogues, collator))
            except TrainingDataError as error:
                problems += [(key, str(error)) for key in error.instruction_keys]
    if problems:
        shutil.rmtree(aside)
        refuse(problems)
    path = aside / "tokens.arrow"
    write_json(aside / "sum.json", {"bytes": path.stat().st_size, "sha256": file_sha256(path)})
    shutil.rmtree(directory, ignore_errors=True)  # what stood there was not whole
    publish(aside, directory)


def _batches(dialogues: Iterable[Dialogue]) -> Iterator[list[Dialogue]]:
    waiting: list[Dialogue] = []
    for dialogue in dialogues:
        waiting.append(dialogue)
        if len(waiting) == ROWS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _tokenised(dialogues: list[Dialogue], collator: Collator) -> pa.RecordBatch:
    rows = []
    for dialogue, tokens in zip(dialogues, collator.tokenise(dialogues), strict=True):
        edges = np.flatnonzero(np.diff(tokens.learned, prepend=False, append=False))
        rows.append(examples.row_of(dialogue) | {"tokens": tokens.ids, "answers": edges})
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


@contextmanager
def _alone(path: Path, alive: Callable[[], None]) -> Iterator[None]:
    """Hold the file's lock; it goes with the process that holds it."""
    with path.open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                alive()
                time.sleep(0.1)
        yield


def _forget_unused(root: Path) -> None:
    """Remove what no training has opened for a month."""
    for directory in root.iterdir():
        if directory.is_dir() and time.time() - directory.stat().st_mtime > UNUSED_DAYS * 86400:
            shutil.rmtree(directory, ignore_errors=True)
