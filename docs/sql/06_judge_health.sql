-- Can the judge be trusted, and does it prefer a position?
-- Two preferences of about the same size cancel out over the two orders; a large difference is a bias
-- that the mean of both orders hides.
SELECT
    iteration,
    pairs,
    unreadable::numeric / replies AS unreadable_share,
    flips::numeric / pairs AS flip_share,
    first_preferred,
    second_preferred,
    one_order,
    unscored
FROM judge_health
WHERE run = 'demo-0'
ORDER BY iteration;
