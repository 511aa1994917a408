-- What running tasks say of themselves (`jobctl report` inside them): the newest that each has said, also after its end.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_progress AS
SELECT r.job_id AS job_id,
  r.task_index AS task_index,
  scoped(q.s, r.owner, r.attempt) AS attempt,
  scoped(q.s, r.owner, IF(r.done < 0, NULL, r.done)) AS done,
  scoped(q.s, r.owner, IF(r.total < 0, NULL, r.total)) AS total,
  TIMESTAMPADD(MICROSECOND, scoped(q.s, r.owner, NULLIF(r.at_us, 0)), TIMESTAMP'1970-01-01 00:00:00') AS at,
  CAST(CONVERT(unseal(14, r.payload, j.wrapped_key, q.d, r.owner, r.job_id, r.task_index, r.attempt, 0, r.at_us, 0) USING utf8mb4) AS CHAR(4096))
    COLLATE utf8mb4_nopad_bin AS report
FROM asker_both q
JOIN Visible v ON v.principal = q.m AND v.what = 1
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Reports r ON r.job_id = j.job_id
;;
