"""What is exported can be imported: every format, on LLaVA's own records with pictures."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from comd_platform.db.engine import transaction
from comd_platform.exporters import FORMATS, ExportManifest, export_pool
from comd_platform.importers import ImportReport, import_file
from comd_platform.settings import Settings

Contents = list[tuple[str, str, str | None]]


def contents(engine: Engine, pool_id: int) -> Contents:
    """(key, task type, answer) of everything in a pool. The key covers picture and question."""
    statement = text(
        "SELECT key, task_type, reference_answer FROM instruction WHERE pool_id = :pool ORDER BY 1"
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(statement, {"pool": pool_id})]


@pytest.fixture
def records(engine: Engine, settings: Settings, shared_data: Path, tmp_path: Path) -> ImportReport:
    """LLaVA's 30 x 3 records, each name given to a photograph (not the one it was written about)."""
    path = shared_data / "llava" / "coco2014_val_gpt4_qa_30x3.jsonl"
    names = sorted({json.loads(line)["image"] for line in path.read_text().splitlines()})
    photographs = itertools.cycle(sorted((shared_data / "coco_mini" / "train2017").iterdir()))
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, photograph in zip(names, photographs, strict=False):
        shutil.copyfile(photograph, folder / name)
    return import_file(engine, settings, path=path, images=folder, keep_answers=True)


def export(
    engine: Engine, settings: Settings, pool_id: int, name: str, folder: Path, **more: Any
) -> ExportManifest:
    """As `comd export` lays it out."""
    kind = FORMATS[name]
    beside = {} if kind.embeds else {"images": folder / "images", "prefix": "images/"}
    with transaction(engine) as session:
        return export_pool(
            session,
            settings,
            pool_id=pool_id,
            out=folder / kind.file,
            format=name,
            **(beside | more),
        )


@pytest.mark.parametrize("layout", ["single", "dialogues"])
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_format_comes_back_as_it_went(
    engine: Engine,
    settings: Settings,
    records: ImportReport,
    tmp_path: Path,
    name: str,
    layout: str,
) -> None:
    folder = tmp_path / "exported"
    manifest = export(engine, settings, records.pool_id, name, folder, layout=layout)
    assert (manifest.turns, manifest.images_missing) == (90, 0)
    # Into a store without a single picture: what comes back came with the export.
    elsewhere = settings.model_copy(update={"images": tmp_path / "other-store"})
    back = import_file(
        engine,
        elsewhere,
        format=name,
        path=folder if name == "hf" else folder / FORMATS[name].file,
        images=None if name == "hf" else folder,
        keep_answers=True,
        pool="back",
    )
    assert (back.instructions_new, back.duplicates, back.skipped) == (90, 0, 0)
    assert len(list((tmp_path / "other-store").rglob("*.jpg"))) == records.images_new
    went, came = contents(engine, records.pool_id), contents(engine, back.pool_id)
    if layout == "single" or name == "parquet":
        assert came == went
    else:  # a dialogue says its turns' task type only where they agree
        assert [(key, answer) for key, _, answer in came] == [
            (key, answer) for key, _, answer in went
        ]


def test_the_same_rows_give_the_same_bytes(
    engine: Engine, settings: Settings, records: ImportReport, tmp_path: Path
) -> None:
    for name in FORMATS:
        first, second = (
            export(engine, settings, records.pool_id, name, tmp_path / name / part).sha256
            for part in ("one", "two")
        )
        assert first == second, name


def test_datasets_opens_them(
    engine: Engine, settings: Settings, records: ImportReport, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    for name in FORMATS:
        export(engine, settings, records.pool_id, name, tmp_path / name)
    cache = str(tmp_path / "cache")
    hub = datasets.load_dataset(str(tmp_path / "hf"), split="train", cache_dir=cache)
    assert hub.features["images"].feature == datasets.Image()
    assert sum(len(row["turns"]) for row in hub) == 90
    stored = {path.stem: path for path in settings.image_root.rglob("*.jpg")}
    for row in hub:
        (picture,) = row["images"]
        assert picture.size[0] > 100  # decoded
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"] * len(
            row["turns"]
        )
        assert row["messages"][0]["content"].count("<image>") == 1
    assert len(stored) == records.images_new
    for name, builder in (("llava", "json"), ("sharegpt", "json"), ("openai", "json")):
        file = str(tmp_path / name / FORMATS[name].file)
        loaded = datasets.load_dataset(builder, data_files=file, split="train", cache_dir=cache)
        assert len(loaded) == len(hub), name
    flat = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "parquet" / "data.parquet"),
        split="train",
        cache_dir=cache,
    )
    assert len(flat) == 90

    # What `datasets` saves comes back too.
    hub.save_to_disk(str(tmp_path / "saved"))
    back = import_file(
        engine, settings, format="hf", path=tmp_path / "saved", keep_answers=True, pool="saved"
    )
    assert [row[0] for row in contents(engine, back.pool_id)] == [
        row[0] for row in contents(engine, records.pool_id)
    ]


def test_filters_leave_out_by_task_type(
    engine: Engine, settings: Settings, records: ImportReport, tmp_path: Path
) -> None:
    from comd_platform.exporters import Filters

    manifest = export(
        engine,
        settings,
        records.pool_id,
        "llava",
        tmp_path,
        filters=Filters(task_types=("conversation",)),
    )
    assert manifest.task_types == {"conversation": 30}
    nothing = export(
        engine, settings, records.pool_id, "llava", tmp_path, filters=Filters(min_difficulty=0.1)
    )
    assert nothing.records == 0
