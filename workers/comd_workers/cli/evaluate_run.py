"""`comd evaluate RUN`: the loop's own machinery, beside the loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from comd_workers.cli.connect import database
from comd_workers.cli.output import console_for_people, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from comd_platform.loop.driver import Driver


def evaluate_run(
    run: str,
    benchmark: str,
    iterations: Sequence[int] | None,
    finetune: str | None,
    workers: int | None,
    *,
    as_json: bool,
) -> None:
    """Have the run's models answer what they have not answered yet, and print the verdicts."""
    from comd_platform.db.engine import transaction
    from comd_platform.db.outage import Patience
    from comd_platform.loop.driver import Driver
    from comd_platform.loop.phases.evaluate import find_benchmark
    from comd_platform.reports.verdicts import run_verdicts
    from comd_platform.runs import RunError, find_run
    from comd_workers.cli.evaluate import print_verdicts
    from comd_workers.cli.loop import stop_on_signals
    from comd_workers.cli.progress import Board
    from comd_workers.workforce import Workforce

    students = iterations is None or any(iterations)
    if finetune is not None and not students:
        raise RunError(
            "--iteration 0 has no student to fine-tune",
            hint="Name a tuned iteration, or none for all of them.",
        )
    stop = stop_on_signals()
    console = console_for_people(stderr=as_json)
    with database() as (engine, settings):
        with transaction(engine) as session:
            run_id = find_run(session, run).id
            find_benchmark(session, benchmark)
            wanted = chosen_iterations(session, run, iterations)
        with Workforce(settings, local=workers) as workforce, Board(console) as board:
            patience = Patience.of(settings, stop)
            driver = Driver(engine, workforce, board.watch(run), stop=stop, patience=patience)
            for iteration_id in wanted:
                evaluate_iteration(
                    driver, run, iteration_id, benchmark, finetune, students=students
                )
        with transaction(engine) as session:
            found = run_verdicts(session, run_id, benchmark)
    if found is None:
        raise RunError(
            f"nobody has finished {benchmark}: every item of somebody's failed",
            hint=f"comd failures {run} says why.",
        )
    if as_json:
        print_json(found)
    else:
        print_verdicts(found)


def evaluate_iteration(
    driver: Driver,
    run: str,
    iteration_id: int,
    benchmark: str,
    finetune: str | None,
    *,
    students: bool = True,
) -> None:
    """Teacher, untuned student and, with `students`, the iteration's own; the fine-tuned one where it
    is asked for."""
    from comd_platform.loop.fine_tuning import plan_evaluation, plan_training
    from comd_platform.loop.phases.evaluate import plan_benchmarks

    driver.evaluate(run, iteration_id, partial(plan_benchmarks, names=[benchmark], own=students))
    if finetune is not None:
        driver.fine_tune(run, iteration_id, partial(plan_training, pool_name=finetune))
        asked = partial(plan_evaluation, pool_name=finetune, benchmark_name=benchmark)
        driver.evaluate(run, iteration_id, asked)


def chosen_iterations(session: Session, run: str, numbers: Sequence[int] | None) -> list[int]:
    """Ids of the iterations to evaluate: the numbers asked for, or all that have a student.

    Where none is asked for or has one, the run's first, which stands in for teacher and untuned student.
    Raises RunError for a number that the run does not have, or has not tuned yet.
    """
    from comd_platform.loop.iterations import next_iteration
    from comd_platform.runs import RunError, chain, find_run

    found = find_run(session, run)
    iterations = chain(session, found)
    tuned = {each.number: each.id for each in iterations if each.student_model_id is not None}
    for number in numbers or ():
        if number and number not in tuned:
            raise RunError(
                f"run {run!r} has no student of iteration {number} yet",
                hint=f"It has: {', '.join(map(str, tuned)) or 'none'}. comd iterate {run} goes on.",
            )
    wanted = [tuned[number] for number in (tuned if numbers is None else numbers) if number]
    if wanted:
        return wanted
    return [(iterations[0] if iterations else next_iteration(session, found)).id]
