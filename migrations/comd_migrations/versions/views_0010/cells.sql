-- An iteration's assessments, counted by task type, scores and flags: computed from the rows. When the
-- phase assess is closed they stand in assessment_cell.
CREATE VIEW live_assessment_cell AS
SELECT
    assessment.iteration_id,
    instruction.task_type,
    assessment.teacher_score,
    assessment.student_score,
    assessment.difficulty,
    assessment.flags,
    count(*) AS instructions
FROM assessment
JOIN instruction ON instruction.id = assessment.instruction_id
GROUP BY 1, 2, 3, 4, 5, 6;

-- An iteration's judged pairs, counted by the scores of both orders: computed from the replies
-- themselves. When the phase assess is closed they stand in judgement_cell.
CREATE VIEW live_judgement_cell AS
SELECT
    iteration.id AS iteration_id,
    pair.teacher_score_1,
    pair.student_score_1,
    pair.teacher_score_2,
    pair.student_score_2,
    pair.clamped,
    count(*) AS pairs,
    sum(pair.replies)::bigint AS replies,
    sum(pair.unreadable)::bigint AS unreadable
FROM iteration
JOIN judged_pair AS pair
    ON pair.student_model_id = iteration.student_model_id
    AND pair.assessor_id = iteration.assessor_model_id
JOIN answer AS teacher_answer
    ON teacher_answer.id = pair.teacher_answer_id
    AND teacher_answer.model_id = iteration.teacher_model_id
GROUP BY 1, 2, 3, 4, 5, 6;

-- The cells of one iteration: those that stand there, else computed now.
CREATE FUNCTION assessment_cells(iteration bigint)
RETURNS TABLE (
    task_type text, teacher_score double precision, student_score double precision,
    difficulty double precision, flags text[], instructions bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT task_type, teacher_score, student_score, difficulty, flags, instructions
    FROM assessment_cell WHERE iteration_id = iteration
    UNION ALL
    SELECT task_type, teacher_score, student_score, difficulty, flags, instructions
    FROM live_assessment_cell
    WHERE iteration_id = iteration
        AND NOT EXISTS (SELECT FROM assessment_cell WHERE iteration_id = iteration)
$$;

-- The same of the judged pairs.
CREATE FUNCTION judgement_cells(iteration bigint)
RETURNS TABLE (
    teacher_score_1 double precision, student_score_1 double precision,
    teacher_score_2 double precision, student_score_2 double precision,
    clamped boolean, pairs bigint, replies bigint, unreadable bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT teacher_score_1, student_score_1, teacher_score_2, student_score_2, clamped, pairs,
        replies, unreadable
    FROM judgement_cell WHERE iteration_id = iteration
    UNION ALL
    SELECT teacher_score_1, student_score_1, teacher_score_2, student_score_2, clamped, pairs,
        replies, unreadable
    FROM live_judgement_cell
    WHERE iteration_id = iteration
        AND NOT EXISTS (SELECT FROM judgement_cell WHERE iteration_id = iteration)
$$;

-- Count an iteration's cells, for good. Done twice it leaves the same.
CREATE FUNCTION count_cells(iteration bigint) RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM assessment_cell WHERE iteration_id = iteration;
    DELETE FROM judgement_cell WHERE iteration_id = iteration;
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
$$;
