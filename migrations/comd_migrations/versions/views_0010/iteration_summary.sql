-- One row a run and iteration: pools, funnel, bands, scores, training, held-out score.
CREATE VIEW iteration_summary AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    run_iteration.shared,
    run_iteration.phase,
    tuning.instructions AS tuning_pool,
    cached.instructions AS cache_pool,
    chosen.difficult AS sources_difficult,
    chosen.easy AS sources_easy,
    chosen.random AS sources_random,
    written.generated,
    written.accepted,
    written.over_budget,
    assessed.difficult,
    assessed.easy,
    assessed.unscored,
    assessed.teacher_score,
    assessed.student_score,
    assessed.wins,
    assessed.ties,
    assessed.losses,
    trained.examples AS trained_examples,
    trained.steps AS trained_steps,
    trained.loss AS final_loss
FROM run_iteration
JOIN iteration ON iteration.id = run_iteration.iteration_id
CROSS JOIN LATERAL (
    SELECT count(*) AS instructions FROM instruction WHERE pool_id = run_iteration.pool_id
) AS tuning
CROSS JOIN LATERAL (
    SELECT count(*) AS instructions
    FROM pool_closure JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
    WHERE pool_closure.pool_id = run_iteration.pool_id
) AS cached
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE band = 'difficult') AS difficult,
        count(*) FILTER (WHERE band = 'easy') AS easy,
        count(*) FILTER (WHERE band = 'random') AS random
    FROM selection
    WHERE selection.pool_id = run_iteration.pool_id
) AS chosen
CROSS JOIN LATERAL (
    SELECT
        count(*) AS generated,
        count(*) FILTER (WHERE status = 'accepted') AS accepted,
        count(*) FILTER (WHERE reason = 'over budget') AS over_budget
    FROM augmentation
    WHERE augmentation.pool_id = run_iteration.pool_id
) AS written
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
        (SELECT count(*) FROM training_example WHERE training_run_id = training_run.id) AS examples,
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
