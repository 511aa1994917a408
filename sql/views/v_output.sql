-- Recorded output in pieces, in the order of seq over both streams of an attempt.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW v_output AS
SELECT d.job_id AS job_id,
  d.task_index AS task_index,
  scoped(q.d, d.owner, d.attempt) AS attempt,
  ELT(scoped(q.d, d.owner, d.part), 'stdout', 'stderr') AS stream,
  scoped(q.d, d.owner, d.seq) AS seq,
  CONVERT(unseal(6, d.payload, j.wrapped_key, q.d, d.owner, d.job_id, d.task_index, d.attempt, d.part, d.seq, d.final) USING utf8mb4)
    COLLATE utf8mb4_nopad_bin AS text
FROM asker_data q
JOIN Visible v ON v.principal = q.m AND v.what = 2
JOIN Jobs j ON j.owner <=> v.owner AND j.loading = 0
JOIN Data d ON d.job_id = j.job_id AND d.kind = 2
;;
