-- One row a queue, for an autoscaler; everybody sees all. slots_wanted: slots of running tasks and of queued ones that
-- could start now were there workers, that is within each job's %, its owner's quota, the queue's limit, and not in a paused
-- queue. Where a limit (in tasks) cuts into jobs of different width, the slots are cut in proportion; who has queued tasks
-- in several queues has his quota in each.
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
LEFT JOIN (SELECT o.queue, SUM(o.busy) AS busy, SUM(o.running) AS running,
    SUM(IF(o.ready_tasks = 0, 0, CEILING(o.ready * o.may / o.ready_tasks))) AS ready, SUM(o.may) AS ready_tasks
  FROM (SELECT n.queue, n.busy, n.running, n.ready, n.ready_tasks,
      IF(COALESCE(p.max_running, 0) = 0, n.ready_tasks,
        LEAST(n.ready_tasks, GREATEST(p.max_running, t.running) - t.running)) AS may
    FROM (SELECT j.queue, j.owner,
        SUM(j.cpus * j.running) AS busy,
        SUM(j.running) AS running,
        SUM(j.cpus * LEAST(j.queued, IF(j.max_running = 0, j.queued, GREATEST(j.max_running, j.running) - j.running))) AS ready,
        SUM(LEAST(j.queued, IF(j.max_running = 0, j.queued, GREATEST(j.max_running, j.running) - j.running))) AS ready_tasks
      FROM Jobs j
      WHERE j.ended_us = 0 AND j.loading = 0
      GROUP BY j.queue, j.owner) n
    JOIN (SELECT i.owner, SUM(i.running) AS running FROM Jobs i WHERE i.ended_us = 0 AND i.loading = 0 GROUP BY i.owner) t
      ON t.owner = n.owner
    LEFT JOIN Principals p ON p.principal = n.owner) o
  GROUP BY o.queue) r ON r.queue = k.name
;;
