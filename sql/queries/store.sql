-- What the writer runs inside a batch's transaction. Statements of STORE_ROWS (store_rows.def) take many rows at once.

-- name: fence
SELECT epoch FROM Coordinator WHERE part = 0 LOCK IN SHARE MODE

-- The fence of a batch that changes something, and its number: counts 2; 1 where the epoch has moved on. Writers carries the
-- epoch as well (migration 0015), so one row is locked, read and written.
-- name: writer_put
INSERT INTO Writers (writer, epoch, batch) VALUES (1, :epoch, :batch)
ON DUPLICATE KEY UPDATE batch = IF(epoch = VALUES(epoch), VALUES(batch), batch)

-- The lock waits until a COMMIT whose connection died has come to its end, one way or the other.
-- name: writer_find
SELECT COUNT(*) FROM Writers WHERE writer = 1 AND epoch = :epoch AND batch = :batch FOR UPDATE

-- ---------------------------------------------------------------- jobs
-- name: submission_new
INSERT INTO Submissions (owner, key_hash, digest, job_id) VALUES (:owner, :key_hash, :digest, :job)

-- name: job_new
INSERT INTO Jobs (job_id, owner, queue, task_type, loading, status, priority, cpus, max_running, hold, tasks, held, waiting,
  queued, running, succeeded, failed, timeout, oom, lost, cancelled, aborted, mark, low, materialised, submitted_us,
  started_us, ended_us, ending, ending_reason, floor_epoch, chunks, entries_per_chunk, at_us, start_by_us, name_hash, name,
  comment, wrapped_key, spec)
VALUES (:job, :owner, :queue, :task_type, :loading, :status, :priority, :cpus, :max_running, :hold, :tasks, :held, :waiting,
  :queued, :running, :succeeded, :failed, :timeout, :oom, :lost, :cancelled, :aborted, :mark, :low, :materialised,
  :submitted_us, :started_us, :ended_us, :ending, :ending_reason, :floor_epoch, :chunks, :entries_per_chunk, :at_us,
  :start_by_us, :name_hash, :name,
  :comment, :wrapped_key, :spec)

-- name: job_tag
INSERT INTO JobTags (job_id, part, owner, tag_hash, tag) VALUES (:job, :part, :owner, :tag_hash, :tag)

-- A chunk that comes again is the same chunk, sealed afresh.
-- name: job_chunk
INSERT INTO JobData (job_id, part, seq, owner, payload) VALUES (:job, :part, :seq, :owner, :payload)
ON DUPLICATE KEY UPDATE payload = VALUES(payload)

-- name: job_live
UPDATE Jobs SET loading = 0 WHERE job_id = :job

-- name: set_job
INSERT INTO JobSets (job_id, owner, set_hash) VALUES (:job, :owner, :set_hash)

-- name: set_live
UPDATE JobSets s JOIN Jobs j ON j.job_id = s.job_id SET j.loading = 0
WHERE s.owner = :owner AND s.set_hash = :set_hash AND j.loading = 1

-- name: set_done
DELETE FROM JobSets WHERE owner = :owner AND set_hash = :set_hash

-- name: job_counts
UPDATE Jobs SET status = :status, held = :held, waiting = :waiting, queued = :queued, running = :running,
  succeeded = :succeeded, failed = :failed, timeout = :timeout, oom = :oom, lost = :lost, cancelled = :cancelled,
  aborted = :aborted, mark = :mark, low = :low, materialised = :materialised, started_us = :started_us,
  ended_us = :ended_us, ending = :ending, ending_reason = :ending_reason, floor_epoch = :floor_epoch
WHERE job_id = :job

-- Times that the description gives as delays count from the submission.
-- name: job_spec
UPDATE Jobs SET queue = :queue, priority = :priority, cpus = :cpus, max_running = :max_running, hold = :hold,
  at_us = :at_us + IF(:at_is_delay, submitted_us, 0), start_by_us = :start_by_us + IF(:start_by_is_delay, submitted_us, 0),
  name_hash = :name_hash, name = :name, comment = :comment, spec = :spec
WHERE job_id = :job

-- name: holds_drop
DELETE FROM Holds WHERE job_id = :job

-- name: hold_put
INSERT INTO Holds (job_id, first_index, last_index, step) VALUES (:job, :first, :last, :step)

-- name: job_drop_tasks
DELETE FROM Tasks WHERE job_id = :job
-- name: job_drop_data
DELETE FROM JobData WHERE job_id = :job
-- name: job_drop_tags
DELETE FROM JobTags WHERE job_id = :job
-- name: job_drop_set
DELETE FROM JobSets WHERE job_id = :job
-- name: job_drop_submission
DELETE FROM Submissions WHERE job_id = :job
-- name: job_drop
DELETE FROM Jobs WHERE job_id = :job AND loading = 1

-- name: job_wrapped_key
SELECT wrapped_key FROM Jobs WHERE job_id = :job
-- name: install_wrapped_key
SELECT wrapped_key FROM Coordinator WHERE part = 0

-- ---------------------------------------------------------------- tasks
-- name: task_new
INSERT INTO Tasks (job_id, task_index, status, reason, owner) VALUES (:job, :index, :status, :reason, :owner)

-- Made on the server, up to 20,000 in one statement.
-- name: tasks_new
INSERT INTO Tasks (job_id, task_index, status, reason, owner)
SELECT :job, :first + seq * :step, :status, :reason, :owner FROM seq_0_to_19999 WHERE seq < :n

-- name: task_state
UPDATE Tasks SET status = :status, reason = :reason, attempt = :attempt, tries = :tries, crashes = :crashes,
  worker = :worker, nonce = :nonce, started_us = :started_us, exit_code = 0, exit_signal = 0, ended_us = 0, cpu_us = 0,
  rss_kib = 0
WHERE job_id = :job AND task_index = :index AND status < 5

-- name: tasks_state
UPDATE Tasks SET status = :status, reason = :reason, attempt = :attempt, tries = :tries, crashes = :crashes,
  worker = :worker, nonce = :nonce, started_us = :started_us, exit_code = 0, exit_signal = 0, ended_us = 0, cpu_us = 0,
  rss_kib = 0
WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status < 5

-- The compare-and-set of a result, many different ones at once. A row that was changed counts 2, one that is final
-- already or was not there counts 1: exactly 2 a row is what the store accepts.
-- name: task_end
INSERT INTO Tasks (job_id, task_index, owner, status, reason, exit_code, exit_signal, attempt, tries, crashes, worker,
  nonce, started_us, ended_us, cpu_us, rss_kib)
VALUES (:job, :index, 0, :status, :reason, :exit_code, :exit_signal, :attempt, :tries, :crashes, :worker, :nonce,
  :started_us, :ended_us, :cpu_us, :rss_kib)
ON DUPLICATE KEY UPDATE
  reason = IF(status < 5, VALUES(reason), reason),
  exit_code = IF(status < 5, VALUES(exit_code), exit_code),
  exit_signal = IF(status < 5, VALUES(exit_signal), exit_signal),
  attempt = IF(status < 5, VALUES(attempt), attempt),
  tries = IF(status < 5, VALUES(tries), tries),
  crashes = IF(status < 5, VALUES(crashes), crashes),
  worker = IF(status < 5, VALUES(worker), worker),
  nonce = IF(status < 5, VALUES(nonce), nonce),
  started_us = IF(status < 5, VALUES(started_us), started_us),
  ended_us = IF(status < 5, VALUES(ended_us), ended_us),
  cpu_us = IF(status < 5, VALUES(cpu_us), cpu_us),
  rss_kib = IF(status < 5, VALUES(rss_kib), rss_kib),
  status = IF(status < 5, VALUES(status), status)

-- The same for one task, where each is a statement anyhow.
-- name: task_end_one
UPDATE Tasks SET status = :status, reason = :reason, exit_code = :exit_code, exit_signal = :exit_signal,
  attempt = :attempt, tries = :tries, crashes = :crashes, worker = :worker, nonce = :nonce, started_us = :started_us,
  ended_us = :ended_us, cpu_us = :cpu_us, rss_kib = :rss_kib
WHERE job_id = :job AND task_index = :index AND status < 5

-- The same for tasks that ended alike.
-- name: tasks_end
UPDATE Tasks SET status = :status, reason = :reason, exit_code = :exit_code, exit_signal = :exit_signal,
  attempt = :attempt, tries = :tries, crashes = :crashes, worker = :worker, nonce = :nonce, started_us = :started_us,
  ended_us = :ended_us, cpu_us = :cpu_us, rss_kib = :rss_kib
WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status < 5

-- name: task_was_ended
SELECT COUNT(*) FROM Tasks WHERE job_id = :job AND task_index = :index AND status >= 5 AND nonce = :nonce

-- name: attempt
INSERT INTO Attempts (job_id, task_index, attempt, status, reason, exit_code, exit_signal, worker, started_us, ended_us,
  cpu_us, rss_kib)
VALUES (:job, :index, :attempt, :status, :reason, :exit_code, :exit_signal, :worker, :started_us, :ended_us, :cpu_us,
  :rss_kib)
ON DUPLICATE KEY UPDATE job_id = VALUES(job_id)

-- A new round: the recorded end moves to Attempts (attempt 0 never ran and leaves nothing to keep).
-- name: round_keep
INSERT INTO Attempts (job_id, task_index, attempt, status, reason, exit_code, exit_signal, worker, started_us, ended_us,
  cpu_us, rss_kib)
SELECT job_id, task_index, attempt, status, reason, exit_code, exit_signal, worker, started_us, ended_us, cpu_us, rss_kib
FROM Tasks WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status > 5 AND attempt > 0
ON DUPLICATE KEY UPDATE job_id = VALUES(job_id)

-- name: round_open
UPDATE Tasks SET status = 3, reason = 0, exit_code = 0, exit_signal = 0, tries = 0, crashes = 0, worker = 0, nonce = 0,
  started_us = 0, ended_us = 0, cpu_us = 0, rss_kib = 0
WHERE job_id = :job AND task_index BETWEEN :lo AND :hi AND status > 5

-- Who was aborted because of a job comes back with its next round; one that is about to loses nothing by another such abort.
-- name: aborted
INSERT INTO Aborted (on_job, job_id, due) VALUES (:on, :job, 0) ON DUPLICATE KEY UPDATE due = due
-- name: aborted_due
UPDATE Aborted SET due = 1 WHERE on_job = :job
-- name: aborted_drop
DELETE FROM Aborted WHERE job_id = :job

-- ---------------------------------------------------------------- what tasks give
-- The newest lease writes last: a chunk that is there already is replaced.
-- name: data
INSERT INTO Data (job_id, task_index, kind, attempt, part, seq, final, owner, recorded_us, payload)
VALUES (:job, :index, :kind, :attempt, :part, :seq, :final, :owner, :recorded_us, :payload)
ON DUPLICATE KEY UPDATE final = VALUES(final), recorded_us = VALUES(recorded_us), payload = VALUES(payload)

-- name: file
INSERT INTO Files (job_id, task_index, attempt, file, owner, bytes, sha256, name)
VALUES (:job, :index, :attempt, :file, :owner, :bytes, :sha256, :name)
ON DUPLICATE KEY UPDATE bytes = VALUES(bytes), sha256 = VALUES(sha256), name = VALUES(name)

-- name: report
INSERT INTO Reports (job_id, task_index, owner, attempt, done, total, at_us, payload)
VALUES (:job, :index, :owner, :attempt, :done, :total, :at_us, :payload)
ON DUPLICATE KEY UPDATE attempt = VALUES(attempt), done = VALUES(done), total = VALUES(total), at_us = VALUES(at_us),
  payload = VALUES(payload)

-- name: event
INSERT INTO Events (at_us, job_id, owner, task_index, has_index, kind, actor, detail)
VALUES (:at_us, :job, :owner, :index, :has_index, :kind, :actor, :detail)

-- NULL leaves a text as it is.
-- name: worker
INSERT INTO Workers (worker, state, slots, slots_busy, labels, version, host, enforces, offers, seen_us)
VALUES (:worker, :state, :slots, :busy, COALESCE(:labels, ''), COALESCE(:version, ''), COALESCE(:host, ''),
  COALESCE(:enforces, ''), COALESCE(:offers, ''), :seen_us)
ON DUPLICATE KEY UPDATE state = VALUES(state), slots = VALUES(slots), slots_busy = VALUES(slots_busy),
  labels = COALESCE(:labels, labels), version = COALESCE(:version, version), host = COALESCE(:host, host),
  enforces = COALESCE(:enforces, enforces), offers = COALESCE(:offers, offers), seen_us = VALUES(seen_us)

-- ---------------------------------------------------------------- people and rights
-- name: principal
INSERT INTO Principals (principal, name, is_worker, active, weight, max_jobs, max_tasks, max_running, has_sql, sql_hash, made_us)
VALUES (:principal, :name, :is_worker, :active, :weight, :max_jobs, :max_tasks, :max_running, IF(:sql_hash = '', 0, 1), :sql_hash, :at_us)
ON DUPLICATE KEY UPDATE active = VALUES(active), weight = VALUES(weight), max_jobs = VALUES(max_jobs),
  max_tasks = VALUES(max_tasks), max_running = VALUES(max_running),
  has_sql = CASE WHEN :drop_sql AND has_sql = 1 THEN 2 WHEN :sql_hash <> '' THEN 1 ELSE has_sql END,
  sql_hash = IF(:drop_sql, '', IF(:sql_hash = '', sql_hash, :sql_hash))

-- name: key
INSERT INTO Nodes (key_id, principal, is_worker, public_key, revoked, expires_us, made_us, revoked_us)
VALUES (:key, :principal, :is_worker, :public_key, :revoked, :expires_us, :at_us, IF(:revoked, :at_us, 0))
ON DUPLICATE KEY UPDATE revoked_us = IF(:revoked AND revoked = 0, :at_us, revoked_us), revoked = VALUES(revoked),
  expires_us = VALUES(expires_us)

-- name: role
INSERT INTO Roles (role, name) VALUES (:role, :name) ON DUPLICATE KEY UPDATE name = VALUES(name)
-- name: role_rm
DELETE FROM Roles WHERE role = :role
-- name: role_rm_members
DELETE FROM Members WHERE role = :role
-- name: role_rm_grants
DELETE FROM Grants WHERE role = :role

-- name: member
INSERT INTO Members (role, principal) VALUES (:role, :principal) ON DUPLICATE KEY UPDATE role = VALUES(role)
-- name: member_rm
DELETE FROM Members WHERE role = :role AND principal = :principal

-- name: grant
INSERT INTO Grants (role, permission, scope, type) VALUES (:role, :permission, :scope, :type)
ON DUPLICATE KEY UPDATE role = VALUES(role)
-- name: grant_rm
DELETE FROM Grants WHERE role = :role AND permission = :permission AND scope = :scope AND type = :type

-- name: queue
INSERT INTO Queues (queue, name, paused, max_running, weight) VALUES (:queue, :name, :paused, :max_running, :weight)
ON DUPLICATE KEY UPDATE paused = VALUES(paused), max_running = VALUES(max_running), weight = VALUES(weight)

-- name: secret
INSERT INTO Secrets (owner, name, bytes, changed_us, payload) VALUES (:owner, :name, :bytes, :changed_us, :payload)
ON DUPLICATE KEY UPDATE bytes = VALUES(bytes), changed_us = VALUES(changed_us), payload = VALUES(payload)
-- name: secret_rm
DELETE FROM Secrets WHERE owner = :owner AND name = :name

-- name: visible_clear
DELETE FROM Visible

-- Owner 0 stands for what belongs to nobody: whoever sees everybody's rows sees it too. A grant for one task type only
-- is not in here: SQL shows whole jobs, and less is the safe side.
-- name: visible_fill
INSERT INTO Visible (principal, what, owner)
SELECT DISTINCT m.principal, CASE g.permission WHEN 'job.read' THEN 1 WHEN 'data.read' THEN 2 ELSE 3 END, o.owner
FROM Grants g
JOIN Members m ON m.role = g.role
JOIN Principals p ON p.principal = m.principal AND p.active = 1 AND p.is_worker = 0
JOIN (SELECT principal AS owner FROM Principals WHERE is_worker = 0 UNION ALL SELECT 0) o
  ON g.scope = 3 OR (g.scope = 1 AND o.owner = m.principal)
    OR (g.scope = 2 AND o.owner IN (SELECT m2.principal FROM Members m2 WHERE m2.role = g.role))
WHERE g.permission IN ('job.read', 'data.read', 'event.read') AND g.type = '*'

-- ---------------------------------------------------------------- questions
-- name: find_key
SELECT s.job_id, s.digest, j.tasks, j.loading FROM Submissions s JOIN Jobs j ON j.job_id = s.job_id
WHERE s.owner = :owner AND s.key_hash = :key_hash

-- Many at once: [[owner, "hash in hex"], ...]; answers name the place of their question, from 1.
-- name: find_keys
SELECT s.job_id, s.digest, j.tasks, j.loading, q.place
FROM JSON_TABLE(:keys, '$[*]' COLUMNS (place FOR ORDINALITY, owner INT UNSIGNED PATH '$[0]',
  key_hash CHAR(32) PATH '$[1]')) q
STRAIGHT_JOIN Submissions s ON s.owner = q.owner AND s.key_hash = UNHEX(q.key_hash)
STRAIGHT_JOIN Jobs j ON j.job_id = s.job_id

-- name: find_job
SELECT owner, status, task_type, tasks FROM Jobs WHERE job_id = :job AND loading = 0

-- name: find_due
SELECT DISTINCT job_id FROM Aborted WHERE due = 1 ORDER BY job_id LIMIT :n
-- name: find_secret
SELECT COALESCE(SUM(name = :name), 0), COUNT(*) FROM Secrets WHERE owner = :owner

-- An account of that name, one that servers are administered by, whether it is here or not, or no right of ours to make any.
-- name: find_account
SELECT (SELECT COUNT(*) FROM mysql.global_priv WHERE User = :name) + (LOWER(:name) IN ('root', 'mysql', 'mariadb.sys', 'public'))
  + (SELECT COUNT(*) = 0 FROM information_schema.USER_PRIVILEGES
     WHERE grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''') AND privilege_type = 'CREATE USER')
