"""Every count, lineage edge and score of a run, computed again from the raw rows."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import Engine, text

from comd_platform.config.load import parse_config
from comd_platform.evaluation.scoring import score
from comd_platform.keys import child_key, revision_key, root_key
from comd_platform.loop.order import phases_of
from comd_platform.method.augmenting import parse_instruction
from comd_platform.method.dialogues import SingleTurn, merge_turns
from comd_platform.method.difficulty import clamp_score, difficulty
from comd_platform.method.diversity import accept
from comd_platform.method.judging import average_positions, parse_scores
from comd_platform.method.seeds import content_seed, rank_key
from comd_platform.method.selection import MEASURES, Assessed, Rule


class Rows:
    """Whole tables in memory, by id; for small runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self, statement: str, **parameters: object) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(statement), parameters))

    def by_id(self, table: str) -> dict[int, Any]:
        return {row.id: row for row in self.all(f"SELECT * FROM {table}")}


def check_run(engine: Engine, run: str) -> int:
    """Assert that the run's rows follow from each other; returns how many iterations it has."""
    rows = Rows(engine)
    iterations = rows.all(
        "SELECT i.*, r.threshold FROM run_iteration r JOIN iteration i ON i.id = r.iteration_id"
        " WHERE r.run = :run ORDER BY number",
        run=run,
    )
    assert [each.number for each in iterations] == list(range(1, len(iterations) + 1))
    for before, iteration in zip([None, *iterations], iterations, strict=False):
        _check_pool(rows, before, iteration)
        _check_training(rows, iteration)
        if "judge" in phases_of(parse_config(iteration.config), iteration.number):
            _check_judgements(rows, iteration)
            _check_assessments(rows, iteration)
        _check_evaluation(rows, iteration)
    assert not rows.all("SELECT id FROM work_item WHERE state IN ('pending', 'leased')")
    return len(iterations)


def cache_pool(rows: Rows, pool_id: int | None) -> dict[int, Any]:
    """By walking the parents in Python, not by the view."""
    pools = rows.by_id("pool")
    found: dict[int, Any] = {}
    while pool_id is not None:
        born = rows.all("SELECT * FROM instruction WHERE pool_id = :pool", pool=pool_id)
        found |= {row.id: row for row in born}
        pool_id = pools[pool_id].parent_id
    return found


def contaminated(rows: Rows, iteration: Any) -> set[int]:
    found = rows.all(
        "SELECT instruction_id FROM contamination"
        " WHERE iteration_id = :iteration AND verdict = 'excluded'",
        iteration=iteration.id,
    )
    return {row.instruction_id for row in found}


def kept_out(rows: Rows, iteration: Any) -> set[int]:
    """What the iteration does not tune on: overlaps, and what people had turned down at its start."""
    began = rows.all(
        "SELECT min(started_at) AS at FROM iteration_phase WHERE iteration_id = :iteration"
        " AND phase NOT IN ('augment', 'accept')",
        iteration=iteration.id,
    )[0].at
    pool = cache_pool(rows, iteration.pool_id)
    return contaminated(rows, iteration) | (set(turned_down(rows, began)) & set(pool))


def turned_down(rows: Rows, at: Any) -> dict[int, Any]:
    """Instruction -> the review by which it was rejected or edited at a moment, decision by decision."""
    history = rows.all("SELECT * FROM review WHERE created_at <= :at ORDER BY id", at=at)
    undone = {row.undoes_id for row in history}
    verdicts = {
        row.instruction_id: row
        for row in history
        if row.id not in undone and row.decision in {"accept", "reject", "edit"}
    }
    return {n: row for n, row in verdicts.items() if row.decision != "accept"}


def _check_pool(rows: Rows, before: Any, iteration: Any) -> None:
    images = rows.by_id("image")
    born = rows.all("SELECT * FROM instruction WHERE pool_id = :pool", pool=iteration.pool_id)
    if before is None:
        for row in born:
            assert row.parent_id is None
            assert row.key == root_key(images[row.image_id].sha256, row.text)
        return
    if iteration.pool_id == before.pool_id:
        return
    _check_selection(rows, before, iteration)
    older = cache_pool(rows, before.pool_id)
    candidates = rows.all(
        "SELECT * FROM augmentation WHERE pool_id = :pool ORDER BY id", pool=iteration.pool_id
    )
    last = {row.source_instruction_id: row for row in candidates}  # the last attempt of each source
    config = iteration.config
    seed = content_seed(config["seed"], iteration.number, "accept")
    walk = sorted(
        (row for row in last.values() if row.text is not None),
        key=lambda row: rank_key(seed, older[row.source_instruction_id].key),
    )
    for row in candidates:
        parsed = parse_instruction(row.raw, older[row.source_instruction_id].text)
        assert parsed.text == row.text
        if parsed.text is None:
            assert (row.status, row.reason) == ("rejected", str(parsed.reason))
    by_image: dict[int, list[tuple[str, str]]] = defaultdict(list)
    children = {row.id: row for row in born}
    corrected = _check_revisions(rows, iteration, older, children)
    for row in (*older.values(), *corrected):
        by_image[row.image_id].append((row.key, row.text))
    left = config["method"]["max_new"]
    for row in walk:
        source = older[row.source_instruction_id]
        key = child_key(source.key, row.text)
        if left == 0:
            assert (row.status, row.reason) == ("rejected", "over budget")
            continue
        threshold = config["method"]["diversity_threshold"]
        [verdict] = accept([(key, row.text)], by_image[source.image_id], threshold)
        assert row.rouge_l == verdict.rouge_l
        assert (row.status == "accepted") == verdict.accepted
        if not verdict.accepted:
            assert row.reason == "not diverse"
            continue
        left = None if left is None else left - 1
        child = children.pop(row.child_id)
        assert (child.key, child.text, child.parent_id) == (key, row.text, source.id)
        assert (child.task_type, child.image_id) == (source.task_type, source.image_id)
        by_image[source.image_id].append((key, row.text))
    assert not children, "an instruction was born without an accepted augmentation"


def _check_revisions(
    rows: Rows, iteration: Any, older: dict[int, Any], children: dict[int, Any]
) -> list[Any]:
    """The corrected instructions of the pool, taken out of `children`."""
    pool = rows.by_id("pool")[iteration.pool_id]
    known = {(row.image_id, row.text) for row in older.values()}
    edits = {
        revision_key(older[n].key, review.text): (older[n], review)
        for n, review in turned_down(rows, pool.created_at).items()
        if n in older
        and review.decision == "edit"
        and (older[n].image_id, review.text) not in known
    }
    by_key = {row.key: row for row in children.values()}
    born = []
    for key, (corrected, review) in edits.items():
        child = children.pop(by_key[key].id)
        assert (child.text, child.parent_id) == (review.text, corrected.id)
        assert (child.task_type, child.image_id) == (corrected.task_type, corrected.image_id)
        [evidence] = rows.all("SELECT * FROM revision WHERE instruction_id = :id", id=child.id)
        assert evidence.review_id == review.id
        born.append(child)
    return born


def _check_selection(rows: Rows, before: Any, iteration: Any) -> None:
    chosen = rows.all("SELECT * FROM selection WHERE pool_id = :pool", pool=iteration.pool_id)
    # The pool remembers how it was grown: a branch may go on from it under another measure.
    method, seed = rows.by_id("pool")[iteration.pool_id].config, iteration.config["seed"]
    grown = rows.by_id("pool")[iteration.pool_id].created_at
    excluded = contaminated(rows, before) | set(turned_down(rows, grown))
    older = {n: row for n, row in cache_pool(rows, before.pool_id).items() if n not in excluded}
    assessed = {
        row.instruction_id: row
        for row in rows.all("SELECT * FROM assessment WHERE iteration_id = :i", i=before.id)
    }
    answers = {
        row.instruction_id: row
        for row in rows.all("SELECT * FROM answer WHERE model_id = :m", m=before.student_model_id)
    }
    known = [
        Assessed(
            row.key,
            assessed[row.id].teacher_score if row.id in assessed else None,
            assessed[row.id].student_score if row.id in assessed else None,
            answers[row.id].mean_logprob if row.id in answers else None,
        )
        for row in older.values()
    ]
    rule = Rule(
        threshold=method["difficulty_threshold"],
        easy_share=method["easy_share"],
        max_sources=method["max_new"] and round(method["max_new"] * method["oversample"]),
        seed=content_seed(seed, iteration.number, "select"),
    )
    select = MEASURES[method["selection"]].select
    assert select is not None
    assert {(older[row.instruction_id].key, row.band, row.score) for row in chosen} == {
        (each.key, each.band, each.score) for each in select(known, rule)
    }


def _check_training(rows: Rows, iteration: Any) -> None:
    [training] = rows.all(
        "SELECT * FROM training_run WHERE iteration_id = :iteration", iteration=iteration.id
    )
    assert training.state == "done"
    examples = rows.all(
        "SELECT e.*, i.key, i.image_id, i.text AS question, a.text AS answer, a.model_id"
        " FROM training_example e JOIN instruction i ON i.id = e.instruction_id"
        " JOIN answer a ON a.id = e.answer_id WHERE training_run_id = :training",
        training=training.id,
    )
    answered = rows.all(
        "SELECT instruction_id FROM answer JOIN instruction i ON i.id = instruction_id"
        " WHERE model_id = :teacher AND i.id = ANY(:wanted)",
        teacher=iteration.teacher_model_id,
        wanted=[
            row.id
            for row in cache_pool(rows, iteration.pool_id).values()
            if row.pool_id == iteration.pool_id or iteration.config["pools"]["mode"] == "accumulate"
        ],
    )
    wanted = {row.instruction_id for row in answered} - kept_out(rows, iteration)
    assert {row.instruction_id for row in examples} == wanted
    assert {row.model_id for row in examples} == {iteration.teacher_model_id}
    by_image: dict[int, list[SingleTurn]] = defaultdict(list)
    for row in examples:
        by_image[row.image_id].append(SingleTurn(row.key, row.question, row.answer))
    found = {row.key: (row.dialogue, row.turn, row.image_position) for row in examples}
    for turns in by_image.values():
        for dialogue in merge_turns(turns, training.seed):
            position = "before" if dialogue.image_first else "after"
            for number, turn in enumerate(dialogue.turns, start=1):
                assert found[turn.key] == (dialogue.turns[0].key, number, position)
    steps = rows.all(
        "SELECT step FROM training_metric WHERE training_run_id = :training ORDER BY step",
        training=training.id,
    )
    assert [row.step for row in steps] == list(range(1, len(steps) + 1))
    assert steps
    [checkpoint] = rows.all(
        "SELECT * FROM checkpoint WHERE training_run_id = :training", training=training.id
    )
    assert checkpoint.step == steps[-1].step


def _pairs(rows: Rows, iteration: Any) -> dict[int, list[Any]]:
    judgements = rows.all(
        "SELECT j.*, s.instruction_id FROM judgement j"
        " JOIN answer t ON t.id = j.teacher_answer_id JOIN answer s ON s.id = j.student_answer_id"
        " WHERE t.model_id = :teacher AND s.model_id = :student AND j.assessor_id = :assessor"
        " ORDER BY attempt",
        teacher=iteration.teacher_model_id,
        student=iteration.student_model_id,
        assessor=iteration.assessor_model_id,
    )
    found: dict[int, list[Any]] = defaultdict(list)
    for row in judgements:
        found[row.instruction_id].append(row)
    return found


def _check_judgements(rows: Rows, iteration: Any) -> None:
    for replies in _pairs(rows, iteration).values():
        for reply in replies:
            read = parse_scores(reply.raw)
            if read is None:
                assert (reply.status, reply.teacher_score) == ("unreadable", None)
                continue
            first, second = clamp_score(read[0]), clamp_score(read[1])
            teacher, student = (
                (first, second) if reply.position == "teacher_first" else (second, first)
            )
            assert (reply.teacher_score, reply.student_score) == (teacher[0], student[0])
            assert reply.status == ("clamped" if teacher[1] or student[1] else "read")


def _check_assessments(rows: Rows, iteration: Any) -> None:
    assessed = rows.all(
        "SELECT * FROM assessment WHERE iteration_id = :iteration", iteration=iteration.id
    )
    pairs = _pairs(rows, iteration)
    assert {row.instruction_id for row in assessed} == set(cache_pool(rows, iteration.pool_id))
    for row in assessed:
        scores: dict[str, tuple[float, float]] = {
            reply.position: (reply.teacher_score, reply.student_score)
            for reply in pairs.get(row.instruction_id, [])
            if reply.status != "unreadable"
        }
        averaged = average_positions(scores.get("teacher_first"), scores.get("student_first"))
        if averaged is None:
            assert (row.teacher_score, row.student_score, row.difficulty) == (None, None, None)
            assert set(row.flags) & {"unreadable", "no_answer", "not_judged"}
            continue
        assert (row.teacher_score, row.student_score) == (averaged.teacher, averaged.student)
        assert row.difficulty == difficulty(averaged.teacher, averaged.student)
        assert set(row.flags) - {"clamped"} == set(averaged.flags) - {"clamped"}
    threshold = iteration.threshold
    hard = {row.instruction_id for row in assessed if (row.difficulty or 0) >= threshold}
    in_view = rows.all(
        "SELECT instruction_id FROM difficult_instruction WHERE iteration_id = :iteration",
        iteration=iteration.id,
    )
    if threshold < 1:
        assert {row.instruction_id for row in in_view} == hard


def _check_evaluation(rows: Rows, iteration: Any) -> None:
    scored = rows.all(
        "SELECT s.*, i.answers, b.metric, b.id AS benchmark_id FROM evaluation e"
        " JOIN evaluation_score s ON s.evaluation_id = e.id"
        " JOIN evaluation_item i ON i.id = s.item_id JOIN benchmark b ON b.id = e.benchmark_id"
        # Iterations that train alike share a checkpoint, and what was measured of it.
        " JOIN model m ON m.id = e.model_id JOIN model student ON student.id = :student"
        " WHERE m.checkpoint_id = student.checkpoint_id",
        student=iteration.student_model_id,
    )
    wanted = iteration.config["evaluation"]["benchmarks"]
    items = rows.all(
        "SELECT i.id FROM evaluation_item i JOIN benchmark b ON b.id = i.benchmark_id"
        " WHERE b.name = ANY(:names)",
        names=wanted,
    )
    assert {row.item_id for row in scored} == {row.id for row in items}
    for row in scored:
        assert row.score == score(row.metric, row.text, row.answers)
