"""The sources of the next pool: the run's measure over what its parent iteration knows."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from comd_platform.config.run import RunConfig
from comd_platform.loop.collapse import StudentCaughtUp, verdict
from comd_platform.loop.context import cache_pool_ids, contaminated
from comd_platform.method.sampling import random_selection
from comd_platform.method.seeds import content_seed
from comd_platform.method.selection import Assessed, Rule, Source
from comd_platform.review.honouring import turned_down
from comd_platform.runs import RunError
from comd_platform.tables import Answer, Assessment, Instruction, Iteration


def choose_sources(
    session: Session, config: RunConfig, parent: Iteration, number: int
) -> list[tuple[int, Source]]:
    """(instruction id, source) for iteration `number`, by the run's measure (section 3.3.3).

    Raises StudentCaughtUp where too few are found and the config says to stop there, RunError where
    the parent iteration does not know what the measure reads.
    """
    method = config.method
    assert method.measure.select is not None  # measure `none` grows no pool
    seed = content_seed(config.seed, number, "select")
    known, ids = _known(session, parent)
    _check_known(config, parent, known)
    rule = Rule(
        threshold=method.difficulty_threshold,
        easy_share=method.easy_share,
        max_sources=_budget(config, method.max_new),
        seed=seed,
    )
    chosen = method.measure.select(known, rule)
    minimum = max(1, method.minimum_pool)
    if len(chosen) < minimum:
        if method.when_caught_up == "stop":
            raise StudentCaughtUp(
                f"iteration {parent.number} of run {config.name!r} leaves {len(chosen)} instructions "
                f"to grow from, fewer than {minimum}: {verdict(session, parent)}",
                hint="Lower method.difficulty_threshold or method.minimum_pool, fill up with random "
                "ones (method.when_caught_up=fill, in a branch), or stop here.",
            )
        chosen = _filled(chosen, known, seed, _budget(config, minimum) or minimum)
    return [(ids[source.key], source) for source in chosen]


def _known(session: Session, parent: Iteration) -> tuple[list[Assessed], dict[str, int]]:
    """The parent's cache pool with whatever is known of it, and ids by key.

    Without what its decontamination keeps out (a child would be about the same picture), and without
    what people have rejected or edited by now.
    """
    rows = session.execute(
        select(
            Instruction.id,
            Instruction.key,
            Assessment.teacher_score,
            Assessment.student_score,
            Answer.mean_logprob,
        )
        .outerjoin(
            Assessment,
            (Assessment.instruction_id == Instruction.id) & (Assessment.iteration_id == parent.id),
        )
        .outerjoin(
            Answer,
            (Answer.instruction_id == Instruction.id)
            & (Answer.model_id == parent.student_model_id),
        )
        .where(
            Instruction.id.in_(cache_pool_ids(parent.pool_id)),
            ~contaminated(parent.id),
            ~turned_down(),
        )
    ).all()
    known = [
        Assessed(row.key, row.teacher_score, row.student_score, row.mean_logprob) for row in rows
    ]
    return known, {row.key: row.id for row in rows}


def _check_known(config: RunConfig, parent: Iteration, known: list[Assessed]) -> None:
    needs = config.method.measure.needs
    found = {
        "judgements": any(each.teacher_score is not None for each in known),
        "logprobs": any(each.mean_logprob is not None for each in known),
        "nothing": True,
    }
    if not found[needs]:
        raise RunError(
            f"iteration {parent.number} holds no {needs} for method.selection="
            f"{config.method.selection} to select from",
            hint="It was not assessed. A branch can still do it: comd run branch RUN --name NAME "
            f"--at {parent.number} --set method.selection={config.method.selection} "
            "--set method.assess_last=true",
        )


def _budget(config: RunConfig, wanted: int | None) -> int | None:
    """Sources for so many new instructions: some replies hold none, or nothing new."""
    return None if wanted is None else round(wanted * config.method.oversample)


def _filled(chosen: list[Source], known: list[Assessed], seed: int, wanted: int) -> list[Source]:
    """What was chosen, and a seeded sample of the rest up to `wanted`, in the order of the keys."""
    taken = {source.key for source in chosen}
    rest = [each.key for each in known if each.key not in taken]
    more = random_selection(rest, seed, max(0, wanted - len(chosen)))
    return sorted((*chosen, *(Source(key, "random", None) for key in more)), key=lambda s: s.key)
