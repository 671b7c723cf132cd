"""The whole loop on scripted engines, with the real handlers and no processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_workers import inline_workforce
from recompute import check_run
from sqlalchemy import URL, Engine, text
from toy_world import MARKERS, import_toy_world, toy_config

from comd_platform.config.run import RunConfig
from comd_platform.db.engine import transaction
from comd_platform.exporters.rows import read_pictures
from comd_platform.loop.collapse import StudentCaughtUp
from comd_platform.loop.driver import Driver
from comd_platform.loop.work import PhaseFailed
from comd_platform.reports.usage import run_usage
from comd_platform.runs import RunError, branch_run, chain, create_run, find_run
from comd_platform.settings import Settings


@pytest.fixture
def world(engine: Engine, settings: Settings, tmp_path: Path) -> Engine:
    import_toy_world(engine, settings, tmp_path / "toy")
    return engine


def drive(
    engine: Engine, url: URL, settings: Settings, run: str, iterations: int | None = None
) -> list[int]:
    with inline_workforce(url, settings) as workforce:
        return Driver(engine, workforce, poll_seconds=0.01).run(run, iterations)


def make(engine: Engine, config: RunConfig) -> None:
    with transaction(engine) as session:
        create_run(session, config)


def count(engine: Engine, statement: str, **parameters: object) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(statement), parameters).scalar_one())


def teacher(**changes: Any) -> dict[str, Any]:
    options = {"markers": MARKERS} | changes.pop("options", {})
    model = {"engine": "scripted", "model": "quiz", "options": options}
    return {"model": model | changes, "batch": 5}


def test_three_iterations_follow_from_their_raw_rows(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config())
    assert len(drive(world, database, settings, "toy")) == 3
    assert check_run(world, "toy") == 3
    # Before each phase PostgreSQL was told what the last one wrote.
    seen = "SELECT reltuples FROM pg_class WHERE relname = 'answer'"
    assert count(world, seen) >= 0.9 * count(world, "SELECT count(*) FROM answer")
    # Started again it finds nothing to do.
    assert drive(world, database, settings, "toy") == []


def test_unreadable_judges_duplicates_and_refusals_are_rows_too(
    world: Engine, database: URL, settings: Settings
) -> None:
    options = {"unreadable_rate": 0.5, "duplicate_rate": 0.4, "refusal_rate": 0.1}
    make(world, toy_config(teacher=teacher(options=options)))
    drive(world, database, settings, "toy", 2)
    assert check_run(world, "toy") == 2
    assert count(world, "SELECT count(*) FROM judgement WHERE status = 'unreadable'") > 0
    assert count(world, "SELECT count(*) FROM augmentation WHERE reason = 'not diverse'") > 0
    assert count(world, "SELECT count(*) FROM assessment WHERE 'one_order' = ANY(flags)") > 0


def test_an_instruction_that_always_fails_is_quarantined_and_the_run_goes_on(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(teacher=teacher(fail_on="thing number 3 "), iterations=1))
    drive(world, database, settings, "toy")
    with world.connect() as connection:
        failure = connection.execute(text("SELECT * FROM failure WHERE phase = 'label'")).one()
        unscored = connection.execute(
            text("SELECT instruction_id, flags FROM assessment WHERE difficulty IS NULL")
        ).one()
    assert (failure.state, failure.attempts) == ("quarantined", 3)
    assert unscored.instruction_id == failure.instruction_id
    assert unscored.flags == ["no_answer"]
    assert check_run(world, "toy") == 1


def test_some_engine_errors_are_tried_again_with_another_seed(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(teacher=teacher(error_rate=0.3), iterations=1))
    drive(world, database, settings, "toy")
    assert count(world, "SELECT count(*) FROM failure WHERE state = 'resolved'") > 0
    assert check_run(world, "toy") == 1


def test_an_engine_that_cannot_serve_ends_the_phase_with_its_message(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(teacher=teacher(crash_on="thing number 3 ")))
    with pytest.raises(PhaseFailed, match="iteration 1, phase label: EngineError") as error:
        drive(world, database, settings, "toy")
    assert error.value.hint == "Mend it and run again: comd iterate toy"


def test_a_branch_shares_the_iterations_before_it_and_asks_the_teacher_nothing_twice(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(iterations=2))
    drive(world, database, settings, "toy")
    answers = count(world, "SELECT count(*) FROM answer")
    with transaction(world) as session:
        base = find_run(session, "toy")
        branch_run(session, base, name="seed-only", at=1, overrides=["method.selection=none"])
        branch_run(
            session,
            base,
            name="random",
            at=1,
            overrides=["method.selection=random", "method.max_new=8"],
        )
    drive(world, database, settings, "seed-only")
    assert count(world, "SELECT count(*) FROM answer") == answers  # all labels stood already
    drive(world, database, settings, "random")
    assert check_run(world, "seed-only") == 2
    assert check_run(world, "random") == 2
    shared = "SELECT count(*) FROM run_iteration WHERE shared AND run = :run"
    assert count(world, shared, run="random") == 1
    assert (
        count(world, "SELECT count(*) FROM tuning_pool WHERE run = 'random' AND iteration = 2") == 8
    )


def test_pool_modes_say_why_each_example_is_there(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(pools={"mode": "accumulate"}, iterations=2, name="all"))
    make(
        world, toy_config(pools={"mode": "replay", "replay_share": 0.5}, iterations=2, name="some")
    )
    drive(world, database, settings, "all")
    drive(world, database, settings, "some")
    by_reason = (
        "SELECT count(*) FROM training_example e JOIN training_run t ON t.id = e.training_run_id"
        " JOIN iteration i ON i.id = t.iteration_id JOIN run r ON r.id = i.run_id"
        " WHERE r.name = :run AND i.number = 2 AND e.reason = :reason"
    )
    assert count(world, by_reason, run="all", reason="accumulated") == 24
    assert count(world, by_reason, run="some", reason="replayed") == 12


def test_a_student_who_has_caught_up_ends_the_run(
    world: Engine, database: URL, settings: Settings
) -> None:
    knows_all = {
        "engine": "scripted",
        "model": "quiz",
        "options": {"role": "student", "skill": 1.0},
    }
    make(world, toy_config(student={"model": knows_all}))
    with pytest.raises(StudentCaughtUp, match="the student has caught up"):
        drive(world, database, settings, "toy")


def test_a_pool_that_would_be_too_small_is_filled_up_where_the_config_says_so(
    world: Engine, database: URL, settings: Settings
) -> None:
    knows_all = {
        "engine": "scripted",
        "model": "quiz",
        "options": {"role": "student", "skill": 1.0},
    }
    method = {"minimum_pool": 6, "when_caught_up": "fill"}
    make(world, toy_config(student={"model": knows_all}, method=method, iterations=2))
    drive(world, database, settings, "toy")
    assert count(world, "SELECT count(*) FROM tuning_pool WHERE iteration = 2") >= 6
    # 6 are wanted, so round(6 * 1.25) are asked for; nothing was difficult.
    assert count(world, "SELECT count(*) FROM selection WHERE band = 'random'") == 8
    with world.connect() as connection:
        note = connection.execute(
            text("SELECT note FROM iteration_phase WHERE phase = 'accept'")
        ).scalar_one()
    assert note.endswith("too little was difficult: 8 sources are a random sample")


def test_a_cause_that_spoils_most_records_stops_the_run(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(name="spoilt", iterations=1, teacher=teacher(error_rate=1.0)))
    with pytest.raises(
        PhaseFailed, match="phase label: 24 records failed, most there were"
    ) as error:
        drive(world, database, settings, "spoilt")
    assert error.value.hint is not None
    assert "comd retry" in error.value.hint


def test_a_branch_with_another_teacher_has_the_whole_cache_pool_answered_by_it(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(iterations=2))
    drive(world, database, settings, "toy", 1)
    with transaction(world) as session:
        branch_run(
            session,
            find_run(session, "toy"),
            name="other",
            at=1,
            overrides=["teacher.sampling.temperature=0.9"],
        )
    drive(world, database, settings, "other")
    unscored = (
        "SELECT count(*) FROM assessment a JOIN iteration i ON i.id = a.iteration_id"
        " WHERE i.number = 2 AND a.difficulty IS NULL"
    )
    assert count(world, unscored) == 0
    assert check_run(world, "other") == 2


def test_every_token_that_was_asked_for_is_counted(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(teacher=teacher(options={"unreadable_rate": 0.5}), iterations=2))
    drive(world, database, settings, "toy")
    with transaction(world) as session:
        used = run_usage(session, find_run(session, "toy").id)
    assert {row.phase for row in used} == {"augment", "label", "answer", "evaluate", "judge"}
    by_phase = {
        "label": "FROM answer JOIN model ON model.id = model_id WHERE checkpoint_id IS NULL",
        "answer": "FROM answer JOIN model ON model.id = model_id WHERE checkpoint_id IS NOT NULL",
        "judge": "FROM judgement",
        "augment": "FROM augmentation",
        "evaluate": "FROM evaluation_score",
    }
    for phase, rows in by_phase.items():
        asked = [row for row in used if row.phase == phase]
        assert sum(row.requests for row in asked) == count(world, f"SELECT count(*) {rows}")
        for column in ("prompt_tokens", "completion_tokens"):
            kept = count(world, f"SELECT sum({column}) {rows}")
            assert sum(getattr(row, column) for row in asked) == kept > 0


def _hold_out_picture(world: Engine, number: int) -> None:
    """Ask the benchmark about a picture that the seed pool has two questions about."""
    with world.begin() as connection:
        connection.execute(
            text(
                "UPDATE evaluation_item SET image_id = (SELECT image_id FROM instruction"
                " WHERE text = :asked) WHERE key = :key"
            ),
            {"asked": f"Who painted picture {number}?", "key": f"t{number}"},
        )


def test_instructions_about_a_benchmarks_picture_are_kept_out_and_stay_visible(
    world: Engine, database: URL, settings: Settings
) -> None:
    _hold_out_picture(world, 3)
    make(world, toy_config())
    drive(world, database, settings, "toy")
    assert check_run(world, "toy") == 3
    excluded = (
        "SELECT count(*) FROM contaminated_instruction"
        " WHERE run = 'toy' AND verdict = 'excluded' AND kind = 'same_image'"
    )
    assert count(world, excluded) == 2 * 3  # two questions, looked at in every iteration
    about = " WHERE instruction_id IN (SELECT instruction_id FROM contamination)"
    assert count(world, "SELECT count(*) FROM training_example" + about) == 0
    assert count(world, "SELECT count(*) FROM selection" + about) == 0
    assert count(world, "SELECT count(*) FROM assessment" + about) == 2 * 3
    note = "SELECT count(*) FROM iteration_phase WHERE phase = 'decontaminate' AND note = :note"
    assert count(world, note, note="2 of 24 kept out") == 1
    assert len(_exported(world)) == count(world, "SELECT count(*) FROM instruction") - 2


def _exported(world: Engine) -> list[str]:
    """The questions that an export of the last iteration would give to another trainer."""
    with transaction(world) as session:
        last = chain(session, find_run(session, "toy"))[-1]
        pictures = read_pictures(
            session, last.pool_id, scope="cache", answers=None, assessed_in=last.id
        )
        return [row.question for rows in pictures for row in rows]


def test_what_is_only_reported_is_trained_on(
    world: Engine, database: URL, settings: Settings
) -> None:
    _hold_out_picture(world, 3)
    make(world, toy_config(decontamination="report", iterations=1))
    make(world, toy_config(name="off", decontamination="off", iterations=1))
    drive(world, database, settings, "toy")
    drive(world, database, settings, "off")
    verdicts = (
        "SELECT count(*) FROM contaminated_instruction WHERE run = :run AND verdict = :verdict"
    )
    assert count(world, verdicts, run="toy", verdict="reported") == 2
    assert count(world, "SELECT count(*) FROM contaminated_instruction") == 2
    assert count(world, "SELECT count(*) FROM training_example") == 2 * 24
    assert count(world, "SELECT count(*) FROM iteration_phase WHERE phase = 'decontaminate'") == 1


def test_pool_modes_leave_out_what_a_branch_finds_later(
    world: Engine, database: URL, settings: Settings
) -> None:
    make(world, toy_config(iterations=2))
    drive(world, database, settings, "toy", 1)
    _hold_out_picture(world, 3)
    with transaction(world) as session:
        branch_run(
            session,
            find_run(session, "toy"),
            name="all",
            at=1,
            overrides=["pools.mode=accumulate"],
        )
    drive(world, database, settings, "all")
    old = (
        "SELECT count(*) FROM training_example e JOIN training_run t ON t.id = e.training_run_id"
        " JOIN iteration i ON i.id = t.iteration_id WHERE i.number = 2 AND reason = 'accumulated'"
    )
    assert count(world, old) == 22


def test_a_pool_that_is_the_benchmark_is_refused_with_what_to_do(
    world: Engine, database: URL, settings: Settings
) -> None:
    for number in range(12):
        _hold_out_picture(world, number)
    make(world, toy_config())
    with pytest.raises(RunError, match="24 of 24 instructions overlap with toy-test") as error:
        drive(world, database, settings, "toy")
    assert error.value.hint is not None
    assert "comd decontaminate toy" in error.value.hint
    assert count(world, "SELECT count(*) FROM answer") == 0  # found before the teacher was asked
