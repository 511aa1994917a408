-- Counts of unfinished jobs and their tasks; everybody sees all. max_running is NULL where there is no limit.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_queues AS
SELECT k.name AS queue,
  k.paused AS paused,
  NULLIF(k.max_running, 0) AS max_running,
  k.weight AS weight,
  COALESCE(r.jobs, 0) AS jobs,
  CAST(COALESCE(r.held, 0) AS UNSIGNED) AS held,
  CAST(COALESCE(r.waiting, 0) AS UNSIGNED) AS waiting,
  CAST(COALESCE(r.queued, 0) AS UNSIGNED) AS queued,
  CAST(COALESCE(r.running, 0) AS UNSIGNED) AS running
FROM Queues k
LEFT JOIN (SELECT j.queue, COUNT(*) AS jobs, SUM(j.held) AS held, SUM(j.waiting) AS waiting, SUM(j.queued) AS queued,
    SUM(j.running) AS running
  FROM Jobs j
  WHERE j.ended_us = 0 AND j.loading = 0
  GROUP BY j.queue) r ON r.queue = k.name
;;
