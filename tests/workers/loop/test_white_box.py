"""White-box objectives in the loop: what is labelled again, what is stored, what a branch shares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inline_workers import inline_workforce
from processes import comd, finish, scalar
from recompute import check_run
from sqlalchemy import URL, Engine, text
from toy_world import import_toy_world, toy_config

from comd_platform.config.load import ConfigError, parse_config
from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.faults import VARIABLE
from comd_platform.importers import import_file
from comd_platform.loop.driver import Driver
from comd_platform.method.dialogues import SingleTurn, merge_turns
from comd_platform.method.seeds import content_seed
from comd_platform.runs import branch_run, create_run, find_run
from comd_platform.settings import Settings
from comd_tinyworld.data import balanced_test, seed_set, write_all
from comd_training.stored_logits import StoredLogits
from comd_training.top_logits import TopLogits
from comd_workers.demo.arms import run_document
from comd_workers.engines.scripted import _made_up
from comd_workers.evidence.objectives import SAME_LABELS

PICTURES = 6
SEED_POOL = 2 * PICTURES
Work = dict[str, int]


def stored(top_k: int) -> str:
    return f"training.objective={{name: logit_kd, teacher: stored, top_k: {top_k}}}"


def drive(engine: Engine, url: URL, settings: Settings, run: str) -> Work:
    """One iteration; the records that workers were asked for, by phase."""
    with inline_workforce(url, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run(run, 1)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT work_item.phase, sum(greatest(cardinality(subject_ids), 1)) AS records"
                " FROM work_item JOIN iteration ON iteration.id = iteration_id"
                " JOIN run ON run.id = run_id WHERE run.name = :run GROUP BY work_item.phase"
            ),
            {"run": run},
        )
        return {row.phase: int(row.records) for row in rows}


def branch(engine: Engine, name: str, *overrides: str) -> None:
    with transaction(engine) as session:
        branch_run(session, find_run(session, "toy"), name=name, at=1, overrides=overrides)


@pytest.fixture
def base(engine: Engine, database: URL, settings: Settings, tmp_path: Path) -> Engine:
    """An iteration of plain sft: answers, and no logits."""
    import_toy_world(engine, settings, tmp_path / "toy", pictures=PICTURES)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=2))
    drive(engine, database, settings, "toy")
    assert scalar(engine, "SELECT count(*) FROM answer_logits") == 0
    return engine


def check_logits(engine: Engine, top_k: int, expected: int) -> None:
    """Every row is what the engine tells of the answer that it belongs to."""
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT answer.text, top_k, tokens, data FROM answer_logits"
                " JOIN answer ON answer.id = answer_id"
            )
        ).all()
    assert len(rows) == expected
    for row in rows:
        told, right = TopLogits.from_bytes(row.data), _made_up(row.text, top_k)
        assert (row.top_k, row.tokens) == (top_k, len(right.chosen))
        for name in ("chosen", "ids", "logprobs"):
            assert np.array_equal(getattr(told, name), getattr(right, name)), name


def test_a_branch_that_reads_logits_asks_for_them_and_for_nothing_twice(
    base: Engine, database: URL, settings: Settings
) -> None:
    teachers = "SELECT count(*) FROM answer JOIN model ON model.id = model_id WHERE uri = 'quiz'"
    answers = scalar(base, teachers)
    branch(base, "white", stored(4))
    assert drive(base, database, settings, "white") == {
        "label": SEED_POOL,
        "tune": 1,
        "answer": SEED_POOL,
        "evaluate": PICTURES,
        "judge": SEED_POOL,
    }
    assert scalar(base, f"{teachers} AND checkpoint_id IS NULL") == answers
    check_logits(base, 4, SEED_POOL)
    assert check_run(base, "white") == 1

    # The file that the training read: the same rows, under the instructions' keys.
    [path] = (settings.artifact_root / "training").glob("*/teacher_logits.arrow")
    file = StoredLogits.open(path, 4)
    keys = "SELECT array_agg(key) FROM instruction"
    assert all(key in file for key in scalar(base, keys))

    # Fewer are there already; more are asked for, and take the place of the fewer.
    branch(base, "fewer", stored(2))
    assert "label" not in drive(base, database, settings, "fewer")
    check_logits(base, 4, SEED_POOL)
    branch(base, "more", stored(9))
    assert drive(base, database, settings, "more")["label"] == SEED_POOL
    check_logits(base, 9, SEED_POOL)
    keys = "SELECT count(DISTINCT key) FROM training_run"
    assert scalar(base, keys) == 4


def test_the_objective_is_another_training_of_the_same_labels(
    base: Engine, database: URL, settings: Settings
) -> None:
    """Objectives that differ in an option alone are different trainings."""
    for number, option in enumerate(("temperature: 2", "divergence: js", "logit_weight: 0.5")):
        told = f"training.objective={{name: logit_kd, teacher: stored, top_k: 4, {option}}}"
        branch(base, f"other-{number}", told)
        work = drive(base, database, settings, f"other-{number}")
        assert work["tune"] == 1
        assert ("label" in work) == (number == 0)
    assert scalar(base, "SELECT count(DISTINCT key) FROM training_run") == 4
    names = "SELECT array_agg(DISTINCT objective ORDER BY objective) FROM training_run"
    assert scalar(base, names) == ["logit_kd", "sft"]


def test_an_answer_whose_logits_cannot_be_had_is_set_aside_and_not_learned(
    base: Engine, database: URL, settings: Settings
) -> None:
    branch(base, "white", stored(4), "teacher.model.fail_on=thing number 3 ")
    drive(base, database, settings, "white")
    check_logits(base, 4, SEED_POOL - 1)
    failures = (
        "SELECT array_agg(DISTINCT reason || ' ' || state) FROM failure WHERE phase = 'label'"
    )
    assert scalar(base, failures) == ["no logits quarantined"]
    learned = (
        "SELECT count(*) FROM training_example JOIN training_run ON training_run.id ="
        " training_run_id WHERE objective = 'logit_kd'"
    )
    assert scalar(base, learned) == SEED_POOL - 1


def test_nothing_is_lost_to_kill_9_between_answers_and_their_logits(
    engine: Engine, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_toy_world(engine, settings, tmp_path / "toy", pictures=PICTURES)
    faults = tmp_path / "faults"
    faults.mkdir()
    monkeypatch.setenv(VARIABLE, str(faults))
    document = toy_config(
        iterations=1,
        ledger={"lease_seconds": 2},
        training={"objective": {"name": "logit_kd", "teacher": "stored", "top_k": 3}},
    )
    with transaction(engine) as session:
        create_run(session, document)
    # In the transaction that holds both, after they were sent and before it is committed.
    (faults / "worker.writing").write_text("kill")
    output = finish(comd("iterate", "toy", "--workers", "1"))
    assert not (faults / "worker.writing").exists()  # it was suffered
    assert "iteration 1 assess done" in output
    check_logits(engine, 3, SEED_POOL)
    assert check_run(engine, "toy") == 1


@pytest.mark.parametrize(
    ("teacher", "objective", "says"),
    [
        ({"engine": "openai", "model": "m"}, "joint", "openai engine has no weights to load"),
        ({"engine": "scripted"}, "logit_kd", "scripted engine has no weights to load"),
        (
            {"engine": "vllm", "model": "m"},
            {"name": "logit_kd", "teacher": "stored"},
            "vllm engine cannot tell",
        ),
        (
            {"engine": "openai", "model": "m"},
            {"name": "logit_kd", "teacher": "stored"},
            "openai engine cannot tell",
        ),
    ],
)
def test_a_teacher_that_cannot_is_refused_with_the_config(
    teacher: dict[str, Any], objective: Any, says: str
) -> None:
    document = {"name": "n", "pool": "p", "teacher": {"model": teacher}}
    parse_config(document)
    with pytest.raises(ConfigError, match=says):
        parse_config(document | {"training": {"objective": objective}})


def test_older_configs_name_an_objective_by_a_word() -> None:
    document = {"name": "n", "pool": "p", "training": {"objective": "sft"}}
    assert parse_config(document) == parse_config({"name": "n", "pool": "p"})
    dumped = parse_config(document).model_dump(mode="json")
    assert parse_config(dumped, ["training.objective=joint"]).training.objective.name == "joint"
    changed = parse_config(dumped, ["training.objective.name=logit_kd"])
    assert changed.training.objective.name == "logit_kd"


def seed_with_pictures_first(keys: list[str]) -> int:
    """A run seed under which every dialogue shows its picture before the question, as labels do."""
    turns = [SingleTurn(key, "q", "a") for key in keys]
    for seed in range(100_000):
        tuned = content_seed(seed, 1, "tune")
        if all(merge_turns([turn], tuned, None)[0].image_first for turn in turns):
            return seed
    raise AssertionError("no such seed")


@pytest.mark.timeout(280)
def test_stored_logits_of_all_tokens_train_as_the_teacher_in_the_step(
    engine: Engine, database: URL, settings: Settings, tmp_path: Path
) -> None:
    """Real models: labelled, stored, tuned; a picture's one question is asked as it is learned."""
    data = tmp_path / "tinyworld"
    write_all(data, seed=seed_set(9, 9), test=balanced_test("test-demo", each=0, look=3))
    images = data / "images"
    import_file(engine, settings, path=data / "seed.json", images=images, pool="tinyworld")
    import_benchmark(
        engine, settings, path=data / "test.jsonl", images=images, name="tinyworld-test"
    )
    keys = scalar(engine, "SELECT array_agg(key ORDER BY key) FROM instruction")
    document = run_document("live", seed=seed_with_pictures_first(keys))
    document |= {"iterations": 1}
    document["method"] = {"selection": "none"}
    document["training"] |= {"max_steps": 6, "batch_size": 4, "objective": "logit_kd"}
    with transaction(engine) as session:
        create_run(session, parse_config(document))
    drive(engine, database, settings, "live")
    with transaction(engine) as session:
        overrides = ["training.objective={name: logit_kd, teacher: stored, top_k: 1000}"]
        branch_run(session, find_run(session, "live"), name="kept", at=1, overrides=overrides)
    work = drive(engine, database, settings, "kept")
    assert (work["label"], work["tune"]) == (9, 1)

    def told(run: str, what: str) -> list[float]:
        with engine.connect() as connection:
            rows = connection.execute(
                text(
                    f"SELECT {what} FROM training_metric"
                    " JOIN training_run ON training_run.id = training_run_id"
                    " JOIN iteration ON iteration.id = iteration_id JOIN run ON run.id = run_id"
                    " WHERE run.name = :run ORDER BY step"
                ),
                {"run": run},
            )
            return [float(row[0]) for row in rows]

    kept = told("kept", "loss")
    assert len(kept) == 6
    assert kept == pytest.approx(told("live", "loss"), rel=5e-3, abs=1e-3)
    kd = "extra->>'logit_kd'"
    assert told("kept", kd) == pytest.approx(told("live", kd), rel=1e-2, abs=1e-3)


def test_the_measured_arms_differ_in_the_objective_alone() -> None:
    plain = parse_config({"name": "n", "pool": "p"}).model_dump(mode="json")
    names = set()
    for arm in SAME_LABELS:
        made = parse_config(plain, arm.overrides).model_dump(mode="json")
        names.add(made["training"].pop("objective")["name"])
        assert made["training"] == {
            key: value for key, value in plain["training"].items() if key != "objective"
        }
    assert names == {"sft", "logit_kd", "token_kd", "joint"}
