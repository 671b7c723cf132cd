"""A run that begins with pictures alone: the augmentor writes the seed set, the loop goes on from it."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from inline_workers import InlineWorkforce, inline_workforce
from PIL import Image
from sqlalchemy import URL, Engine, Row, text

from comd_platform.config.load import ConfigError, parse_config
from comd_platform.db.engine import transaction
from comd_platform.importers import ImportFailed, import_file, import_pictures
from comd_platform.keys import child_key, root_key
from comd_platform.loop.driver import Driver
from comd_platform.method.diversity import accept
from comd_platform.method.seeds import content_seed, rank_key
from comd_platform.runs import RunError, create_run
from comd_platform.settings import Settings
from comd_tinyworld import weights_path
from comd_tinyworld.data import seed_set, write_all
from comd_workers.demo.arms import run_document

MARKERS = {"assessor": "[Answer of Assistant 1]", "augmentor": "Look at the image above"}
ROOT = Path(__file__).parents[3]


def rows(engine: Engine, statement: str, **values: object) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement), values))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Nine pictures and what else lies in such folders; two files are the same picture."""
    folder = tmp_path / "photographs"
    (folder / "trip").mkdir(parents=True)
    for number in range(9):
        name = f"trip/{number}.PNG" if number % 2 else f"{number}.png"
        Image.new("RGB", (6, 5), (number * 20, 90, 10)).save(folder / name)
    shutil.copy(folder / "0.png", folder / "trip" / "copy.png")
    (folder / ".thumbs").mkdir()
    shutil.copy(folder / "0.png", folder / ".thumbs" / "0.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def document(**changes: Any) -> dict[str, Any]:
    options = {"markers": MARKERS} | changes.pop("options", {})
    model = {"engine": "scripted", "model": "quiz"}
    return {
        "name": "photos",
        "pool": "photographs",
        "iterations": 2,
        "seed": 5,
        "teacher": {"model": model | {"options": options}, "batch": 4},
        "augmentor": {"batch": 4},
        "student": {"model": model | {"options": {"role": "student", "skill": 0.3}}},
        "bootstrap": {},
    } | changes


def create(engine: Engine, **changes: Any) -> None:
    with transaction(engine) as session:
        create_run(session, parse_config(document(**changes)))


def drive(engine: Engine, url: URL, settings: Settings, run: str = "photos") -> None:
    with inline_workforce(url, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run(run)


def born(engine: Engine, run: str, number: int = 1) -> list[Row[Any]]:
    return rows(
        engine,
        "SELECT instruction.*, request.text AS request, request.key AS request_key, image.sha256"
        " FROM run_iteration JOIN iteration ON iteration.id = iteration_id"
        " JOIN instruction ON instruction.pool_id = iteration.pool_id"
        " JOIN instruction AS request ON request.id = instruction.parent_id"
        " JOIN image ON image.id = instruction.image_id"
        " WHERE run = :run AND iteration.number = :number ORDER BY instruction.key",
        run=run,
        number=number,
    )


def test_a_folder_of_photographs_is_enough(
    engine: Engine, database: URL, settings: Settings, photographs: Path
) -> None:
    report = import_pictures(engine, settings, photographs)
    assert (report.files, report.new, report.duplicates) == (10, 9, 1)
    create(engine)
    drive(engine, database, settings)

    seeds = born(engine, "photos")
    # Two conversations, a description, a complex question for each picture, in as many words.
    types = {"conversation": 18, "detail description": 9, "complex reasoning": 9}
    assert Counter(row.task_type for row in seeds) == types
    assert len({row.request for row in seeds}) == 4
    for row in seeds:
        assert row.request_key == root_key(row.sha256, row.request)
        assert row.key == child_key(row.request_key, row.text)
    # The requests themselves are nobody's to answer or to learn from.
    requests = "SELECT id FROM instruction WHERE pool_id = (SELECT pool_id FROM run)"
    assert len(rows(engine, requests)) == 36
    for table in ("answer", "training_example", "assessment"):
        assert not rows(engine, f"SELECT FROM {table} WHERE instruction_id IN ({requests})")
    found = rows(
        engine, "SELECT phase FROM iteration_phase WHERE iteration_id = 1 ORDER BY started_at"
    )
    assert [row.phase for row in found][:3] == ["augment", "accept", "label"]
    # The second iteration grows from the first as any does, with the augmentor's own prompt.
    pools = rows(engine, "SELECT origin, parent_id FROM pool ORDER BY id")
    assert [row.origin for row in pools] == ["import", "bootstrap", "augmentation"]
    assert pools[2].parent_id == 2
    assert {row.task_type for row in born(engine, "photos", 2)} <= set(types)
    assert len(rows(engine, "SELECT DISTINCT augmentor_model_id FROM iteration")) == 2


def test_what_a_picture_is_asked_is_diverse(
    engine: Engine, database: URL, settings: Settings, photographs: Path
) -> None:
    import_pictures(engine, settings, photographs)
    create(engine, options={"duplicate_rate": 0.6}, iterations=1)
    drive(engine, database, settings)
    written = rows(
        engine,
        "SELECT augmentation.*, request.key, request.image_id FROM augmentation"
        " JOIN instruction AS request ON request.id = source_instruction_id",
    )
    seed = content_seed(5, 1, "accept")
    of_image = defaultdict(list)
    for row in sorted(written, key=lambda row: rank_key(seed, row.key)):
        of_image[row.image_id].append(row)
    rejected = 0
    for candidates in of_image.values():
        verdicts = accept([(row.key, row.text) for row in candidates], [], 0.7)
        assert [v.accepted for v in verdicts] == [row.status == "accepted" for row in candidates]
        assert all(row.reason == "not diverse" for row in candidates if row.status == "rejected")
        rejected += sum(not verdict.accepted for verdict in verdicts)
    assert rejected > 0


class Dies(InlineWorkforce):
    """Does two items and is gone."""

    def ring(self, item_id: int, role: str) -> None:
        if len(self.rung) == 2:
            raise KeyboardInterrupt
        super().ring(item_id, role)


def test_a_bootstrap_that_was_interrupted_writes_the_same(
    engine: Engine, database: URL, settings: Settings, photographs: Path
) -> None:
    import_pictures(engine, settings, photographs)
    create(engine, iterations=1)
    create(engine, iterations=1, name="again")
    drive(engine, database, settings)
    with inline_workforce(database, settings) as workforce:
        dies = Dies(workforce._performer)
        with pytest.raises(KeyboardInterrupt):
            Driver(engine, dies, poll_seconds=0.01).run("again")
    drive(engine, database, settings, "again")
    keys = [row.key for row in born(engine, "photos")]
    assert keys == [row.key for row in born(engine, "again")]
    assert len(keys) == 36


def test_an_augmentor_that_writes_nothing_usable_is_an_error(
    engine: Engine, database: URL, settings: Settings, photographs: Path
) -> None:
    import_pictures(engine, settings, photographs)
    create(engine, options={"refusal_rate": 1.0})
    with pytest.raises(RunError, match=r"no usable first question, in \d+ replies") as error:
        drive(engine, database, settings)
    assert "bootstrap.prompt" in str(error.value.hint)


def test_pictures_and_bootstrap_need_each_other(
    engine: Engine, settings: Settings, photographs: Path, tmp_path: Path
) -> None:
    import_pictures(engine, settings, photographs)
    with pytest.raises(RunError, match="holds pictures and no instructions") as error:
        create(engine, bootstrap=None)
    assert "bootstrap: {}" in str(error.value.hint)
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question_id": 1, "image": "0.png", "text": "What?"}\n')
    import_file(engine, settings, path=questions, images=photographs)
    with pytest.raises(RunError, match="nothing to bootstrap"):
        create(engine, pool="questions")
    with pytest.raises(ImportFailed, match="holds pictures without instructions"):
        import_file(engine, settings, path=questions, images=photographs, pool="photographs")
    with pytest.raises(ImportFailed, match="'questions' holds instructions"):
        import_pictures(engine, settings, photographs, pool="questions")


def test_the_folder_again_adds_nothing_and_a_used_pool_does_not_grow(
    engine: Engine, settings: Settings, photographs: Path
) -> None:
    import_pictures(engine, settings, photographs)
    again = import_pictures(engine, settings, photographs)
    assert (again.new, again.known) == (0, 9)
    Image.new("RGB", (6, 5), "white").save(photographs / "new.png")
    create(engine)
    with pytest.raises(ImportFailed, match="would add 1 pictures to the pool 'photographs'"):
        import_pictures(engine, settings, photographs)


def test_damaged_pictures_end_the_import_or_are_listed(
    engine: Engine, settings: Settings, photographs: Path
) -> None:
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    with pytest.raises(ImportFailed, match=r"broken\.jpg"):
        import_pictures(engine, settings, photographs)
    assert not rows(engine, "SELECT FROM pool")
    report = import_pictures(engine, settings, photographs, skip_bad=True)
    assert (report.new, report.skipped) == (9, 1)
    assert report.skip_report is not None
    assert "broken.jpg" in report.skip_report.read_text()
    empty = photographs.parent / "empty"
    empty.mkdir()
    with pytest.raises(ImportFailed, match="holds no picture"):
        import_pictures(engine, settings, empty)


def test_requests_that_cannot_be_asked_are_refused() -> None:
    with pytest.raises(ConfigError, match="no words to ask for 'counting'"):
        parse_config(document(bootstrap={"requests": [{"task_type": "counting"}]}))
    same = {"task_type": "conversation"}
    with pytest.raises(ConfigError, match="ask for the same"):
        parse_config(document(bootstrap={"requests": [same, same]}))


def test_real_photographs_and_the_example_s_prompts(
    engine: Engine, database: URL, settings: Settings, shared_data: Path
) -> None:
    """The echo engine says what it was asked: the very prompts that an augmentor would get."""
    report = import_pictures(engine, settings, shared_data / "coco_mini", pool="photographs")
    assert report.new == report.files > 5
    example = yaml.safe_load((ROOT / "examples" / "images-only.yaml").read_text())
    echo = {"model": {"engine": "scripted", "model": "echo"}, "batch": 16}
    create(engine, bootstrap=example["bootstrap"], augmentor=echo, iterations=1)
    drive(engine, database, settings)
    asked = rows(engine, "SELECT DISTINCT raw FROM augmentation ORDER BY raw")
    kinds = sum(each.get("count", 1) for each in example["bootstrap"]["requests"])
    assert len(asked) == kinds
    for row in asked:
        assert row.raw.startswith("Look at the image above. Nobody has asked anything")
        assert "Write a " in row.raw


@pytest.mark.full
@pytest.mark.timeout(600)
def test_tinyworld_begins_with_pictures(
    engine: Engine, database: URL, settings: Settings, tmp_path: Path
) -> None:
    """Real weights: bootstrap, then two iterations. What the student gains is asked of a test set."""
    write_all(tmp_path, seed=seed_set(60, 60), test=[])
    import_pictures(engine, settings, tmp_path / "images", pool="pictures")
    base = run_document("pictures", seed=0)
    prompts = base["augmentor"]["prompt"]
    base |= {
        "pool": "pictures",
        "iterations": 3,
        "bootstrap": {
            "prompt": prompts,
            "requests": [
                {"task_type": "knowledge", "ask": "what is the name of this character ?"},
                {"task_type": "look", "ask": "which colour do you see ?"},
            ],
        },
    }
    base["training"]["max_steps"] = 10
    base["evaluation"] = {}
    with transaction(engine) as session:
        create_run(session, parse_config(base))
    drive(engine, database, settings, "pictures")
    assert weights_path("teacher").is_dir()
    seeds = born(engine, "pictures")
    assert len(seeds) > 80
    assert {row.task_type for row in seeds} == {"knowledge", "look"}
    assert len(rows(engine, "SELECT FROM iteration WHERE phase = 'done'")) == 3
