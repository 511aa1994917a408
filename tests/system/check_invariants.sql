-- What must hold after any fault, once the system has healed and drained. Each statement returns no row; the line before
-- it is its name. Temporary tables that the caller has made (invariants.sh):
--   Acked(job_id)                                      what clients saw acknowledged
--   Witness(job_id, task_index, attempt, sha256)       what tasks wrote outside the system while they ran
--   Output(job_id, task_index, attempt, sha256)        stdout as its owner reads it by SQL
--   AtMostOnce(job_id)                                 jobs submitted with --at-most-once
-- Final statuses are 5 to 11, succeeded is 5; kinds of Data: 1 result, 2 output, 3 file.

-- 1 a final task has an end, another has none
SELECT job_id, task_index, status, ended_us FROM Tasks WHERE (status >= 5) <> (ended_us > 0);
-- 1 a job's counts are those of its tasks
SELECT j.job_id FROM Jobs j JOIN Tasks t ON t.job_id = j.job_id
GROUP BY j.job_id, j.tasks, j.succeeded, j.failed, j.timeout, j.oom, j.lost, j.cancelled, j.aborted
HAVING j.tasks <> COUNT(*) OR j.succeeded <> SUM(t.status = 5) OR j.failed <> SUM(t.status = 6) OR j.timeout <> SUM(t.status = 7)
  OR j.oom <> SUM(t.status = 8) OR j.lost <> SUM(t.status = 9) OR j.cancelled <> SUM(t.status = 10) OR j.aborted <> SUM(t.status = 11);
-- 2 a recorded result is that of the newest attempt
SELECT d.job_id, d.task_index, d.attempt FROM Data d JOIN Tasks t ON t.job_id = d.job_id AND t.task_index = d.task_index
WHERE d.kind = 1 AND d.attempt > t.attempt;
-- 2 no attempt is newer than the one in Tasks
SELECT a.job_id, a.task_index, a.attempt FROM Attempts a JOIN Tasks t ON t.job_id = a.job_id AND t.task_index = a.task_index
WHERE a.attempt >= t.attempt;
-- 3 one attempt of a task counts: an earlier one never succeeded
SELECT a.job_id, a.task_index, a.attempt FROM Attempts a WHERE a.status = 5;
-- 3 only the attempt that counts has a result
SELECT d.job_id, d.task_index FROM Data d WHERE d.kind = 1
GROUP BY d.job_id, d.task_index HAVING COUNT(DISTINCT d.attempt) > 1;
-- 3 an at-most-once task had one attempt
SELECT t.job_id, t.task_index FROM AtMostOnce m JOIN Tasks t ON t.job_id = m.job_id WHERE t.attempt > 1;
-- 3 and was started once
SELECT w.job_id, w.task_index FROM AtMostOnce m JOIN Witness w ON w.job_id = m.job_id
GROUP BY w.job_id, w.task_index HAVING COUNT(*) > 1;
-- 4 what was acknowledged is there
SELECT k.job_id FROM Acked k LEFT JOIN Jobs j ON j.job_id = k.job_id AND j.loading = 0 WHERE j.job_id IS NULL;
-- 4 and was acknowledged for one submission
SELECT job_id FROM Acked GROUP BY job_id HAVING COUNT(*) > 1;
-- 4 whole
SELECT k.job_id FROM Acked k JOIN Jobs j ON j.job_id = k.job_id LEFT JOIN Tasks t ON t.job_id = k.job_id
GROUP BY k.job_id, j.tasks HAVING COUNT(t.job_id) <> j.tasks;
-- 5 a job has one key
SELECT job_id FROM Submissions GROUP BY job_id HAVING COUNT(*) > 1;
-- 5 and every key its job
SELECT s.job_id FROM Submissions s LEFT JOIN Jobs j ON j.job_id = s.job_id WHERE j.job_id IS NULL;
-- 5 no job without a key
SELECT j.job_id FROM Jobs j LEFT JOIN Submissions s ON s.job_id = j.job_id WHERE s.job_id IS NULL;
-- 5 no task without a job
SELECT DISTINCT t.job_id FROM Tasks t LEFT JOIN Jobs j ON j.job_id = t.job_id WHERE j.job_id IS NULL;
-- 5 no data without a task
SELECT d.job_id, d.task_index FROM Data d LEFT JOIN Tasks t ON t.job_id = d.job_id AND t.task_index = d.task_index WHERE t.job_id IS NULL;
-- 5 nothing half loaded
SELECT job_id FROM Jobs WHERE loading <> 0 OR materialised <> tasks;
-- 6 no task is left unfinished
SELECT job_id, task_index, status FROM Tasks WHERE status < 5;
-- 6 no job is left unfinished
SELECT job_id FROM Jobs WHERE ended_us = 0 OR held + waiting + queued + running > 0;
-- 7 every recorded success happened
SELECT t.job_id, t.task_index, t.attempt FROM Tasks t LEFT JOIN Witness w
  ON w.job_id = t.job_id AND w.task_index = t.task_index AND w.attempt = t.attempt
WHERE t.status = 5 AND t.job_id IN (SELECT job_id FROM Witness) AND w.job_id IS NULL;
-- 7 with the output that its witness saw
SELECT t.job_id, t.task_index, t.attempt FROM Tasks t
  JOIN Witness w ON w.job_id = t.job_id AND w.task_index = t.task_index AND w.attempt = t.attempt
  LEFT JOIN Output o ON o.job_id = t.job_id AND o.task_index = t.task_index AND o.attempt = t.attempt
WHERE t.status = 5 AND NOT (o.sha256 <=> w.sha256);
-- 7 no attempt ran twice
SELECT job_id, task_index, attempt FROM Witness GROUP BY job_id, task_index, attempt HAVING COUNT(*) > 1;
-- 8 a recorded stream has every chunk
SELECT d.job_id, d.task_index, d.attempt FROM Data d JOIN Tasks t ON t.job_id = d.job_id AND t.task_index = d.task_index AND t.attempt = d.attempt
WHERE d.kind = 2 AND t.status IN (5, 6, 7)
GROUP BY d.job_id, d.task_index, d.attempt HAVING MIN(d.seq) <> 0 OR MAX(d.seq) <> COUNT(*) - 1;
-- 8 and ends once, at its end
SELECT d.job_id, d.task_index, d.attempt FROM Data d JOIN Tasks t ON t.job_id = d.job_id AND t.task_index = d.task_index AND t.attempt = d.attempt
WHERE d.kind = 2 AND t.status IN (5, 6, 7)
GROUP BY d.job_id, d.task_index, d.attempt HAVING SUM(d.final) <> 1 OR MAX(IF(d.final, d.seq, 0)) <> MAX(d.seq);
-- 8 a recorded file has every chunk
SELECT d.job_id, d.task_index, d.part FROM Data d JOIN Files f ON f.job_id = d.job_id AND f.task_index = d.task_index AND f.attempt = d.attempt AND f.file = d.part
WHERE d.kind = 3 GROUP BY d.job_id, d.task_index, d.attempt, d.part HAVING MIN(d.seq) <> 0 OR MAX(d.seq) <> COUNT(*) - 1 OR SUM(d.final) <> 1;
-- 9 every submission has its event
SELECT j.job_id FROM Jobs j LEFT JOIN Events e ON e.job_id = j.job_id AND e.kind = 'submit' WHERE e.event_id IS NULL;
-- 9 nothing but the owner's own right made a job
SELECT j.job_id FROM Jobs j JOIN Events e ON e.job_id = j.job_id AND e.kind = 'submit' WHERE e.actor <> j.owner;
-- 9 nobody acted without a key that was active then
SELECT e.event_id, e.actor, e.kind FROM Events e WHERE e.actor > 0 AND NOT EXISTS (
  SELECT 1 FROM Nodes n WHERE n.principal = e.actor AND n.made_us <= e.at_us
    AND (n.revoked_us = 0 OR n.revoked_us >= e.at_us) AND (n.expires_us = 0 OR n.expires_us > e.at_us));
-- 11 no writer is ahead of the epoch
SELECT w.writer FROM Writers w JOIN Coordinator c WHERE w.epoch > c.epoch;
