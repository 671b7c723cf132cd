-- How far the assessor can be trusted, per iteration that assessed anything.
-- flips: the two orders name different winners; a tie is not one. first_preferred: both orders prefer their first slot.
CREATE VIEW judge_health AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    sum(pairs)::bigint AS pairs,
    sum(replies)::bigint AS replies,
    sum(unreadable)::bigint AS unreadable,
    coalesce(sum(pairs) FILTER (WHERE clamped), 0)::bigint AS clamped,
    coalesce(sum(pairs) FILTER (WHERE num_nulls(teacher_score_1, teacher_score_2) = 1), 0)::bigint
        AS one_order,
    coalesce(sum(pairs) FILTER (WHERE num_nulls(teacher_score_1, teacher_score_2) = 2), 0)::bigint
        AS unscored,
    coalesce(sum(pairs) FILTER (WHERE
        (teacher_score_1 - student_score_1) * (teacher_score_2 - student_score_2) < 0), 0)::bigint
        AS flips,
    coalesce(sum(pairs) FILTER (WHERE
        teacher_score_1 > student_score_1 AND student_score_2 > teacher_score_2), 0)::bigint
        AS first_preferred,
    coalesce(sum(pairs) FILTER (WHERE
        teacher_score_1 < student_score_1 AND student_score_2 < teacher_score_2), 0)::bigint
        AS second_preferred
FROM run_iteration
CROSS JOIN LATERAL judgement_cells(run_iteration.iteration_id)
GROUP BY 1, 2, 3, 4;
