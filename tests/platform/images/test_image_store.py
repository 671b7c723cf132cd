"""The image store: what it takes, what it refuses, and that nothing half-written is ever seen."""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from pathlib import Path

import pytest
from PIL import Image

from comd_platform.images import ImageError, ImageStore, StoredImage
from comd_platform.images import verify as verify_module


def picture(
    path: Path, size: tuple[int, int] = (7, 5), kind: str = "PNG", **options: object
) -> Path:
    """A picture with a gradient, so that no format compresses it to nothing."""
    image = Image.new("RGB", size)
    image.putdata([(x * 7 % 256, x * 3 % 256, x % 256) for x in range(size[0] * size[1])])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, format=kind, **options)
    return path


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


@pytest.mark.parametrize(
    ("kind", "extension"),
    [
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
        ("TIFF", "tiff"),
    ],
)
def test_every_format_is_measured_and_kept_as_it_is(
    tmp_path: Path, kind: str, extension: str
) -> None:
    source = picture(tmp_path / "source.bin", (11, 4), kind)
    store = ImageStore(tmp_path / "store")
    kept = store.put(source)
    data = source.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    assert kept == StoredImage(sha256, f"{sha256[:2]}/{sha256}.{extension}", 11, 4, kind, len(data))
    assert store.absolute(kept.path).read_bytes() == data
    assert files(store.root) == [kept.path]
    assert store.put(source) == kept
    assert files(store.root) == [kept.path]


def test_the_extension_and_the_name_do_not_matter_only_the_content(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "store")
    first = store.put(picture(tmp_path / "one.jpg", kind="PNG"))
    second = store.put(picture(tmp_path / "deep" / "two", kind="PNG"))
    assert first == second
    assert len(files(store.root)) == 1


def test_animations_and_multi_picture_jpegs_count_as_their_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 3), colour) for colour in ("red", "blue")]
    store = ImageStore(tmp_path / "store")
    for name, kind in (("a.gif", "GIF"), ("b.webp", "WEBP"), ("c.jpg", "MPO")):
        path = tmp_path / name
        frames[0].save(path, format=kind, save_all=True, append_images=frames[1:])
        kept = store.put(path)
        assert (kept.width, kept.height) == (6, 3)
        assert kept.path.endswith(path.suffix)


def test_sizes_are_as_stored_not_as_an_exif_rotation_would_show(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    path = picture(tmp_path / "turned.jpg", (8, 3), "JPEG", exif=exif)
    kept = ImageStore(tmp_path / "store").put(path)
    assert (kept.width, kept.height) == (8, 3)


def test_a_hard_link_shares_the_file_and_a_copy_does_not(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    linked = ImageStore(tmp_path / "linked")
    assert linked.absolute(linked.put(source, link=True).path).samefile(source)
    copied = ImageStore(tmp_path / "copied")
    assert not copied.absolute(copied.put(source).path).samefile(source)


def test_where_no_hard_link_can_be_made_the_picture_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    source = picture(tmp_path / "a.png")
    store = ImageStore(tmp_path / "store")
    assert store.absolute(store.put(source, link=True).path).read_bytes() == source.read_bytes()


def _truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _wide_header(width: int, height: int) -> bytes:
    """A PNG that claims a size; its few bytes of pixels would never fill it."""
    buffer = io.BytesIO()
    Image.new("1", (1, 1)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_truncated_picture_is_refused(tmp_path: Path, kind: str) -> None:
    whole = picture(tmp_path / "whole", (64, 64), kind)
    cut = tmp_path / "cut.img"
    cut.write_bytes(_truncated(whole.read_bytes()))
    store = ImageStore(tmp_path / "store")
    with pytest.raises(ImageError, match=r"cut\.img"):
        store.put(cut)
    assert not store.root.exists() or files(store.root) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not a picture at all", "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"%PDF-1.7", "no picture"),
        (b"\x89PNG\r\n\x1a\n", "no picture|damaged"),
        (b"\xff\xd8\xff", "no picture|damaged"),
        (_wide_header(60_000, 1), "60,000 x 1"),
        (_wide_header(1, 60_000), "1 x 60,000"),
        (_wide_header(12_000, 12_000), "pixels"),
        (_wide_header(60_000, 60_000), "pixels"),
        (_wide_header(29_000, 29_000), "pixels"),
        (_wide_header(0, 5), "no pixels|damaged|no picture"),
    ],
)
def test_what_is_no_usable_picture_is_refused_by_name_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as error:
        ImageStore(tmp_path / "store").put(path)
    assert "bad.png" in error.value.message


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    store = ImageStore(tmp_path / "store")
    with pytest.raises(ImageError, match="No such file"):
        store.put(tmp_path / "none.png")
    with pytest.raises(ImageError, match="not a regular file"):
        store.put(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="not a regular file"):
        store.put(tmp_path / "pipe")


def test_a_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "MAX_BYTES", 50)
    with pytest.raises(ImageError, match="larger than"):
        ImageStore(tmp_path / "store").put(picture(tmp_path / "a.png", (50, 50)))


def test_a_half_written_picture_in_the_store_is_replaced(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    store = ImageStore(tmp_path / "store")
    kept = store.put(source)
    store.absolute(kept.path).write_bytes(b"half")
    assert store.put(source) == kept
    assert store.absolute(kept.path).read_bytes() == source.read_bytes()


def test_many_come_out_in_order_with_the_bad_ones_in_their_places(tmp_path: Path) -> None:
    sources = [picture(tmp_path / f"{number}.png", (number % 9 + 1, 3)) for number in range(600)]
    (tmp_path / "bad.png").write_bytes(b"bad")
    sources[300] = tmp_path / "bad.png"
    outcomes = list(ImageStore(tmp_path / "store").put_all(sources))
    assert len(outcomes) == 600
    assert isinstance(outcomes[300], ImageError)
    for number, outcome in enumerate(outcomes):
        if number != 300:
            assert isinstance(outcome, StoredImage)
            assert outcome.width == number % 9 + 1
    assert len(files(tmp_path / "store")) == 9


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ImageError, match="cannot keep") as error:
        ImageStore(tmp_path / "file").put(picture(tmp_path / "a.png"))
    assert "COMD_IMAGES" in (error.value.hint or "")


def _jpeg(path: Path, **options: object) -> bytes:
    return picture(path, (160, 120), "JPEG", **options).read_bytes()


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_refused(tmp_path: Path, progressive: bool) -> None:
    whole = _jpeg(tmp_path / "whole.jpg", progressive=progressive)
    store = ImageStore(tmp_path / "store")
    cut = tmp_path / "cut.jpg"
    for length in [*range(1, len(whole), len(whole) // 60), len(whole) - 2, len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(ImageError, match=r"cut\.jpg"):
            store.put(cut)


def test_a_jpeg_whose_preview_ends_where_the_file_was_cut_is_refused(tmp_path: Path) -> None:
    preview = _jpeg(tmp_path / "preview.jpg")
    comment = b"\xff\xfe" + (len(preview) + 2).to_bytes(2, "big") + preview
    whole = _jpeg(tmp_path / "whole.jpg")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[:2] + comment)
    with pytest.raises(ImageError, match=r"cut\.jpg"):
        ImageStore(tmp_path / "store").put(cut)
    cut.write_bytes(whole[:2] + comment + whole[2:])
    assert ImageStore(tmp_path / "store").put(cut).width == 160


@pytest.mark.parametrize("tail", [b"\0" * 40, b"\r\n", b"\0" * 4096, b"camera's own data" * 9])
def test_what_stands_behind_a_whole_jpeg_does_not_matter(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(_jpeg(path) + tail)
    assert ImageStore(tmp_path / "store").put(path).bytes == path.stat().st_size
