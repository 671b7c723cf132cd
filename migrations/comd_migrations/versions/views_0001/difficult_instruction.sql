-- What an iteration found difficult under its run's threshold (eq. 6; at threshold 1 nothing is).
CREATE VIEW difficult_instruction AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    run_iteration.threshold,
    assessment.difficulty,
    assessment.teacher_score,
    assessment.student_score,
    instruction.id AS instruction_id,
    instruction.image_id,
    instruction.task_type,
    instruction.text
FROM run_iteration
JOIN assessment USING (iteration_id)
JOIN instruction ON instruction.id = assessment.instruction_id
WHERE assessment.difficulty >= run_iteration.threshold AND run_iteration.threshold < 1;
