-- Every envelope of a database, one a line: kind, owner, job, index, attempt, part, seq, final, the wrapped key it is
-- sealed under, the envelope. Input of check_envelopes.
SELECT 1, owner, job_id, 0, 0, 0, 0, 0, HEX(wrapped_key), HEX(name) FROM Jobs;
SELECT 2, owner, job_id, 0, 0, 0, 0, 0, HEX(wrapped_key), HEX(spec) FROM Jobs;
SELECT 3, owner, job_id, 0, 0, 0, 0, 0, HEX(wrapped_key), HEX(comment) FROM Jobs WHERE comment <> '';
SELECT 4, d.owner, d.job_id, 0, 0, d.part, d.seq, 0, HEX(j.wrapped_key), HEX(d.payload)
FROM JobData d JOIN Jobs j ON j.job_id = d.job_id;
SELECT 4 + d.kind, d.owner, d.job_id, d.task_index, d.attempt, IF(d.kind = 1, 0, d.part), IF(d.kind = 1, 0, d.seq),
  IF(d.kind = 1, 0, d.final), HEX(j.wrapped_key), HEX(d.payload)
FROM Data d JOIN Jobs j ON j.job_id = d.job_id;
SELECT 8, f.owner, f.job_id, f.task_index, f.attempt, f.file, 0, 0, HEX(j.wrapped_key), HEX(f.name)
FROM Files f JOIN Jobs j ON j.job_id = f.job_id;
SELECT 9, e.owner, e.job_id, e.task_index, 0, 0, e.at_us, 0, HEX(j.wrapped_key), HEX(e.detail)
FROM Events e JOIN Jobs j ON j.job_id = e.job_id WHERE e.detail <> '';
SELECT 9, e.owner, 0, e.task_index, 0, 0, e.at_us, 0, HEX(c.wrapped_key), HEX(e.detail)
FROM Events e JOIN Coordinator c ON c.part = 0 WHERE e.job_id = 0 AND e.detail <> '';
SELECT 10, t.owner, t.job_id, 0, 0, t.part, 0, 0, HEX(j.wrapped_key), HEX(t.tag)
FROM JobTags t JOIN Jobs j ON j.job_id = t.job_id;
SELECT 14, r.owner, r.job_id, r.task_index, r.attempt, 0, r.at_us, 0, HEX(j.wrapped_key), HEX(r.payload)
FROM Reports r JOIN Jobs j ON j.job_id = r.job_id WHERE r.payload <> '';
