-- One row a queue, for an autoscaler; everybody sees all. slots_wanted: slots of running tasks and of queued ones that
-- could start now were there workers, that is within each job's %, the queue's limit, and not in a paused queue. Where
-- the queue's limit (in tasks) cuts into jobs of different width, the slots are cut in proportion.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_demand AS
SELECT k.name AS queue,
  CAST(COALESCE(r.busy, 0) + CASE
    WHEN k.paused OR COALESCE(r.ready_tasks, 0) = 0 THEN 0
    WHEN k.max_running = 0 OR r.running + r.ready_tasks <= k.max_running THEN r.ready
    WHEN r.running >= k.max_running THEN 0
    ELSE CEILING(r.ready * (k.max_running - r.running) / r.ready_tasks)
  END AS UNSIGNED) AS slots_wanted,
  CAST(COALESCE(r.busy, 0) AS UNSIGNED) AS slots_running,
  CAST((SELECT COALESCE(SUM(w.slots), 0) FROM Workers w WHERE w.state = 1) AS UNSIGNED) AS slots_connected
FROM Queues k
LEFT JOIN (SELECT j.queue,
    SUM(j.cpus * j.running) AS busy,
    SUM(j.running) AS running,
    SUM(j.cpus * LEAST(j.queued, IF(j.max_running = 0, j.queued, GREATEST(j.max_running, j.running) - j.running))) AS ready,
    SUM(LEAST(j.queued, IF(j.max_running = 0, j.queued, GREATEST(j.max_running, j.running) - j.running))) AS ready_tasks
  FROM Jobs j
  WHERE j.ended_us = 0 AND j.loading = 0
  GROUP BY j.queue) r ON r.queue = k.name
;;
