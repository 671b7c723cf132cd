"""One wrong input a case, through the real import: told by file, record and field, and nothing lost.

`docs/bad-input.md` is written from the same cases: COMD_WRITE_DOCS=1 writes it anew.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from bad_inputs import RECORD, Case, cases, draw_pictures
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy import URL, Engine, text

from comd_platform.db.engine import libpq_url, make_engine
from comd_platform.importers import ImportFailed, ImportReport, import_file
from comd_platform.settings import Settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "bad-input.md"
CORPUS = Path(__file__).parent / "corpus"
TABLES = ("pool", "image", "instruction")
CASES = cases()


# One database for all: an import that is refused leaves nothing, and what is taken is emptied away.
@pytest.fixture(scope="module")
def whole(
    server_url: URL, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, Settings, Path]]:
    name = f"comd_test_{uuid.uuid4().hex[:12]}"
    folder = tmp_path_factory.mktemp("bad")
    draw_pictures(folder / "pictures")
    with psycopg.connect(libpq_url(server_url), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"')
        made = make_engine(server_url.set(database=name))
        yield made, Settings(home=folder / "home"), folder
        made.dispose()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def engine(whole: tuple[Engine, Settings, Path]) -> Engine:
    empty(whole[0])
    return whole[0]


@pytest.fixture
def settings(whole: tuple[Engine, Settings, Path]) -> Settings:
    return whole[1]


@pytest.fixture
def folder(whole: tuple[Engine, Settings, Path]) -> Path:
    return whole[2]


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in ("instruction", "pool", "image"):
            connection.execute(text(f"DELETE FROM {table}"))


def counts(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [
            int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
            for table in TABLES
        ]


def attempt(engine: Engine, settings: Settings, case: Case, folder: Path) -> tuple[Path, str]:
    """Import a case as `--keep-answers` does; returns its file and the message, "" if it was taken."""
    path = folder / "seed.json"
    path.write_bytes(case.content)
    try:
        report = import_file(
            engine, settings, path=path, images=folder / "pictures", pool="p", keep_answers=True
        )
    except ImportFailed as error:
        return path, error.message
    assert report.instructions_new == case.taken
    return path, ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}: {case.name}")
def test_a_wrong_input_is_told_and_nothing_is_lost(
    engine: Engine, settings: Settings, folder: Path, case: Case
) -> None:
    path, message = attempt(engine, settings, case, folder)
    pictures = folder / "pictures"
    if case.taken is not None:
        assert message == ""
        before = counts(engine)
        assert (
            import_file(
                engine, settings, path=path, images=pictures, pool="p", keep_answers=True
            ).instructions_new
            == 0
        )
        assert counts(engine) == before
        return
    assert str(path) in message
    assert counts(engine) == [0, 0, 0]
    if case.beside is None:
        with pytest.raises(ImportFailed, match=r"seed\.json"):
            import_file(engine, settings, path=path, images=pictures, pool="p", skip_bad=True)
        assert counts(engine) == [0, 0, 0]
        return
    assert "record 1" in message or "record 2" in message
    # The same beside a good record: that one comes, the bad one is listed.
    good = json.dumps({**RECORD, "id": "good"}).encode()
    if case.content.startswith(b"["):
        path.write_bytes(b"[" + good + b", " + case.content[1:])
    else:
        path.write_bytes(good + b"\n" + case.content)
    report = import_file(
        engine, settings, path=path, images=pictures, pool="p", keep_answers=True, skip_bad=True
    )
    assert report.instructions_new == 1
    assert report.skipped >= 1
    assert report.skip_report is not None
    listed = [json.loads(line) for line in report.skip_report.read_text().splitlines()]
    assert len(listed) == report.skipped
    assert all(entry["position"] and entry["field"] and entry["reason"] for entry in listed)
    assert report.records == 1 + case.beside + report.skipped


def test_the_page_says_what_happens(engine: Engine, settings: Settings, folder: Path) -> None:
    rows: dict[str, list[str]] = {}
    for case in CASES:
        _, message = attempt(engine, settings, case, folder)
        told = message.replace(f"{folder}/", "").replace("|", "\\|")
        told = told if len(told) <= 200 else told[:197] + "..."
        happens = "taken" if not message else "refused"
        rows.setdefault(case.group, []).append(
            f"| {case.name} | {happens} | {f'`{told}`' if told else ''} |"
        )
        empty(engine)
    tables = "\n\n".join(
        f"## {group}\n\n| input | what happens | message |\n|---|---|---|\n" + "\n".join(lines)
        for group, lines in rows.items()
    )
    page = PAGE.read_text(encoding="utf-8")
    start, end = "<!-- cases: begin -->\n", "<!-- cases: end -->"
    before, rest = page.split(start)
    after = rest.split(end)[1]
    expected = f"{before}{start}{tables}\n{end}{after}"
    if os.environ.get("COMD_WRITE_DOCS"):
        PAGE.write_text(expected, encoding="utf-8")
    assert page == expected, "COMD_WRITE_DOCS=1 writes docs/bad-input.md anew"


def test_what_cannot_be_read_is_told(engine: Engine, settings: Settings, folder: Path) -> None:
    with pytest.raises(ImportFailed, match=r"is no file|Is a directory"):
        import_file(engine, settings, path=folder)
    unreadable = Path("/proc/self/mem")  # root may open everything, but nobody reads address 0
    if unreadable.exists():
        with pytest.raises(ImportFailed, match="/proc/self/mem"):
            import_file(engine, settings, path=unreadable)


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_the_corpus_of_the_fuzzer(
    engine: Engine, settings: Settings, folder: Path, path: Path
) -> None:
    fuzzed(engine, settings, folder, path.read_bytes())


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["<image>", "a\0", "\ud800", "a.png", "human", "gpt", "../a.png", "x" * 2000]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["from", "value", "id", "image"]), inner, max_size=3)
    ),
    max_leaves=5,
)
TURN = st.fixed_dictionaries(
    {
        "from": st.sampled_from(["human", "gpt"]) | VALUES,
        "value": st.sampled_from(["What?", "<image>\nWho?", "Where?"]) | VALUES,
    }
)
FUZZED = st.fixed_dictionaries(
    {"image": st.just("a.png") | VALUES, "conversations": st.lists(TURN, max_size=4) | VALUES},
    optional={"id": VALUES, "task_type": VALUES, "text": VALUES, "instruction": VALUES},
)


@how(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    records=st.lists(FUZZED | VALUES | st.just(RECORD), min_size=1, max_size=6), lines=st.booleans()
)
def test_any_records_are_taken_or_told(
    engine: Engine, settings: Settings, folder: Path, records: list[object], lines: bool
) -> None:
    shown = [json.dumps(record) for record in records]
    content = "\n".join(shown) if lines else f"[{', '.join(shown)}]"
    fuzzed(engine, settings, folder, content.encode())


@how(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_taken_or_told(
    engine: Engine, settings: Settings, folder: Path, data: st.DataObject
) -> None:
    content = bytearray(json.dumps([RECORD, {**RECORD, "id": 8}]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.integers(0, 9))
        content[place : place + length] = data.draw(st.binary(max_size=4))
        if not content:
            break
    fuzzed(engine, settings, folder, bytes(content))


def fuzzed(engine: Engine, settings: Settings, folder: Path, content: bytes) -> None:
    """All or nothing; with `skip_bad` every record is counted; a second import changes nothing."""
    path, pictures = folder / "fuzzed.json", folder / "pictures"
    path.write_bytes(content)
    before = counts(engine)
    strict = outcome(engine, settings, folder, pool="strict")
    if isinstance(strict, ImportFailed):
        assert str(path) in strict.message
        assert counts(engine) == before
    loose = outcome(engine, settings, folder, pool="loose", skip_bad=True)
    if isinstance(loose, ImportFailed):
        assert isinstance(strict, ImportFailed)
        assert str(path) in loose.message
        return
    if isinstance(strict, ImportReport):
        assert loose.skipped == 0
        assert (loose.records, loose.turns) == (strict.records, strict.turns)
    after = counts(engine)
    again = import_file(engine, settings, path=path, images=pictures, pool="loose", skip_bad=True)
    assert (again.instructions_new, again.skipped) == (0, loose.skipped)
    assert counts(engine) == after


def outcome(
    engine: Engine, settings: Settings, folder: Path, *, pool: str, skip_bad: bool = False
) -> ImportReport | ImportFailed:
    try:
        return import_file(
            engine,
            settings,
            path=folder / "fuzzed.json",
            images=folder / "pictures",
            pool=pool,
            skip_bad=skip_bad,
        )
    except ImportFailed as error:
        return error
