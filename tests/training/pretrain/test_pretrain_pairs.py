"""Image-text pairs out of every layout that is read."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from comd_platform.importers.records import ImportFailed
from comd_training.pretrain.pairs import BadPair, Pair, read_pairs

CAT = Pair("1", "a.jpg", "a cat")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as made:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cc3m.tsv", "a cat\ta.jpg\n"),
        ("bom.tsv", "\ufeffa  cat \ta.jpg\r\n"),
        ("lines.jsonl", '{"image": "a.jpg", "caption": "a cat"}\n'),
        ("urls.jsonl", '{"url": "a.jpg", "text": "a cat"}\n'),
        ("array.json", '[{"image": "a.jpg", "caption": "a cat"}]'),
        (
            "llava.json",
            json.dumps(
                [
                    {
                        "id": "1",
                        "image": "a.jpg",
                        "conversations": [
                            {"from": "human", "value": "<image>\nDescribe."},
                            {"from": "gpt", "value": "a cat"},
                        ],
                    }
                ]
            ),
        ),
    ],
)
def test_one_pair_in_every_layout(tmp_path: Path, name: str, text: str) -> None:
    assert list(read_pairs(write(tmp_path / name, text))) == [CAT]


def test_a_header_names_the_columns(tmp_path: Path) -> None:
    found = read_pairs(write(tmp_path / "a.tsv", "url\tx\tcaption\na.jpg\t7\ta cat\n"))
    assert list(found) == [Pair("2", "a.jpg", "a cat")]


def test_a_webdataset_shard_gives_its_samples_in_order(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "00000.tar",
        {
            "000.jpg": b"x",
            "000.txt": b"a cat",
            "001.json": b'{"caption": "a dog"}',
            "001.png": b"x",
            "002.txt": b"nothing to see",
            "003.jpg": b"x",
            "004.jpg": b"x",
            "004.json": b"{",
        },
    )
    cat, dog, blind, silent, broken = read_pairs(path)
    assert cat == Pair("000", "00000.tar/000.jpg", "a cat")
    assert dog == Pair("001", "00000.tar/001.png", "a dog")
    reasons = [bad.reason for bad in (blind, silent, broken) if isinstance(bad, BadPair)]
    assert reasons[0] == "sample 002 has no picture"
    assert reasons[1] == "sample 003 has neither 003.txt nor 003.json"
    assert reasons[2].startswith("sample 004, its .json:")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a cat\n", "1 column, expected caption and image"),
        (b"\ta.jpg\n", "no caption for 'a.jpg'"),
        (b"a cat\t \n", "names no picture"),
        (b"\xff\ta.jpg\n", "the line is not UTF-8 (byte 1)"),
        (b"x" * 70_000 + b"\ta.jpg\n", "the caption of 'a.jpg' is 70,006 bytes long"),
    ],
)
def test_a_line_without_a_pair_says_why(tmp_path: Path, line: bytes, reason: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(line)
    assert list(read_pairs(path)) == [BadPair(1, reason)]


def test_several_captions_in_one_record_are_refused(tmp_path: Path) -> None:
    turns = [{"from": "gpt", "value": "a"}, {"from": "gpt", "value": "b"}]
    path = write(tmp_path / "a.json", json.dumps([{"image": "a.jpg", "conversations": turns}]))
    (bad,) = read_pairs(path)
    assert isinstance(bad, BadPair)
    assert "found 2" in bad.reason


def test_what_cannot_be_read_at_all(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match=r"not read from \.csv"):
        list(read_pairs(tmp_path / "a.csv"))
    with pytest.raises(ImportFailed, match="No such file"):
        list(read_pairs(tmp_path / "a.tsv"))
    with pytest.raises(ImportFailed):
        list(read_pairs(write(tmp_path / "a.tar", "no archive")))


def test_a_key_is_content_alone() -> None:
    assert Pair("1", "a.jpg", "a cat").key == Pair("2", "a.jpg", "a cat").key
    assert Pair("1", "a.jpg", "a cat").key != Pair("1", "b.jpg", "a cat").key
    assert Pair("1", "a", "b c").key != Pair("1", "a b", "c").key
