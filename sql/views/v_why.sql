-- Why unfinished jobs have tasks that do not run: what the tables can tell. `jobctl why` asks the coordinator, which
-- knows the dependencies by name as well. A row for one task where that task waits for itself.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_why AS
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'held' AS reason,
  CONCAT(scoped(q.s, j.owner, j.held), ' of ', scoped(q.s, j.owner, j.tasks), ' tasks are held until released') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
WHERE scoped(q.s, j.owner, j.held) > 0
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'waiting' AS reason,
  CONCAT(scoped(q.s, j.owner, j.waiting), ' of ', scoped(q.s, j.owner, j.tasks), ' tasks wait for a dependency, a time or a back-off') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
WHERE scoped(q.s, j.owner, j.waiting) > 0
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'time' AS reason,
  CONCAT('nothing starts before ',
    TIMESTAMPADD(MICROSECOND, scoped(q.s, j.owner, j.at_us), TIMESTAMP'1970-01-01 00:00:00'), ' UTC') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
WHERE scoped(q.s, j.owner, j.held + j.waiting) > 0
  AND scoped(q.s, j.owner, j.at_us) > TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6))
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'start-by' AS reason,
  CONCAT('what has not started is aborted at ',
    TIMESTAMPADD(MICROSECOND, scoped(q.s, j.owner, j.start_by_us), TIMESTAMP'1970-01-01 00:00:00'), ' UTC') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
WHERE scoped(q.s, j.owner, j.held + j.waiting + j.queued) > 0
  AND scoped(q.s, j.owner, j.start_by_us) > TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(6))
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'queue-paused' AS reason,
  CONCAT('queue ', CONVERT(scoped_text(q.s, j.owner, j.queue) USING utf8mb4), ' is paused') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
JOIN Queues k ON k.name <=> j.queue AND k.paused = 1
WHERE scoped(q.s, j.owner, j.queued) > 0
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'queue-limit' AS reason,
  CONCAT('queue ', CONVERT(scoped_text(q.s, j.owner, j.queue) USING utf8mb4), ' runs ', r.running, ' tasks of at most ', k.max_running) AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
JOIN Queues k ON k.name <=> j.queue AND k.max_running > 0
JOIN (SELECT i.queue, SUM(i.running) AS running FROM Jobs i WHERE i.ended_us = 0 AND i.loading = 0 GROUP BY i.queue) r
  ON r.queue = k.name
WHERE scoped(q.s, j.owner, j.queued) > 0 AND r.running >= k.max_running
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'quota' AS reason,
  CONCAT('its owner runs ', scoped(q.s, j.owner, r.running), ' tasks of at most ', scoped(q.s, j.owner, p.max_running)) AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
JOIN Principals p ON p.principal <=> j.owner AND p.max_running > 0
JOIN (SELECT i.owner, SUM(i.running) AS running FROM Jobs i WHERE i.ended_us = 0 AND i.loading = 0 GROUP BY i.owner) r
  ON r.owner <=> j.owner
WHERE scoped(q.s, j.owner, j.queued) > 0 AND r.running >= p.max_running
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'max-running' AS reason,
  CONCAT(scoped(q.s, j.owner, j.running), ' run, at most ', scoped(q.s, j.owner, j.max_running), ' of this job may') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
WHERE scoped(q.s, j.owner, j.queued) > 0 AND scoped(q.s, j.owner, j.max_running) > 0 AND scoped(q.s, j.owner, j.running) >= scoped(q.s, j.owner, j.max_running)
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'no-worker' AS reason,
  CONCAT('no connected worker has ', scoped(q.s, j.owner, j.cpus), ' slots') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
JOIN (SELECT MAX(w.slots) AS largest FROM Workers w WHERE w.state = 1) n
WHERE scoped(q.s, j.owner, j.queued) > 0 AND scoped(q.s, j.owner, j.cpus) > COALESCE(n.largest, 0)
UNION ALL
SELECT j.job_id AS job_id, CAST(NULL AS UNSIGNED) AS task_index, 'no-slot' AS reason,
  CONCAT('all slots in reach are taken: ', n.busy, ' of ', n.slots, ' are busy, ', scoped(q.s, j.owner, j.queued), ' tasks are queued') AS detail
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0
JOIN (SELECT MAX(w.slots) AS largest, MAX(w.slots - LEAST(w.slots, w.slots_busy)) AS room, SUM(w.slots) AS slots,
    SUM(w.slots_busy) AS busy
  FROM Workers w WHERE w.state = 1) n
WHERE scoped(q.s, j.owner, j.queued) > 0 AND scoped(q.s, j.owner, j.cpus) <= n.largest AND scoped(q.s, j.owner, j.cpus) > n.room
UNION ALL
SELECT t.job_id, t.task_index, 'back-off',
  CONCAT('attempt ', scoped(q.s, t.owner, t.attempt), ' has ended; the next one waits until ',
    TIMESTAMPADD(MICROSECOND, scoped(q.s, t.owner, t.started_us), TIMESTAMP'1970-01-01 00:00:00'), ' UTC')
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0 AND j.ended_us = 0 AND j.waiting > 0
JOIN Tasks t ON t.job_id = j.job_id
WHERE scoped(q.s, t.owner, t.status) = 2 AND scoped(q.s, t.owner, t.attempt) > 0 AND scoped(q.s, t.owner, t.started_us) > 0
;;
