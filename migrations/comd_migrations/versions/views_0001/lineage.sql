-- Every instruction with each of its ancestors, itself included (depth 0).
-- LATERAL, so that "WHERE instruction_id = 42" walks one chain and not the forest.
CREATE VIEW lineage AS
SELECT
    instruction.id AS instruction_id,
    chain.ancestor_id,
    chain.depth,
    ancestor.text AS ancestor_text,
    ancestor.task_type AS ancestor_task_type,
    ancestor.pool_id AS ancestor_pool_id,
    ancestor.image_id
FROM instruction
CROSS JOIN LATERAL (
    WITH RECURSIVE walk(ancestor_id, parent_id, depth) AS (
        SELECT instruction.id, instruction.parent_id, 0
        UNION ALL
        SELECT up.id, up.parent_id, walk.depth + 1
        FROM walk JOIN instruction AS up ON up.id = walk.parent_id
    )
    SELECT ancestor_id, depth FROM walk
) AS chain
JOIN instruction AS ancestor ON ancestor.id = chain.ancestor_id;

-- The instructions that came of one instruction, itself included (depth 0).
CREATE FUNCTION descendants(root bigint)
RETURNS TABLE (instruction_id bigint, parent_id bigint, depth integer)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH RECURSIVE walk(instruction_id, parent_id, depth) AS (
        SELECT id, instruction.parent_id, 0 FROM instruction WHERE id = root
        UNION ALL
        SELECT child.id, child.parent_id, walk.depth + 1
        FROM walk JOIN instruction AS child ON child.parent_id = walk.instruction_id
    )
    SELECT instruction_id, parent_id, depth FROM walk
$$;
