"""Which rows a run stands on: one condition a table, over what the run's iterations have touched."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

_KEPT = """
CREATE TEMPORARY TABLE kept_iteration ON COMMIT DROP AS
    SELECT iteration_id AS id FROM run_iteration WHERE run_id = :run;

CREATE TEMPORARY TABLE kept_pool ON COMMIT DROP AS
    SELECT DISTINCT ancestor_id AS id FROM pool_closure WHERE pool_id IN (
        SELECT pool_id FROM iteration JOIN kept_iteration USING (id)
        UNION SELECT pool_id FROM run WHERE id = :run
    );

CREATE TEMPORARY TABLE kept_training ON COMMIT DROP AS
    SELECT training_run.id FROM training_run
    JOIN kept_iteration ON kept_iteration.id = training_run.iteration_id;

-- The run's students; and, on the benchmarks that it names, its teacher and its untuned student.
CREATE TEMPORARY TABLE kept_evaluation ON COMMIT DROP AS
    SELECT evaluation.id FROM evaluation
    JOIN model ON model.id = evaluation.model_id
    JOIN benchmark ON benchmark.id = evaluation.benchmark_id
    JOIN run ON run.id = :run
    LEFT JOIN checkpoint ON checkpoint.id = model.checkpoint_id
    WHERE evaluation.iteration_id IN (SELECT id FROM kept_iteration)
        OR evaluation.iteration_id IS NULL AND (
            checkpoint.training_run_id IN (SELECT id FROM kept_training)
            OR model.checkpoint_id IS NULL
            AND run.config #> '{evaluation,benchmarks}' ? benchmark.name
            AND coalesce(model.identity ->> 'model', model.uri) IN (
                run.config #>> '{teacher,model,model}', run.config #>> '{student,model,model}'
            )
        );

-- Those that the run is to be measured by, although nothing may be measured yet.
CREATE TEMPORARY TABLE kept_benchmark ON COMMIT DROP AS
    SELECT benchmark_id AS id FROM evaluation JOIN kept_evaluation USING (id)
    UNION SELECT benchmark_id FROM contamination
        WHERE iteration_id IN (SELECT id FROM kept_iteration)
    UNION SELECT benchmark.id FROM benchmark JOIN run
        ON run.id = :run AND run.config #> '{evaluation,benchmarks}' ? benchmark.name;

CREATE TEMPORARY TABLE kept_model ON COMMIT DROP AS
    SELECT unnest(ARRAY[teacher_model_id, assessor_model_id, augmentor_model_id, student_model_id])
        AS id
    FROM iteration JOIN kept_iteration USING (id)
    UNION SELECT base_model_id FROM training_run JOIN kept_training USING (id)
    UNION SELECT unnest(ARRAY[model_id, assessor_id])
        FROM evaluation JOIN kept_evaluation USING (id);

CREATE TEMPORARY TABLE kept_instruction ON COMMIT DROP AS
    SELECT id FROM instruction WHERE pool_id IN (SELECT id FROM kept_pool);

CREATE TEMPORARY TABLE kept_answer ON COMMIT DROP AS
    SELECT answer.id FROM answer
    JOIN kept_instruction ON kept_instruction.id = answer.instruction_id
    JOIN kept_model ON kept_model.id = answer.model_id;
"""

_ITERATION = "iteration_id IN (SELECT id FROM kept_iteration)"
_POOL = "pool_id IN (SELECT id FROM kept_pool)"
_TRAINING = "training_run_id IN (SELECT id FROM kept_training)"
_BENCHMARK = "(SELECT id FROM kept_benchmark)"
_IMAGES = f"""(SELECT image_id FROM instruction JOIN kept_instruction USING (id)
    UNION SELECT image_id FROM pool_image WHERE {_POOL}
    UNION SELECT image_id FROM evaluation_item WHERE benchmark_id IN {_BENCHMARK})"""  # noqa: S608 - built from constants

CONDITIONS: dict[str, str] = {
    "answer": "id IN (SELECT id FROM kept_answer)",
    "answer_logits": "answer_id IN (SELECT id FROM kept_answer)",
    "assessment": _ITERATION,
    "assessment_cell": _ITERATION,
    "augmentation": _POOL,
    "benchmark": f"id IN {_BENCHMARK}",
    "checkpoint": _TRAINING,
    "contamination": _ITERATION,
    "evaluation": "id IN (SELECT id FROM kept_evaluation)",
    "evaluation_review": "evaluation_id IN (SELECT id FROM kept_evaluation)",
    "evaluation_item": f"benchmark_id IN {_BENCHMARK}",
    "evaluation_score": "evaluation_id IN (SELECT id FROM kept_evaluation)",
    "failure": _ITERATION,
    "honoured_review": _ITERATION,
    "image": f"id IN {_IMAGES}",
    "instruction": "id IN (SELECT id FROM kept_instruction)",
    "iteration": "id IN (SELECT id FROM kept_iteration)",
    "iteration_count": _ITERATION,
    "iteration_phase": _ITERATION,
    "judgement": "teacher_answer_id IN (SELECT id FROM kept_answer)"
    " AND student_answer_id IN (SELECT id FROM kept_answer)"
    " AND assessor_id IN (SELECT id FROM kept_model)",
    "judgement_cell": _ITERATION,
    "model": "id IN (SELECT id FROM kept_model)",
    "pool": "id IN (SELECT id FROM kept_pool)",
    "pool_image": _POOL,
    "prompt": "hash IN (SELECT prompt_hash FROM model JOIN kept_model USING (id))",
    "review": "instruction_id IN (SELECT id FROM kept_instruction)",
    "revision": "instruction_id IN (SELECT id FROM kept_instruction)",
    "run": "id = :run",
    "selection": _POOL,
    "training_example": _TRAINING,
    "training_metric": _TRAINING,
    "training_run": "id IN (SELECT id FROM kept_training)",
    "usage": "work_item_id IN (SELECT id FROM work_item WHERE iteration_id IN"
    " (SELECT id FROM kept_iteration))",
    "work_item": _ITERATION,
}
"""Table -> which of its rows; a table that a migration adds gets a line here (a test asks for it)."""


def keep(session: Session, run_id: int) -> None:
    """Fill the temporary tables `kept_*`, which the conditions read; they last one transaction."""
    for statement in _KEPT.split(";\n\n"):
        session.execute(text(statement), {"run": run_id})
