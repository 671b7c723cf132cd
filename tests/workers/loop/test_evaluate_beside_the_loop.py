"""`comd evaluate RUN` beside the loop: choices, likelihoods, judges, and fine-tuning off the chain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from inline_workers import inline_workforce
from sqlalchemy import URL, Engine, text
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.evaluation.items import import_benchmark
from comd_platform.importers import import_file
from comd_platform.loop.driver import Driver
from comd_platform.loop.work import PhaseFailed
from comd_platform.method.judging import parse_scores
from comd_platform.reports.verdicts import run_verdicts
from comd_platform.runs import RunError, create_run, find_run
from comd_platform.settings import Settings
from comd_workers.cli.evaluate_run import chosen_iterations, evaluate_iteration

Evaluate = Callable[..., None]
ITEMS = [
    {
        "id": f"q{number}",
        "question": f"Which is thing {number}?",
        "choices": ["cat", "dog", "emu"],
        "answer": "ABC"[number % 3],
        "groups": {"third": str(number % 3)},
    }
    for number in range(12)
]


@pytest.fixture
def world(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    """The toy world, and the run `toy` that has not begun."""
    import_toy_world(engine, settings, tmp_path / "toy", pictures=4)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=2, evaluation={"benchmarks": []}))
    return engine


@pytest.fixture
def loop(world: Engine, database: URL, settings: Settings) -> Callable[[int], None]:
    def go(iterations: int) -> None:
        with inline_workforce(database, settings) as workforce:
            Driver(world, workforce, poll_seconds=0.01).run("toy", iterations)

    return go


@pytest.fixture
def evaluate(world: Engine, database: URL, settings: Settings) -> Evaluate:
    def go(benchmark: str, numbers: list[int] | None = None, finetune: str | None = None) -> None:
        with transaction(world) as session:
            wanted = chosen_iterations(session, "toy", numbers)
        with inline_workforce(database, settings) as workforce:
            driver = Driver(world, workforce, poll_seconds=0.01)
            for iteration_id in wanted:
                students = numbers is None or any(numbers)
                evaluate_iteration(
                    driver, "toy", iteration_id, benchmark, finetune, students=students
                )

    return go


def bring(
    world: Engine, settings: Settings, folder: Path, metric: str, items: list[dict[str, Any]]
) -> None:
    path = folder / f"{metric}.jsonl"
    path.write_text("\n".join(map(json.dumps, items)))
    import_benchmark(world, settings, path=path, metric=metric)


def rows(engine: Engine, statement: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(statement)))


def test_an_iteration_is_evaluated_after_the_fact_and_only_once(
    world: Engine,
    loop: Callable[[int], None],
    evaluate: Evaluate,
    settings: Settings,
    tmp_path: Path,
) -> None:
    loop(2)
    bring(world, settings, tmp_path, "choice", ITEMS)
    evaluate("choice")
    found = rows(world, "SELECT subject, iteration_id, finished_at FROM evaluation ORDER BY id")
    assert [row.subject for row in found] == ["teacher", "student", "student", "student"]
    assert [row.iteration_id is None for row in found] == [True, True, False, False]
    assert all(row.finished_at for row in found)
    before = rows(world, "SELECT count(*) FROM work_item")
    evaluate("choice", [2])
    assert rows(world, "SELECT count(*) FROM work_item") == before
    assert rows(world, "SELECT DISTINCT phase FROM iteration") == [("done",)]
    with pytest.raises(RunError, match="no student of iteration 3 yet"):
        evaluate("choice", [3])


def test_a_run_that_has_not_begun_has_a_teacher_and_an_untuned_student(
    world: Engine, evaluate: Evaluate, settings: Settings, tmp_path: Path
) -> None:
    bring(world, settings, tmp_path, "choice", ITEMS)
    evaluate("choice", [0])
    assert [row.subject for row in rows(world, "SELECT subject FROM evaluation ORDER BY id")] == [
        "teacher",
        "student",
    ]
    assert rows(world, "SELECT phase FROM iteration") == [("label",)]


def test_iteration_0_leaves_the_students_alone_also_where_there_are_some(
    world: Engine,
    loop: Callable[[int], None],
    evaluate: Evaluate,
    settings: Settings,
    tmp_path: Path,
) -> None:
    loop(1)
    bring(world, settings, tmp_path, "choice", ITEMS)
    evaluate("choice", [0])
    assert rows(world, "SELECT subject, iteration_id FROM evaluation ORDER BY id") == [
        ("teacher", None),
        ("student", None),
    ]


def test_choices_are_ranked_by_their_likelihood(
    world: Engine, evaluate: Evaluate, settings: Settings, tmp_path: Path
) -> None:
    bring(world, settings, tmp_path, "likelihood", ITEMS)
    evaluate("likelihood", [0])
    for row in rows(
        world,
        "SELECT s.*, i.answers FROM evaluation_score s JOIN evaluation_item i ON i.id = item_id",
    ):
        told = dict(part.split(" ") for part in row.text.split(", "))
        best = max(told, key=lambda letter: float(told[letter]))
        assert "ABC"[row.choice] == best
        assert row.score == float(best in row.answers)


def test_answers_are_judged_beside_the_reference_and_every_reply_is_kept(
    world: Engine, evaluate: Evaluate, settings: Settings, tmp_path: Path
) -> None:
    items = [
        {"id": str(n), "question": f"What is {n}?", "answer": f"It is so (right 0000000{n})"}
        for n in range(4)
    ]
    bring(world, settings, tmp_path, "judge", items)
    evaluate("judge", [0])
    scores = rows(world, "SELECT * FROM evaluation_score")
    assert len(scores) == 8
    for row in scores:
        reviews = rows(
            world,
            f"SELECT * FROM evaluation_review WHERE evaluation_id = {row.evaluation_id}"
            f" AND item_id = {row.item_id} AND status <> 'unreadable'",
        )
        assert {review.position for review in reviews} == {"reference_first", "candidate_first"}
        for review in reviews:
            first, second = parse_scores(review.raw) or (None, None)
            ordered = (review.reference_score, review.candidate_score)
            assert ordered == (
                (first, second) if review.position == "reference_first" else (second, first)
            )
        assert row.score == pytest.approx(sum(r.candidate_score for r in reviews) / 20)
        assert row.reference_score == pytest.approx(sum(r.reference_score for r in reviews) / 20)
    summary = rows(world, "SELECT * FROM evaluation_summary WHERE subject = 'teacher'")[0]
    of_teacher = [row for row in scores if row.evaluation_id == summary.evaluation_id]
    ratio = sum(row.score for row in of_teacher) / sum(row.reference_score for row in of_teacher)
    assert summary.score == pytest.approx(ratio)
    assert summary.items == 4


def test_the_verdicts_begin_with_the_teacher(
    world: Engine,
    loop: Callable[[int], None],
    evaluate: Evaluate,
    settings: Settings,
    tmp_path: Path,
) -> None:
    loop(2)
    bring(world, settings, tmp_path, "likelihood", ITEMS)
    evaluate("likelihood")
    with transaction(world) as session:
        run_id = find_run(session, "toy").id
        found = run_verdicts(session, run_id, "likelihood")
        assert run_verdicts(session, run_id, "toy-test") is None
    assert found is not None
    assert found.headline.startswith("likelihood: ")
    assert "student 2" in found.headline
    assert [(one.who, one.iteration) for one in found.standings] == [
        ("untuned student", None),
        ("teacher", None),
        ("student", 1),
        ("student", 2),
    ]
    assert [(one.first, one.second) for one in found.verdicts] == [
        ("student 2", "student 1"),
        ("student 2", "teacher"),
        ("student 2", "untuned student"),
    ]
    shares = {row.model_id: row for row in rows(world, "SELECT * FROM evaluation_summary")}
    assert sorted(one.interval.score for one in found.standings) == pytest.approx(
        sorted(row.score for row in shares.values())
    )


def test_which_questions_did_an_iteration_lose_is_one_query(
    world: Engine,
    loop: Callable[[int], None],
    evaluate: Evaluate,
    settings: Settings,
    tmp_path: Path,
) -> None:
    loop(2)
    bring(world, settings, tmp_path, "choice", ITEMS)
    evaluate("choice")
    with world.begin() as connection:
        # Two right before, one of them wrong now.
        connection.execute(
            text(
                "UPDATE evaluation_score SET score = (CASE item.key WHEN 'q1' THEN"
                " (iteration.number = 1)::int WHEN 'q2' THEN 1 ELSE 0 END)"
                " FROM evaluation, evaluation_item AS item, iteration"
                " WHERE evaluation.id = evaluation_id AND item.id = item_id"
                " AND iteration.id = evaluation.iteration_id"
            )
        )
    lost = rows(
        world,
        "SELECT key FROM answered_item WHERE run = 'toy' AND benchmark = 'choice'"
        " AND iteration = 2 AND score < before",
    )
    assert lost == [("q1",)]


def test_fine_tuning_is_a_side_branch_that_no_iteration_continues(
    world: Engine,
    loop: Callable[[int], None],
    evaluate: Evaluate,
    settings: Settings,
    tmp_path: Path,
) -> None:
    loop(1)
    bring(world, settings, tmp_path, "choice", ITEMS)
    train = [
        {"id": str(n), "instruction": f"Which is {n}?", "output": "The answer is A."}
        for n in range(3)
    ]
    (tmp_path / "train.json").write_text(json.dumps(train))
    import_file(
        world,
        settings,
        path=tmp_path / "train.json",
        pool="train",
        keep_answers=True,
        text_only=True,
    )
    with pytest.raises(RunError, match="no pool named 'nope'"):
        evaluate("choice", [1], "nope")
    with pytest.raises(RunError, match="no reference answers"):
        evaluate("choice", [1], "toy")
    evaluate("choice", [1], "train")
    evaluate("choice", [1], "train")  # nothing twice
    [student] = rows(world, "SELECT student_model_id FROM iteration WHERE number = 1")
    [side] = rows(world, "SELECT * FROM training_run WHERE iteration_id IS NULL")
    assert side.state == "done"
    assert side.base_model_id == student.student_model_id
    assert (side.config["epochs"], side.config["learning_rate"]) == (6, 2e-5)
    learned = rows(
        world,
        "SELECT i.text, a.text AS answer, reason FROM training_example e"
        " JOIN instruction i ON i.id = e.instruction_id JOIN answer a ON a.id = answer_id"
        f" WHERE training_run_id = {side.id} ORDER BY i.text",
    )
    assert [tuple(row) for row in learned] == [
        (f"Which is {n}?", "The answer is A.", "fine_tuning") for n in range(3)
    ]
    [fine] = rows(world, "SELECT * FROM evaluation WHERE subject = 'fine_tuned'")
    assert fine.finished_at
    with transaction(world) as session:
        found = run_verdicts(session, find_run(session, "toy").id, "choice")
    assert found is not None
    assert ("fine-tuned student", 1) in [(one.who, one.iteration) for one in found.standings]
    loop(1)
    [after] = rows(
        world,
        "SELECT t.base_model_id FROM training_run t JOIN iteration i ON i.id = t.iteration_id"
        " WHERE i.number = 2",
    )
    assert after.base_model_id == student.student_model_id


def test_an_engine_that_cannot_rank_says_what_to_do(
    world: Engine,
    evaluate: Evaluate,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from comd_workers.engines.scripted import ScriptedEngine

    monkeypatch.setattr(ScriptedEngine, "can_score", False)
    bring(world, settings, tmp_path, "likelihood", ITEMS)
    with pytest.raises(PhaseFailed, match=r"cannot rank choices.*--metric choice"):
        evaluate("likelihood", [0])
