-- One row a task whose newest attempt gave a result: earlier attempts stand in Attempts. (A join with Tasks, only to
-- compare the attempt, would cost as much as the whole rest; like this it is left out unless status is asked for.)
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_results AS
SELECT d.job_id AS job_id,
  d.task_index AS task_index,
  CAST(CONVERT(unseal(1, j.name, j.wrapped_key, q.s, j.owner, j.job_id, 0, 0, 0, 0, 0) USING utf8mb4) AS CHAR(255))
    COLLATE utf8mb4_nopad_bin AS job_name,
  CASE WHEN scoped(q.d, j.owner, j.owner) <=> o.principal THEN o.name END AS owner,
  ELT(scoped(q.d, t.owner, t.status),
    'held', 'waiting', 'queued', 'running', 'succeeded', 'failed', 'timeout', 'oom', 'lost', 'cancelled', 'aborted') AS status,
  CONVERT(unseal_entry(4, c.payload, j.wrapped_key, q.d, c.owner, c.job_id, 0, 0, 0, c.seq, 0,
      (CAST(d.task_index AS SIGNED) - 1) MOD NULLIF(j.entries_per_chunk, 0)) USING utf8mb4)
    COLLATE utf8mb4_nopad_bin AS entry,
  CONVERT(unseal(5, d.payload, j.wrapped_key, q.d, d.owner, d.job_id, d.task_index, d.attempt, 0, 0, 0) USING utf8mb4)
    COLLATE utf8mb4_nopad_bin AS result,
  TIMESTAMPADD(MICROSECOND, scoped(q.d, d.owner, NULLIF(d.recorded_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS recorded_at
FROM asker_both q
JOIN Visible v ON v.principal = q.m AND v.what = 2
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Data d ON d.job_id = j.job_id AND d.kind = 1
LEFT JOIN Attempts a ON a.job_id = d.job_id AND a.task_index = d.task_index AND a.attempt = d.attempt
LEFT JOIN Tasks t ON t.job_id = d.job_id AND t.task_index = d.task_index
LEFT JOIN Principals o ON o.principal <=> j.owner
LEFT JOIN JobData c ON c.job_id = j.job_id AND c.part = 0
  AND c.seq = (CAST(d.task_index AS SIGNED) - 1) DIV NULLIF(j.entries_per_chunk, 0)
WHERE a.job_id IS NULL
;;
