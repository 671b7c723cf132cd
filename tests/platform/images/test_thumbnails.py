"""Pictures for the browser: smaller, upright, made once, and only what the store would take."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from comd_platform.images import verify
from comd_platform.images.names import ImageError
from comd_platform.images.store import ImageStore
from comd_platform.images.thumbnails import Thumbnails


@pytest.fixture
def thumbnails(tmp_path: Path) -> Thumbnails:
    return Thumbnails(tmp_path / "images", tmp_path / "cache")


def stored(tmp_path: Path, picture: Image.Image, name: str = "a.png", **options: object) -> str:
    source = tmp_path / name
    picture.save(source, **options)  # type: ignore[arg-type]
    return ImageStore(tmp_path / "images").put(source).sha256


def test_large_ones_become_small_and_small_ones_stay(
    tmp_path: Path, thumbnails: Thumbnails
) -> None:
    wide = stored(tmp_path, Image.new("RGB", (3000, 1500), "teal"))
    with Image.open(thumbnails.get(wide, "small")) as small:
        assert (small.format, small.size) == ("WEBP", (320, 160))
    with Image.open(thumbnails.get(wide, "large")) as large:
        assert large.size == (2048, 1024)
    # A tiny one is not enlarged, and keeps every pixel.
    pixels = Image.new("RGB", (24, 24))
    pixels.putdata([(n * 7 % 256, n * 13 % 256, n * 29 % 256) for n in range(576)])
    tiny = stored(tmp_path, pixels, "b.png")
    with Image.open(thumbnails.get(tiny, "small")) as kept:
        assert kept.convert("RGB").tobytes() == pixels.tobytes()


def test_a_rotated_photograph_stands_upright(tmp_path: Path, thumbnails: Thumbnails) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    lying = stored(tmp_path, Image.new("RGB", (400, 200), "red"), "r.jpg", exif=exif)
    with Image.open(thumbnails.get(lying, "small")) as upright:
        assert upright.size == (160, 320)


def test_it_is_made_once(tmp_path: Path, thumbnails: Thumbnails) -> None:
    sha256 = stored(tmp_path, Image.new("RGB", (500, 500), "blue"))
    first = thumbnails.get(sha256, "small")
    made = first.stat().st_mtime_ns
    for original in (tmp_path / "images").rglob("*.png"):
        original.unlink()
    assert thumbnails.get(sha256, "small").stat().st_mtime_ns == made
    with pytest.raises(ImageError, match="not in the image root"):
        thumbnails.get(sha256, "large")


@pytest.mark.parametrize("name", ["", "..", "a" * 63, "A" * 64, "../" * 21 + "a", "g" * 64])
def test_what_is_no_content_name_is_refused(thumbnails: Thumbnails, name: str) -> None:
    with pytest.raises(ImageError, match="names no picture"):
        thumbnails.get(name, "small")
    assert not thumbnails.has(name)


def test_a_bomb_and_a_damaged_file_leave_nothing(
    tmp_path: Path, thumbnails: Thumbnails, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = stored(tmp_path, Image.new("RGB", (300, 300)))
    monkeypatch.setattr(verify, "MAX_PIXELS", 300 * 299)
    with pytest.raises(ImageError, match="a picture may have"):
        thumbnails.get(sha256, "small")
    monkeypatch.undo()
    [file] = (tmp_path / "images").rglob("*.png")
    broken = hashlib.sha256(b"broken").hexdigest()
    target = tmp_path / "images" / broken[:2] / f"{broken}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ImageError, match="damaged"):
        thumbnails.get(broken, "small")
    assert not list((tmp_path / "cache").rglob("*.webp"))
