"""A pool on its way out, and back in again."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from comd_platform.db.engine import transaction
from comd_platform.exporters import FORMATS, ExportError, ExportManifest, export_pool
from comd_platform.importers import ImportReport, import_file
from comd_platform.settings import Settings


def export(engine: Engine, settings: Settings, **options: Any) -> ExportManifest:
    with transaction(engine) as session:
        return export_pool(session, settings, **options)


def contents(engine: Engine, pool_id: int) -> list[tuple[str, str, str | None]]:
    statement = text(
        "SELECT key, task_type, reference_answer FROM instruction WHERE pool_id = :pool ORDER BY 1"
    )
    with engine.connect() as connection:
        return [
            (row[0], row[1], row[2]) for row in connection.execute(statement, {"pool": pool_id})
        ]


@pytest.fixture
def seed(engine: Engine, settings: Settings, tmp_path: Path) -> ImportReport:
    """Two pictures, two and three questions about them, and one about none."""
    images = tmp_path / "pictures"
    images.mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (3, 3), colour).save(images / name)
    asked = [
        ("a.png", "Who?", "Olaf.", "conv"),
        ("a.png", "Where?", "Here.", "conv"),
        ("b.png", "What?\n\nA. one\nB. two", "A", None),
        ("b.png", "Ünïcode “quotes”?", 'He said: "ß\n".', "complex"),
        ("b.png", "Unanswered?", None, "conv"),
        (None, "What is love?", "Nobody knows.", "conv"),
    ]
    records = [
        {"id": n, "instruction": question}
        | ({"image": image} if image else {})
        | ({"output": answer} if answer else {})
        | ({"type": kind} if kind else {})
        for n, (image, question, answer, kind) in enumerate(asked)
    ]
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(records))
    return import_file(
        engine, settings, path=path, images=images, keep_answers=True, text_only=True
    )


@pytest.mark.parametrize(("name", "copy"), [("out.json", False), ("out.jsonl", True)])
def test_single_turns_come_back_as_they_went(
    engine: Engine, settings: Settings, seed: ImportReport, tmp_path: Path, name: str, copy: bool
) -> None:
    out, images = tmp_path / "export" / name, tmp_path / "export" / "images"
    manifest = export(
        engine,
        settings,
        pool_id=seed.pool_id,
        out=out,
        layout="single",
        images=images if copy else None,
    )
    assert (manifest.records, manifest.turns, manifest.unanswered) == (5, 5, 1)
    assert (manifest.images, manifest.images_missing) == (2, 0)
    assert manifest.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert images.exists() == copy
    back = import_file(
        engine,
        settings,
        path=out,
        images=images if copy else settings.image_root,
        keep_answers=True,
        text_only=True,
        pool="back",
    )
    assert (back.instructions_new, back.images_new) == (5, 0)
    answered = [row for row in contents(engine, seed.pool_id) if row[2] is not None]
    assert contents(engine, back.pool_id) == answered


def test_dialogues_hold_the_turns_of_one_picture_and_come_back_with_the_same_keys(
    engine: Engine, settings: Settings, seed: ImportReport, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    manifest = export(engine, settings, pool_id=seed.pool_id, out=out)
    assert (manifest.records, manifest.turns) == (3, 5)
    records = json.loads(out.read_bytes())
    assert sorted(len(record["conversations"]) for record in records) == [2, 4, 4]
    for record in records:
        text_ = " ".join(turn["value"] for turn in record["conversations"])
        assert text_.count("<image>") == ("image" in record)
        speakers = [turn["from"] for turn in record["conversations"]]
        assert speakers == ["human", "gpt"] * (len(speakers) // 2)
    kinds = {record["conversations"][1]["value"]: record.get("task_type") for record in records}
    assert Counter(kinds.values()) == {"conversation": 2, None: 1}
    back = import_file(
        engine,
        settings,
        path=out,
        images=settings.image_root,
        keep_answers=True,
        text_only=True,
        pool="back",
    )
    answered = [(key, answer) for key, _, answer in contents(engine, seed.pool_id) if answer]
    assert [(key, answer) for key, _, answer in contents(engine, back.pool_id)] == answered


def test_the_same_rows_give_the_same_bytes_and_another_seed_moves_pictures(
    engine: Engine, settings: Settings, seed: ImportReport, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    hashes = [
        export(engine, settings, pool_id=seed.pool_id, out=out, seed=number).sha256
        for number in (0, 0, 1, 2, 3, 4, 5)
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[1:])) > 1


def test_questions_alone(
    engine: Engine, settings: Settings, seed: ImportReport, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    manifest = export(
        engine, settings, pool_id=seed.pool_id, out=out, answers=None, layout="single"
    )
    assert (manifest.records, manifest.unanswered) == (6, 0)
    assert "gpt" not in out.read_text()
    back = import_file(
        engine, settings, path=out, images=settings.image_root, text_only=True, pool="back"
    )
    keys = {key for key, _, _ in contents(engine, seed.pool_id)}
    assert {key for key, _, _ in contents(engine, back.pool_id)} == keys


def test_answers_of_a_model_over_tuning_and_cache_pool(
    engine: Engine, settings: Settings, seed: ImportReport, tmp_path: Path
) -> None:
    with transaction(engine) as session:
        session.execute(
            text("INSERT INTO prompt (hash, role, template) VALUES ('h', 'teacher', 'x')")
        )
        model = session.scalar(
            text(
                "INSERT INTO model (fingerprint, uri, engine, identity, sampling, prompt_hash)"
                " VALUES ('f', 'u', 'scripted', '{}', '{}', 'h') RETURNING id"
            )
        )
        child = session.scalar(
            text(
                "INSERT INTO pool (parent_id, origin) VALUES (:pool, 'augmentation') RETURNING id"
            ),
            {"pool": seed.pool_id},
        )
        session.execute(
            text(
                "INSERT INTO instruction (pool_id, image_id, parent_id, task_type, text, key)"
                " SELECT :child, image_id, id, task_type, 'New: ' || text,"
                " encode(sha256(key::bytea), 'hex') FROM instruction WHERE text = 'Who?'"
            ),
            {"child": child},
        )
        session.execute(
            text(
                "INSERT INTO answer (instruction_id, model_id, text, finish_reason)"
                " SELECT id, :model, CASE text WHEN 'Where?' THEN ' ' ELSE 'Said to ' || text END,"
                " 'stop' FROM instruction WHERE text <> 'What is love?'"
            ),
            {"model": model},
        )
    out = tmp_path / "out.jsonl"
    tuning = export(
        engine, settings, pool_id=child, out=out, scope="tuning", answers=model, layout="single"
    )
    assert (tuning.turns, tuning.unanswered) == (1, 0)
    record = json.loads(out.read_text())
    assert [turn["value"] for turn in record["conversations"]] == [
        "<image>\nNew: Who?",
        "Said to New: Who?",
    ]
    cache = export(engine, settings, pool_id=child, out=out, scope="cache", answers=model)
    # Without an answer: the one about no picture. With an empty one: "Where?".
    assert (cache.turns, cache.unanswered, cache.images) == (5, 2, 2)


def test_missing_pictures_keep_their_names(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "later.json"
    path.write_text(json.dumps([{"id": 1, "image": "sub/x.png", "instruction": "Q?"}]))
    first = import_file(engine, settings, path=path, images_later=True)
    out = tmp_path / "out.json"
    options = {"pool_id": first.pool_id, "answers": None, "layout": "single"}
    manifest = export(engine, settings, out=out, images=tmp_path / "images", **options)
    assert (manifest.images, manifest.images_missing) == (0, 1)
    back = import_file(engine, settings, path=out, images_later=True, pool="back")
    assert contents(engine, back.pool_id) == contents(engine, first.pool_id)


def test_real_llava_records_keep_their_keys(
    engine: Engine, settings: Settings, shared_data: Path, tmp_path: Path
) -> None:
    path = shared_data / "llava" / "coco2014_val_gpt4_qa_30x3.jsonl"
    first = import_file(engine, settings, path=path, images_later=True, keep_answers=True)
    out = tmp_path / "out.json"
    manifest = export(engine, settings, pool_id=first.pool_id, out=out)
    assert (manifest.records, manifest.turns, manifest.images_missing) == (30, 90, 30)
    back = import_file(
        engine, settings, path=out, images_later=True, keep_answers=True, pool="back"
    )
    assert [(key, answer) for key, _, answer in contents(engine, back.pool_id)] == [
        (key, answer) for key, _, answer in contents(engine, first.pool_id)
    ]


def test_what_cannot_be_exported_is_an_error(
    engine: Engine, settings: Settings, seed: ImportReport, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    pool = seed.pool_id
    with pytest.raises(ExportError, match="no pool 99"):
        export(engine, settings, pool_id=99, out=out)
    with pytest.raises(ExportError, match="no model 99"):
        export(engine, settings, pool_id=pool, out=out, answers=99)
    with pytest.raises(ExportError, match="no dialogue"):
        export(engine, settings, pool_id=pool, out=out, answers=None)
    with pytest.raises(ExportError, match="no format 'yaml'"):
        export(engine, settings, pool_id=pool, out=out, format="yaml")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="cannot export"):
        export(engine, settings, pool_id=pool, out=tmp_path / "file" / "out.json")
    assert not out.exists()


def test_a_failure_leaves_the_older_file_alone(
    engine: Engine, settings: Settings, seed: ImportReport, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    export(engine, settings, pool_id=seed.pool_id, out=out)
    before = out.read_bytes()
    for path in settings.image_root.rglob("*.png"):
        path.unlink()
    with pytest.raises(ExportError, match="cannot export"):
        export(engine, settings, pool_id=seed.pool_id, out=out, images=tmp_path / "images")
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".export")] == []


def test_formats_are_described() -> None:
    for name, entry in FORMATS.items():
        assert entry.name == name
        assert entry.description
