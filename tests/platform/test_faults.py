"""Fault points: planted once, suffered once; a file that is only being written is not yet a fault."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from comd_platform.faults import VARIABLE, fault_point

POINT = "worker.computed"


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path / POINT


def test_a_fault_is_suffered_once_and_leaves_its_file_behind(planted: Path) -> None:
    planted.write_text("disk_full\n")
    with pytest.raises(OSError, match=POINT) as caught:
        fault_point(POINT)
    assert caught.value.errno == errno.ENOSPC
    fault_point(POINT)  # nothing is left to suffer
    assert [path.name.startswith(f".taken.{POINT}.") for path in planted.parent.iterdir()] == [True]


def test_a_file_that_is_opened_and_not_yet_written_waits_for_its_words(planted: Path) -> None:
    with planted.open("w") as planting:
        fault_point(POINT)  # somebody comes by between the creation and the write
        planting.write("out_of_memory")
    with pytest.raises(MemoryError, match=POINT):
        fault_point(POINT)


def test_a_fault_nobody_knows_is_told_with_its_place(planted: Path) -> None:
    planted.write_text("explode")
    with pytest.raises(ValueError, match=f"unknown fault 'explode' at {POINT}"):
        fault_point(POINT)
