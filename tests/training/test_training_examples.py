"""The training set on disk: what goes in comes out, and equal content has equal bytes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comd_training import examples
from comd_training.examples import Dialogue, Turn, read_examples, write_examples
from comd_training.spec import file_sha256

# Everything that UTF-8 can hold: surrogates it cannot.
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
turns = st.builds(Turn, instruction_key=text, question=text, answer=text)
dialogues = st.builds(
    Dialogue,
    dialogue=text,
    image=st.none() | text,
    image_position=st.sampled_from(["before", "after"]),
    turns=st.lists(turns, min_size=1, max_size=4).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(dialogues, max_size=12))
def test_round_trip_and_bytes(written: list[Dialogue]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        one, two = Path(directory) / "one.parquet", Path(directory) / "two.parquet"
        digest = write_examples(one, iter(written))
        assert write_examples(two, written) == digest == file_sha256(one) == file_sha256(two)
        assert list(read_examples(one)) == written


def test_many_row_groups_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "ROW_GROUP", 10)
    many = [Dialogue(str(n), None, "after", (Turn(f"k{n}", "q", "a"),)) for n in range(35)]
    write_examples(tmp_path / "many.parquet", iter(many))
    with pq.ParquetFile(tmp_path / "many.parquet") as file:
        assert file.num_row_groups == 4
    assert list(read_examples(tmp_path / "many.parquet")) == many


def test_order_of_dialogues_changes_the_hash(
    tmp_path: Path, colour_dialogues: list[Dialogue]
) -> None:
    forward = write_examples(tmp_path / "a.parquet", colour_dialogues)
    assert forward != write_examples(tmp_path / "a.parquet", reversed(colour_dialogues))


def test_interrupted_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "examples.parquet"
    digest = write_examples(path, [Dialogue("d", None, "before", (Turn("k", "q", "a"),))])

    def broken() -> object:
        yield Dialogue("e", None, "before", (Turn("k", "q", "a"),))
        raise RuntimeError("the source ended badly")

    with pytest.raises(RuntimeError, match="ended badly"):
        write_examples(path, broken())
    assert file_sha256(path) == digest
    assert [p.name for p in tmp_path.iterdir()] == ["examples.parquet"]


def test_other_parquet_files_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"dialogue": ["d"]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="no training set"):
        list(read_examples(tmp_path / "other.parquet"))


def test_dialogues_have_turns_and_a_known_position() -> None:
    with pytest.raises(ValueError, match="no turns"):
        Dialogue("d", None, "before", ())
    with pytest.raises(ValueError, match="neither"):
        Dialogue("d", None, "beside", (Turn("k", "q", "a"),))  # type: ignore[arg-type]


def test_what_the_worker_imports_needs_no_torch() -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import comd_training.examples, comd_training.supervise, sys; "
            "print(sorted({'torch', 'transformers', 'deepspeed'} & set(sys.modules)))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"
