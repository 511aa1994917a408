-- What people and the system decided (Events, numbered), and the starts and ends of tasks, derived from Tasks and
-- Attempts. Each column has one type in all parts: else a UNION makes DECIMAL of it. Derived rows have no event_id: `WHERE event_id > N` goes on exactly where a reader of decisions stopped.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_events AS
SELECT e.event_id AS event_id,
  TIMESTAMPADD(MICROSECOND, scoped(q.e, e.owner, NULLIF(e.at_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS at,
  e.job_id AS job_id,
  scoped(q.e, e.owner, CASE WHEN e.has_index THEN e.task_index END) AS task_index,
  CAST(CONVERT(scoped_text(q.e, e.owner, e.kind) USING utf8mb4) AS CHAR(32))
    COLLATE utf8mb4_nopad_bin AS kind,
  CASE WHEN scoped(q.e, e.owner, e.actor) <=> a.principal THEN a.name END AS actor,
  CAST(CONVERT(unseal(9, e.detail, j.wrapped_key, q.e, e.owner, e.job_id, e.task_index, 0, 0, e.at_us, 0) USING utf8mb4) AS CHAR(2048))
    COLLATE utf8mb4_nopad_bin AS detail
FROM asker_events q
JOIN Visible v ON v.principal = q.m AND v.what = 3
JOIN Events e ON e.owner <=> v.owner AND e.job_id > 0
LEFT JOIN Jobs j ON j.job_id = e.job_id
LEFT JOIN Principals a ON a.principal <=> e.actor
UNION ALL
SELECT e.event_id, TIMESTAMPADD(MICROSECOND, scoped(q.e, e.owner, NULLIF(e.at_us, 0)), TIMESTAMP'1970-01-01 00:00:00'),
  CAST(NULL AS UNSIGNED), CAST(NULL AS SIGNED),
  CAST(CONVERT(scoped_text(q.e, e.owner, e.kind) USING utf8mb4) AS CHAR(32))
    COLLATE utf8mb4_nopad_bin,
  CASE WHEN scoped(q.e, e.owner, e.actor) <=> a.principal THEN a.name END,
  CAST(CONVERT(unseal(9, e.detail, k.wrapped_key, q.e, e.owner, 0, e.task_index, 0, 0, e.at_us, 0) USING utf8mb4) AS CHAR(2048))
    COLLATE utf8mb4_nopad_bin
FROM asker_events q
JOIN Visible v ON v.principal = q.m AND v.what = 3
JOIN Events e ON e.owner <=> v.owner AND e.job_id = 0
LEFT JOIN Coordinator k ON k.part = 0
LEFT JOIN Principals a ON a.principal <=> e.actor
UNION ALL
SELECT CAST(NULL AS UNSIGNED), TIMESTAMPADD(MICROSECOND, scoped(q.e, t.owner, NULLIF(t.started_us, 0)), TIMESTAMP'1970-01-01 00:00:00'), t.job_id, CAST(t.task_index AS SIGNED),
  'start', CASE WHEN scoped(q.e, t.owner, t.worker) <=> w.principal THEN w.name END, NULL
FROM asker_events q
JOIN Visible v ON v.principal = q.m AND v.what = 3
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Tasks t ON t.job_id = j.job_id AND t.started_us > 0 AND t.status >= 4
LEFT JOIN Principals w ON w.principal <=> t.worker
UNION ALL
SELECT CAST(NULL AS UNSIGNED), TIMESTAMPADD(MICROSECOND, scoped(q.e, t.owner, NULLIF(t.ended_us, 0)), TIMESTAMP'1970-01-01 00:00:00'), t.job_id, CAST(t.task_index AS SIGNED),
  'end', CASE WHEN scoped(q.e, t.owner, t.worker) <=> w.principal THEN w.name END, ELT(scoped(q.e, t.owner, t.status),
    'held', 'waiting', 'queued', 'running', 'succeeded', 'failed', 'timeout', 'oom', 'lost', 'cancelled', 'aborted')
FROM asker_events q
JOIN Visible v ON v.principal = q.m AND v.what = 3
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Tasks t ON t.job_id = j.job_id AND t.ended_us > 0
LEFT JOIN Principals w ON w.principal <=> t.worker
UNION ALL
SELECT CAST(NULL AS UNSIGNED), TIMESTAMPADD(MICROSECOND, scoped(q.e, IF(a.job_id <=> j.job_id, j.owner, NULL), NULLIF(a.started_us, 0)), TIMESTAMP'1970-01-01 00:00:00'), a.job_id, CAST(a.task_index AS SIGNED),
  'start', CASE WHEN scoped(q.e, IF(a.job_id <=> j.job_id, j.owner, NULL), a.worker) <=> w.principal THEN w.name END, NULL
FROM asker_events q
JOIN Visible v ON v.principal = q.m AND v.what = 3
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Attempts a ON a.job_id <=> j.job_id AND a.started_us > 0
LEFT JOIN Principals w ON w.principal <=> a.worker
UNION ALL
SELECT CAST(NULL AS UNSIGNED), TIMESTAMPADD(MICROSECOND, scoped(q.e, IF(a.job_id <=> j.job_id, j.owner, NULL), NULLIF(a.ended_us, 0)), TIMESTAMP'1970-01-01 00:00:00'), a.job_id, CAST(a.task_index AS SIGNED),
  'end', CASE WHEN scoped(q.e, IF(a.job_id <=> j.job_id, j.owner, NULL), a.worker) <=> w.principal THEN w.name END, ELT(scoped(q.e, IF(a.job_id <=> j.job_id, j.owner, NULL), a.status),
    'held', 'waiting', 'queued', 'running', 'succeeded', 'failed', 'timeout', 'oom', 'lost', 'cancelled', 'aborted')
FROM asker_events q
JOIN Visible v ON v.principal = q.m AND v.what = 3
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Attempts a ON a.job_id <=> j.job_id AND a.ended_us > 0
LEFT JOIN Principals w ON w.principal <=> a.worker
;;
