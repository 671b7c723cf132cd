-- Mean score of every finished evaluation, with its standard error. Teacher and untuned student
-- have no iteration.
CREATE VIEW evaluation_summary AS
SELECT
    evaluation.id AS evaluation_id,
    benchmark.name AS benchmark,
    evaluation.subject,
    evaluation.model_id,
    evaluation.iteration_id,
    count(*) AS items,
    avg(score) AS score,
    stddev_samp(score) / sqrt(count(*)) AS standard_error
FROM evaluation
JOIN benchmark ON benchmark.id = evaluation.benchmark_id
JOIN evaluation_score ON evaluation_score.evaluation_id = evaluation.id
WHERE evaluation.finished_at IS NOT NULL
GROUP BY 1, 2, 3, 4, 5;
