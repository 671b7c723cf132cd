"""Pictures that come after the questions: matched by name, merged by content, keys made good."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text

from comd_platform.db.engine import transaction
from comd_platform.errors import ComdError
from comd_platform.images import ImageError, ImageStore, register_images
from comd_platform.importers import ImportFailed, import_file, import_images, missing_images
from comd_platform.importers.late_images import match_names
from comd_platform.settings import Settings

Pictures = Callable[..., Path]
Write = Callable[..., Path]


def asks(image: str, *questions: str) -> list[dict[str, object]]:
    return [
        {"id": f"{image}-{number}", "image": image, "instruction": question}
        for number, question in enumerate(questions)
    ]


def rows(engine: Engine, statement: str) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement)))


CONTENT = """
SELECT pool.name, instruction.text, instruction.key, image.sha256
FROM instruction JOIN pool ON pool.id = pool_id JOIN image ON image.id = image_id
WHERE image.state = 'present' ORDER BY 1, 2, 3
"""


def test_pictures_that_come_later_end_in_the_same_rows_as_pictures_that_came_at_once(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    path = write([*asks("a.png", "Q1?", "Q2?"), *asks("sub/b.png", "Q1?"), *asks("c.png", "Q3?")])
    images = pictures("a.png", "sub/b.png", "c.png")
    import_file(engine, settings, path=path, images=images, pool="at-once")
    late = import_file(engine, settings, path=path, images_later=True, pool="later")
    with transaction(engine) as session:
        missing = missing_images(session, late.pool_id)
    assert (missing.images, missing.instructions) == (3, 4)
    assert missing.first == ("a.png", "c.png", "sub/b.png")
    report = import_images(engine, settings, images)
    # The contents were known under the other pool's rows.
    assert (report.arrived, report.merged, report.duplicates) == (3, 3, 0)
    assert (report.rekeyed, report.missing) == (4, 0)
    found = rows(engine, CONTENT)
    assert [row[1:] for row in found[:4]] == [row[1:] for row in found[4:]]
    assert rows(engine, "SELECT count(*) FROM image")[0][0] == 3
    with transaction(engine) as session:
        assert missing_images(session, late.pool_id).images == 0
    assert import_images(engine, settings, images).arrived == 0
    again = import_file(engine, settings, path=path, images_later=True, pool="later")
    assert (again.instructions_new, again.images_missing) == (0, 0)


def test_an_import_again_without_pictures_finds_those_that_came(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    path = write([*asks("a.png", "Q1?"), *asks("b.png", "Q2?")])
    import_file(engine, settings, path=path, images_later=True)
    assert import_images(engine, settings, pictures("a.png")).missing == 1
    again = import_file(engine, settings, path=path, images_later=True)
    assert (again.instructions_new, again.instructions_known, again.images_missing) == (0, 2, 1)
    assert import_images(engine, settings, pictures("b.png")).missing == 0
    again = import_file(engine, settings, path=path)
    assert (again.instructions_new, again.instructions_known, again.images_missing) == (0, 2, 0)


def test_one_picture_under_two_names_becomes_one_row_and_its_questions_meet(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    path = write([*asks("one.png", "Same?", "One?"), *asks("two.png", "Same?", "Two?")])
    report = import_file(engine, settings, path=path, images_later=True)
    assert (report.instructions_new, report.duplicates) == (4, 0)
    first = rows(engine, "SELECT id FROM instruction WHERE text = 'Same?' ORDER BY id")[0].id
    images = pictures("one.png", ("two.png", "one.png"))
    came = import_images(engine, settings, images)
    assert (came.arrived, came.merged, came.duplicates, came.missing) == (2, 1, 1, 0)
    left = rows(engine, "SELECT id, text FROM instruction ORDER BY text")
    assert [row.text for row in left] == ["One?", "Same?", "Two?"]
    assert left[1].id == first
    at_once = import_file(engine, settings, path=path, images=images, pool="at-once")
    assert (at_once.instructions_new, at_once.duplicates) == (3, 1)
    found = rows(engine, CONTENT)
    assert [row[1:] for row in found[:3]] == [row[1:] for row in found[3:]]


def test_a_question_that_stood_there_with_its_picture_stays(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png")
    later = write(asks("copy.png", "Same?"), "later.json")
    import_file(engine, settings, path=later, images_later=True, pool="p")
    import_file(engine, settings, path=write(asks("a.png", "Same?")), images=images, pool="p")
    stays = rows(
        engine,
        "SELECT instruction.id FROM instruction JOIN image ON image.id = image_id"
        " WHERE state = 'present'",
    )[0].id
    report = import_images(engine, settings, pictures(("copy.png", "a.png")))
    assert (report.merged, report.duplicates) == (1, 1)
    assert [row.id for row in rows(engine, "SELECT id FROM instruction")] == [stays]


def test_a_duplicate_that_a_run_refers_to_is_an_error_and_nothing_changes(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    path = write([*asks("one.png", "Same?"), *asks("two.png", "Same?")])
    import_file(engine, settings, path=path, images_later=True)
    with transaction(engine) as session:
        session.execute(
            text(
                "INSERT INTO instruction (pool_id, parent_id, task_type, text, key)"
                " SELECT pool_id, id, 'x', 'child ' || id, encode(sha256(key::bytea), 'hex')"
                " FROM instruction"
            )
        )
    before = rows(engine, "SELECT * FROM image ORDER BY id")
    with pytest.raises(ComdError, match="a run already refers"):
        import_images(engine, settings, pictures("one.png", ("two.png", "one.png")))
    assert rows(engine, "SELECT * FROM image ORDER BY id") == before


def test_a_picture_that_another_transaction_is_just_inserting_is_waited_for(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    import_file(engine, settings, path=write(asks("a.png", "Q?")), images_later=True)
    images = pictures("a.png")
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    with ThreadPoolExecutor(1) as threads:
        with transaction(engine) as session:
            register_images(session, ImageStore(settings.image_root), {"x": images / "a.png"})
            coming = threads.submit(import_images, engine, settings, images)
            for _ in range(500):
                with engine.connect() as connection:
                    if connection.scalar(waiting):
                        break
                time.sleep(0.02)
            else:
                pytest.fail("the second transaction did not wait for the first")
        report = coming.result(timeout=60)
    assert (report.arrived, report.merged, report.missing) == (1, 1, 0)


def test_a_damaged_picture_is_an_error_and_nothing_comes(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    import_file(
        engine,
        settings,
        path=write([*asks("a.png", "Q?"), *asks("b.png", "Q?")]),
        images_later=True,
    )
    images = pictures("a.png")
    (images / "b.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(ImageError, match=r"b\.png"):
        import_images(engine, settings, images)
    assert rows(engine, "SELECT count(*) FROM image WHERE state = 'missing'")[0][0] == 2
    with pytest.raises(ImportFailed, match="no directory"):
        import_images(engine, settings, images / "none")


def test_names_match_by_path_then_by_a_unique_last_part(pictures: Pictures) -> None:
    directory = pictures(
        "exact/a.png", "moved/b.png", "one/c.png", "two/c.png", "d.png", "e.png", "x/e.png"
    )
    names = ["exact/a.png", "old/b.png", "old/c.png", "p/d.png", "q/d.png", "e.png", "none.png"]
    found = match_names(directory, names)
    assert {name: str(path.relative_to(directory)) for name, path in found.items()} == {
        "exact/a.png": "exact/a.png",  # by its path
        "old/b.png": "moved/b.png",  # by its last part
        # old/c.png: two files are called so; p/d.png and q/d.png: two names want the one file
        "e.png": "e.png",  # by its path, although another file is called so
    }
