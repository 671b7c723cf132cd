"""What is wrong with a LLaVA file is told in every other format too, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from bad_formats import CANNOT_HOLD, DRESSES, GOOD, Dress, as_item, records_of, write_json
from bad_inputs import RECORD, Case, ask, cases, draw_pictures
from sqlalchemy import URL, Engine, text

from comd_platform.db.engine import libpq_url, make_engine
from comd_platform.errors import ComdError
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import ImportFailed, import_file, import_pictures
from comd_platform.settings import Settings

TABLES = ("instruction", "pool_image", "pool", "evaluation_item", "benchmark", "image")
CASES = cases()
BAD_PICTURES = (
    "truncated.png",
    "zero.png",
    "text.png",
    "damaged.jpg",
    "wide.png",
    "bomb.png",
    "link.png",
)

# Chats know a system's turn and pictures as objects; a table says otherwise what it cannot hold.
ALSO_TAKEN = {"an unknown speaker": 1, "image: an object": 1}
UNREADABLE_TABLE = {"100 levels too many in a field"}


@pytest.fixture(scope="module")
def whole(
    server_url: URL, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, Settings, Path, str]]:
    name = f"comd_test_{uuid.uuid4().hex[:12]}"
    folder = tmp_path_factory.mktemp("formats")
    draw_pictures(folder / "pictures")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
        url = server_url.set(database=name)
        made = make_engine(url)
        yield made, Settings(home=folder / "home"), folder, libpq_url(url)
        made.dispose()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def counts(engine: Engine) -> list[int]:
    columns = ", ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)
    with engine.connect() as connection:
        return [int(count) for count in connection.execute(text(f"SELECT {columns}")).one()]


def outcome(attempt: Callable[[], Any]) -> tuple[Any, str]:
    """What the attempt returned and "", or None and what it was refused with."""
    try:
        return attempt(), ""
    except ComdError as error:
        return None, error.message


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in TABLES:
            connection.execute(text(f"DELETE FROM {table}"))


@pytest.mark.parametrize("dress", DRESSES, ids=lambda dress: dress.name)
def test_every_case_in_every_format(
    whole: tuple[Engine, Settings, Path, str], dress: Dress
) -> None:
    engine, settings, folder, _ = whole
    path = folder / f"{dress.name}-cases{dress.suffix}"
    tried = 0
    for case in CASES:
        records = records_of(case)
        if records is None:
            continue
        records = [dress.wear(record) for record in records]
        try:
            dress.write(path, records)
        except CANNOT_HOLD:
            continue
        tried += 1
        empty(engine)
        _told(engine, settings, dress, path, case, records)
    assert tried >= 60


def _told(
    engine: Engine,
    settings: Settings,
    dress: Dress,
    path: Path,
    case: Case,
    records: list[Any],
) -> None:
    where = f"{dress.name}, {case.group}: {case.name}"
    pictures = path.parent / "pictures"

    def take(skip_bad: bool = False) -> Any:
        return import_file(
            engine,
            settings,
            format=dress.name,
            path=path,
            images=pictures,
            pool="p",
            keep_answers=True,
            skip_bad=skip_bad,
        )

    taken = ALSO_TAKEN.get(case.name, case.taken)
    if dress.suffix != ".json" and case.name in UNREADABLE_TABLE:
        taken = None
    report, message = outcome(take)
    if report is not None:
        assert report.instructions_new == taken, where
        return
    assert taken is None, f"{where}: {message}"
    assert str(path) in message, where
    assert counts(engine) == [0] * len(TABLES), where
    if case.name in UNREADABLE_TABLE:
        return
    # of pictures that are not there, the first is named behind
    assert "record 1" in message, where
    try:
        dress.write(path, [dress.wear(GOOD), *records])
    except CANNOT_HOLD:
        return  # one column, two types: such a table cannot be
    report = take(skip_bad=True)
    assert report.instructions_new == 1, where
    assert report.skipped >= 1, where
    listed = [json.loads(line) for line in report.skip_report.read_text().splitlines()]
    assert len(listed) == report.skipped, where
    assert all(entry["position"] and entry["field"] and entry["reason"] for entry in listed), where


@pytest.mark.parametrize("format_", ["sharegpt", "openai"])
def test_damaged_files_of_chats(whole: tuple[Engine, Settings, Path, str], format_: str) -> None:
    engine, settings, folder, _ = whole
    path = folder / "chats.json"
    for case in CASES:
        if case.group != "The file":
            continue
        empty(engine)
        path.write_bytes(case.content)
        report, message = outcome(
            lambda: import_file(
                engine, settings, format=format_, path=path, images=folder / "pictures"
            )
        )
        if report is not None:
            assert report.instructions_new == case.taken, case.name
            continue
        assert case.taken is None, f"{case.name}: {message}"
        assert str(path) in message, case.name
        assert counts(engine) == [0] * len(TABLES), case.name


def test_damaged_tables(whole: tuple[Engine, Settings, Path, str]) -> None:
    engine, settings, folder, _ = whole
    parquet = DRESSES[2]
    parquet.write(folder / "good.parquet", [parquet.wear(RECORD)])
    good = (folder / "good.parquet").read_bytes()
    contents = {
        "empty": b"",
        "truncated": good[:-40],
        "its middle gone": good[:60] + good[120:],
        "JSON": json.dumps([RECORD]).encode(),
        "the mark alone": b"PAR1",
        "a footer of garbage": good[:-60] + b"\xff" * 52 + good[-8:],
    }
    dataset = folder / "damaged-dataset"
    dataset.mkdir()
    for name, content in contents.items():
        for format_, path, file in (
            ("parquet", folder / "damaged.parquet", folder / "damaged.parquet"),
            ("hf", dataset, dataset / "train-00001-of-00002.parquet"),
        ):
            empty(engine)
            (dataset / "train-00000-of-00002.parquet").write_bytes(good)  # the first half is good
            file.write_bytes(content)
            with pytest.raises(ImportFailed) as failed:
                import_file(engine, settings, format=format_, path=path, images=folder / "pictures")
            assert str(file) in failed.value.message, name
            assert counts(engine) == [0] * len(TABLES), name


def test_every_bad_picture_of_a_folder(whole: tuple[Engine, Settings, Path, str]) -> None:
    engine, settings, folder, _ = whole
    empty(engine)
    for name in BAD_PICTURES:
        album = folder / f"album-{name}"
        album.mkdir()
        shutil.copy(folder / "pictures" / "a.png", album)
        shutil.copy(folder / "pictures" / name, album, follow_symlinks=False)
        with pytest.raises(ImportFailed, match=rf"{name}") as failed:
            import_pictures(engine, settings, album)
        assert str(album) in failed.value.message
        assert counts(engine) == [0] * len(TABLES), name
        report = import_pictures(engine, settings, album, skip_bad=True)
        assert (report.new, report.skipped) == (1, 1), name
        assert report.skip_report is not None
        (listed,) = map(json.loads, report.skip_report.read_text().splitlines())
        assert (listed["id"], listed["field"]) == (name, "picture")
        empty(engine)


def test_every_case_as_a_benchmark(whole: tuple[Engine, Settings, Path, str]) -> None:
    engine, settings, folder, _ = whole
    path = folder / "items.json"
    empty(engine)
    refused = 0
    for case in CASES:
        records = records_of(case)
        if case.group == "The file":
            path.write_bytes(case.content)
        elif records is not None and not (case.group == "The record" and has_turns(records[0])):
            write_json(path, [as_item(record) for record in records])
        else:
            continue
        report, message = outcome(
            lambda: import_benchmark(
                engine, settings, path=path, images=folder / "pictures", name="b"
            )
        )
        if report is not None:
            assert case.taken is not None or case.name in AN_ITEM, case.name
            empty(engine)
            continue
        refused += 1
        assert str(path) in message, f"{case.name}: {message}"
        assert counts(engine) == [0] * len(TABLES), case.name
    assert refused >= 60


def has_turns(record: object) -> bool:
    """Say whether it has a conversation, which an item has not."""
    return isinstance(record, dict) and "conversations" in record


# A question may be about no picture, or be a sign; `<image>` is taken off wherever it stands.
AN_ITEM = {
    "image: null",
    "`<image>` without a picture",
    "`<image>` twice",
    "a question without a letter",
}

NASTY: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "truncated": ("llava", json.dumps([RECORD, RECORD]).encode()[:-40], ("record 2",)),
    "UTF-16": ("sharegpt", json.dumps([RECORD]).encode("utf-16"), ("UTF-16",)),
    "brackets": ("openai", b"[" * 100_000, ("nested",)),
    "NUL": ("openai", json.dumps([{**GOOD, "id": "7\0"}]).encode(), ("record 1", "id")),
    "surrogate": (
        "llava",
        json.dumps([RECORD, ask("A\ud800?")]).encode(),
        ("record 2", "question"),
    ),
    "id": ("sharegpt", json.dumps([GOOD, {**RECORD, "id": {}}]).encode(), ("record 2", "id")),
    "speaker": (
        "sharegpt",
        json.dumps([{**RECORD, "conversations": [{"from": ["x"], "value": "A?"}]}]).encode(),
        ("record 1", "conversations"),
    ),
    "out of the folder": (
        "llava",
        json.dumps([GOOD, {**RECORD, "image": "../secret.png"}]).encode(),
        ("record 2", "image"),
    ),
    "a link out": (
        "sharegpt",
        json.dumps([GOOD, {**RECORD, "image": "link.png"}]).encode(),
        ("record 2", "image"),
    ),
    "bomb": (
        "openai",
        json.dumps([GOOD, {**RECORD, "image": "bomb.png"}]).encode(),
        ("record 2", "image", "pixels"),
    ),
    "no table": ("parquet", b"PAR1 and no more", ("damaged",)),
    "an item": (
        "benchmark",
        json.dumps([{"id": 1, "question": "Who?", "answer": 7}]).encode(),
        ("record 1", "answer"),
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(NASTY))
def test_the_command_tells_it(whole: tuple[Engine, Settings, Path, str], name: str) -> None:
    engine, settings, folder, url = whole
    empty(engine)
    format_, content, told = NASTY[name]
    path = folder / "nasty.json"
    path.write_bytes(content)
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "comd_workers",
            "import",
            format_,
            str(path),
            "--images",
            str(folder / "pictures"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"COMD_DATABASE_URL": url, "COMD_HOME": str(settings.home)},
    )
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 1, said
    assert "Traceback" not in said
    assert "nasty.json" in said.replace(" ", "")
    for word in told:
        assert word in said
    assert counts(engine) == [0] * len(TABLES)
