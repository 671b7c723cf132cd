"""An iteration that stands in its assess phase, with what the assessor said of it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from comd_platform.config.load import parse_config
from comd_platform.keys import root_key
from comd_platform.loop.iterations import next_iteration
from comd_platform.models import role_model
from comd_platform.runs import create_run
from comd_platform.tables import Answer, Instruction, Iteration, Judgement, Pool

CONFIG = {
    "name": "hand",
    "pool": "hand",
    "teacher": {"model": {"engine": "scripted", "model": "quiz"}},
    "student": {"model": {"engine": "scripted", "model": "quiz", "options": {"role": "student"}}},
}


def iteration_with_judgements(
    session: Session, *judged: dict[str, tuple[float, float]]
) -> tuple[Iteration, list[Instruction]]:
    """One instruction for each mapping position -> (teacher's, student's score)."""
    pool = Pool(name="hand", origin="import")
    session.add(pool)
    session.flush()
    run = create_run(session, parse_config(CONFIG))
    iteration = next_iteration(session, run)
    student = role_model(session, parse_config(CONFIG), "student")
    iteration.student_model_id = student
    iteration.phase = "assess"
    instructions = []
    for number, scores in enumerate(judged):
        text = f"question {number}?"
        instruction = Instruction(
            pool_id=pool.id, task_type="conversation", text=text, key=root_key("", text)
        )
        session.add(instruction)
        session.flush()
        answers = [
            Answer(instruction_id=instruction.id, model_id=model, text="so", finish_reason="stop")
            for model in (iteration.teacher_model_id, student)
        ]
        session.add_all(answers)
        session.flush()
        for position, (teacher_score, student_score) in scores.items():
            session.add(
                Judgement(
                    teacher_answer_id=answers[0].id,
                    student_answer_id=answers[1].id,
                    assessor_id=iteration.assessor_model_id,
                    position=position,
                    attempt=1,
                    raw="",
                    teacher_score=teacher_score,
                    student_score=student_score,
                    status="read",
                )
            )
        instructions.append(instruction)
    session.flush()
    return iteration, instructions
