-- Why is this instruction here?
-- The chain up to its seed, with the difficulty that made each step. Taken for the instruction with the
-- longest chain; put an id of your own in its place. `written_from_a` says as
-- which kind its parent was chosen, `rouge_l` how close it came to the nearest instruction.
WITH asked AS (
    SELECT instruction_id
    FROM tuning_pool JOIN lineage USING (instruction_id)
    WHERE run = 'demo-0'
    ORDER BY lineage.depth DESC, instruction_id
    LIMIT 1
)
SELECT
    lineage.depth AS up,
    lineage.ancestor_id AS instruction_id,
    born.iteration AS born_in,
    lineage.ancestor_text AS text,
    augmentation.band AS written_from_a,
    augmentation.rouge_l,
    assessment.difficulty AS difficulty_when_born,
    assessment.teacher_score AS teacher,
    assessment.student_score AS student
FROM asked
JOIN lineage USING (instruction_id)
JOIN tuning_pool AS born ON born.instruction_id = lineage.ancestor_id AND born.run = 'demo-0'
LEFT JOIN augmentation ON augmentation.child_id = lineage.ancestor_id
LEFT JOIN assessment
    ON assessment.instruction_id = lineage.ancestor_id AND assessment.iteration_id = born.iteration_id
ORDER BY lineage.depth;
