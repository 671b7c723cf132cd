-- What exactly did the student see in its last training, and why?
-- One dialogue, turn by turn, with the picture's place (eq. 2) and the reason for each example:
-- born in the iteration's pool, accumulated, or replayed.
WITH last_training AS (
    SELECT training_run.id
    FROM run_iteration JOIN training_run USING (iteration_id)
    WHERE run_iteration.run = 'demo-0' AND training_run.state = 'done'
    ORDER BY run_iteration.iteration DESC
    LIMIT 1
), chosen AS (
    SELECT example.training_run_id, example.dialogue
    FROM training_example AS example
    JOIN last_training ON last_training.id = example.training_run_id
    GROUP BY example.training_run_id, example.dialogue
    ORDER BY count(*) DESC, example.dialogue
    LIMIT 1
)
SELECT
    example.turn,
    example.image_position AS picture,
    instruction.text AS question,
    answer.text AS teacher_said,
    example.reason,
    augmentation.band AS written_from_a
FROM chosen
JOIN training_example AS example USING (training_run_id, dialogue)
JOIN instruction ON instruction.id = example.instruction_id
JOIN answer ON answer.id = example.answer_id
LEFT JOIN augmentation ON augmentation.child_id = instruction.id
ORDER BY example.turn;
