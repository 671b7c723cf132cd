-- A pair of answers with what the assessor made of it in both orders; null where unreadable.
CREATE VIEW judged_pair AS
SELECT
    judgement.teacher_answer_id,
    judgement.student_answer_id,
    judgement.assessor_id,
    student_answer.instruction_id,
    student_answer.model_id AS student_model_id,
    max(teacher_score) FILTER (WHERE position = 'teacher_first') AS teacher_score_1,
    max(student_score) FILTER (WHERE position = 'teacher_first') AS student_score_1,
    max(teacher_score) FILTER (WHERE position = 'student_first') AS teacher_score_2,
    max(student_score) FILTER (WHERE position = 'student_first') AS student_score_2,
    bool_or(status = 'clamped') AS clamped,
    count(*) AS replies,
    count(*) FILTER (WHERE status = 'unreadable') AS unreadable
FROM judgement
JOIN answer AS student_answer ON student_answer.id = judgement.student_answer_id
GROUP BY 1, 2, 3, 4, 5;
