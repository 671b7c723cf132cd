-- Which task types does the student win by now?
-- A win is a higher score than the teacher's from the same judge, in both orders together. `regret` is
-- what the student still misses on average, where the teacher was better.
SELECT
    instruction.task_type,
    run_iteration.iteration,
    count(*) AS scored,
    avg((assessment.student_score > assessment.teacher_score)::int) AS wins,
    avg((assessment.student_score = assessment.teacher_score)::int) AS ties,
    avg((assessment.student_score < assessment.teacher_score)::int) AS losses,
    avg(greatest(assessment.teacher_score - assessment.student_score, 0)) AS regret
FROM run_iteration
JOIN assessment USING (iteration_id)
JOIN instruction ON instruction.id = assessment.instruction_id
WHERE run_iteration.run = 'demo-0' AND assessment.difficulty IS NOT NULL
GROUP BY instruction.task_type, run_iteration.iteration
ORDER BY instruction.task_type, run_iteration.iteration;
