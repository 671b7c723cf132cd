"""Encoded pictures: once each, within bounds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comd_workers.engines.openai import urls
from comd_workers.engines.openai.urls import DataUrls
from comd_workers.engines.pictures import PictureError, data_url


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The pictures that were really encoded, in order."""
    seen: list[Path] = []

    def counting(path: Path, max_side: int | None) -> str:
        seen.append(path)
        time.sleep(0.02)  # so that those who ask at the same time do meet
        return data_url(path, max_side)

    monkeypatch.setattr(urls, "data_url", counting)
    return seen


def test_asked_at_the_same_time_it_is_encoded_once(
    pictures: tuple[Path, ...], encoded: list[Path]
) -> None:
    kept = DataUrls(None)
    together = threading.Barrier(8)

    def ask(number: int) -> str:
        together.wait()
        return kept.get(pictures[number % 2])

    with ThreadPoolExecutor(8) as threads:
        got = list(threads.map(ask, range(8)))
    assert sorted(encoded) == sorted(pictures[:2])
    assert got == [data_url(pictures[number % 2], None) for number in range(8)]


def test_the_one_unused_for_longest_goes(pictures: tuple[Path, ...], encoded: list[Path]) -> None:
    room_for_two = len(data_url(pictures[0], None)) * 5 // 2
    kept = DataUrls(None, room_for_two)
    for number in (0, 1, 0, 2, 0, 1):
        kept.get(pictures[number])
    assert encoded == [pictures[number] for number in (0, 1, 2, 1)]


def test_a_picture_larger_than_the_room_is_sent_and_not_kept(pictures: tuple[Path, ...]) -> None:
    kept = DataUrls(None, 10)
    assert kept.get(pictures[0]) == data_url(pictures[0], None)
    assert kept.get(pictures[0]) == data_url(pictures[0], None)


def test_a_bad_picture_fails_each_time(tmp_path: Path) -> None:
    kept = DataUrls(None)
    for _ in range(2):
        with pytest.raises(PictureError, match=r"gone\.png"):
            kept.get(tmp_path / "gone.png")
