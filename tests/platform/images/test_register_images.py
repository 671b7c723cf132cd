"""Pictures as rows: one for each content, whatever the names, and promises kept once."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from comd_platform.db.engine import transaction
from comd_platform.images import ImageError, ImageStore, register_images


def _files(directory: Path, **colours: str) -> dict[str, Path]:
    directory.mkdir(exist_ok=True)
    for name, colour in colours.items():
        Image.new("RGB", (4, 3), colour).save(directory / f"{name}.png")
    return {f"{name}.png": directory / f"{name}.png" for name in colours}


def test_one_row_a_content_and_every_name_gets_its_id(engine: Engine, tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "store")
    files = _files(tmp_path / "in", a="red", b="blue", c="red")
    with transaction(engine) as session:
        ids = register_images(session, store, files)
    assert set(ids) == set(files)
    assert ids["a.png"] == ids["c.png"] != ids["b.png"]
    with transaction(engine) as session:
        assert register_images(session, store, files) == ids
        more = register_images(session, store, _files(tmp_path / "in", d="green", e="blue"))
        assert more["e.png"] == ids["b.png"]
        rows = session.execute(
            text("SELECT state, width, height, format, bytes, path, sha256, source FROM image")
        ).all()
    assert len(rows) == 3
    for row in rows:
        assert (row.state, row.width, row.height, row.format) == ("present", 4, 3, "PNG")
        assert store.absolute(row.path).stat().st_size == row.bytes
        assert row.path == f"{row.sha256[:2]}/{row.sha256}.png"


def test_no_files_give_no_ids(engine: Engine, tmp_path: Path) -> None:
    with transaction(engine) as session:
        assert register_images(session, ImageStore(tmp_path / "store"), {}) == {}


def test_one_bad_picture_leaves_no_rows(engine: Engine, tmp_path: Path) -> None:
    files = _files(tmp_path / "in", a="red", b="blue")
    files["b.png"].write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"b\.png"), transaction(engine) as session:
        register_images(session, ImageStore(tmp_path / "store"), files)
    with transaction(engine) as session:
        assert session.scalar(text("SELECT count(*) FROM image")) == 0
