"""Where a record's picture may lie: inside the directory that the user gave, nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.images.names import ImageError, check_name, locate


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        (".", "names no file"),
        ("..", "leaves"),
        ("../secret.png", "leaves"),
        ("a/../../secret.png", "leaves"),
        ("a/..", "leaves"),
        ("/etc/passwd", "absolute"),
        ("//host/share.png", "absolute"),
        ("http://example.com/a.png", "URL"),
        ("HTTPS://example.com/a.png", "URL"),
        ("file:///etc/passwd", "URL"),
        ("file:/etc/passwd", "URL"),
        ("file:passwd", "URL"),
        ("data:image/png;base64,AAAA", "URL"),
        ("s3://bucket/a.png", "URL"),
        ("C:\\pictures\\a.png", "Windows"),
        ("C:a.png", "Windows"),
        ("..\\a.png", "Windows"),
        ("a\0.png", "control"),
        ("a\n.png", "control"),
        ("a\ud800.png", "control"),
    ],
)
def test_names_that_could_leave_the_directory_are_refused(name: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        check_name(name)


@pytest.mark.parametrize(
    ("name", "checked"),
    [
        ("a.png", "a.png"),
        ("./a//b.png", "a/b.png"),
        ("a..b/c...png", "a..b/c...png"),
        ("Bilder/Größe 1.jpg", "Bilder/Größe 1.jpg"),
        ("12:30.png", "12:30.png"),
    ],
)
def test_ordinary_names_come_out_tidy(name: str, checked: str) -> None:
    assert check_name(name) == checked


@given(st.text(max_size=30))
def test_a_name_that_passes_never_leaves(name: str) -> None:
    root = "/pictures"
    try:
        checked = check_name(name)
    except ImageError:
        return
    assert os.path.normpath(f"{root}/{checked}").startswith(f"{root}/")
    assert check_name(checked) == checked


def test_locate_finds_files_and_only_files(tmp_path: Path) -> None:
    (tmp_path / "in" / "folder").mkdir(parents=True)
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    directory = tmp_path / "in"
    assert locate(directory, "a.png") == (directory / "a.png").resolve()
    assert locate(directory, "none.png") is None
    assert locate(directory, "a.png/b.png") is None
    with pytest.raises(ImageError, match="not a regular file"):
        locate(directory, "folder")
    os.mkfifo(directory / "pipe.png")
    with pytest.raises(ImageError, match="not a regular file"):
        locate(directory, "pipe.png")
    with pytest.raises(ImageError, match=r"(?i)name too long"):
        locate(directory, "a" * 300)


def test_links_may_stay_inside_but_not_lead_out(tmp_path: Path) -> None:
    directory = tmp_path / "in"
    directory.mkdir()
    (directory / "a.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    (directory / "inside.png").symlink_to("a.png")
    (directory / "outside.png").symlink_to(tmp_path / "secret.png")
    (directory / "up").symlink_to(tmp_path)
    (directory / "loop.png").symlink_to("loop.png")
    assert locate(directory, "inside.png") == (directory / "a.png").resolve()
    for name in ("outside.png", "up/secret.png"):
        with pytest.raises(ImageError, match="outside the image directory"):
            locate(directory, name)
    with pytest.raises(ImageError, match=r"(?i)loop|symbolic"):
        locate(directory, "loop.png")
    (tmp_path / "elsewhere").symlink_to(directory)
    assert locate(tmp_path / "elsewhere", "a.png") == (directory / "a.png").resolve()
