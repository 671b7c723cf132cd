-- Which candidates came closest to what was there, accepted or not?
-- To judge the threshold of diversity (0.7 in the paper) by its edge: what stands just below it was
-- taken for new.
SELECT
    augmentation.rouge_l,
    augmentation.status,
    augmentation.text AS candidate,
    nearest.text AS nearest
FROM run_iteration
JOIN augmentation USING (pool_id)
JOIN instruction AS nearest ON nearest.id = augmentation.nearest_id
WHERE run_iteration.run = 'demo-0'
ORDER BY abs(augmentation.rouge_l - 0.7), augmentation.id
LIMIT 8;
