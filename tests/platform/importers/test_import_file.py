"""From a file to rows: counts, keys, idempotency, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, Row, text

from comd_platform.db.engine import transaction
from comd_platform.importers import ImportFailed, import_file
from comd_platform.keys import awaited, root_key
from comd_platform.settings import Settings

Pictures = Callable[..., Path]
Write = Callable[..., Path]


def record(number: int, image: str | None, *values: str, **fields: object) -> dict[str, object]:
    speakers = ("human", "gpt")
    conversations = [
        {"from": speakers[turn % 2], "value": value} for turn, value in enumerate(values)
    ]
    named = {"image": image} if image is not None else {}
    return {"id": f"r{number}", **named, "conversations": conversations, **fields}


def rows(engine: Engine, statement: str, **parameters: object) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement), parameters))


def count(engine: Engine, table: str) -> int:
    return int(rows(engine, f"SELECT count(*) FROM {table}")[0][0])


SEED = [
    record(1, "a.png", "<image>\nWhat is it?", "A cat.", "Where?", "On the mat."),
    record(2, "b.png", "Describe the image in detail.\n<image>", "A dog."),
    record(3, "a.png", "<image>\nWhat is it?", "The very same question."),
    record(4, "sub/c.png", "<image>\nWho?", "Olaf.", task_type="conv"),
]


@pytest.mark.parametrize("name", ["seed.json", "seed.jsonl"])
def test_a_file_becomes_a_pool_of_single_turns(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write, name: str
) -> None:
    images = pictures("a.png", "b.png", "sub/c.png", "unused.png")
    report = import_file(engine, settings, path=write(SEED, name), images=images)
    assert (report.records, report.turns, report.instructions_new) == (4, 5, 4)
    assert (report.instructions_known, report.duplicates, report.skipped) == (0, 1, 0)
    assert (report.images_new, report.images_known, report.images_missing) == (3, 0, 0)
    assert report.pool == "seed"
    found = rows(
        engine,
        "SELECT instruction.*, image.sha256, image.source FROM instruction"
        " JOIN image ON image.id = image_id ORDER BY instruction.id",
    )
    assert [(row.source_record, row.source, row.text, row.task_type) for row in found] == [
        ("r1", "a.png", "What is it?", "conversation"),
        ("r1", "a.png", "Where?", "conversation"),
        ("r2", "b.png", "Describe the image in detail.", "detail description"),
        ("r4", "sub/c.png", "Who?", "conversation"),
    ]
    for row in found:
        assert row.key == root_key(row.sha256, row.text)
        assert row.pool_id == report.pool_id
        assert row.reference_answer is None
        assert row.parent_id is None
    pool = rows(engine, "SELECT * FROM pool")[0]
    assert (pool.name, pool.origin, pool.parent_id) == ("seed", "import", None)
    assert pool.config == {"format": "llava", "file": name}
    stored = {row.path for row in rows(engine, "SELECT path FROM image")}
    assert all((settings.image_root / path).is_file() for path in stored)


def test_the_same_file_again_changes_nothing(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png", "b.png", "sub/c.png")
    first = import_file(engine, settings, path=write(SEED), images=images)
    before = rows(engine, "SELECT * FROM instruction ORDER BY id")
    again = import_file(engine, settings, path=write(SEED), images=images)
    assert (again.pool_id, again.turns) == (first.pool_id, first.turns)
    assert (again.instructions_new, again.instructions_known, again.duplicates) == (0, 4, 1)
    assert (again.images_new, again.images_known) == (0, 3)
    assert rows(engine, "SELECT * FROM instruction ORDER BY id") == before


def test_the_same_content_has_the_same_keys_in_another_pool_and_order(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png", "b.png", "sub/c.png", ("renamed.png", "b.png"))
    import_file(engine, settings, path=write(SEED), images=images)
    other = [record(9, "renamed.png", "Describe the image in detail.", "x"), *reversed(SEED)]
    import_file(engine, settings, path=write(other), images=images, pool="other")
    keys = rows(engine, "SELECT pool_id, array_agg(key ORDER BY key) FROM instruction GROUP BY 1")
    assert len(keys) == 2
    assert keys[0][1] == keys[1][1]


def test_a_pool_grows_by_what_is_new_until_a_run_uses_it(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png", "b.png", "sub/c.png")
    import_file(engine, settings, path=write(SEED[:2]), images=images)
    grown = import_file(engine, settings, path=write(SEED), images=images)
    assert (grown.instructions_new, grown.instructions_known) == (1, 3)
    with transaction(engine) as session:
        session.execute(
            text(
                "INSERT INTO run (name, seed, pool_id, config)"
                " SELECT 'run', 0, id, '{}' FROM pool WHERE name = 'seed'"
            )
        )
    import_file(engine, settings, path=write(SEED), images=images)  # adds nothing: allowed
    more = [*SEED, record(5, "a.png", "<image>\nHow many?", "2")]
    with pytest.raises(ImportFailed, match="add 1 instructions to the pool 'seed'") as error:
        import_file(engine, settings, path=write(more), images=images)
    assert "--pool" in (error.value.hint or "")
    assert count(engine, "instruction") == 4


def test_answers_are_kept_aside_when_asked_even_later(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png", "b.png", "sub/c.png")
    import_file(engine, settings, path=write(SEED), images=images)
    again = import_file(engine, settings, path=write(SEED), images=images, keep_answers=True)
    assert again.instructions_new == 0
    answers = "SELECT text, reference_answer FROM instruction ORDER BY id"
    expected = ["A cat.", "On the mat.", "A dog.", "Olaf."]
    assert [row.reference_answer for row in rows(engine, answers)] == expected
    other = [record(1, "a.png", "<image>\nWhat is it?", "Another answer.")]
    import_file(engine, settings, path=write(other), images=images, keep_answers=True)
    assert [row.reference_answer for row in rows(engine, answers)] == expected


def test_text_only_instructions_come_on_request(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    mixed = [
        *SEED,
        record(8, None, "What is love?", "Nobody knows."),
        record(9, None, "What is love?"),
    ]
    images = pictures("a.png", "b.png", "sub/c.png")
    path = write(mixed)
    with pytest.raises(ImportFailed, match=r"record 5 \(id 'r8'\), image: .* no picture") as error:
        import_file(engine, settings, path=path, images=images)
    assert "--text-only" in (error.value.hint or "")
    report = import_file(engine, settings, path=path, images=images, text_only=True)
    assert (report.instructions_new, report.duplicates) == (5, 2)
    found = rows(engine, "SELECT * FROM instruction WHERE image_id IS NULL")
    assert [row.key for row in found] == [root_key("", "What is love?")]
    again = import_file(engine, settings, path=path, images=images, text_only=True)
    assert (again.instructions_new, again.instructions_known) == (0, 5)


def test_a_bad_record_leaves_no_trace(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png", "b.png", "sub/c.png")
    path = write([*SEED, {"id": 77, "image": "a.png", "conversations": [{"from": "human"}]}])
    with pytest.raises(ImportFailed, match=r"seed.json: record 5 \(id '77'\), conversations"):
        import_file(engine, settings, path=path, images=images)
    for table in ("pool", "image", "instruction"):
        assert count(engine, table) == 0


def test_bad_records_are_skipped_on_request_and_listed(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png", "b.png", "sub/c.png")
    (images / "broken.png").write_bytes(b"\x89PNG broken")
    (images / "out.png").symlink_to("/etc/hosts")
    bad = [
        record(5, "a.png", "Q\0?"),
        record(6, "../a.png", "<image>\nQ?"),
        record(7, "broken.png", "<image>\nQ1?", "A", "Q2?", "A"),
        record(8, "gone.png", "<image>\nQ?"),
        record(9, "out.png", "<image>\nQ?"),
        "no record",
    ]
    path = write([*SEED, *bad], "seed.jsonl")
    with path.open("a") as handle:
        handle.write("\n{not json\n")
    report = import_file(engine, settings, path=path, images=images, skip_bad=True)
    assert (report.records, report.skipped, report.instructions_new) == (11, 7, 4)
    assert report.skip_report == path.with_name("seed.jsonl.skipped.jsonl")
    assert report.skip_report is not None
    listed = [json.loads(line) for line in report.skip_report.read_text().splitlines()]
    reasons = {
        entry["position"]: (entry["id"], entry["field"], entry["reason"]) for entry in listed
    }
    assert set(reasons) == {5, 6, 7, 8, 9, 10, 11}
    assert reasons[5][0] == "r5"
    for position, field, part in (
        (5, "question", "NUL"),
        (6, "image", "leaves"),
        (7, "image", "broken.png"),
        (8, "image", "is not in"),
        (9, "image", "outside"),
        (10, "record", "object"),
        (11, "JSON", "no JSON"),
    ):
        assert reasons[position][1] == field
        assert part in reasons[position][2]


def test_an_unusable_picture_is_an_error_and_leaves_no_trace(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    images = pictures("a.png")
    (images / "broken.png").write_bytes(b"\x89PNG broken")
    (images / "out.png").symlink_to("/etc/hosts")
    for name, reason in (
        ("broken.png", r"broken\.png is (no picture|damaged)"),
        ("out.png", r"out\.png is a link to .* outside"),
        ("gone.png", r"1 of the 2 .*: gone\.png"),
    ):
        path = write([SEED[0], record(2, name, "<image>\nQ?")])
        with pytest.raises(ImportFailed, match=reason):
            import_file(engine, settings, path=path, images=images)
        assert count(engine, "pool") == count(engine, "image") == 0


def test_absent_pictures_are_counted_and_the_first_named(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    many = [record(n, f"{n}.png", "<image>\nQ?") for n in range(1, 6)]
    with pytest.raises(ImportFailed, match=r"4 of the 5 .*: 2.png, 3.png, 4.png, …") as error:
        import_file(engine, settings, path=write(many), images=pictures("1.png"))
    assert "--images-later" in (error.value.hint or "")
    with pytest.raises(ImportFailed, match="names 5 pictures") as error:
        import_file(engine, settings, path=write(many), skip_bad=True)
    assert "--images DIR" in (error.value.hint or "")


def test_missing_pictures_wait_under_their_names(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    path = write(SEED)
    report = import_file(engine, settings, path=path, images=pictures("a.png"), images_later=True)
    assert (report.images_new, report.images_missing, report.instructions_new) == (1, 2, 4)
    waiting = rows(engine, "SELECT source FROM image WHERE state = 'missing' ORDER BY source")
    assert [row.source for row in waiting] == ["b.png", "sub/c.png"]
    keys = rows(engine, "SELECT key FROM instruction WHERE text = 'Who?'")
    assert keys[0].key == root_key(awaited("sub/c.png"), "Who?")
    again = import_file(engine, settings, path=path, images_later=True)
    assert (again.instructions_new, again.instructions_known) == (0, 4)
    assert (again.images_missing, count(engine, "image")) == (2, 3)


def test_an_import_with_pictures_keeps_the_promises_of_an_earlier_one(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    path = write(SEED)
    import_file(engine, settings, path=path, images_later=True)
    import_file(engine, settings, path=path, images_later=True, pool="other")
    ids = rows(engine, "SELECT id, text FROM instruction ORDER BY id")
    report = import_file(
        engine, settings, path=path, images=pictures("a.png", "b.png", "sub/c.png")
    )
    assert (report.instructions_new, report.images_new, report.images_missing) == (0, 3, 0)
    assert rows(engine, "SELECT id, text FROM instruction ORDER BY id") == ids
    for row in rows(
        engine, "SELECT key, text, sha256 FROM instruction JOIN image ON image.id = image_id"
    ):
        assert row.key == root_key(row.sha256, row.text)


def test_another_data_sets_picture_of_the_same_name_keeps_no_promise(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    import_file(engine, settings, path=write([SEED[0]]), images_later=True, pool="waiting")
    import_file(engine, settings, path=write([SEED[0]]), images=pictures("a.png"), pool="other")
    states = rows(engine, "SELECT state FROM image ORDER BY state")
    assert [row.state for row in states] == ["missing", "present"]


def test_a_file_that_is_none_is_refused(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    for content, reason in (
        ("", "is empty"),
        ("[]", "holds no record"),
        ('[{"id": 1, "ima', "damaged at record 1"),
        ('{"id": 1,\n "image": 2}', "record 1, JSON"),
        ("hello", "record 1, JSON"),
    ):
        path.write_text(content)
        with pytest.raises(ImportFailed, match=reason) as error:
            import_file(engine, settings, path=path, images=tmp_path)
        assert str(path) in error.value.message
        assert count(engine, "pool") == 0


def test_wrong_arguments_are_refused(
    engine: Engine, settings: Settings, tmp_path: Path, write: Write
) -> None:
    path = write(SEED)
    with pytest.raises(ImportFailed, match="there is no file"):
        import_file(engine, settings, path=tmp_path / "none.json")
    with pytest.raises(ImportFailed, match="Is a directory"):
        import_file(engine, settings, path=tmp_path)
    with pytest.raises(ImportFailed, match="no directory"):
        import_file(engine, settings, path=path, images=tmp_path / "none")
    with pytest.raises(ImportFailed, match="no format 'yaml'") as error:
        import_file(engine, settings, format="yaml", path=path)
    assert "llava" in (error.value.hint or "")
    with pytest.raises(ImportFailed, match="pool's name"):
        import_file(engine, settings, path=path, pool=" ")
    with transaction(engine) as session:
        session.execute(text("INSERT INTO pool (name, origin) VALUES ('taken', 'bootstrap')"))
    with pytest.raises(ImportFailed, match="came from bootstrap"):
        import_file(engine, settings, path=path, pool="taken", images_later=True)
    with pytest.raises(ImportFailed, match=r"no record of .* could be used"):
        import_file(
            engine, settings, path=write([record(1, None, "Q?")]), images=tmp_path, skip_bad=True
        )


def test_progress_is_told_for_records_and_pictures(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    told: list[tuple[str, int, int]] = []
    path = write(SEED)
    import_file(
        engine,
        settings,
        path=path,
        images=pictures("a.png", "b.png", "sub/c.png"),
        on_progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    size = path.stat().st_size
    assert told[0] == ("records", size, size)
    assert told[-1] == ("pictures", 3, 3)


def test_imports_at_the_same_time_neither_collide_nor_repeat(
    engine: Engine, settings: Settings, pictures: Pictures, write: Write
) -> None:
    names = [f"{number:02}.png" for number in range(40)]
    records = [record(n, name, "<image>\nQ?") for n, name in enumerate(names)]
    images = pictures(*names[::2])
    path, backwards = write(records), write(records[::-1], "backwards.json")
    jobs = [(path, "one"), (backwards, "one"), (path, "two"), (backwards, "three")]
    with ThreadPoolExecutor(len(jobs)) as threads:
        reports = list(
            threads.map(
                lambda job: import_file(
                    engine, settings, path=job[0], images=images, pool=job[1], images_later=True
                ),
                jobs,
            )
        )
    assert sorted(report.instructions_new for report in reports) == [0, 40, 40, 40]
    assert sum(report.images_new for report in reports) == 20
    assert (count(engine, "image"), count(engine, "instruction")) == (40, 120)
