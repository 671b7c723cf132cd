-- What a run's iterations found to overlap with its benchmarks, and what was done about it.
CREATE VIEW contaminated_instruction AS
SELECT
    run_iteration.run,
    run_iteration.iteration,
    run_iteration.run_id,
    run_iteration.iteration_id,
    contamination.verdict,
    contamination.kind,
    contamination.distance,
    contamination.rouge_l,
    benchmark.name AS benchmark,
    contamination.items,
    evaluation_item.key AS item,
    evaluation_item.question,
    instruction.id AS instruction_id,
    instruction.image_id,
    instruction.text
FROM run_iteration
JOIN contamination USING (iteration_id)
JOIN benchmark ON benchmark.id = contamination.benchmark_id
JOIN evaluation_item ON evaluation_item.id = contamination.item_id
JOIN instruction ON instruction.id = contamination.instruction_id;
