-- What each run has asked of each model, by iteration and phase, in tokens and (where the config has a
-- price table) in money. What a branch shares is counted with the run that made it.
CREATE VIEW usage_summary AS
SELECT
    iteration.run_id,
    run.name AS run,
    iteration.id AS iteration_id,
    iteration.number AS iteration,
    work_item.phase,
    work_item.role,
    work_item.model_id,
    model.uri AS model,
    sum(usage.requests)::bigint AS requests,
    sum(usage.prompt_tokens)::bigint AS prompt_tokens,
    sum(usage.cached_tokens)::bigint AS cached_tokens,
    sum(usage.completion_tokens)::bigint AS completion_tokens,
    sum(usage.cost) AS cost
FROM usage
JOIN work_item ON work_item.id = usage.work_item_id
JOIN iteration ON iteration.id = work_item.iteration_id
JOIN run ON run.id = iteration.run_id
LEFT JOIN model ON model.id = work_item.model_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;
