-- Why were new instructions rejected?
-- `not diverse` came too close (ROUGE-L) to an instruction about the same picture; `over budget` was not
-- looked at, because `method.max_new` was reached; the others held no usable instruction.
SELECT
    run_iteration.iteration,
    augmentation.band AS written_from_a,
    coalesce(augmentation.reason, augmentation.status) AS outcome,
    count(*) AS replies,
    avg(augmentation.rouge_l) AS mean_rouge_l
FROM run_iteration
JOIN augmentation USING (pool_id)
WHERE run_iteration.run = 'demo-0'
GROUP BY run_iteration.iteration, augmentation.band, outcome
ORDER BY run_iteration.iteration, augmentation.band, replies DESC, outcome;
