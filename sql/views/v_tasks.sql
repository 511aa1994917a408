-- One row a task, once its row exists. Tasks that never ran are stored as queued (a hold does not rewrite ten million
-- rows): held and waiting come from their job, or from Holds. A task that waits for something of its own is stored as
-- waiting.
-- Reasons 5 to 9: no program was started, so that there is no exit code.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_tasks AS
SELECT t.job_id AS job_id,
  t.task_index AS task_index,
  CONCAT(t.job_id, '.', t.task_index) AS task_id,
  CAST(CONVERT(unseal(1, j.name, j.wrapped_key, q.s, j.owner, j.job_id, 0, 0, 0, 0, 0) USING utf8mb4) AS CHAR(255))
    COLLATE utf8mb4_nopad_bin AS job_name,
  CASE WHEN scoped(q.s, j.owner, j.owner) <=> o.principal THEN o.name END AS owner,
  CAST(CONVERT(scoped_text(q.s, j.owner, j.queue) USING utf8mb4) AS CHAR(64))
    COLLATE utf8mb4_nopad_bin AS queue,
  ELT(scoped(q.s, j.owner, j.task_type), 'command', 'noop', 'echo', 'sleep') AS task_type,
  ELT(scoped(q.s, t.owner, CASE WHEN t.status NOT IN (2, 3) THEN t.status
      WHEN scoped(q.s, j.owner, j.hold) = 1 THEN 1
      WHEN scoped(q.s, j.owner, j.hold) = 2 AND EXISTS (SELECT 1 FROM Holds h WHERE h.job_id = t.job_id
        AND h.first_index <= t.task_index AND h.last_index >= t.task_index
        AND (t.task_index - h.first_index) MOD h.step = 0) THEN 1
      WHEN scoped(q.s, j.owner, j.waiting) > 0 AND scoped(q.s, j.owner, j.queued) = 0 THEN 2
      ELSE t.status END),
    'held', 'waiting', 'queued', 'running', 'succeeded', 'failed', 'timeout', 'oom', 'lost', 'cancelled', 'aborted') AS status,
  ELT(scoped(q.s, t.owner, t.reason),
    'exit-code', 'signal', 'time-limit', 'oom', 'command-not-found', 'not-executable',
    'arguments-too-long', 'no-cwd', 'launch', 'bad-result', 'result-too-large', 'no-space', 'crash-limit',
    'worker-lost', 'returned', 'cancelled', 'dependency', 'max-fails', 'start-by', 'bad-input',
    'bad-type', 'output-files', 'stopped', 'no-secret') AS reason,
  scoped(q.s, t.owner, CASE WHEN t.status >= 5 AND t.started_us > 0 AND t.reason NOT BETWEEN 5 AND 9 AND t.exit_signal = 0 THEN t.exit_code END) AS exit_code,
  scoped(q.s, t.owner, NULLIF(t.exit_signal, 0)) AS exit_signal,
  scoped(q.s, t.owner, NULLIF(t.attempt, 0)) AS attempt,
  CASE WHEN scoped(q.s, t.owner, t.worker) <=> w.principal THEN w.name END AS worker,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, j.owner, NULLIF(j.submitted_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS submitted_at,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, t.owner, CASE WHEN t.status >= 4 THEN NULLIF(t.started_us, 0) END), TIMESTAMP'1970-01-01 00:00:00') AS started_at,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, t.owner, NULLIF(t.ended_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS ended_at,
  scoped(q.s, t.owner, CASE WHEN t.ended_us > 0 AND t.started_us > 0 THEN t.cpu_us END) * 0.000001 AS cpu_seconds,
  scoped(q.s, t.owner, NULLIF(t.rss_kib, 0)) * 1024 AS max_rss_bytes,
  CONVERT(unseal_entry(4, c.payload, j.wrapped_key, q.d, c.owner, c.job_id, 0, 0, 0, c.seq, 0,
      (CAST(t.task_index AS SIGNED) - 1) MOD NULLIF(j.entries_per_chunk, 0)) USING utf8mb4)
    COLLATE utf8mb4_nopad_bin AS entry
FROM asker_both q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Tasks t ON t.job_id = j.job_id
LEFT JOIN Principals o ON o.principal <=> j.owner
LEFT JOIN Principals w ON w.principal <=> t.worker
LEFT JOIN JobData c ON c.job_id = j.job_id AND c.part = 0
  AND c.seq = (CAST(t.task_index AS SIGNED) - 1) DIV NULLIF(j.entries_per_chunk, 0)
;;
