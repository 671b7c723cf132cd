"""Where a record's picture may lie: inside the directory that the user gave, nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.images.names import Folder, ImageError, check_name, locate


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


both = pytest.mark.parametrize(
    "find", [locate, lambda directory, name: Folder(directory).locate(name)], ids=["one", "many"]
)


@both
def test_locate_finds_files_and_only_files(
    tmp_path: Path, find: Callable[[Path, str], Path | None]
) -> None:
    (tmp_path / "in" / "folder").mkdir(parents=True)
    (tmp_path / "in" / "a.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    directory = tmp_path / "in"
    assert find(directory, "a.png") == (directory / "a.png").resolve()
    assert find(directory, "none.png") is None
    assert find(directory, "a.png/b.png") is None
    with pytest.raises(ImageError, match="not a regular file"):
        find(directory, "folder")
    os.mkfifo(directory / "pipe.png")
    with pytest.raises(ImageError, match="not a regular file"):
        find(directory, "pipe.png")
    with pytest.raises(ImageError, match=r"(?i)name too long"):
        find(directory, "a" * 300)


@both
def test_links_may_stay_inside_but_not_lead_out(
    tmp_path: Path, find: Callable[[Path, str], Path | None]
) -> None:
    directory = tmp_path / "in"
    directory.mkdir()
    (directory / "a.png").write_bytes(b"x")
    (tmp_path / "secret.png").write_bytes(b"x")
    (directory / "inside.png").symlink_to("a.png")
    (directory / "outside.png").symlink_to(tmp_path / "secret.png")
    (directory / "up").symlink_to(tmp_path)
    (directory / "loop.png").symlink_to("loop.png")
    assert find(directory, "inside.png") == (directory / "a.png").resolve()
    for name in ("outside.png", "up/secret.png"):
        with pytest.raises(ImageError, match="outside the image directory"):
            find(directory, name)
    with pytest.raises(ImageError, match=r"(?i)loop|symbolic"):
        find(directory, "loop.png")
    (tmp_path / "elsewhere").symlink_to(directory)
    assert find(tmp_path / "elsewhere", "a.png") == (directory / "a.png").resolve()


def test_a_subdirectory_that_appears_later_is_seen(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.locate("sub/a.png") is None
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").write_bytes(b"x")
    assert folder.locate("sub/a.png") == (tmp_path / "sub" / "a.png").resolve()
