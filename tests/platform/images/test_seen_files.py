"""Files that were read before: not read again while nothing about them changed, else always."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from comd_platform.db.engine import transaction
from comd_platform.images import ImageStore, register_images
from comd_platform.images.register import prepare_arrivals, register_arrivals, stage_arrivals

LONG_AGO = 1_600_000_000 * 10**9


def draw(path: Path, colour: str, *, written: int = LONG_AGO) -> Path:
    """A picture of which every colour has as many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), colour).save(path, format="BMP")
    os.utime(path, ns=(written, written))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(engine: Engine, store: ImageStore, path: Path, **options: bool) -> str:
    """The sha256 under which an import of `path` registers it."""
    with transaction(engine) as session:
        prepare_arrivals(session)
        assert stage_arrivals(session, store, [("name", path)], **options) == {}
        register_arrivals(session)
        return str(session.scalar(text("SELECT sha256 FROM arrived")))


def kept(engine: Engine) -> dict[str, str]:
    with transaction(engine) as session:
        rows = session.execute(text("SELECT path, sha256 FROM file_content")).tuples()
        return dict(rows.all())


def mislead(engine: Engine, store: ImageStore, path: Path, other: Path) -> str:
    """Make the note on `path` say that it holds what `other` does: who believes it has not read."""
    with transaction(engine) as session:
        register_images(session, store, {"other": other})
        session.execute(
            text("UPDATE file_content SET sha256 = :sha256 WHERE path = :path"),
            {"sha256": sha256(other), "path": str(path)},
        )
    return sha256(other)


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "store")


@pytest.mark.parametrize("link", [False, True])
def test_a_file_that_has_not_changed_is_not_read_again_unless_asked(
    engine: Engine, store: ImageStore, tmp_path: Path, link: bool
) -> None:
    path = draw(tmp_path / "a.bmp", "red")
    assert contents(engine, store, path, link=link) == sha256(path)
    assert kept(engine) == {str(path): sha256(path)}
    wrong = mislead(engine, store, path, draw(tmp_path / "b.bmp", "blue"))
    assert contents(engine, store, path, link=link) == wrong
    assert contents(engine, store, path, link=link, rehash=True) == sha256(path)
    assert kept(engine)[str(path)] == sha256(path)


def test_a_file_of_other_content_is_read_though_size_and_time_are_the_same(
    engine: Engine, store: ImageStore, tmp_path: Path
) -> None:
    path = draw(tmp_path / "a.bmp", "red")
    first = contents(engine, store, path)
    before = path.stat()
    draw(path, "blue")
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ino,
    )
    assert contents(engine, store, path) == sha256(path) != first


def test_another_file_in_its_place_is_read(
    engine: Engine, store: ImageStore, tmp_path: Path
) -> None:
    path = draw(tmp_path / "a.bmp", "red")
    contents(engine, store, path)
    draw(tmp_path / "new.bmp", "blue").replace(path)
    assert contents(engine, store, path) == sha256(path)


def test_a_file_just_written_may_change_within_its_tick_and_is_not_kept(
    engine: Engine, store: ImageStore, tmp_path: Path
) -> None:
    future = 4_000_000_000 * 10**9
    path = draw(tmp_path / "a.bmp", "red", written=future)
    assert contents(engine, store, path) == sha256(path)
    assert kept(engine) == {}


def test_a_picture_that_the_store_has_lost_is_read_and_kept_again(
    engine: Engine, store: ImageStore, tmp_path: Path
) -> None:
    path = draw(tmp_path / "a.bmp", "red")
    contents(engine, store, path)
    [stored] = [file for file in store.root.rglob("*") if file.is_file()]
    for damage in (stored.unlink, lambda: stored.write_bytes(b"half")):
        damage()
        assert contents(engine, store, path) == sha256(path)
        assert stored.read_bytes() == path.read_bytes()


def test_an_import_that_fails_keeps_no_note(
    engine: Engine, store: ImageStore, tmp_path: Path
) -> None:
    good, bad = draw(tmp_path / "a.bmp", "red"), tmp_path / "bad.bmp"
    bad.write_bytes(b"no picture")
    os.utime(bad, ns=(LONG_AGO, LONG_AGO))
    with pytest.raises(Exception, match=r"bad\.bmp"), transaction(engine) as session:
        register_images(session, store, {"good": good, "bad": bad})
    assert kept(engine) == {}


def test_two_names_of_one_file_are_one_note(
    engine: Engine, store: ImageStore, tmp_path: Path
) -> None:
    path = draw(tmp_path / "a.bmp", "red")
    with transaction(engine) as session:
        ids = register_images(session, store, {"one": path, "two": path})
    assert ids["one"] == ids["two"]
    assert kept(engine) == {str(path): sha256(path)}
