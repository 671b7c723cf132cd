"""Why an instruction is here: what it was written from, what came of it, how it was scored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from comd_platform.errors import ComdError
from comd_platform.reports.query import rows


class UnknownInstruction(ComdError):
    """No instruction has this id."""


@dataclass(frozen=True, slots=True)
class AssessedRow:
    """One instruction in one iteration. `band`: difficult, easy or unscored. Answers may be absent."""

    instruction_id: int
    run: str
    iteration: int
    teacher_score: float | None
    student_score: float | None
    difficulty: float | None
    band: str
    flags: list[str]
    teacher_answer: str | None
    student_answer: str | None


@dataclass(frozen=True, slots=True)
class Relative:
    """An instruction among its kin: `depth` 0 is the one asked for, below 0 ancestors.

    `born_in` is the first iteration (of the run asked for, else of the run that made it) whose pool
    holds it. `source_band`, `rouge_l` and `nearest_id` are the evidence of the augmentation that
    wrote it; None for a seed instruction.
    """

    instruction_id: int
    parent_id: int | None
    depth: int
    run: str | None
    born_in: int | None
    task_type: str
    text: str
    image: str | None
    source_band: str | None
    rouge_l: float | None
    nearest_id: int | None
    assessed: tuple[AssessedRow, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """A seed instruction with everything that one run wrote from it, parents before children."""

    seed_id: int
    relatives: tuple[Relative, ...]


@dataclass(frozen=True, slots=True)
class _Node:
    instruction_id: int
    parent_id: int | None
    depth: int
    run: str | None
    born_in: int | None
    task_type: str
    text: str
    image: str | None
    source_band: str | None
    rouge_l: float | None
    nearest_id: int | None


@dataclass(frozen=True, slots=True)
class _Step:
    before_id: int
    brought_id: int
    pool_id: int
    last_id: int
    threshold: float


@dataclass(frozen=True, slots=True)
class _Seed:
    seed_id: int


# Without a run, an iteration is told once, by the run that made it.
_NODES = """
WITH kin AS (
    SELECT ancestor_id AS instruction_id, -depth AS depth
    FROM lineage WHERE lineage.instruction_id = :instruction_id AND depth > 0
    UNION ALL
    SELECT instruction_id, depth FROM descendants(:instruction_id)
)
SELECT
    instruction.id AS instruction_id,
    instruction.parent_id,
    kin.depth,
    born.run,
    born.iteration AS born_in,
    instruction.task_type,
    instruction.text,
    coalesce(image.path, image.source) AS image,
    augmentation.band AS source_band,
    augmentation.rouge_l,
    augmentation.nearest_id
FROM kin
JOIN instruction ON instruction.id = kin.instruction_id
LEFT JOIN image ON image.id = instruction.image_id
LEFT JOIN augmentation ON augmentation.child_id = instruction.id
LEFT JOIN LATERAL (
    SELECT run_iteration.run, run_iteration.iteration
    FROM run_iteration
    WHERE run_iteration.pool_id = instruction.pool_id
        AND CASE
            WHEN CAST(:run_id AS bigint) IS NULL THEN NOT run_iteration.shared
            ELSE run_iteration.run_id = :run_id
        END
    ORDER BY run_iteration.iteration, run_iteration.run_id
    LIMIT 1
) AS born ON true
WHERE CAST(:run_id AS bigint) IS NULL OR born.iteration IS NOT NULL OR kin.depth <= 0
ORDER BY kin.depth, instruction.id
LIMIT :most
"""

_ASSESSED = """
SELECT
    assessment.instruction_id,
    run_iteration.run,
    run_iteration.iteration,
    assessment.teacher_score,
    assessment.student_score,
    assessment.difficulty,
    CASE
        WHEN assessment.difficulty IS NULL THEN 'unscored'
        WHEN assessment.difficulty >= run_iteration.threshold AND run_iteration.threshold < 1
            THEN 'difficult'
        ELSE 'easy'
    END AS band,
    assessment.flags,
    teacher_answer.text AS teacher_answer,
    student_answer.text AS student_answer
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN assessment ON assessment.iteration_id = run_iteration.iteration_id
LEFT JOIN answer AS teacher_answer
    ON teacher_answer.instruction_id = assessment.instruction_id
    AND teacher_answer.model_id = iteration.teacher_model_id
LEFT JOIN answer AS student_answer
    ON student_answer.instruction_id = assessment.instruction_id
    AND student_answer.model_id = iteration.student_model_id
WHERE assessment.instruction_id = ANY(:instruction_ids)
    AND CASE
        WHEN CAST(:run_id AS bigint) IS NULL THEN NOT run_iteration.shared
        ELSE run_iteration.run_id = :run_id
    END
ORDER BY run_iteration.run_id, run_iteration.iteration, assessment.instruction_id
"""

# The pairs of iterations between which a pool was written, and the last one that was assessed.
_STEPS = """
WITH iterations AS (
    SELECT
        iteration,
        iteration_id,
        pool_id,
        threshold,
        EXISTS (
            SELECT FROM assessment WHERE assessment.iteration_id = run_iteration.iteration_id
        ) AS assessed
    FROM run_iteration
    WHERE run_id = :run_id
)
SELECT
    before.iteration_id AS before_id,
    brought.iteration_id AS brought_id,
    brought.pool_id,
    last.iteration_id AS last_id,
    last.threshold
FROM (SELECT * FROM iterations WHERE assessed ORDER BY iteration DESC LIMIT 1) AS last
JOIN iterations AS brought ON brought.iteration BETWEEN 2 AND last.iteration
JOIN iterations AS before ON before.iteration = brought.iteration - 1
ORDER BY brought.iteration
"""

# A seed that the student lost to its teacher, which brought an accepted child, and which, with the
# child, was easy at the last assessment. The larger the student's gain the more instructive; task
# types take turns, so that the examples differ; ties go by key, the same on every machine.
_SEEDS = """
WITH edge AS (
    SELECT
        seed.id AS seed_id,
        seed.key,
        seed.task_type,
        seed_last.student_score - seed_before.student_score
            + child_last.student_score - child_first.student_score AS gain
    FROM augmentation
    JOIN instruction AS seed
        ON seed.id = augmentation.source_instruction_id AND seed.parent_id IS NULL
    JOIN assessment AS seed_before
        ON seed_before.iteration_id = :before_id AND seed_before.instruction_id = seed.id
    JOIN assessment AS seed_last
        ON seed_last.iteration_id = :last_id AND seed_last.instruction_id = seed.id
    JOIN assessment AS child_first ON child_first.iteration_id = :brought_id
        AND child_first.instruction_id = augmentation.child_id
    JOIN assessment AS child_last ON child_last.iteration_id = :last_id
        AND child_last.instruction_id = augmentation.child_id
    WHERE augmentation.pool_id = :pool_id
        AND augmentation.status = 'accepted'
        AND augmentation.band = 'difficult'
        AND seed_before.student_score < seed_before.teacher_score
        AND seed_last.difficulty < :threshold
        AND child_last.difficulty < :threshold
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY task_type ORDER BY gain DESC, key) AS turn FROM edge
)
SELECT seed_id FROM ranked ORDER BY turn, gain DESC, key LIMIT :examples
"""


def family(
    session: Session, instruction_id: int, *, run_id: int | None = None, most: int = 200
) -> list[Relative]:
    """An instruction with its ancestors and descendants, ancestors first; itself has depth 0.

    With `run_id`, only the descendants and scores of that run (the iterations before its branch
    included); without, those of every run. At most `most` relatives, the far descendants left out.
    Raises UnknownInstruction.
    """
    nodes = rows(session, _Node, _NODES, instruction_id=instruction_id, run_id=run_id, most=most)
    if not nodes:
        raise UnknownInstruction(
            f"no instruction has the id {instruction_id}",
            hint="psql: SELECT instruction_id, text FROM tuning_pool WHERE run = '…' LIMIT 10",
        )
    return _with_scores(session, nodes, run_id)


def example_lineages(session: Session, run_id: int, *, examples: int = 3) -> list[Lineage]:
    """The most instructive seeds: difficult once, with accepted children, and easy at the end.

    Those whose child came earliest go first. Fewer, or none, where there are no more such seeds
    (a run of one iteration, or one that chose its sources at random).
    """
    seeds: dict[int, None] = {}  # in order, each once: a seed may have a child in every iteration
    for step in rows(session, _Step, _STEPS, run_id=run_id):
        found = rows(session, _Seed, _SEEDS, **asdict(step), examples=examples)
        seeds.update(dict.fromkeys(seed.seed_id for seed in found))
        if len(seeds) >= examples:
            break
    return [
        Lineage(seed_id, tuple(family(session, seed_id, run_id=run_id)))
        for seed_id in list(seeds)[:examples]
    ]


def _with_scores(session: Session, nodes: Sequence[_Node], run_id: int | None) -> list[Relative]:
    by_instruction: dict[int, list[AssessedRow]] = defaultdict(list)
    ids = [node.instruction_id for node in nodes]
    for row in rows(session, AssessedRow, _ASSESSED, instruction_ids=ids, run_id=run_id):
        by_instruction[row.instruction_id].append(row)
    return [
        Relative(
            instruction_id=node.instruction_id,
            parent_id=node.parent_id,
            depth=node.depth,
            run=node.run,
            born_in=node.born_in,
            task_type=node.task_type,
            text=node.text,
            image=node.image,
            source_band=node.source_band,
            rouge_l=node.rouge_l,
            nearest_id=node.nearest_id,
            assessed=tuple(by_instruction[node.instruction_id]),
        )
        for node in nodes
    ]
