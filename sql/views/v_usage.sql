-- What each owner used in each queue: finished tasks by how they ended, and the time they took (newest attempts).
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_usage AS
SELECT CASE WHEN scoped(q.s, j.owner, j.owner) <=> o.principal THEN o.name END AS owner,
  CAST(CONVERT(scoped_text(q.s, j.owner, j.queue) USING utf8mb4) AS CHAR(64))
    COLLATE utf8mb4_nopad_bin AS queue,
  COUNT(*) AS jobs,
  CAST(SUM(j.tasks) AS UNSIGNED) AS tasks,
  CAST(SUM(j.succeeded) AS UNSIGNED) AS succeeded,
  CAST(SUM(j.failed + j.timeout + j.oom + j.lost) AS UNSIGNED) AS failed,
  CAST(SUM(j.cancelled) AS UNSIGNED) AS cancelled,
  CAST(SUM(j.aborted) AS UNSIGNED) AS aborted,
  SUM((SELECT SUM(t.cpu_us) FROM Tasks t WHERE t.job_id = j.job_id)) * 0.000001 AS cpu_seconds,
  SUM((SELECT SUM(t.ended_us - t.started_us) FROM Tasks t
       WHERE t.job_id = j.job_id AND t.started_us > 0 AND t.ended_us > 0)) * 0.000001 AS run_seconds
FROM asker_jobs q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
LEFT JOIN Principals o ON o.principal <=> j.owner
GROUP BY 1, 2
;;
