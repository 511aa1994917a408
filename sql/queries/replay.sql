-- What a coordinator needs to go on after a start.

-- name: replay_principals
SELECT principal, name, is_worker, active, weight, max_jobs, max_tasks, max_running, made_us FROM Principals ORDER BY principal

-- name: replay_keys
SELECT key_id, principal, is_worker, revoked, public_key, expires_us, made_us FROM Nodes ORDER BY key_id

-- name: replay_roles
SELECT role, name FROM Roles ORDER BY role

-- name: replay_members
SELECT role, principal FROM Members ORDER BY role, principal

-- name: replay_grants
SELECT role, permission, scope, type FROM Grants ORDER BY role, permission, scope, type

-- name: replay_queues
SELECT queue, name, paused, max_running, weight FROM Queues ORDER BY queue

-- name: replay_workers
SELECT worker, state, slots, slots_busy, labels, version, host, enforces, seen_us FROM Workers WHERE state IN (1, 2)
ORDER BY worker

-- name: replay_job_ids
SELECT job_id FROM Jobs WHERE ended_us = 0 ORDER BY job_id

-- name: replay_sets
SELECT job_id, owner, set_hash FROM JobSets ORDER BY job_id

-- name: replay_next_job
SELECT CAST(COALESCE(MAX(job_id), 0) + 1 AS UNSIGNED) FROM Jobs

-- name: job_whole
SELECT j.owner, s.key_hash, s.digest, j.tasks, j.chunks, j.loading, j.submitted_us, j.status, j.held, j.waiting,
  j.queued, j.running, j.succeeded, j.failed, j.timeout, j.oom, j.lost, j.cancelled, j.aborted, j.mark, j.low,
  j.materialised, j.started_us, j.ended_us, j.ending, j.ending_reason, j.floor_epoch, j.wrapped_key, j.spec,
  IF(j.loading, (SELECT COUNT(*) FROM JobData d WHERE d.job_id = j.job_id), j.chunks)
FROM Jobs j JOIN Submissions s ON s.job_id = j.job_id WHERE j.job_id = :job

-- name: replay_tasks
SELECT task_index, status, reason, attempt, tries, crashes, worker, nonce, started_us,
  IF(attempt > 0, (SELECT COUNT(*) FROM Attempts a WHERE a.job_id = t.job_id AND a.task_index = t.task_index AND a.status = 8), 0)
FROM Tasks t
WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status < 5 ORDER BY task_index

-- name: replay_graph
SELECT task_index, status, reason, attempt, tries, crashes, worker, nonce, started_us,
  IF(attempt > 0, (SELECT COUNT(*) FROM Attempts a WHERE a.job_id = t.job_id AND a.task_index = t.task_index AND a.status = 8), 0)
FROM Tasks t
WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status <> 5 ORDER BY task_index

-- name: round_tasks
SELECT task_index, status, reason, attempt, tries, crashes, worker, nonce, started_us,
  IF(attempt > 0, (SELECT COUNT(*) FROM Attempts a WHERE a.job_id = t.job_id AND a.task_index = t.task_index AND a.status = 8), 0)
FROM Tasks t
WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status > 5 ORDER BY task_index

-- Who has not ended (3) and who ended without success (6): neighbours are alike as often as can be.
-- name: round_ends
SELECT task_index, IF(status < 5, 3, 6), 0, 0, 0, 0, 0, 0, 0, 0
FROM Tasks
WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status <> 5 ORDER BY task_index
