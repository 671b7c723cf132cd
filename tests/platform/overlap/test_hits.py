"""Which overlaps count as contamination, on real rows and real pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from comd_platform.config.decontamination import DecontaminationConfig
from comd_platform.config.load import parse_config
from comd_platform.images import register_images

from .conftest import draw

if TYPE_CHECKING:
    from .conftest import World

LONG = (
    "Which of the two bottles on the wooden shelf behind the old counter holds more of the green"
    " liquid that the chemist mixed?"
)


def test_the_same_picture_excludes_whatever_is_asked_about_it(world: World) -> None:
    shared = world.picture("a.png", draw(1))
    other = world.picture("b.png", draw(2))
    first, second = world.ask("What is this?", shared), world.ask("Who made it?", shared)
    world.ask("What is this?", other)
    item = world.hold_out("How many dots are there?", shared)
    hits = world.hits()
    assert [(hit.instruction_id, hit.kind, hit.verdict) for hit in hits] == [
        (first, "same_image", "excluded"),
        (second, "same_image", "excluded"),
    ]
    assert {(hit.item_id, hit.items, hit.distance, hit.rouge_l) for hit in hits} == {
        (item, 1, 0, None)
    }


def test_a_resized_and_recompressed_copy_of_the_picture_is_found(world: World) -> None:
    original = draw(1, (256, 192))
    copy = world.picture("small.jpg", original.resize((128, 96)))
    asked = world.ask("What is this?", copy)
    world.ask("What is this?", world.picture("other.png", draw(2)))
    world.hold_out("How many dots are there?", world.picture("original.png", original))
    [hit] = world.hits()
    assert (hit.instruction_id, hit.kind, hit.verdict) == (asked, "near_image", "excluded")
    assert 0 <= hit.distance <= 6
    assert world.hits(kinds=("same_image", "near_text")) == []


def test_pictures_get_their_hashes_when_they_are_needed(world: World) -> None:
    original = draw(1, (256, 192))
    asked = world.ask("What?", world.picture("copy.png", original.resize((128, 96))))
    world.hold_out("How many?", world.picture("original.png", original))
    unused = world.picture("unused.png", draw(7))
    assert world.check().unread == 0
    assert list(world.verdicts()) == [(asked, "near_image")]
    missing = world.session.scalars(text("SELECT id FROM image WHERE perceptual_hash IS NULL"))
    assert missing.all() == [unused]


def test_a_broken_installation_is_not_told_as_a_damaged_picture(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask("What?", world.picture("a.png", draw(1)))
    monkeypatch.setitem(sys.modules, "imagehash", None)  # as where the package is missing
    with pytest.raises(ImportError):
        world.check()


def test_a_jpeg_damaged_in_the_middle_is_compared_as_it_looks(world: World, tmp_path: Path) -> None:
    asked = world.ask("What?", world.picture("a.png", draw(1)))
    draw(1).save(tmp_path / "whole.jpg")
    data = bytearray((tmp_path / "whole.jpg").read_bytes())
    data[len(data) * 9 // 10 :][:40] = bytes(40)
    (tmp_path / "damaged.jpg").write_bytes(data)
    files = {"damaged.jpg": tmp_path / "damaged.jpg"}
    world.hold_out("How many?", register_images(world.session, world.store, files)["damaged.jpg"])
    assert world.check().unread == 0
    assert list(world.verdicts()) == [(asked, "near_image")]


def test_a_picture_that_is_gone_is_counted_and_the_rest_compared(world: World) -> None:
    original = draw(1, (256, 192))
    gone = world.picture("gone.png", draw(5))
    world.ask("What?", gone)
    asked = world.ask("What?", world.picture("copy.png", original.resize((128, 96))))
    world.hold_out("How many?", world.picture("original.png", original))
    path = world.session.scalar(text("SELECT path FROM image WHERE id = :id"), {"id": gone})
    world.store.absolute(str(path)).unlink()
    assert world.check().unread == 1
    assert list(world.verdicts()) == [(asked, "near_image")]


def test_a_stored_picture_that_became_a_link_out_of_the_store_is_not_followed(world: World) -> None:
    original = draw(1, (256, 192))
    astray = world.picture("astray.png", original.resize((128, 96)))
    world.ask("What?", astray)
    world.hold_out("How many?", world.picture("original.png", original))
    path = world.session.scalar(text("SELECT path FROM image WHERE id = :id"), {"id": astray})
    file = world.store.absolute(str(path))
    outside = world.store.root.parent / "outside.png"
    file.rename(outside)
    file.symlink_to(outside)
    assert world.check().unread == 1
    assert world.verdicts() == {}


def test_small_and_plain_pictures_are_compared_by_their_bytes_only(world: World) -> None:
    small = world.picture("small.png", draw(1, (24, 24)))
    world.ask("What is this?", small)
    world.hold_out("Who?", world.picture("smaller.png", draw(1, (24, 24)).resize((22, 22))))
    assert world.hits() == []
    world.hold_out("Who?", small)
    assert [hit.kind for hit in world.hits()] == ["same_image"]


def test_a_generic_question_about_another_picture_is_no_contamination(world: World) -> None:
    asked = world.ask("What is in the picture?", world.picture("a.png", draw(1)))
    world.hold_out("What is in the picture?", world.picture("b.png", draw(2)))
    assert world.verdicts() == {(asked, "near_text"): "generic"}
    assert world.verdicts(specific_words=3) == {(asked, "near_text"): "excluded"}


def test_a_specific_question_about_another_picture_is(world: World) -> None:
    asked = world.ask(LONG, world.picture("a.png", draw(1)))
    world.hold_out(LONG.replace("green", "blue"), world.picture("b.png", draw(2)))
    [hit] = world.hits()
    assert (hit.instruction_id, hit.verdict) == (asked, "excluded")
    assert 0.9 < hit.rouge_l < 1


def test_without_pictures_the_same_short_question_is_contamination(world: World) -> None:
    asked = world.ask("Which state is farthest north?")
    world.hold_out(
        "Which state is farthest north?", key="with", image_id=world.picture("a.png", draw(1))
    )
    assert world.verdicts() == {(asked, "near_text"): "generic"}
    item = world.hold_out("which state is farthest  north", key="without")
    [hit] = world.hits()
    # The item that tells most stands for both.
    assert (hit.verdict, hit.item_id, hit.items) == ("excluded", item, 2)


def test_the_threshold_is_rouge_l(world: World) -> None:
    world.ask("one two three four five six seven eight nine ten")
    world.hold_out("one two three four five six seven eight nine x")  # 0.9
    assert len(world.hits(text_threshold=0.9)) == 1
    assert world.hits(text_threshold=0.91) == []


def test_only_the_chosen_kinds_are_looked_for(world: World) -> None:
    shared = world.picture("a.png", draw(1))
    asked = world.ask(LONG, shared)
    world.hold_out(LONG, shared)
    both = {(asked, "same_image"): "excluded", (asked, "near_text"): "excluded"}
    assert world.verdicts() == both
    assert list(world.verdicts(kinds=("near_text",))) == [(asked, "near_text")]
    assert list(world.verdicts(kinds=("same_image",))) == [(asked, "same_image")]
    assert set(world.verdicts(mode="report").values()) == {"reported"}


def test_another_benchmark_is_not_looked_at(world: World) -> None:
    shared = world.picture("a.png", draw(1))
    world.ask("What is this?", shared)
    world.hold_out("Who?", shared)
    assert len(world.hits()) == 1
    world.session.execute(
        text("INSERT INTO benchmark (name, kind, metric, fingerprint) VALUES ('b', 'c', 'd', 'e')")
    )
    world.session.execute(text("UPDATE evaluation_item SET benchmark_id = benchmark_id + 1"))
    assert world.hits() == []


@pytest.mark.parametrize(
    ("given", "mode"), [("report", "report"), (False, "off"), ({"mode": False}, "off")]
)
def test_a_bare_mode_stands_for_the_section(given: object, mode: str) -> None:
    config = parse_config({"name": "x", "pool": "p", "decontamination": given})
    assert config.decontamination.mode == mode
    assert not config.decontaminates  # no benchmark


@pytest.mark.parametrize(
    "given", [{"mode": "on"}, {"kinds": ["image"]}, {"text_threshold": 0.2}, {"image_distance": 40}]
)
def test_other_values_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DecontaminationConfig.model_validate(given)
