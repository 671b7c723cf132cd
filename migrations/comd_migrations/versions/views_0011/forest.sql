-- Every instruction with the seed that it came of and how many steps it is from it: the whole forest at
-- once, from the seeds down, for questions over all of it. For one instruction ask lineage or descendants().
CREATE VIEW forest AS
WITH RECURSIVE walk(instruction_id, seed_id, depth) AS (
    SELECT id, id, 0 FROM instruction WHERE parent_id IS NULL
    UNION ALL
    SELECT child.id, walk.seed_id, walk.depth + 1
    FROM walk JOIN instruction AS child ON child.parent_id = walk.instruction_id
)
SELECT instruction_id, seed_id, depth FROM walk;
