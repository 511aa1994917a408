-- Recorded files.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_data AS
SELECT f.job_id AS job_id,
  f.task_index AS task_index,
  scoped(q.d, f.owner, f.attempt) AS attempt,
  CAST(CONVERT(unseal(8, f.name, j.wrapped_key, q.d, f.owner, f.job_id, f.task_index, f.attempt, f.file, 0, 0) USING utf8mb4) AS CHAR(4096))
    COLLATE utf8mb4_nopad_bin AS name,
  scoped(q.d, f.owner, f.bytes) AS bytes,
  CAST(CONVERT(scoped_text(q.d, f.owner, f.sha256) USING utf8mb4) AS CHAR(64)) AS sha256
FROM asker_data q
JOIN Visible v ON v.principal = q.m AND v.what = 2
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Files f ON f.job_id = j.job_id
;;
