-- How far the assessor can be trusted, per iteration that assessed anything.
-- flips: the two orders name different winners; a tie is not one. first_preferred: both orders prefer their first slot.
CREATE VIEW judge_health AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    count(*) AS pairs,
    sum(pair.replies)::bigint AS replies,
    sum(pair.unreadable)::bigint AS unreadable,
    count(*) FILTER (WHERE pair.clamped) AS clamped,
    count(*) FILTER (WHERE num_nulls(pair.teacher_score_1, pair.teacher_score_2) = 1) AS one_order,
    count(*) FILTER (WHERE num_nulls(pair.teacher_score_1, pair.teacher_score_2) = 2) AS unscored,
    count(*) FILTER (WHERE
        (pair.teacher_score_1 - pair.student_score_1)
        * (pair.teacher_score_2 - pair.student_score_2) < 0) AS flips,
    count(*) FILTER (WHERE
        pair.teacher_score_1 > pair.student_score_1
        AND pair.student_score_2 > pair.teacher_score_2) AS first_preferred,
    count(*) FILTER (WHERE
        pair.teacher_score_1 < pair.student_score_1
        AND pair.student_score_2 < pair.teacher_score_2) AS second_preferred
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
JOIN judged_pair AS pair
    ON pair.student_model_id = iteration.student_model_id
    AND pair.assessor_id = iteration.assessor_model_id
JOIN answer AS teacher_answer
    ON teacher_answer.id = pair.teacher_answer_id
    AND teacher_answer.model_id = iteration.teacher_model_id
GROUP BY 1, 2, 3, 4;
