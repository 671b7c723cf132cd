-- Every item that a student's checkpoint answered in a run, beside its parent iteration's checkpoint
-- on the same item: "which questions did iteration 3 lose?" is WHERE iteration = 3 AND score < before.
CREATE VIEW answered_item AS
SELECT
    tuned.run,
    tuned.run_id,
    tuned.iteration,
    benchmark.name AS benchmark,
    item.id AS item_id,
    item.key,
    item.groups,
    item.question,
    item.answers,
    made.text AS said,
    made.choice,
    made.score,
    earlier.text AS said_before,
    earlier.score AS before
FROM run_iteration AS tuned
JOIN iteration ON iteration.id = tuned.iteration_id
JOIN evaluation ON evaluation.iteration_id = iteration.id AND evaluation.subject = 'student'
JOIN benchmark ON benchmark.id = evaluation.benchmark_id
JOIN evaluation_score AS made ON made.evaluation_id = evaluation.id
JOIN evaluation_item AS item ON item.id = made.item_id
LEFT JOIN evaluation AS former
    ON former.iteration_id = iteration.parent_id AND former.subject = 'student'
    AND former.benchmark_id = evaluation.benchmark_id
    AND former.assessor_id IS NOT DISTINCT FROM evaluation.assessor_id
LEFT JOIN evaluation_score AS earlier
    ON earlier.evaluation_id = former.id AND earlier.item_id = made.item_id;
