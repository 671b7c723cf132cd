"""The real files that lie beside the project on some machines."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import Engine, text

from comd_platform.importers import import_file
from comd_platform.keys import awaited, root_key
from comd_platform.method.dialogues import to_single_turns
from comd_platform.settings import Settings


def _counts(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT task_type, count(*) FROM instruction GROUP BY 1"))
        return dict(rows.tuples().all())


def test_llava_captions_wait_for_their_pictures(
    engine: Engine, settings: Settings, shared_data: Path
) -> None:
    path = shared_data / "llava" / "blip_laion_cc_sbu_2k.json"
    records = json.loads(path.read_bytes())
    expected = {
        root_key(awaited(record["image"]), turn.question): turn.answer
        for record in records
        for turn in to_single_turns(record["conversations"])
    }
    report = import_file(engine, settings, path=path, images_later=True, keep_answers=True)
    assert report.records == len(records) == report.turns
    assert report.instructions_new == len(expected)
    assert report.images_missing == len({record["image"] for record in records})
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT key, reference_answer FROM instruction"))
        assert dict(rows.tuples().all()) == expected
    again = import_file(engine, settings, path=path, images_later=True, keep_answers=True)
    assert (again.instructions_new, again.instructions_known) == (0, len(expected))


def test_the_ninety_questions_and_the_thirty_times_three(
    engine: Engine, settings: Settings, shared_data: Path
) -> None:
    folder = shared_data / "llava"
    report = import_file(
        engine, settings, path=folder / "qa90_questions.jsonl", images_later=True, pool="qa90"
    )
    assert (report.records, report.instructions_new, report.images_missing) == (90, 90, 30)
    kinds = {"conversation": 30, "detail description": 30, "complex reasoning": 30}
    assert _counts(engine) == kinds
    report = import_file(
        engine,
        settings,
        path=folder / "coco2014_val_gpt4_qa_30x3.jsonl",
        images_later=True,
        keep_answers=True,
        pool="30x3",
    )
    assert (report.records, report.instructions_new, report.images_missing) == (90, 90, 30)
    assert _counts(engine) == {kind: count * 2 for kind, count in kinds.items()}
    with engine.connect() as connection:
        kept = connection.scalar(text("SELECT count(reference_answer) FROM instruction"))
    assert kept == 90


def test_scienceqa_mixes_questions_with_and_without_pictures(
    engine: Engine, settings: Settings, shared_data: Path
) -> None:
    path = shared_data / "scienceqa" / "llava_test_CQM-A.json"
    records = json.loads(path.read_bytes())
    report = import_file(engine, settings, path=path, images_later=True, text_only=True)
    assert report.records == len(records) == 4241
    assert report.images_missing == sum("image" in record for record in records) == 2017
    assert report.turns == report.instructions_new + report.duplicates


def test_coco_pictures_come_with_their_questions(
    engine: Engine, settings: Settings, shared_data: Path, tmp_path: Path
) -> None:
    images = shared_data / "coco_mini" / "train2017"
    info = json.loads((images.parent / "captions_train2017.json").read_bytes())
    sizes = {entry["file_name"]: (entry["width"], entry["height"]) for entry in info["images"]}
    names = sorted(path.name for path in images.iterdir())
    path = tmp_path / "coco.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({"question_id": n, "image": name, "text": "Describe the image in detail."})
            for n, name in enumerate(names)
        )
    )
    report = import_file(engine, settings, path=path, images=images)
    assert report.images_new == report.instructions_new == len(names)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT source, width, height, path FROM image")).all()
    for source, width, height, stored in rows:
        if source in sizes:
            assert (width, height) == sizes[source]
        original = (images / source).read_bytes()
        assert (settings.image_root / stored).read_bytes() == original
