"""Tokenised dialogues on disk: once for all who read them, whole or made again, never wrong."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comd_training import tokens
from comd_training.checks import check_tokenised
from comd_training.collate import Collator, Dialogues, Item
from comd_training.examples import Dialogue, Turn, write_examples
from comd_training.failures import TrainingDataError
from comd_training.masking import stop_tokens
from comd_training.metrics import Metric
from comd_training.spec import TrainingSpec
from comd_training.supervise import TrainingFailed, run_training
from comd_training.tokens import cache_key, is_whole, open_tokens

TEXT = Dialogue("text", None, "after", (Turn("t0", "who ?", "cat"), Turn("t1", "who ?", "dog")))


@pytest.fixture
def collator(tiny_processor: Any, pictures: Path) -> Collator:
    return Collator(tiny_processor, pictures, 256, stop_tokens(tiny_processor.tokenizer))


@pytest.fixture
def source(colour_dialogues: list[Dialogue], tmp_path: Path) -> Path:
    path = tmp_path / "examples.parquet"
    write_examples(path, [*colour_dialogues, TEXT])
    return path


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The directories that were built, in order."""
    made: list[Path] = []
    build = tokens._build

    def counted(directory: Path, *how: Any) -> None:
        made.append(directory)
        build(directory, *how)

    monkeypatch.setattr(tokens, "_build", counted)
    return made


def test_what_is_read_is_what_was_written(
    collator: Collator,
    source: Path,
    colour_dialogues: list[Dialogue],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "ROWS", 4)  # several record batches, the last one partial
    written = [*colour_dialogues, TEXT]
    found = open_tokens(tmp_path / "cache", source, collator)
    assert list(found) == written
    assert found[-1] == TEXT
    assert found[2:4] == written[2:4]
    with pytest.raises(IndexError):
        found[22]
    made = collator.tokenise(written)
    for row, expected in enumerate(made):
        cached = found.tokens(row)
        np.testing.assert_array_equal(cached.ids, expected.ids)
        np.testing.assert_array_equal(cached.learned, expected.learned)
    assert found.lengths.tolist() == [len(each.ids) for each in made]
    assert found.has_picture().tolist() == [True] * 21 + [False]
    assert found.images() == {f"{number}.png" for number in range(6)}
    item = Dialogues(found)[~21]
    assert (item.dialogue, item.carries_loss) == (TEXT, False)


def test_batches_from_the_cache_are_those_of_the_processor(
    collator: Collator, source: Path, tmp_path: Path
) -> None:
    import torch

    found = open_tokens(tmp_path / "cache", source, collator)
    splicing = collator.that_splices(found)
    items = [Dialogues(found)[index] for index in (0, 21, ~3, 5)]
    ours = splicing(items)
    whole = collator([Item(item.dialogue, item.carries_loss) for item in items])
    assert ours.keys() == whole.keys()
    for name, value in whole.items():
        assert torch.equal(value, ours[name]), name


def test_a_second_reader_does_not_tokenise(
    collator: Collator, source: Path, tmp_path: Path, built: list[Path]
) -> None:
    one = open_tokens(tmp_path / "cache", source, collator)
    two = open_tokens(tmp_path / "cache", source, collator)
    assert len(built) == 1
    assert list(one) == list(two)


def test_equal_content_is_one_cache_and_another_template_another(
    collator: Collator, source: Path, colour_dialogues: list[Dialogue], tmp_path: Path
) -> None:
    again = tmp_path / "again.parquet"
    write_examples(again, [*colour_dialogues, TEXT])
    key = cache_key(source, collator)
    assert cache_key(again, collator) == key
    # What only decides what is done with tokens is not in it.
    assert cache_key(source, replace(collator, max_length=7, packs=True)) == key
    write_examples(again, colour_dialogues)
    others = {
        cache_key(again, collator),
        cache_key(source, replace(collator, stops=frozenset({"<s>"}))),
        cache_key(source, replace(collator, layout="caption")),
        cache_key(source, with_template(collator)),
    }
    assert len(others | {key}) == 5


def with_template(collator: Collator) -> Collator:
    import copy

    processor = copy.copy(collator.processor)
    processor.chat_template = processor.chat_template + "{# another #}"
    return replace(collator, processor=processor)


@pytest.mark.parametrize("damage", ["cut", "flipped", "no sum", "nothing", "aside"])
def test_what_is_not_whole_is_built_again(
    collator: Collator, source: Path, tmp_path: Path, built: list[Path], damage: str
) -> None:
    root = tmp_path / "cache"
    expected = list(open_tokens(root, source, collator))
    directory = root / cache_key(source, collator)
    file = directory / "tokens.arrow"
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[:-8])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "no sum":
        (directory / "sum.json").write_text("{")
    elif damage == "nothing":
        file.unlink()
    else:  # a builder was killed on the way
        directory.rename(directory.with_suffix(".tmp"))
    assert not is_whole(directory)
    assert list(open_tokens(root, source, collator)) == expected
    assert len(built) == 2
    assert is_whole(directory)
    assert sorted(path.suffix for path in root.iterdir()) == ["", ".lock"]


def test_what_cannot_be_learned_is_named_and_nothing_is_kept(
    collator: Collator, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.parquet"
    wrong = [
        TEXT,
        Dialogue("blank", None, "before", (Turn("a", "who ?", " "), Turn("b", "who ?", "cat"))),
        Dialogue("control", None, "before", (Turn("c", "who is <image> ?", "cat"),)),
    ]
    write_examples(path, wrong)
    with pytest.raises(TrainingDataError, match="2 instructions") as caught:
        open_tokens(tmp_path / "cache", path, collator)
    assert caught.value.instruction_keys == ("a", "c")
    assert not [each for each in (tmp_path / "cache").iterdir() if each.is_dir()]


def test_pictures_and_lengths_are_looked_at_each_time(
    collator: Collator, source: Path, tmp_path: Path
) -> None:
    found = open_tokens(tmp_path / "cache", source, collator)
    assert check_tokenised(found, collator) == 0  # pictures of one size say nothing about others
    short = len(collator.tokenise([TEXT])[0].ids) - 1
    with pytest.raises(TrainingDataError, match=f"max_length {short}") as caught:
        check_tokenised(found, replace(collator, max_length=short))
    assert {key for key in caught.value.instruction_keys if key.startswith("t")} == {"t1"}
    with pytest.raises(TrainingDataError, match="no picture") as caught:
        check_tokenised(found, replace(collator, image_root=tmp_path))
    assert len(caught.value.instruction_keys) == 42


def test_unused_ones_are_forgotten(collator: Collator, source: Path, tmp_path: Path) -> None:
    root = tmp_path / "cache"
    open_tokens(root, source, collator)
    old = root / cache_key(source, collator)
    month_ago = time.time() - 31 * 86400
    os.utime(old, (month_ago, month_ago))
    open_tokens(root, source, with_template(collator))
    assert not old.exists()


BUILDER = """
import sys
from pathlib import Path
from transformers import AutoProcessor
from comd_training import tokens
from comd_training.collate import Collator
from comd_training.masking import stop_tokens

build = tokens._build
def told(*how):
    print("built", flush=True)
    build(*how)
tokens._build = told
processor = AutoProcessor.from_pretrained(sys.argv[1])
collator = Collator(processor, Path("."), 256, stop_tokens(processor.tokenizer))
sys.stdin.readline()
print(len(tokens.open_tokens(Path(sys.argv[2]), Path(sys.argv[3]), collator)), flush=True)
"""


@pytest.mark.full
def test_processes_that_start_together_build_once(
    tiny_model: Path, source: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", BUILDER, tiny_model, tmp_path / "cache", source]
    ranks = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [rank.communicate("go\n", timeout=120)[0].split() for rank in ranks]
    assert sorted(told) == [["22"], ["22"], ["built", "22"]]


@pytest.mark.timeout(240)
def test_a_training_that_goes_on_reads_what_was_tokenised(
    spec_of: Callable[..., TrainingSpec], tmp_path: Path
) -> None:
    """Stopped and started again, then another with other settings: one cache, never written again."""
    spec = spec_of(epochs=6).model_copy(update={"token_cache": tmp_path / "cache"})
    stop = threading.Event()

    def stop_at_2(metric: Metric) -> None:
        if metric.step == 2:
            stop.set()

    with pytest.raises(TrainingFailed, match="saved"):
        run_training(spec, on_metric=stop_at_2, on_alive=lambda: None, stop=stop)
    (directory,) = [each for each in (tmp_path / "cache").iterdir() if each.is_dir()]
    file = directory / "tokens.arrow"
    before = file.stat()
    run_training(spec, on_metric=lambda _: None, on_alive=lambda: None)
    other = spec_of("other", learning_rate=1e-3).model_copy(
        update={"token_cache": tmp_path / "cache"}
    )
    run_training(other, on_metric=lambda _: None, on_alive=lambda: None)
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [each for each in (tmp_path / "cache").iterdir() if each.is_dir()] == [directory]


def test_a_cache_of_its_own_goes_with_the_training(spec_of: Callable[..., TrainingSpec]) -> None:
    spec = spec_of()
    run_training(spec, on_metric=lambda _: None, on_alive=lambda: None)
    assert not spec.token_root.exists()


@pytest.mark.full
def test_memory_stays_flat_as_training_sets_grow(tmp_path: Path) -> None:
    """Twenty times the examples in (nearly) the same memory: they are streamed in and mapped."""
    script = Path(__file__).parent.parent / "support" / "token_memory.py"
    small, large = (
        float(
            subprocess.run(
                [sys.executable, script, tmp_path, str(count)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for count in (3_000, 60_000)
    )
    # All 60,000 held at once would be 120 MiB more: text, tokens and what Python adds to them. What
    # allocators keep differs by some 20 MiB from one process to the next.
    assert large < small + 60
