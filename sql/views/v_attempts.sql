-- One row an attempt that began: the newest stands in Tasks, earlier ones in Attempts. Attempts has no owner of its
-- own, so its numbers are tied to the job beside them by <=>, which the server does not fold away as it does with =.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_attempts AS
SELECT t.job_id AS job_id,
  t.task_index AS task_index,
  scoped(q.s, t.owner, t.attempt) AS attempt,
  ELT(scoped(q.s, t.owner, t.status),
    'held', 'waiting', 'queued', 'running', 'succeeded', 'failed', 'timeout', 'oom', 'lost', 'cancelled', 'aborted') AS status,
  ELT(scoped(q.s, t.owner, t.reason),
    'exit-code', 'signal', 'time-limit', 'oom', 'command-not-found', 'not-executable',
    'arguments-too-long', 'no-cwd', 'launch', 'bad-result', 'result-too-large', 'no-space', 'crash-limit',
    'worker-lost', 'returned', 'cancelled', 'dependency', 'max-fails', 'start-by', 'bad-input',
    'bad-type', 'output-files', 'stopped', 'no-secret') AS reason,
  scoped(q.s, t.owner, CASE WHEN t.status >= 5 AND t.started_us > 0 AND t.reason NOT BETWEEN 5 AND 9 AND t.exit_signal = 0 THEN t.exit_code END) AS exit_code,
  scoped(q.s, t.owner, NULLIF(t.exit_signal, 0)) AS exit_signal,
  CASE WHEN scoped(q.s, t.owner, t.worker) <=> w.principal THEN w.name END AS worker,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, t.owner, NULLIF(t.started_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS started_at,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, t.owner, NULLIF(t.ended_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS ended_at,
  scoped(q.s, t.owner, CASE WHEN t.ended_us > 0 AND t.started_us > 0 THEN t.cpu_us END) * 0.000001 AS cpu_seconds,
  scoped(q.s, t.owner, NULLIF(t.rss_kib, 0)) * 1024 AS max_rss_bytes
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Tasks t ON t.job_id = j.job_id AND t.started_us > 0 AND t.status >= 4
LEFT JOIN Principals w ON w.principal <=> t.worker
UNION ALL
SELECT a.job_id AS job_id,
  a.task_index AS task_index,
  scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), a.attempt) AS attempt,
  ELT(scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), a.status),
    'held', 'waiting', 'queued', 'running', 'succeeded', 'failed', 'timeout', 'oom', 'lost', 'cancelled', 'aborted') AS status,
  ELT(scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), a.reason),
    'exit-code', 'signal', 'time-limit', 'oom', 'command-not-found', 'not-executable',
    'arguments-too-long', 'no-cwd', 'launch', 'bad-result', 'result-too-large', 'no-space', 'crash-limit',
    'worker-lost', 'returned', 'cancelled', 'dependency', 'max-fails', 'start-by', 'bad-input',
    'bad-type', 'output-files', 'stopped', 'no-secret') AS reason,
  scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), CASE WHEN a.status >= 5 AND a.started_us > 0 AND a.reason NOT BETWEEN 5 AND 9 AND a.exit_signal = 0 THEN a.exit_code END) AS exit_code,
  scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), NULLIF(a.exit_signal, 0)) AS exit_signal,
  CASE WHEN scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), a.worker) <=> w.principal THEN w.name END AS worker,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), NULLIF(a.started_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS started_at,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), NULLIF(a.ended_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS ended_at,
  scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), CASE WHEN a.ended_us > 0 AND a.started_us > 0 THEN a.cpu_us END) * 0.000001 AS cpu_seconds,
  scoped(q.s, IF(a.job_id <=> j.job_id, j.owner, NULL), NULLIF(a.rss_kib, 0)) * 1024 AS max_rss_bytes
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Attempts a ON a.job_id <=> j.job_id
LEFT JOIN Principals w ON w.principal <=> a.worker
;;
