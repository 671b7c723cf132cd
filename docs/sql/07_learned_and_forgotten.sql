-- What was learned from one iteration to the next, and what was forgotten?
-- Replacing the pool, as the paper does, lets easy skills slip: `forgotten` was easy before and is
-- difficult now. Where it comes near `learned`, try `pools.mode: accumulate`.
SELECT
    after.iteration,
    instruction.task_type,
    count(*) FILTER (
        WHERE old.difficulty >= before.threshold AND new.difficulty < after.threshold
    ) AS learned,
    count(*) FILTER (
        WHERE old.difficulty < before.threshold AND new.difficulty >= after.threshold
    ) AS forgotten,
    count(*) AS in_both
FROM run_iteration AS before
JOIN run_iteration AS after
    ON after.run_id = before.run_id AND after.iteration = before.iteration + 1
JOIN assessment AS old ON old.iteration_id = before.iteration_id
JOIN assessment AS new
    ON new.iteration_id = after.iteration_id AND new.instruction_id = old.instruction_id
JOIN instruction ON instruction.id = old.instruction_id
WHERE before.run = 'demo-0'
GROUP BY after.iteration, instruction.task_type
ORDER BY after.iteration, instruction.task_type;
