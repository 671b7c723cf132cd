-- What an iteration's pool brought: the instructions born in it.
CREATE VIEW tuning_pool AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    instruction.pool_id,
    instruction.id AS instruction_id,
    instruction.parent_id,
    instruction.image_id,
    instruction.task_type,
    instruction.text,
    instruction.key
FROM run_iteration
JOIN instruction ON instruction.pool_id = run_iteration.pool_id;
