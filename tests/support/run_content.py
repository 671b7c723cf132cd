"""What a run holds, by content alone: no serial id, no time, no worker. Two equal runs compare equal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, text

CONTENT = {
    "instructions": """
        SELECT i.number, n.key, parent.key AS parent, n.text, n.task_type
        FROM it i JOIN instruction n ON n.pool_id = i.pool_id
        LEFT JOIN instruction parent ON parent.id = n.parent_id""",
    "selected": """
        SELECT i.number, n.key, s.band, s.score
        FROM it i JOIN selection s ON s.pool_id = i.pool_id
        JOIN instruction n ON n.id = s.instruction_id WHERE i.number > 1""",
    "augmentations": """
        SELECT i.number, source.key, a.attempt, a.raw, a.status, a.reason, a.rouge_l,
               child.key AS child
        FROM it i JOIN augmentation a ON a.pool_id = i.pool_id
        JOIN instruction source ON source.id = a.source_instruction_id
        LEFT JOIN instruction child ON child.id = a.child_id WHERE i.number > 1""",
    "teacher's answers": """
        SELECT DISTINCT n.key, a.text, a.finish_reason
        FROM it i JOIN answer a ON a.model_id = i.teacher_model_id
        JOIN instruction n ON n.id = a.instruction_id""",
    "student's answers": """
        SELECT i.number, n.key, a.text, a.finish_reason
        FROM it i JOIN answer a ON a.model_id = i.student_model_id
        JOIN instruction n ON n.id = a.instruction_id""",
    "judgements": """
        SELECT i.number, n.key, j.position, j.attempt, j.raw, j.teacher_score, j.student_score,
               j.status
        FROM it i JOIN answer s ON s.model_id = i.student_model_id
        JOIN judgement j ON j.student_answer_id = s.id AND j.assessor_id = i.assessor_model_id
        JOIN instruction n ON n.id = s.instruction_id""",
    "assessments": """
        SELECT i.number, n.key, a.teacher_score, a.student_score, a.difficulty, a.flags
        FROM it i JOIN assessment a ON a.iteration_id = i.id
        JOIN instruction n ON n.id = a.instruction_id""",
    "training examples": """
        SELECT i.number, n.key, a.text AS answer, e.dialogue, e.turn, e.image_position, e.reason
        FROM it i JOIN training_run t ON t.iteration_id = i.id
        JOIN training_example e ON e.training_run_id = t.id
        JOIN instruction n ON n.id = e.instruction_id JOIN answer a ON a.id = e.answer_id""",
    "training losses": """
        SELECT i.number, m.step, m.loss, m.learning_rate, m.grad_norm, m.tokens
        FROM it i JOIN training_run t ON t.iteration_id = i.id
        JOIN training_metric m ON m.training_run_id = t.id""",
    "checkpoints": """
        SELECT i.number, c.step, c.weights_sha256
        FROM it i JOIN training_run t ON t.iteration_id = i.id
        JOIN checkpoint c ON c.training_run_id = t.id""",
    "held-out scores": """
        SELECT i.number, m.checkpoint_id IS NULL AS fixed, v.key, s.text, s.score
        FROM it i JOIN evaluation e ON e.iteration_id = i.id JOIN model m ON m.id = e.model_id
        JOIN evaluation_score s ON s.evaluation_id = e.id JOIN evaluation_item v ON v.id = s.item_id""",
    "failures": """
        SELECT i.number, f.phase, n.key, f.reason, f.state
        FROM it i JOIN failure f ON f.iteration_id = i.id
        JOIN instruction n ON n.id = f.instruction_id""",
}
"""Each thing that a run leaves, keyed so that a duplicate would be a second equal row."""

_ITERATIONS = """
    WITH it AS (SELECT iteration.* FROM iteration JOIN run_iteration r ON r.iteration_id = iteration.id
                WHERE r.run = :run)
"""


def run_content(engine: Engine, run: str) -> dict[str, list[str]]:
    """Sorted rows by kind, each as text."""
    with engine.connect() as connection:
        return {
            kind: sorted(str(tuple(row)) for row in connection.execute(_query(query), {"run": run}))
            for kind, query in CONTENT.items()
        }


def assert_same_content(found: dict[str, list[str]], wanted: dict[str, list[str]]) -> None:
    """Equal in every kind; what differs is shown, a few rows of it."""
    for kind, rows in wanted.items():
        missing, extra = sorted(set(rows) - set(found[kind])), sorted(set(found[kind]) - set(rows))
        assert not missing, f"{kind}: {len(missing)} rows of the twin are missing: {missing[:3]}"
        assert not extra, f"{kind}: {len(extra)} rows that the twin has not: {extra[:3]}"
        assert len(found[kind]) == len(rows), f"{kind}: some row stands there twice"


def unfinished(engine: Engine, run: str) -> dict[str, Any]:
    """Work items of the run by state, but for those that are done or split."""
    query = """
        SELECT w.state, count(*) FROM it JOIN work_item w ON w.iteration_id = it.id
        WHERE w.state NOT IN ('done', 'split') GROUP BY 1"""
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(_query(query), {"run": run})}


def _query(query: str) -> Any:
    return text(_ITERATIONS + query)
