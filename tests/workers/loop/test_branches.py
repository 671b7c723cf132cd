"""Branches share every row that their change does not touch: calls to models are counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_workers import inline_workforce
from recompute import check_run
from sqlalchemy import URL, Engine, text
from toy_world import import_toy_world, toy_config

from comd_platform.db.engine import transaction
from comd_platform.loop.driver import Driver
from comd_platform.runs import branch_run, create_run, find_run
from comd_platform.settings import Settings
from comd_training.failures import Failure, TrainingFailed
from comd_workers.tuning import TUNERS, Listener, Order, Result

PICTURES = 8
SEED_POOL = 2 * PICTURES
Work = dict[str, int]


@pytest.fixture
def base(engine: Engine, database: URL, settings: Settings, tmp_path: Path) -> Engine:
    """A competitive run, one iteration done."""
    import_toy_world(engine, settings, tmp_path / "toy", pictures=PICTURES)
    with transaction(engine) as session:
        create_run(session, toy_config(iterations=2))
    with inline_workforce(database, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run("toy", 1)
    return engine


def drive(engine: Engine, url: URL, settings: Settings, run: str, iterations: int) -> Work:
    """Drive a run; the records that workers were asked for in it, by phase."""
    with inline_workforce(url, settings) as workforce:
        Driver(engine, workforce, poll_seconds=0.01).run(run, iterations)
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


def branch(engine: Engine, name: str, *overrides: str, at: int = 1) -> None:
    with transaction(engine) as session:
        branch_run(session, find_run(session, "toy"), name=name, at=at, overrides=overrides)


def count(engine: Engine, statement: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


@pytest.mark.parametrize(
    "change",
    ["seed=8", "method.difficulty_threshold=0.67", "augmentor.sampling.temperature=0.9"],
)
def test_what_only_speaks_of_the_next_pool_shares_the_whole_iteration(
    base: Engine, database: URL, settings: Settings, change: str
) -> None:
    answers = count(base, "SELECT count(*) FROM answer")
    branch(base, "branch", change)
    assert count(base, "SELECT count(*) FROM run_iteration WHERE run = 'branch' AND shared") == 1
    work = drive(base, database, settings, "branch", 1)
    # Of iteration 2, only what is new was labelled; of iteration 1 nothing was asked for again.
    new = count(base, "SELECT count(*) FROM tuning_pool WHERE run = 'branch' AND iteration = 2")
    assert (work["label"], work["tune"], work["evaluate"]) == (new, 1, PICTURES)
    assert count(base, "SELECT count(*) FROM answer") == answers + new + SEED_POOL + new
    assert check_run(base, "branch") == 2


def test_another_assessor_judges_the_answers_that_are_there(
    base: Engine, database: URL, settings: Settings
) -> None:
    branch(base, "judged-anew", "assessor.sampling.temperature=0.9")
    work = drive(base, database, settings, "judged-anew", 1)
    assert work == {"judge": SEED_POOL}
    assert count(base, "SELECT count(DISTINCT student_model_id) FROM iteration") == 1
    assert count(base, "SELECT count(*) FROM checkpoint") == 2  # one file, a row an iteration
    assert count(base, "SELECT count(DISTINCT path) FROM checkpoint") == 1
    drive(base, database, settings, "judged-anew", 1)
    assert check_run(base, "judged-anew") == 2


def test_another_way_of_training_shares_the_labels(
    base: Engine, database: URL, settings: Settings
) -> None:
    branch(base, "faster", "training.learning_rate=0.001")
    work = drive(base, database, settings, "faster", 1)
    assert work == {
        "tune": 1,
        "answer": SEED_POOL,
        "evaluate": PICTURES,
        "judge": SEED_POOL,
    }
    assert check_run(base, "faster") == 1


def test_pool_modes_coincide_in_the_first_iteration_and_share_all_of_it(
    base: Engine, database: URL, settings: Settings
) -> None:
    branch(base, "all", "pools.mode=accumulate")
    assert drive(base, database, settings, "all", 1) == {}
    assert check_run(base, "all") == 1


def test_what_is_kept_out_is_looked_for_again_where_the_branch_says_otherwise(
    base: Engine, database: URL, settings: Settings
) -> None:
    looked = (
        "SELECT count(*) FROM iteration_phase JOIN iteration ON iteration.id = iteration_id"
        " JOIN run ON run.id = run_id WHERE iteration_phase.phase = 'decontaminate'"
    )
    assert count(base, looked) == 1
    branch(base, "unlooked", "decontamination=off")
    drive(base, database, settings, "unlooked", 1)
    assert count(base, looked) == 1
    branch(base, "reported", "decontamination=report")
    assert drive(base, database, settings, "reported", 1) == {}
    assert count(base, looked) == 2


def test_a_student_that_doubts_weighs_the_answers_it_gave(
    base: Engine, database: URL, settings: Settings
) -> None:
    answers = count(base, "SELECT count(*) FROM answer")
    branch(base, "doubt", "method.selection=uncertainty", "method.difficulty_threshold=0.5")
    work = drive(base, database, settings, "doubt", 1)
    assert work == {"answer": SEED_POOL}
    assert count(base, "SELECT count(*) FROM answer") == answers
    assert count(base, "SELECT count(*) FROM answer WHERE mean_logprob IS NOT NULL") == SEED_POOL
    drive(base, database, settings, "doubt", 1)
    assert count(base, "SELECT count(*) FROM judgement") == 2 * SEED_POOL  # the base's alone
    assert check_run(base, "doubt") == 2


def test_a_later_iteration_can_be_made_again_on_its_pool(
    base: Engine, database: URL, settings: Settings
) -> None:
    drive(base, database, settings, "toy", 1)
    cache = count(base, "SELECT count(*) FROM cache_pool WHERE run = 'toy' AND iteration = 2")
    branch(base, "later", "assessor.sampling.temperature=0.9", at=2)
    work = drive(base, database, settings, "later", 1)
    assert work == {"judge": cache}
    pools = "SELECT count(DISTINCT pool_id) FROM iteration WHERE number = 2"
    assert count(base, pools) == 1
    assert check_run(base, "later") == 2


def test_scores_that_a_baseline_never_made_are_made_for_its_branch(
    base: Engine, database: URL, settings: Settings
) -> None:
    branch(base, "random", "method.selection=random")
    drive(base, database, settings, "random", 1)
    with transaction(base) as session:
        branch_run(
            session,
            find_run(session, "random"),
            name="scored",
            at=2,
            overrides=["method.selection=competitive"],
        )
    work = drive(base, database, settings, "scored", 1)
    assert set(work) == {"answer", "judge"}
    assert check_run(base, "scored") == 2


def test_a_training_that_a_twin_is_at_is_waited_for_and_counts_as_no_failure(
    base: Engine, database: URL, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = TUNERS["scripted"]
    met = []

    def held_by_a_twin(order: Order, listener: Listener) -> Result:
        met.append(order.output)
        if len(met) <= 5:  # more often than an item may fail
            raise TrainingFailed(Failure("busy", f"{order.output} is being trained into", "wait"))
        return scripted(order, listener)

    monkeypatch.setitem(TUNERS, "scripted", held_by_a_twin)
    branch(base, "twin", "training.learning_rate=0.001")
    drive(base, database, settings, "twin", 1)
    assert len(met) == 6
    assert count(base, "SELECT sum(failures) FROM work_item WHERE phase = 'tune'") == 0
    assert check_run(base, "twin") == 1
