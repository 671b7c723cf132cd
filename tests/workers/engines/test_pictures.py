"""Pictures: upright, in RGB, kept only as far as memory is allowed, sent as they are."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from comd_workers.engines.pictures import PictureError, Shelf, data_url, load_rgb


def sent(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))


def test_a_picture_is_upright_and_rgb(tmp_path: Path) -> None:
    lying = Image.new("L", (30, 10), 200)
    exif = lying.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    lying.save(tmp_path / "lying.jpg", exif=exif)
    picture = load_rgb(tmp_path / "lying.jpg")
    assert (picture.size, picture.mode) == ((10, 30), "RGB")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n torn"])
def test_what_is_no_picture_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    for read in (load_rgb, Shelf().load_rgb, lambda path: data_url(path, None)):
        with pytest.raises(PictureError, match=r"bad\.png"):
            read(tmp_path / "bad.png")


def test_the_shelf_keeps_the_last_ones_that_fit(pictures: tuple[Path, ...]) -> None:
    shelf = Shelf(limit_bytes=2 * 24 * 24 * 3)
    first, second = shelf.load_rgb(pictures[0]), shelf.load_rgb(pictures[1])
    assert shelf.load_rgb(pictures[0]) is first
    third = shelf.load_rgb(pictures[2])
    assert shelf.load_rgb(pictures[0]) is first
    assert shelf.load_rgb(pictures[2]) is third
    assert shelf.load_rgb(pictures[1]) is not second
    assert shelf.load_rgb(pictures[1]).tobytes() == second.tobytes()


def test_bytes_are_sent_as_they_lie_on_disk(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "green").save(tmp_path / "a.jpg")
    url = data_url(tmp_path / "a.jpg", None)
    assert url.startswith("data:image/jpeg;base64,")
    assert base64.b64decode(url.split(",")[1]) == (tmp_path / "a.jpg").read_bytes()


def test_formats_that_servers_do_not_know_become_png(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "green").save(tmp_path / "a.bmp")
    url = data_url(tmp_path / "a.bmp", None)
    assert url.startswith("data:image/png;base64,")
    assert sent(url).getpixel((4, 4)) == (0, 128, 0)


def test_the_longer_side_is_bounded(tmp_path: Path) -> None:
    Image.new("RGB", (200, 50)).save(tmp_path / "a.png")
    assert sent(data_url(tmp_path / "a.png", 100)).size == (100, 25)
    assert sent(data_url(tmp_path / "a.png", 200)).size == (200, 50)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_short_is_no_picture_although_its_thumbnail_is_whole(
    tmp_path: Path, progressive: bool
) -> None:
    noise = Image.effect_noise((64, 64), 80).convert("RGB")
    thumbnail = io.BytesIO()
    noise.resize((16, 16)).save(thumbnail, format="JPEG")
    exif = noise.getexif()
    exif[0x8773] = thumbnail.getvalue()  # as cameras do: a JPEG in the head
    noise.save(tmp_path / "whole.jpg", exif=exif, progressive=progressive)
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "padded.jpg").write_bytes(whole + b"made by a camera that pads its files")
    cut = whole[: -len(whole) // 4]
    assert b"\xff\xd9" in cut
    (tmp_path / "cut.jpg").write_bytes(cut)
    assert sent(data_url(tmp_path / "whole.jpg", None)).size == (64, 64)
    assert sent(data_url(tmp_path / "padded.jpg", None)).size == (64, 64)
    with pytest.raises(PictureError, match=r"cut\.jpg"):
        data_url(tmp_path / "cut.jpg", None)
