-- One row a job that was acknowledged.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_jobs AS
SELECT j.job_id AS job_id,
  CAST(CONVERT(unseal(1, j.name, j.wrapped_key, q.s, j.owner, j.job_id, 0, 0, 0, 0, 0) USING utf8mb4) AS CHAR(255))
    COLLATE utf8mb4_nopad_bin AS name,
  CASE WHEN scoped(q.s, j.owner, j.owner) <=> o.principal THEN o.name END AS owner,
  CAST(CONVERT(scoped_text(q.s, j.owner, j.queue) USING utf8mb4) AS CHAR(64))
    COLLATE utf8mb4_nopad_bin AS queue,
  ELT(scoped(q.s, j.owner, j.status),
    'held', 'waiting', 'queued', 'running', 'succeeded', 'failed', 'timeout', 'oom', 'lost', 'cancelled', 'aborted') AS status,
  scoped(q.s, j.owner, j.priority) AS priority,
  scoped(q.s, j.owner, j.tasks) AS tasks,
  scoped(q.s, j.owner, j.held) AS held,
  scoped(q.s, j.owner, j.waiting) AS waiting,
  scoped(q.s, j.owner, j.queued) AS queued,
  scoped(q.s, j.owner, j.running) AS running,
  scoped(q.s, j.owner, j.succeeded) AS succeeded,
  scoped(q.s, j.owner, j.failed + j.timeout + j.oom + j.lost) AS failed,
  scoped(q.s, j.owner, j.cancelled) AS cancelled,
  scoped(q.s, j.owner, j.aborted) AS aborted,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, j.owner, NULLIF(j.submitted_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS submitted_at,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, j.owner, NULLIF(j.started_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS started_at,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, j.owner, NULLIF(j.ended_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS ended_at,
  CAST(CONVERT(unseal(3, j.comment, j.wrapped_key, q.s, j.owner, j.job_id, 0, 0, 0, 0, 0) USING utf8mb4) AS CHAR(1024))
    COLLATE utf8mb4_nopad_bin AS comment
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
LEFT JOIN Principals o ON o.principal <=> j.owner
;;
