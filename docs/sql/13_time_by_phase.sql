-- Where does the time go?
-- Seconds of each phase, and records a second.
SELECT
    phase.phase,
    count(*) AS times,
    sum(phase.total) AS records,
    sum(extract(epoch FROM phase.finished_at - phase.started_at)) AS seconds,
    sum(phase.total) / nullif(sum(extract(epoch FROM phase.finished_at - phase.started_at)), 0)
        AS records_per_second
FROM run_iteration
JOIN iteration_phase AS phase USING (iteration_id)
WHERE run_iteration.run = 'demo-0' AND NOT run_iteration.shared
    AND phase.finished_at IS NOT NULL
GROUP BY phase.phase
ORDER BY seconds DESC;
