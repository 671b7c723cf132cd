-- Which seed instructions have the most descendants?
-- They are what the loop kept coming back to: the student found them, or what was written from them,
-- difficult again and again. Only instructions that the run's own pools hold are counted.
SELECT
    root.instruction_id,
    count(*) AS descendants,
    max(lineage.depth) AS generations,
    root.task_type,
    root.text
FROM tuning_pool AS root
JOIN lineage ON lineage.ancestor_id = root.instruction_id AND lineage.depth > 0
JOIN cache_pool AS kept
    ON kept.instruction_id = lineage.instruction_id AND kept.run = root.run
WHERE root.run = 'demo-0' AND root.iteration = 1
    AND kept.iteration = (SELECT max(iteration) FROM run_iteration WHERE run = 'demo-0')
GROUP BY root.instruction_id, root.task_type, root.text
ORDER BY descendants DESC, root.instruction_id
LIMIT 8;
