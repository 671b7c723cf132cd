-- What a run's iterations did not tune on because a person had rejected or edited it, and who.
CREATE VIEW set_aside_instruction AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    review.decision AS verdict,
    review.author,
    review.note,
    review.created_at AS decided_at,
    instruction.id AS instruction_id,
    instruction.text,
    review.text AS corrected
FROM run_iteration
JOIN honoured_review USING (iteration_id)
JOIN review ON review.id = honoured_review.review_id
JOIN instruction ON instruction.id = honoured_review.instruction_id
WHERE review.decision IN ('reject', 'edit');
