-- Which pictures have questions that stay difficult in every iteration?
-- Candidates for a look with one's own eyes: the picture may be unreadable, the teacher wrong, or the
-- student too small. Counted are questions that were assessed in all iterations, and were difficult in each.
WITH assessed AS (
    SELECT
        assessment.instruction_id,
        bool_and(assessment.difficulty >= run_iteration.threshold) AS always_difficult,
        avg(assessment.difficulty) AS difficulty,
        count(*) AS iterations
    FROM run_iteration JOIN assessment USING (iteration_id)
    WHERE run_iteration.run = 'demo-0' AND assessment.difficulty IS NOT NULL
    GROUP BY assessment.instruction_id
)
SELECT
    image.path AS picture,
    count(*) AS questions,
    avg(assessed.difficulty) AS mean_difficulty,
    (array_agg(instruction.text ORDER BY instruction.id))[1] AS for_example
FROM assessed
JOIN instruction ON instruction.id = assessed.instruction_id
JOIN image ON image.id = instruction.image_id
WHERE assessed.always_difficult
    AND assessed.iterations = (SELECT max(iterations) FROM assessed)
GROUP BY image.id, image.path
ORDER BY questions DESC, mean_difficulty DESC, image.path
LIMIT 8;
