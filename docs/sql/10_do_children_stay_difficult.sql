-- Is what was written from difficult instructions difficult as well?
-- The augmentor is asked for a similar difficulty. Children of difficult ones should be difficult more
-- often than children of easy ones, at the first assessment after they were trained on.
SELECT
    born.iteration AS born_in,
    augmentation.band AS parent_was,
    count(*) AS children,
    avg((assessment.difficulty >= born.threshold)::int) AS difficult_share,
    avg(assessment.difficulty) AS mean_difficulty
FROM run_iteration AS born
JOIN augmentation ON augmentation.pool_id = born.pool_id AND augmentation.status = 'accepted'
JOIN assessment
    ON assessment.instruction_id = augmentation.child_id
    AND assessment.iteration_id = born.iteration_id
WHERE born.run = 'demo-0'
GROUP BY born.iteration, augmentation.band
ORDER BY born.iteration, augmentation.band;
