"""Held-out scores, training and lineages, recomputed from the raw rows."""

from __future__ import annotations

from statistics import mean, stdev

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from comd_platform.reports import evaluations, lineages, training
from comd_platform.tables import (
    Answer,
    Assessment,
    Augmentation,
    Evaluation,
    EvaluationItem,
    EvaluationScore,
    Instruction,
    TrainingMetric,
)


def test_scores_carry_mean_and_standard_error(session: Session) -> None:
    told = evaluations.run_scores(session, 1)
    raw = {
        iteration: session.scalars(
            select(EvaluationScore.score)
            .join(Evaluation, Evaluation.id == EvaluationScore.evaluation_id)
            .where(Evaluation.benchmark_id == 1, Evaluation.iteration_id == iteration)
        ).all()
        for iteration in (1, 2, 3)
    }
    heldout = [row for row in told if row.benchmark == "heldout"]
    assert [(row.who, row.iteration) for row in heldout] == [
        ("untuned student", None),
        ("teacher", None),
        ("student", 1),
        ("student", 2),
        ("student", 3),
    ]
    for row in heldout[2:]:
        assert row.iteration is not None
        scores = raw[row.iteration]
        assert row.items == len(scores) == 60
        assert row.score == pytest.approx(mean(scores))
        assert row.standard_error == pytest.approx(stdev(scores) / len(scores) ** 0.5)
        assert row.half_width == pytest.approx(1.96 * (row.standard_error or 0))


def test_a_branch_shares_the_score_of_its_base(session: Session) -> None:
    base = {(r.benchmark, r.iteration): r for r in evaluations.run_scores(session, 1)}
    branch = [r for r in evaluations.run_scores(session, 2) if r.who == "student"]
    assert [(r.iteration, r.shared) for r in branch if r.benchmark == "heldout"] == [
        (1, True),
        (2, False),
    ]
    for row in branch:
        same = row.score == base[row.benchmark, row.iteration].score
        assert same == row.shared


def test_a_checkpoint_that_another_iteration_evaluated_counts_too(session: Session) -> None:
    # Iteration 5 trained alike, so it took over the checkpoint of iteration 4.
    session.execute(text("UPDATE iteration SET student_model_id = 14 WHERE id = 5"))
    told = [
        row
        for row in evaluations.run_scores(session, 2)
        if row.who == "student" and row.benchmark == "heldout"
    ]
    assert [row.iteration for row in told] == [1, 2, 3]
    assert told[2].score == told[1].score


def test_unfinished_evaluations_and_strangers_are_left_out(session: Session) -> None:
    session.execute(text("UPDATE evaluation SET finished_at = NULL WHERE iteration_id = 3"))
    session.execute(
        text(
            "UPDATE model SET identity = jsonb_set(identity, '{model}', '\"another\"')"
            " WHERE id = 21"
        )
    )
    told = [r for r in evaluations.run_scores(session, 1) if r.benchmark == "heldout"]
    assert [(row.who, row.iteration) for row in told] == [
        ("untuned student", None),
        ("student", 1),
        ("student", 2),
    ]


def test_group_scores_add_up_to_the_whole(session: Session) -> None:
    assert evaluations.group_labels(session, 1) == ["class"]
    groups = evaluations.group_scores(session, 1, "class")
    whole = evaluations.run_scores(session, 1)
    look = session.scalars(
        select(EvaluationScore.score)
        .join(EvaluationItem, EvaluationItem.id == EvaluationScore.item_id)
        .join(Evaluation, Evaluation.id == EvaluationScore.evaluation_id)
        .where(
            Evaluation.iteration_id == 3,
            EvaluationItem.groups["class"].astext == "look",
        )
    ).all()
    for row in whole:
        parts = [
            g
            for g in groups
            if (g.benchmark, g.who, g.iteration) == (row.benchmark, row.who, row.iteration)
        ]
        assert sum(part.items for part in parts) == row.items
        assert sum(part.items * part.score for part in parts) == pytest.approx(
            row.items * row.score
        )
        assert {part.value for part in parts} == (
            {"look", "knowledge"} if row.benchmark == "heldout" else {""}
        )
    third = next(g for g in groups if g.iteration == 3 and g.value == "look")
    assert third.score == pytest.approx(mean(look))


def test_loss_curves_are_whole_when_short_and_means_when_long(session: Session) -> None:
    whole = [p for p in training.loss_curve(session, 1) if p.iteration == 2]
    few = [p for p in training.loss_curve(session, 1, points=10) if p.iteration == 2]
    raw = session.scalars(
        select(TrainingMetric.loss)
        .where(TrainingMetric.training_run_id == 2)
        .order_by(TrainingMetric.step)
    ).all()
    tunings = training.trainings(session, 1)
    assert [point.loss for point in whole] == list(raw)
    assert [point.step for point in few] == list(range(10, 101, 10))
    assert few[3].loss == pytest.approx(mean(raw[30:40]))
    assert [(t.iteration, t.state, t.steps) for t in tunings] == [
        (1, "done", 100),
        (2, "done", 100),
        (3, "done", 100),
    ]
    assert (tunings[1].first_loss, tunings[1].last_loss) == (raw[0], raw[-1])


def test_a_family_holds_ancestors_and_descendants_with_their_evidence(session: Session) -> None:
    edge = session.scalars(
        select(Augmentation)
        .where(Augmentation.pool_id == 3, Augmentation.status == "accepted")
        .join(Instruction, Instruction.id == Augmentation.source_instruction_id)
        .where(Instruction.pool_id == 2)
    ).first()
    assert edge is not None
    assert edge.child_id is not None
    parent = session.get_one(Instruction, edge.source_instruction_id)
    kin = lineages.family(session, parent.id, run_id=1)
    from_child = lineages.family(session, edge.child_id, run_id=1)
    scores = {(a.iteration_id, a.instruction_id): a for a in session.scalars(select(Assessment))}
    answers = {(a.model_id, a.instruction_id): a.text for a in session.scalars(select(Answer))}
    assert [(r.instruction_id, r.depth, r.born_in) for r in kin[:2]] == [
        (parent.parent_id, -1, 1),
        (parent.id, 0, 2),
    ]
    assert [r.depth for r in from_child] == [-2, -1, 0]
    child = next(r for r in kin if r.instruction_id == edge.child_id)
    assert (child.depth, child.born_in, child.parent_id) == (1, 3, parent.id)
    assert (child.source_band, child.rouge_l) == (edge.band, edge.rouge_l)
    assert kin[0].source_band is None
    assert [a.iteration for a in kin[0].assessed] == [1, 2, 3]
    assert [a.iteration for a in child.assessed] == [3]
    for relative in kin:
        for told in relative.assessed:
            row = scores[told.iteration, relative.instruction_id]
            assert (told.teacher_score, told.student_score) == (
                row.teacher_score,
                row.student_score,
            )
            assert told.difficulty == row.difficulty
            band = "unscored"
            if row.difficulty is not None:
                band = "difficult" if row.difficulty >= 0.33 else "easy"
            assert told.band == band
            assert told.student_answer == answers[10 + told.iteration, relative.instruction_id]
            assert told.teacher_answer == answers[1, relative.instruction_id]


def test_a_family_of_one_run_leaves_the_other_runs_children_out(session: Session) -> None:
    of_random = select(Instruction.parent_id).where(Instruction.pool_id == 4)
    seed = session.scalars(
        select(Instruction.parent_id)
        .where(Instruction.pool_id == 2, Instruction.parent_id.in_(of_random))
        .order_by(Instruction.parent_id)
    ).first()
    assert seed is not None
    every = lineages.family(session, seed)
    base = lineages.family(session, seed, run_id=1)
    branch = lineages.family(session, seed, run_id=2)
    assert {r.run for r in every} == {"paper", "random"}
    assert {r.run for r in base} == {"paper"}
    ids = {r.instruction_id for r in every}
    assert {r.instruction_id for r in base} | {r.instruction_id for r in branch} == ids
    assert {r.instruction_id for r in base} & {r.instruction_id for r in branch} == {seed}
    # Told once by the run that made the iteration, though the branch shares it.
    assert [(a.run, a.iteration) for a in every[0].assessed] == [
        ("paper", 1),
        ("paper", 2),
        ("paper", 3),
        ("random", 2),
    ]


def test_an_unknown_instruction_is_an_error(session: Session) -> None:
    with pytest.raises(lineages.UnknownInstruction):
        lineages.family(session, 10**9)


def test_example_lineages_were_difficult_brought_a_child_and_became_easy(
    session: Session,
) -> None:
    told = lineages.example_lineages(session, 1, examples=3)
    assert lineages.example_lineages(session, 2) == []
    assert len(told) == 3
    assert len({example.seed_id for example in told}) == 3
    assert {example.relatives[0].task_type for example in told} == {"knowledge", "look"}
    for example in told:
        seed, *others = example.relatives
        assert (seed.instruction_id, seed.parent_id, seed.depth) == (example.seed_id, None, 0)
        assert seed.assessed[0].band == "difficult"
        assert seed.assessed[-1].band == "easy"
        assert any(
            child.depth == 1
            and child.source_band == "difficult"
            and child.assessed[-1].band == "easy"
            for child in others
        )
