-- Every pool with each of its ancestors, itself included (depth 0).
CREATE VIEW pool_closure AS
WITH RECURSIVE walk(pool_id, ancestor_id, depth) AS (
    SELECT id, id, 0 FROM pool
    UNION ALL
    SELECT walk.pool_id, pool.parent_id, walk.depth + 1
    FROM walk JOIN pool ON pool.id = walk.ancestor_id
    WHERE pool.parent_id IS NOT NULL
)
SELECT pool_id, ancestor_id, depth FROM walk;
