"""Reading JSON arrays and JSON lines piece by piece gives what reading them whole would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comd_platform.importers import ImportFailed, json_records
from comd_platform.importers.json_records import Malformed, read_values

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(path: Path) -> list[tuple[int, object]]:
    return list(read_values(path, lambda _: None))


def write(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "data.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    items=st.lists(values, max_size=8),
    chunk=st.integers(1, 40),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
)
def test_an_array_reads_as_whole_whatever_the_window(
    tmp_path: Path, items: list[object], chunk: int, indent: int | None, ascii_only: bool
) -> None:
    path = write(tmp_path, json.dumps(items, indent=indent, ensure_ascii=True))
    if not ascii_only:
        whole = json.dumps(items, indent=indent, ensure_ascii=False)
        path.write_bytes(whole.encode(errors="ignore"))
        items = json.loads(path.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "_CHUNK", chunk)
        assert read(path) == list(enumerate(items, start=1))


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(items=st.lists(st.dictionaries(st.text(), values, max_size=3), min_size=1, max_size=8))
def test_lines_read_as_each_line(tmp_path: Path, items: list[dict[str, object]]) -> None:
    path = write(tmp_path, "\n".join(json.dumps(item) for item in items))
    assert read(path) == list(enumerate(items, start=1))


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(content=st.binary(max_size=60) | st.text('[]{},:"\\au0 \n1e-.', max_size=60).map(str.encode))
def test_any_bytes_at_all_give_values_or_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_records, "_CHUNK", 7)
        try:
            found: list[tuple[int, object]] | str = read(path)
        except ImportFailed as error:
            found = error.message
    if isinstance(found, str):
        assert str(path) in found
    elif content.decode("utf-8-sig", errors="replace").lstrip(" \t\r\n").startswith("["):
        assert [value for _, value in found] == json.loads(content.decode("utf-8-sig"))


def test_line_numbers_count_blank_lines_and_bad_lines_do_not_end_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": \n"\xff"\n{"a": 2}')
    found = read(path)
    assert [position for position, _ in found] == [1, 3, 4, 5]
    assert found[0][1] == {"a": 1}
    assert found[3][1] == {"a": 2}
    assert isinstance(found[1][1], Malformed)
    assert found[2][1] == Malformed("the line is not UTF-8 (byte 2)")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\t ", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"[", "record 1"),
        (b'[{"a": 1}', "record 1: after it .* the file ends"),
        (b'[{"a": 1},', "record 2"),
        (b'[{"a": 1}, {"b": "tru', "record 2"),
        (b'[{"a": 1} {"b": 2}]', "record 1"),
        (b'[{"a": 1},]', "record 2"),
        (b'[{"a": 1}] and more', "record 1: the array ends there"),
        (b'[{"a": 1}]\n[{"b": 2}]', "the file goes on"),
        (b'[{"a": "\xff"}]', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[{}, " + b"9" * 5000 + b"]", "record 2"),
    ],
)
def test_a_damaged_array_names_the_file_and_the_record(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ImportFailed, match=reason) as error:
        read(path)
    assert str(path) in error.value.message


@pytest.mark.parametrize("line", [b'{"a":' + b"[" * 100_000, b"{" + b"9" * 5000, b"not json"])
def test_a_hostile_line_is_malformed(tmp_path: Path, line: bytes) -> None:
    path = write(tmp_path, b'{"a": 1}\n' + line + b'\n{"a": 2}\n')
    found = read(path)
    assert [position for position, _ in found] == [1, 2, 3]
    assert isinstance(found[1][1], Malformed)


def test_a_record_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_records, "MAX_RECORD", 1000)
    monkeypatch.setattr(json_records, "_CHUNK", 100)
    endless = b'{"a": "' + b"x" * 100_000
    with pytest.raises(ImportFailed, match="no end within"):
        read(write(tmp_path, b"[" + endless))
    found = read(write(tmp_path, endless + b'"}\n{"b": 1}\n'))
    assert isinstance(found[0][1], Malformed)
    assert found[1] == (2, {"b": 1})


def test_half_surrogates_reach_the_importer_which_refuses_them(tmp_path: Path) -> None:
    assert read(write(tmp_path, '[{"a": "\\ud800"}]')) == [(1, {"a": "\ud800"})]


def test_progress_ends_with_the_size_of_the_file(tmp_path: Path) -> None:
    for content in ('[{"a": 1}, {"b": 2}]', '{"a": 1}\n{"b": 2}\n'):
        seen: list[int] = []
        path = write(tmp_path, content)
        list(read_values(path, seen.append))
        assert seen == sorted(seen)
        assert seen[-1] == path.stat().st_size


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="No such file"):
        read(tmp_path / "none.json")
    with pytest.raises(ImportFailed, match="directory"):
        read(tmp_path)
