"""A run as a folder: data, pictures, manifest, card; and other tools' rules for reading it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from inline_workers import inline_workforce
from sqlalchemy import URL, Engine, text
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.errors import ComdError
from comd_platform.exporters import FORMATS, ExportedRun, Filters, Wanted, export_run
from comd_platform.importers import import_file
from comd_platform.loop.driver import Driver
from comd_platform.runs import create_run
from comd_platform.settings import Settings


@pytest.fixture
def run(engine: Engine, database: URL, settings: Settings, tmp_path: Path) -> Engine:
    """The toy run after two iterations."""
    import_toy_world(engine, settings, tmp_path / "toy")
    with transaction(engine) as session:
        create_run(session, toy_config())
    with inline_workforce(database, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run("toy", 2)
    return engine


def export(engine: Engine, settings: Settings, folder: Path, wanted: Wanted) -> ExportedRun:
    with transaction(engine) as session:
        return export_run(session, settings, "toy", folder, wanted)


def count(engine: Engine, statement: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


def test_the_folder_explains_itself(run: Engine, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = export(run, settings, folder, Wanted())
    manifest = json.loads((folder / "manifest.json").read_text())
    cache = count(run, "SELECT count(*) FROM cache_pool WHERE iteration = 2")
    new = count(run, "SELECT count(*) FROM tuning_pool WHERE iteration = 2")
    assert manifest["counts"]["turns"] == cache
    assert manifest["counts"]["generations"] == {"0": cache - new, "1": new}
    assert manifest["asked"]["iteration"] == 2
    assert manifest["answers"]["of"] == "teacher"
    assert manifest["config"]["pool"] == "toy"
    (file,) = manifest["files"]
    assert file["sha256"] == hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest()
    assert len(list((folder / "images").rglob("*.png"))) == manifest["counts"]["images"] == 12

    card = (folder / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["configs"][0]["data_files"] == "data.json"
    assert f"{cache:,} questions about 12 pictures" in card
    assert f"| 1 | {new:,} |" in card

    # Every answer is the teacher's.
    said = set(_answers(folder / "data.json"))
    with run.connect() as connection:
        taught = connection.execute(
            text(
                "SELECT answer.text FROM answer JOIN iteration"
                " ON answer.model_id = iteration.teacher_model_id"
            )
        )
        assert said <= set(taught.scalars())
    assert done.data.unanswered == 0
    again = export(run, settings, tmp_path / "again", Wanted())
    assert again.manifest == done.manifest


def test_it_comes_back_with_its_keys(run: Engine, settings: Settings, tmp_path: Path) -> None:
    for name in FORMATS:
        folder = tmp_path / name
        done = export(run, settings, folder, Wanted(format=name))
        back = import_file(
            run,
            settings,
            format=name,
            path=folder if name == "hf" else done.data.path,
            images=folder,
            pool=f"back-{name}",
        )
        # A child comes back as a root: lineage is a run's, and no format has it.
        assert back.instructions_new == done.data.turns
        roots = (
            f"pool_id = {back.pool_id} AND key IN (SELECT key FROM tuning_pool WHERE iteration = 1)"
        )
        assert count(run, f"SELECT count(*) FROM instruction WHERE {roots}") == 24


def test_filters_read_the_iterations_assessment(
    run: Engine, settings: Settings, tmp_path: Path
) -> None:
    hard = export(run, settings, tmp_path / "hard", Wanted(filters=Filters(min_difficulty=0.33)))
    assert hard.data.turns == count(
        run, "SELECT count(*) FROM difficult_instruction WHERE iteration = 2"
    )
    assert "min_difficulty = 0.33" in (tmp_path / "hard" / "README.md").read_text()
    first = export(run, settings, tmp_path / "first", Wanted(iteration=1, scope="tuning"))
    assert first.data.turns == 24
    flat = export(run, settings, tmp_path / "flat", Wanted(format="parquet", answers="student"))
    assert flat.data.turns > 24


def test_pictures_may_be_linked_or_left(run: Engine, settings: Settings, tmp_path: Path) -> None:
    linked = export(run, settings, tmp_path / "linked", Wanted(pictures="link"))
    picture = next((tmp_path / "linked" / "images").rglob("*.png"))
    assert picture.stat().st_nlink == 2
    left = export(run, settings, tmp_path / "left", Wanted(pictures="none"))
    assert not (tmp_path / "left" / "images").exists()
    assert linked.data.turns == left.data.turns
    record = json.loads((tmp_path / "left" / "data.json").read_text())[0]
    assert (settings.image_root / record["image"]).is_file()


def test_llama_factory_can_read_it(run: Engine, settings: Settings, tmp_path: Path) -> None:
    """The rules of its ShareGPT converter: speakers take turns, answers are last, a picture is a
    file under the folder, and there are as many <image> as pictures."""
    datasets = pytest.importorskip("datasets")
    export(run, settings, tmp_path / "out", Wanted(format="sharegpt"))
    (attributes,) = json.loads((tmp_path / "out" / "dataset_info.json").read_text()).values()
    assert attributes["formatting"] == "sharegpt"
    loaded = datasets.load_dataset(
        "json",
        data_files=str(tmp_path / "out" / attributes["file_name"]),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    columns = attributes["columns"]
    for row in loaded:
        messages = row[columns["messages"]]
        assert [message["from"] for message in messages] == ["human", "gpt"] * (len(messages) // 2)
        text_ = "".join(message["value"] for message in messages)
        assert text_.count("<image>") == len(row[columns["images"]]) == 1
        assert (tmp_path / "out" / row[columns["images"]][0]).is_file()


def test_what_cannot_be_exported_says_what_to_do(
    run: Engine, settings: Settings, tmp_path: Path
) -> None:
    wanted = Wanted()
    with pytest.raises(ComdError, match="no iteration 9"):
        export(run, settings, tmp_path / "out", replace(wanted, iteration=9))
    with pytest.raises(ComdError, match="no format 'x'"):
        export(run, settings, tmp_path / "out", replace(wanted, format="x"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ComdError, match="cannot export to"):
        export(run, settings, tmp_path / "file", wanted)


def _answers(path: Path) -> list[str]:
    records: list[dict[str, Any]] = json.loads(path.read_text())
    return [
        turn["value"]
        for record in records
        for turn in record["conversations"]
        if turn["from"] == "gpt" and not re.fullmatch(r"\s*", turn["value"])
    ]
