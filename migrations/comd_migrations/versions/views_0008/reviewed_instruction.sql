-- What people's decisions about an instruction come to: the last verdict (accept, reject, edit) that
-- nobody took back, whoever gave it, and whether it was flagged since. An undo takes back a decision
-- of its own author. verdict is null where an instruction was only flagged.
CREATE VIEW reviewed_instruction AS
WITH standing AS (
    SELECT
        review.instruction_id,
        max(review.id) FILTER (WHERE review.decision <> 'flag') AS review_id,
        max(review.id) FILTER (WHERE review.decision = 'flag') AS flag_id,
        count(DISTINCT review.author) AS reviewers
    FROM review
    LEFT JOIN review AS undo
        ON undo.undoes_id = review.id
        AND undo.instruction_id = review.instruction_id
        AND undo.author = review.author
    WHERE review.decision <> 'undo' AND undo.id IS NULL
    GROUP BY review.instruction_id
)
SELECT
    standing.instruction_id,
    verdict.decision AS verdict,
    verdict.text,
    verdict.note,
    verdict.author,
    verdict.created_at AS decided_at,
    standing.review_id,
    coalesce(standing.flag_id > coalesce(standing.review_id, 0), false) AS flagged,
    standing.reviewers
FROM standing
LEFT JOIN review AS verdict ON verdict.id = standing.review_id;
