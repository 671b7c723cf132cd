-- Where does the teacher itself score badly?
-- A teacher cannot teach what it does not know: instructions that the judge gave both a low score are
-- difficult by eq. 6, but more of them may not help.
SELECT
    run_iteration.iteration,
    instruction.id AS instruction_id,
    assessment.teacher_score AS teacher,
    assessment.student_score AS student,
    instruction.text AS question,
    answer.text AS teacher_said
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN assessment ON assessment.iteration_id = run_iteration.iteration_id
JOIN instruction ON instruction.id = assessment.instruction_id
LEFT JOIN answer
    ON answer.instruction_id = instruction.id AND answer.model_id = iteration.teacher_model_id
WHERE run_iteration.run = 'demo-0' AND assessment.teacher_score IS NOT NULL
ORDER BY assessment.teacher_score, run_iteration.iteration DESC, instruction.id
LIMIT 8;
