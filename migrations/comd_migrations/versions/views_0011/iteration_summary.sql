-- One row a run and iteration: pools, funnel, bands, scores, training, held-out score.
CREATE VIEW iteration_summary AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    run_iteration.shared,
    run_iteration.phase,
    counted.tuning_pool,
    counted.cache_pool,
    counted.sources_difficult,
    counted.sources_easy,
    counted.sources_random,
    counted.generated,
    counted.accepted,
    counted.over_budget,
    assessed.difficult,
    assessed.easy,
    assessed.unscored,
    assessed.teacher_score,
    assessed.student_score,
    assessed.wins,
    assessed.ties,
    assessed.losses,
    CASE WHEN trained.found THEN counted.examples END AS trained_examples,
    trained.steps AS trained_steps,
    trained.loss AS final_loss
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(n) FILTER (WHERE what = 'born'), 0)::bigint AS tuning_pool,
        coalesce(sum(n) FILTER (WHERE what = 'cached'), 0)::bigint AS cache_pool,
        coalesce(sum(n) FILTER (WHERE what = 'source' AND label = 'difficult'), 0)::bigint
            AS sources_difficult,
        coalesce(sum(n) FILTER (WHERE what = 'source' AND label = 'easy'), 0)::bigint
            AS sources_easy,
        coalesce(sum(n) FILTER (WHERE what = 'source' AND label = 'random'), 0)::bigint
            AS sources_random,
        coalesce(sum(n) FILTER (WHERE what IN ('generated', 'accepted', 'rejected')), 0)::bigint
            AS generated,
        coalesce(sum(n) FILTER (WHERE what = 'accepted'), 0)::bigint AS accepted,
        coalesce(sum(n) FILTER (WHERE what = 'rejected' AND label = 'over budget'), 0)::bigint
            AS over_budget,
        coalesce(sum(n) FILTER (WHERE what = 'example'), 0)::bigint AS examples
    FROM iteration_counts(run_iteration.iteration_id)
) AS counted
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(instructions) FILTER (
            WHERE difficulty >= run_iteration.threshold AND run_iteration.threshold < 1
        ), 0)::bigint AS difficult,
        coalesce(sum(instructions) FILTER (
            WHERE difficulty < run_iteration.threshold OR run_iteration.threshold >= 1
        ), 0)::bigint AS easy,
        coalesce(sum(instructions) FILTER (WHERE difficulty IS NULL), 0)::bigint AS unscored,
        sum(teacher_score * instructions) / sum(instructions) FILTER (WHERE difficulty IS NOT NULL)
            AS teacher_score,
        sum(student_score * instructions) / sum(instructions) FILTER (WHERE difficulty IS NOT NULL)
            AS student_score,
        coalesce(sum(instructions) FILTER (WHERE student_score > teacher_score), 0)::bigint AS wins,
        coalesce(sum(instructions) FILTER (WHERE student_score = teacher_score), 0)::bigint AS ties,
        coalesce(sum(instructions) FILTER (WHERE student_score < teacher_score), 0)::bigint AS losses
    FROM assessment_cells(run_iteration.iteration_id)
) AS assessed
LEFT JOIN LATERAL (
    SELECT
        true AS found,
        last_metric.step AS steps,
        last_metric.loss
    FROM training_run
    LEFT JOIN LATERAL (
        SELECT step, loss
        FROM training_metric
        WHERE training_run_id = training_run.id
        ORDER BY step DESC
        LIMIT 1
    ) AS last_metric ON true
    WHERE training_run.iteration_id = run_iteration.iteration_id
) AS trained ON true;
