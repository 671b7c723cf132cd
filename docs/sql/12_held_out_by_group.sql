-- How does every student do on the held-out questions, group by group, beside the teacher?
-- The untuned student is iteration 0. `groups` are the labels that the benchmark's items carry.
SELECT
    benchmark.name AS benchmark,
    label.key || ' = ' || (label.value #>> '{}') AS items,
    evaluation.subject,
    coalesce(iteration.number, 0) AS iteration,
    count(*) AS n,
    avg(score.score) AS score
FROM evaluation
JOIN benchmark ON benchmark.id = evaluation.benchmark_id
JOIN evaluation_score AS score ON score.evaluation_id = evaluation.id
JOIN evaluation_item AS item ON item.id = score.item_id
CROSS JOIN LATERAL jsonb_each(item.groups) AS label
LEFT JOIN iteration ON iteration.id = evaluation.iteration_id
WHERE evaluation.finished_at IS NOT NULL
    AND (
        evaluation.iteration_id IS NULL
        OR evaluation.iteration_id IN (SELECT iteration_id FROM run_iteration WHERE run = 'demo-0')
    )
GROUP BY benchmark.name, items, evaluation.subject, iteration.number
ORDER BY benchmark.name, items, evaluation.subject DESC, iteration;
