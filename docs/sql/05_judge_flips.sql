-- What did the judge flip on?
-- The two orders name different winners: the answer that stands first, or the one that stands second,
-- was preferred both times. Such scores say more about the judge than about the student.
SELECT
    run_iteration.iteration,
    instruction.id AS instruction_id,
    instruction.text AS question,
    teacher_answer.text AS teacher_said,
    student_answer.text AS student_said,
    pair.teacher_score_1 || ' : ' || pair.student_score_1 AS teacher_first,
    pair.teacher_score_2 || ' : ' || pair.student_score_2 AS student_first
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN judged_pair AS pair
    ON pair.student_model_id = iteration.student_model_id
    AND pair.assessor_id = iteration.assessor_model_id
JOIN answer AS teacher_answer
    ON teacher_answer.id = pair.teacher_answer_id
    AND teacher_answer.model_id = iteration.teacher_model_id
JOIN answer AS student_answer ON student_answer.id = pair.student_answer_id
JOIN instruction ON instruction.id = pair.instruction_id
WHERE run_iteration.run = 'demo-0'
    AND (pair.teacher_score_1 - pair.student_score_1)
        * (pair.teacher_score_2 - pair.student_score_2) < 0
ORDER BY run_iteration.iteration, instruction.id
LIMIT 8;
