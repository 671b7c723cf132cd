-- Every run with all its iterations, those shared with the run it branched from included.
CREATE VIEW run_iteration AS
WITH RECURSIVE walk(run_id, iteration_id, parent_id) AS (
    SELECT run_id, id, parent_id FROM iteration
    UNION
    SELECT run.id, iteration.id, iteration.parent_id
    FROM run JOIN iteration ON iteration.id = run.base_iteration_id
    UNION
    SELECT walk.run_id, iteration.id, iteration.parent_id
    FROM walk JOIN iteration ON iteration.id = walk.parent_id
)
SELECT
    walk.run_id,
    run.name AS run,
    iteration.number AS iteration,
    iteration.id AS iteration_id,
    iteration.run_id <> walk.run_id AS shared,
    iteration.phase,
    iteration.pool_id,
    (run.config -> 'method' ->> 'difficulty_threshold')::double precision AS threshold
FROM walk
JOIN iteration ON iteration.id = walk.iteration_id
JOIN run ON run.id = walk.run_id;
