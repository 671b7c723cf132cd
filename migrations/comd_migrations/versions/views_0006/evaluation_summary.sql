-- Score of every finished evaluation, with its standard error. Teacher and untuned student have no
-- iteration. Of a judged benchmark it is the mean over the reference's mean (and may exceed 1), with
-- the linearised error of a ratio; elsewhere the reference is 1 and this is the plain mean.
CREATE VIEW evaluation_summary AS
WITH summed AS (
    SELECT
        evaluation_id,
        count(score) AS items,
        avg(score) AS mean,
        avg(coalesce(reference_score, 1)) FILTER (WHERE score IS NOT NULL) AS reference,
        var_samp(score) AS variance,
        var_samp(coalesce(reference_score, 1)) FILTER (WHERE score IS NOT NULL) AS reference_variance,
        covar_samp(score, coalesce(reference_score, 1)) AS covariance
    FROM evaluation_score
    GROUP BY evaluation_id
)
SELECT
    evaluation.id AS evaluation_id,
    benchmark.name AS benchmark,
    evaluation.subject,
    evaluation.model_id,
    evaluation.iteration_id,
    summed.items,
    mean / reference AS score,
    sqrt(greatest(
        variance + (mean / reference) ^ 2 * reference_variance - 2 * mean / reference * covariance, 0
    ) / items) / reference AS standard_error
FROM evaluation
JOIN benchmark ON benchmark.id = evaluation.benchmark_id
JOIN summed ON summed.evaluation_id = evaluation.id
WHERE evaluation.finished_at IS NOT NULL AND summed.items > 0;
