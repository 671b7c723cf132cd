-- Everything an iteration assesses: the instructions born in its pool or in an ancestor of it.
CREATE VIEW cache_pool AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    instruction.pool_id AS born_in_pool_id,
    instruction.id AS instruction_id,
    instruction.parent_id,
    instruction.image_id,
    instruction.task_type,
    instruction.text,
    instruction.key
FROM run_iteration
JOIN pool_closure ON pool_closure.pool_id = run_iteration.pool_id
JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id;
