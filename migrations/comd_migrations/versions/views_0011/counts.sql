-- What an iteration's pool, sources, replies and training come to, by label: computed from the rows.
-- When the phase assess is closed they stand in iteration_count.
CREATE VIEW live_iteration_count AS
SELECT iteration.id AS iteration_id, 'cached' AS what, NULL AS label, count(*) AS n
FROM iteration
JOIN pool_closure ON pool_closure.pool_id = iteration.pool_id
JOIN instruction ON instruction.pool_id = pool_closure.ancestor_id
GROUP BY 1
UNION ALL
SELECT iteration.id, 'born', instruction.task_type, count(*)
FROM iteration
JOIN instruction ON instruction.pool_id = iteration.pool_id
GROUP BY 1, 3
UNION ALL
SELECT iteration.id, 'source', selection.band, count(*)
FROM iteration
JOIN selection ON selection.pool_id = iteration.pool_id
GROUP BY 1, 3
UNION ALL
-- Sources, since one may have several replies.
SELECT iteration.id, 'readable source', augmentation.band,
    count(DISTINCT augmentation.source_instruction_id)
FROM iteration
JOIN augmentation ON augmentation.pool_id = iteration.pool_id
WHERE augmentation.text IS NOT NULL
GROUP BY 1, 3
UNION ALL
SELECT iteration.id, 'accepted source', augmentation.band,
    count(DISTINCT augmentation.source_instruction_id)
FROM iteration
JOIN augmentation ON augmentation.pool_id = iteration.pool_id
WHERE augmentation.status = 'accepted'
GROUP BY 1, 3
UNION ALL
SELECT iteration.id, augmentation.status, augmentation.reason, count(*)
FROM iteration
JOIN augmentation ON augmentation.pool_id = iteration.pool_id
GROUP BY 1, 2, 3
UNION ALL
SELECT training_run.iteration_id, 'example', NULL, count(*)
FROM training_run
JOIN training_example ON training_example.training_run_id = training_run.id
WHERE training_run.iteration_id IS NOT NULL
GROUP BY 1
UNION ALL
SELECT training_run.iteration_id, 'dialogue', NULL, count(*)
FROM training_run
JOIN training_example ON training_example.training_run_id = training_run.id
WHERE training_run.iteration_id IS NOT NULL AND training_example.turn = 1
GROUP BY 1;

-- The counts of one iteration: those that stand there, else computed now.
CREATE FUNCTION iteration_counts(iteration bigint)
RETURNS TABLE (what text, label text, n bigint)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT what, label, n FROM iteration_count WHERE iteration_id = iteration
    UNION ALL
    SELECT what, label, n FROM live_iteration_count
    WHERE iteration_id = iteration
        AND NOT EXISTS (SELECT FROM iteration_count WHERE iteration_id = iteration)
$$;

-- An iteration's judged pairs, counted by the scores of both orders: computed from the replies
-- themselves. When the phase assess is closed they stand in judgement_cell.
-- From the student's answers, so that one iteration costs its own replies and not everybody's.
CREATE OR REPLACE VIEW live_judgement_cell AS
SELECT
    iteration_id,
    teacher_score_1,
    student_score_1,
    teacher_score_2,
    student_score_2,
    clamped,
    count(*) AS pairs,
    sum(replies)::bigint AS replies,
    sum(unreadable)::bigint AS unreadable
FROM (
    SELECT
        iteration.id AS iteration_id,
        max(teacher_score) FILTER (WHERE position = 'teacher_first') AS teacher_score_1,
        max(student_score) FILTER (WHERE position = 'teacher_first') AS student_score_1,
        max(teacher_score) FILTER (WHERE position = 'student_first') AS teacher_score_2,
        max(student_score) FILTER (WHERE position = 'student_first') AS student_score_2,
        bool_or(status = 'clamped') AS clamped,
        count(*) AS replies,
        count(*) FILTER (WHERE status = 'unreadable') AS unreadable
    FROM iteration
    JOIN answer AS student ON student.model_id = iteration.student_model_id
    JOIN judgement ON judgement.student_answer_id = student.id
        AND judgement.assessor_id = iteration.assessor_model_id
    JOIN answer AS teacher ON teacher.id = judgement.teacher_answer_id
        AND teacher.model_id = iteration.teacher_model_id
    GROUP BY iteration.id, judgement.student_answer_id, judgement.teacher_answer_id
) AS pair
GROUP BY 1, 2, 3, 4, 5, 6;

-- Count a closed iteration, for good. Done twice it leaves the same.
CREATE OR REPLACE FUNCTION count_cells(iteration bigint) RETURNS void
LANGUAGE sql SET work_mem = '256MB'  -- once an iteration, over all of its rows
AS $$
    DELETE FROM assessment_cell WHERE iteration_id = iteration;
    DELETE FROM judgement_cell WHERE iteration_id = iteration;
    DELETE FROM iteration_count WHERE iteration_id = iteration;
    INSERT INTO assessment_cell
        (iteration_id, number, task_type, teacher_score, student_score, flags, instructions)
    SELECT
        iteration_id,
        row_number() OVER (ORDER BY task_type, teacher_score, student_score, flags),
        task_type, teacher_score, student_score, flags, instructions
    FROM live_assessment_cell WHERE iteration_id = iteration;
    INSERT INTO judgement_cell (iteration_id, number, teacher_score_1, student_score_1,
        teacher_score_2, student_score_2, clamped, pairs, replies, unreadable)
    SELECT
        iteration_id,
        row_number() OVER (ORDER BY teacher_score_1, student_score_1, teacher_score_2,
            student_score_2, clamped),
        teacher_score_1, student_score_1, teacher_score_2, student_score_2, clamped, pairs, replies,
        unreadable
    FROM live_judgement_cell WHERE iteration_id = iteration;
    INSERT INTO iteration_count (iteration_id, number, what, label, n)
    SELECT iteration_id, row_number() OVER (ORDER BY what, label), what, label, n
    FROM live_iteration_count WHERE iteration_id = iteration;
$$;
