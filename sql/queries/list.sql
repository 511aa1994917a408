-- Listings, by list_kinds.def. Values (reader_list.c): who asks; job_lo … job_hi; index_lo … index_hi and ranges (JSON,
-- '' for none); statuses (a bit a status, 0: all); owner (0: all that is visible) and user (a name, '': all); queue,
-- name_hash, tag_hash, name ('' for none); last; since_us (0: all); cursor and cursor_index (rows after that); rows.
--
-- Column names say how the value is shown: `x=TIME` microseconds, `x=STATUS` `x=REASON` `x=TYPE` numbers of our words,
-- `x=ENTRY` the task's entry (_chunk, _k), `x=<SEAL_KIND>` an envelope that is opened in the program, never here.
-- Columns that begin with _ are not shown: the place of the envelope, the cursor of the row (_next, _next_index).

-- name: list_jobs
SELECT j.job_id, j.name AS `name=JOB_NAME`, o.name AS owner, j.queue, j.status AS `status=STATUS`, j.priority, j.tasks,
  j.held, j.waiting, j.queued, j.running, j.succeeded, j.failed + j.timeout + j.oom + j.lost AS failed, j.cancelled,
  j.aborted, j.submitted_us AS `submitted_at=TIME`, j.started_us AS `started_at=TIME`, j.ended_us AS `ended_at=TIME`,
  j.comment AS `comment=JOB_COMMENT`,
  j.wrapped_key AS _key, j.owner AS _owner, j.job_id AS _job, j.job_id AS _next, 0 AS _next_index
FROM Jobs j
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
LEFT JOIN Principals o ON o.principal = j.owner
WHERE j.job_id BETWEEN :job_lo AND :job_hi AND j.job_id > :cursor AND j.loading = 0
  AND (:owner = 0 OR j.owner = :owner) AND (:user = '' OR o.name = :user) AND (:queue = '' OR j.queue = :queue)
  AND (:name_hash = '' OR j.name_hash = :name_hash)
  AND (:tag_hash = '' OR j.job_id IN (SELECT g.job_id FROM JobTags g WHERE g.owner = j.owner AND g.tag_hash = :tag_hash))
  AND (:statuses = 0 OR (:statuses >> j.status) & 1)
  AND (:since_us = 0 OR j.ended_us = 0 OR j.ended_us >= :since_us OR j.submitted_us >= :since_us)
ORDER BY j.job_id LIMIT :rows

-- name: list_select
SELECT j.job_id, j.job_id AS _next, 0 AS _next_index
FROM Jobs j
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
LEFT JOIN Principals o ON o.principal = j.owner
WHERE j.job_id BETWEEN :job_lo AND :job_hi AND j.job_id > :cursor AND j.loading = 0
  AND (:owner = 0 OR j.owner = :owner) AND (:user = '' OR o.name = :user) AND (:queue = '' OR j.queue = :queue)
  AND (:name_hash = '' OR j.name_hash = :name_hash)
  AND (:tag_hash = '' OR j.job_id IN (SELECT g.job_id FROM JobTags g WHERE g.owner = j.owner AND g.tag_hash = :tag_hash))
  AND (:statuses = 0 OR (:statuses >> j.status) & 1)
  AND (:since_us = 0 OR j.ended_us = 0 OR j.ended_us >= :since_us OR j.submitted_us >= :since_us)
ORDER BY j.job_id LIMIT :rows

-- Has the job one of these tasks? 0: no; 1: yes; 2: its rows are not all made yet, nobody can tell from here.
-- name: list_has_task
SELECT CASE
  WHEN EXISTS (SELECT 1 FROM Tasks t WHERE t.job_id = j.job_id AND t.task_index BETWEEN :index_lo AND :index_hi
    AND (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
      COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE t.task_index BETWEEN r.lo AND r.hi))) THEN 1
  WHEN j.materialised < j.tasks THEN 2 ELSE 0 END
FROM Jobs j WHERE j.job_id = :job

-- The caller's newest but :last.
-- name: list_select_last
SELECT j.job_id, j.job_id AS _next, 0 AS _next_index
FROM Jobs j
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
WHERE j.owner = :owner AND j.loading = 0 AND j.job_id BETWEEN :job_lo AND :job_hi
  AND (:name_hash = '' OR j.name_hash = :name_hash)
  AND (:tag_hash = '' OR j.job_id IN (SELECT g.job_id FROM JobTags g WHERE g.owner = j.owner AND g.tag_hash = :tag_hash))
ORDER BY j.job_id DESC LIMIT 1 OFFSET :last

-- In the order of the clustered key, so that a page costs a page (without `+ 0` the server sees that a single job is
-- meant, drops job_id from the order and sorts all its rows). The entry is private: it is for who may read data.
-- name: list_tasks
SELECT STRAIGHT_JOIN t.job_id, t.task_index, CONCAT(t.job_id, '.', t.task_index) AS task_id, j.name AS `job_name=JOB_NAME`,
  o.name AS owner, j.queue, j.task_type AS `task_type=TYPE`,
  CASE WHEN t.status NOT IN (2, 3) THEN t.status WHEN j.hold = 1 THEN 1
    WHEN j.hold = 2 AND EXISTS (SELECT 1 FROM Holds h WHERE h.job_id = t.job_id AND h.first_index <= t.task_index
      AND h.last_index >= t.task_index AND (t.task_index - h.first_index) MOD h.step = 0) THEN 1
    WHEN j.waiting > 0 AND j.queued = 0 THEN 2 ELSE t.status END AS `status=STATUS`,
  t.reason AS `reason=REASON`,
  CASE WHEN t.status >= 5 AND t.started_us > 0 AND t.reason NOT BETWEEN 5 AND 9 AND t.exit_signal = 0 THEN t.exit_code END AS exit_code,
  NULLIF(t.exit_signal, 0) AS exit_signal, NULLIF(t.attempt, 0) AS attempt, w.name AS worker,
  j.submitted_us AS `submitted_at=TIME`, IF(t.status >= 4, t.started_us, 0) AS `started_at=TIME`, t.ended_us AS `ended_at=TIME`,
  CASE WHEN t.ended_us > 0 AND t.started_us > 0 THEN t.cpu_us END * 0.000001 AS cpu_seconds,
  NULLIF(t.rss_kib, 0) * 1024 AS max_rss_bytes,
  IF(d.owner IS NULL, NULL, j.entries_per_chunk) AS `entry=ENTRY`,
  (CAST(t.task_index AS SIGNED) - 1) DIV NULLIF(j.entries_per_chunk, 0) AS _chunk,
  (CAST(t.task_index AS SIGNED) - 1) MOD NULLIF(j.entries_per_chunk, 0) AS _k,
  NULLIF(p.done, -1) AS done, NULLIF(p.total, -1) AS total,
  j.wrapped_key AS _key, j.owner AS _owner, t.job_id AS _job, t.job_id AS _next, t.task_index AS _next_index
FROM Tasks t
JOIN Jobs j ON j.job_id = t.job_id AND j.loading = 0
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
LEFT JOIN Visible d ON d.principal = :who AND d.what = 2 AND d.owner = j.owner
LEFT JOIN Principals o ON o.principal = j.owner
LEFT JOIN Principals w ON w.principal = NULLIF(t.worker, 0)
LEFT JOIN Reports p ON p.job_id = t.job_id AND p.task_index = t.task_index AND p.attempt = t.attempt
WHERE t.job_id BETWEEN :job_lo AND :job_hi + 0 AND (t.job_id > :cursor OR t.task_index > :cursor_index)
  AND t.task_index BETWEEN :index_lo AND :index_hi
  AND (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
    COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE t.task_index BETWEEN r.lo AND r.hi))
  AND (:statuses = 0 OR (:statuses >> CASE WHEN t.status NOT IN (2, 3) THEN t.status WHEN j.hold = 1 THEN 1
    WHEN j.hold = 2 AND EXISTS (SELECT 1 FROM Holds h WHERE h.job_id = t.job_id AND h.first_index <= t.task_index
      AND h.last_index >= t.task_index AND (t.task_index - h.first_index) MOD h.step = 0) THEN 1
    WHEN j.waiting > 0 AND j.queued = 0 THEN 2 ELSE t.status END) & 1)
ORDER BY t.job_id, t.task_index LIMIT :rows

-- The cursor within a job is index and attempt in one number.
-- name: list_attempts
SELECT x.job_id, x.task_index, x.attempt, x.status AS `status=STATUS`, x.reason AS `reason=REASON`,
  CASE WHEN x.status >= 5 AND x.started_us > 0 AND x.reason NOT BETWEEN 5 AND 9 AND x.exit_signal = 0 THEN x.exit_code END AS exit_code,
  NULLIF(x.exit_signal, 0) AS exit_signal, w.name AS worker, x.started_us AS `started_at=TIME`,
  x.ended_us AS `ended_at=TIME`,
  CASE WHEN x.ended_us > 0 AND x.started_us > 0 THEN x.cpu_us END * 0.000001 AS cpu_seconds,
  NULLIF(x.rss_kib, 0) * 1024 AS max_rss_bytes, x.job_id AS _next, x.task_index * 65536 + x.attempt AS _next_index
FROM (
  (SELECT t.job_id, t.task_index, t.attempt, t.status, t.reason, t.exit_code, t.exit_signal, t.worker, t.started_us,
     t.ended_us, t.cpu_us, t.rss_kib
   FROM Tasks t WHERE t.job_id BETWEEN :job_lo AND :job_hi + 0 AND t.started_us > 0 AND t.status >= 4
     AND (t.job_id > :cursor OR t.task_index * 65536 + t.attempt > :cursor_index)
     AND t.task_index BETWEEN GREATEST(:index_lo, IF(:job_lo = :job_hi, :cursor_index DIV 65536, 0)) AND :index_hi
   ORDER BY t.job_id, t.task_index LIMIT :rows)
  UNION ALL
  (SELECT a.job_id, a.task_index, a.attempt, a.status, a.reason, a.exit_code, a.exit_signal, a.worker, a.started_us,
     a.ended_us, a.cpu_us, a.rss_kib
   FROM Attempts a WHERE a.job_id BETWEEN :job_lo AND :job_hi + 0
     AND (a.job_id > :cursor OR a.task_index * 65536 + a.attempt > :cursor_index)
     AND a.task_index BETWEEN GREATEST(:index_lo, IF(:job_lo = :job_hi, :cursor_index DIV 65536, 0)) AND :index_hi
   ORDER BY a.job_id, a.task_index, a.attempt LIMIT :rows)
) x
JOIN Jobs j ON j.job_id = x.job_id AND j.loading = 0
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
LEFT JOIN Principals w ON w.principal = NULLIF(x.worker, 0)
WHERE (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
    COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE x.task_index BETWEEN r.lo AND r.hi))
  AND (:statuses = 0 OR (:statuses >> x.status) & 1)
ORDER BY x.job_id, x.task_index, x.attempt LIMIT :rows

-- Long results come one by one (list_result), so that a page of them needs no gigabyte.
-- name: list_results
SELECT STRAIGHT_JOIN t.job_id, t.task_index, j.name AS `job_name=JOB_NAME`, o.name AS owner, t.status AS `status=STATUS`,
  j.entries_per_chunk AS `entry=ENTRY`, IF(LENGTH(d.payload) > 65536, '', d.payload) AS `result=RESULT`,
  d.recorded_us AS `recorded_at=TIME`,
  (CAST(t.task_index AS SIGNED) - 1) DIV NULLIF(j.entries_per_chunk, 0) AS _chunk,
  (CAST(t.task_index AS SIGNED) - 1) MOD NULLIF(j.entries_per_chunk, 0) AS _k,
  j.wrapped_key AS _key, j.owner AS _owner, t.job_id AS _job, t.task_index AS _index, d.attempt AS _attempt,
  t.job_id AS _next, t.task_index AS _next_index
FROM Tasks t
JOIN Jobs j ON j.job_id = t.job_id AND j.loading = 0
JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
JOIN Data d ON d.job_id = t.job_id AND d.task_index = t.task_index AND d.kind = 1 AND d.attempt = t.attempt
LEFT JOIN Attempts a ON a.job_id = d.job_id AND a.task_index = d.task_index AND a.attempt = d.attempt
LEFT JOIN Principals o ON o.principal = j.owner
WHERE t.job_id BETWEEN :job_lo AND :job_hi + 0 AND (t.job_id > :cursor OR t.task_index > :cursor_index)
  AND t.task_index BETWEEN :index_lo AND :index_hi AND a.job_id IS NULL
  AND (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
    COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE t.task_index BETWEEN r.lo AND r.hi))
  AND (:statuses = 0 OR (:statuses >> t.status) & 1)
ORDER BY t.job_id, t.task_index LIMIT :rows

-- name: list_result
SELECT payload FROM Data WHERE job_id = :job AND task_index = :index AND kind = 1 AND attempt = :attempt AND seq = 0 AND part = 0

-- A page begins at a row's number: files are few, and recorded once.
-- name: list_files
SELECT f.job_id, f.task_index, f.attempt, f.file, f.name AS `name=FILE_NAME`, f.bytes, f.sha256,
  j.wrapped_key AS _key, j.owner AS _owner, f.job_id AS _job, f.task_index AS _index, f.attempt AS _attempt,
  f.file AS _part, :cursor + ROW_NUMBER() OVER (ORDER BY f.job_id, f.task_index, f.attempt, f.file) AS _next,
  0 AS _next_index
FROM (SELECT * FROM Files f0 WHERE f0.job_id BETWEEN :job_lo AND :job_hi
    AND f0.task_index BETWEEN :index_lo AND :index_hi
    AND (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
      COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE f0.task_index BETWEEN r.lo AND r.hi))
    AND f0.owner IN (SELECT v.owner FROM Visible v WHERE v.principal = :who AND v.what = 2)
  ORDER BY f0.job_id, f0.task_index, f0.attempt, f0.file LIMIT :rows OFFSET :cursor) f
JOIN Jobs j ON j.job_id = f.job_id AND j.loading = 0
ORDER BY f.job_id, f.task_index, f.attempt, f.file

-- What tasks said of themselves; the values are for who may read data.
-- name: list_progress
SELECT p.job_id, p.task_index, p.attempt, NULLIF(p.done, -1) AS done, NULLIF(p.total, -1) AS total, p.at_us AS `at=TIME`,
  IF(d.owner IS NULL, '', p.payload) AS `report=REPORT`,
  j.wrapped_key AS _key, j.owner AS _owner, p.job_id AS _job, p.task_index AS _index, p.attempt AS _attempt,
  p.at_us AS _seq, p.job_id AS _next, p.task_index AS _next_index
FROM Reports p
JOIN Jobs j ON j.job_id = p.job_id AND j.loading = 0
JOIN Tasks t ON t.job_id = p.job_id AND t.task_index = p.task_index
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
LEFT JOIN Visible d ON d.principal = :who AND d.what = 2 AND d.owner = j.owner
WHERE p.job_id BETWEEN :job_lo AND :job_hi + 0 AND (p.job_id > :cursor OR p.task_index > :cursor_index)
  AND p.task_index BETWEEN :index_lo AND :index_hi
  AND (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
    COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE p.task_index BETWEEN r.lo AND r.hi))
  AND (:statuses = 0 OR (:statuses >> t.status) & 1)
ORDER BY p.job_id, p.task_index LIMIT :rows

-- name: list_spec
SELECT j.job_id, o.name AS owner, j.submitted_us AS `submitted_at=TIME`, j.spec AS `spec=JOB_SPEC`,
  j.wrapped_key AS _key, j.owner AS _owner, j.job_id AS _job, j.job_id AS _next, 0 AS _next_index
FROM Jobs j
JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
LEFT JOIN Principals o ON o.principal = j.owner
WHERE j.job_id BETWEEN :job_lo AND :job_hi AND j.job_id > :cursor AND j.loading = 0
ORDER BY j.job_id LIMIT :rows

-- The largest exit code as INTERFACE counts it, and how the selection ended.
-- name: list_exit
SELECT COALESCE(MAX(CASE WHEN t.status <= 5 THEN 0 WHEN t.status = 7 THEN 124
    WHEN t.started_us = 0 THEN 1 WHEN t.exit_signal > 0 THEN 128 + t.exit_signal
    WHEN t.exit_code > 0 THEN t.exit_code ELSE 1 END), 0) AS exit_code,
  COUNT(*) AS tasks, CAST(COALESCE(SUM(t.status < 5), 0) AS UNSIGNED) AS unfinished,
  CAST(COALESCE(SUM(t.status = 5), 0) AS UNSIGNED) AS succeeded, CAST(COALESCE(SUM(t.status = 6), 0) AS UNSIGNED) AS failed,
  CAST(COALESCE(SUM(t.status = 7), 0) AS UNSIGNED) AS timeout, CAST(COALESCE(SUM(t.status = 8), 0) AS UNSIGNED) AS oom,
  CAST(COALESCE(SUM(t.status = 9), 0) AS UNSIGNED) AS lost, CAST(COALESCE(SUM(t.status = 10), 0) AS UNSIGNED) AS cancelled,
  CAST(COALESCE(SUM(t.status = 11), 0) AS UNSIGNED) AS aborted, 0 AS _next, 0 AS _next_index
FROM Tasks t
JOIN Jobs j ON j.job_id = t.job_id AND j.loading = 0
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
WHERE t.job_id BETWEEN :job_lo AND :job_hi AND t.task_index BETWEEN :index_lo AND :index_hi
  AND (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
    COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE t.task_index BETWEEN r.lo AND r.hi))

-- name: list_events
SELECT e.event_id, e.at_us AS `at=TIME`, NULLIF(e.job_id, 0) AS job_id, IF(e.has_index, e.task_index, NULL) AS task_index,
  e.kind, a.name AS actor, e.detail AS `detail=EVENT_DETAIL`,
  IF(e.job_id = 0, (SELECT c.wrapped_key FROM Coordinator c WHERE c.part = 0), j.wrapped_key) AS _key,
  e.owner AS _owner, e.job_id AS _job, e.task_index AS _index, e.at_us AS _seq, e.event_id AS _next, 0 AS _next_index
FROM Events e
STRAIGHT_JOIN Visible v ON v.principal = :who AND v.what = 3 AND v.owner = e.owner
LEFT JOIN Jobs j ON j.job_id = e.job_id
LEFT JOIN Principals a ON a.principal = NULLIF(e.actor, 0)
LEFT JOIN Principals o ON o.principal = e.owner
WHERE e.event_id > :cursor AND e.job_id BETWEEN :job_lo AND :job_hi
  AND (:index_lo = 0 AND :ranges = '' OR (e.has_index AND e.task_index BETWEEN :index_lo AND :index_hi))
  AND (:ranges = '' OR EXISTS (SELECT 1 FROM JSON_TABLE(IF(:ranges = '', '[]', :ranges), '$[*]'
    COLUMNS (lo BIGINT UNSIGNED PATH '$[0]', hi BIGINT UNSIGNED PATH '$[1]')) r WHERE e.task_index BETWEEN r.lo AND r.hi))
  AND (:user = '' OR o.name = :user) AND e.at_us >= :since_us
ORDER BY e.event_id LIMIT :rows

-- name: list_workers
SELECT p.name AS worker, ELT(w.state, 'connected', 'draining', 'lost', 'gone') AS state, w.slots, w.slots_busy, w.labels,
  w.version, w.seen_us AS `seen_at=TIME`, w.host, w.enforces, w.offers, w.worker AS _next, 0 AS _next_index
FROM Workers w JOIN Principals p ON p.principal = w.worker
WHERE w.worker > :cursor AND (:name = '' OR p.name = :name)
ORDER BY w.worker LIMIT :rows

-- name: list_queues
SELECT k.name AS queue, k.paused, NULLIF(k.max_running, 0) AS max_running, k.weight, COUNT(j.job_id) AS jobs,
  CAST(COALESCE(SUM(j.held), 0) AS UNSIGNED) AS held, CAST(COALESCE(SUM(j.waiting), 0) AS UNSIGNED) AS waiting,
  CAST(COALESCE(SUM(j.queued), 0) AS UNSIGNED) AS queued, CAST(COALESCE(SUM(j.running), 0) AS UNSIGNED) AS running,
  k.queue AS _next, 0 AS _next_index
FROM Queues k LEFT JOIN Jobs j ON j.queue = k.name AND j.ended_us = 0 AND j.loading = 0
WHERE k.queue > :cursor AND (:name = '' OR k.name = :name)
GROUP BY k.queue, k.name, k.paused, k.max_running, k.weight ORDER BY k.queue LIMIT :rows

-- name: list_users
SELECT p.name, COALESCE((SELECT GROUP_CONCAT(r.name ORDER BY r.role SEPARATOR ',') FROM Members m JOIN Roles r ON r.role = m.role
    WHERE m.principal = p.principal), '') AS roles, p.active, p.weight, p.has_sql = 1 AS `sql`, p.principal AS _next, 0 AS _next_index
FROM Principals p
WHERE p.principal > :cursor AND p.is_worker = 0 AND (:name = '' OR p.name = :name)
ORDER BY p.principal LIMIT :rows

-- name: list_quotas
SELECT p.name AS owner, NULLIF(p.max_jobs, 0) AS max_jobs, COUNT(j.job_id) AS jobs, NULLIF(p.max_tasks, 0) AS max_tasks,
  CAST(COALESCE(SUM(j.tasks), 0) AS UNSIGNED) AS tasks, NULLIF(p.max_running, 0) AS max_running,
  CAST(COALESCE(SUM(j.running), 0) AS UNSIGNED) AS running, p.principal AS _next, 0 AS _next_index
FROM Principals p
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = p.principal
LEFT JOIN Jobs j ON j.owner = p.principal AND j.ended_us = 0 AND j.loading = 0
WHERE p.principal > :cursor AND p.is_worker = 0 AND p.active = 1 AND (:name = '' OR p.name = :name)
  AND (p.max_jobs > 0 OR p.max_tasks > 0 OR p.max_running > 0)
GROUP BY p.principal, p.name, p.max_jobs, p.max_tasks, p.max_running ORDER BY p.principal LIMIT :rows

-- name: list_roles
SELECT r.name AS role, g.permission, ELT(g.scope, 'own', 'role', 'any') AS scope, g.type,
  :cursor + ROW_NUMBER() OVER (ORDER BY r.role, g.permission, g.scope, g.type) AS _next, 0 AS _next_index
FROM (SELECT r0.role, r0.name, g0.permission, g0.scope, g0.type FROM Roles r0 LEFT JOIN Grants g0 ON g0.role = r0.role
  WHERE :name = '' OR r0.name = :name
  ORDER BY r0.role, g0.permission, g0.scope, g0.type LIMIT :rows OFFSET :cursor) g
JOIN Roles r ON r.role = g.role
ORDER BY r.role, g.permission, g.scope, g.type

-- name: list_keys
SELECT n.key_id, p.name, IF(n.is_worker, 'worker', 'client') AS kind, n.public_key,
  CASE WHEN n.revoked THEN 'revoked' WHEN n.expires_us > 0 AND n.expires_us <= :now_us THEN 'expired'
    WHEN p.active = 0 THEN 'inactive' ELSE 'active' END AS status,
  n.expires_us AS `expires_at=TIME`, n.made_us AS `made_at=TIME`, n.key_id AS _next, 0 AS _next_index
FROM Nodes n JOIN Principals p ON p.principal = n.principal
WHERE n.key_id > :cursor AND (:name = '' OR p.name = :name)
ORDER BY n.key_id LIMIT :rows

-- name: list_secrets
SELECT s.name, s.changed_us AS `changed_at=TIME`, s.n AS _next, 0 AS _next_index
FROM (SELECT name, changed_us, ROW_NUMBER() OVER (ORDER BY name) AS n FROM Secrets WHERE owner = :who) s
WHERE s.n > :cursor ORDER BY s.n LIMIT :rows

-- Is any job of this range visible for this right? Foreign and missing look the same.
-- name: list_may_see
SELECT COUNT(*) FROM Jobs j JOIN Visible v ON v.principal = :who AND v.what = :what AND v.owner = j.owner
WHERE j.job_id BETWEEN :job_lo AND :job_hi AND j.loading = 0

-- ---------------------------------------------------------------- recorded data
-- name: read_secret
SELECT payload FROM Secrets WHERE owner = :owner AND name = :name

-- name: read_chunk
SELECT d.payload, d.owner, j.wrapped_key,
  NOT EXISTS (SELECT 1 FROM JobData n WHERE n.job_id = d.job_id AND n.part = d.part AND n.seq = d.seq + 1)
FROM JobData d JOIN Jobs j ON j.job_id = d.job_id
WHERE d.job_id = :job AND d.part = :part AND d.seq = :seq

-- What is known of a task's output: the wanted attempt (0: the newest), whether that can still grow.
-- How far the output of tasks is. places: [[job, index], …], named by their number from 1; a job that may not be seen gives
-- no row. The second and third column: the task has a row; it may still get one. The last: its chunks have numbers below it.
-- name: logs_states
SELECT p.place, t.job_id IS NOT NULL, j.materialised < j.tasks, t.attempt, j.owner, j.wrapped_key,
  t.status >= 5 OR t.attempt > IF(:attempt = 0, t.attempt, :attempt)
    OR EXISTS (SELECT 1 FROM Data d WHERE d.job_id = t.job_id AND d.task_index = t.task_index AND d.kind = 2
      AND d.attempt = IF(:attempt = 0, t.attempt, :attempt) AND d.final = 1),
  (SELECT d.seq + 1 FROM Data d WHERE d.job_id = t.job_id AND d.task_index = t.task_index AND d.kind = 2
    AND d.attempt = IF(:attempt = 0, t.attempt, :attempt) ORDER BY d.seq DESC LIMIT 1)
FROM JSON_TABLE(:places, '$[*]' COLUMNS (place FOR ORDINALITY, job BIGINT UNSIGNED PATH '$[0]',
  task_index INT UNSIGNED PATH '$[1]')) p
STRAIGHT_JOIN Jobs j ON j.job_id = p.job AND j.loading = 0
STRAIGHT_JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
LEFT JOIN Tasks t ON t.job_id = p.job AND t.task_index = p.task_index

-- Their chunks, in the order of the places: [[job, index, attempt, first seq], …]. Keys are put in order first, so that
-- payloads are read of those alone that are wanted.
-- name: logs_chunks
SELECT k.place, k.seq, k.part, d.final, d.payload
FROM (SELECT p.place, o.job_id, o.task_index, o.attempt, o.seq, o.part
  FROM JSON_TABLE(:places, '$[*]' COLUMNS (place FOR ORDINALITY, job BIGINT UNSIGNED PATH '$[0]',
    task_index INT UNSIGNED PATH '$[1]', attempt SMALLINT UNSIGNED PATH '$[2]', seq INT UNSIGNED PATH '$[3]')) p
  STRAIGHT_JOIN Data o ON o.job_id = p.job AND o.task_index = p.task_index AND o.kind = 2 AND o.attempt = p.attempt
    AND o.seq >= p.seq AND (:stream = 0 OR o.part = :stream)
  ORDER BY p.place, o.seq LIMIT :rows) k
STRAIGHT_JOIN Data d ON d.job_id = k.job_id AND d.task_index = k.task_index AND d.kind = 2 AND d.attempt = k.attempt
  AND d.seq = k.seq AND d.part = k.part
ORDER BY k.place, k.seq

-- name: get_file
SELECT j.owner, j.wrapped_key FROM Files f JOIN Jobs j ON j.job_id = f.job_id AND j.loading = 0
JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
WHERE f.job_id = :job AND f.task_index = :index AND f.attempt = :attempt AND f.file = :part

-- name: get_piece
SELECT payload, final FROM Data
WHERE job_id = :job AND task_index = :index AND kind = 3 AND attempt = :attempt AND part = :part AND seq = :seq

-- name: get_result
SELECT d.payload, 1 AS final, j.owner, j.wrapped_key FROM Data d JOIN Jobs j ON j.job_id = d.job_id AND j.loading = 0
JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
WHERE d.job_id = :job AND d.task_index = :index AND d.kind = 1 AND d.attempt = :attempt AND d.part = 0 AND d.seq = 0

-- What parents left: results of a run of tasks (where one exists, of its recorded attempt), and the output of one task.
-- name: parent_tasks
SELECT j.tasks FROM Jobs j JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
WHERE j.job_id = :job AND j.loading = 0

-- name: parent_results
SELECT STRAIGHT_JOIN t.task_index, d.payload, d.attempt, j.owner, j.wrapped_key, j.entries_per_chunk
FROM Jobs j JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
JOIN Tasks t ON t.job_id = j.job_id
JOIN Data d ON d.job_id = t.job_id AND d.task_index = t.task_index AND d.kind = 1 AND d.attempt = t.attempt AND d.seq = 0 AND d.part = 0
WHERE j.job_id = :job AND j.loading = 0 AND t.task_index BETWEEN :index_lo AND :index_hi AND t.status >= 5
ORDER BY t.task_index LIMIT :rows

-- The first task of a run that wrote to its stdout.
-- name: parent_output_task
SELECT STRAIGHT_JOIN t.task_index, t.attempt, j.owner, j.wrapped_key
FROM Jobs j JOIN Visible v ON v.principal = :who AND v.what = 2 AND v.owner = j.owner
JOIN Tasks t ON t.job_id = j.job_id
WHERE j.job_id = :job AND j.loading = 0 AND t.task_index BETWEEN :index_lo AND :index_hi AND t.status >= 5
  AND EXISTS (SELECT 1 FROM Data d WHERE d.job_id = t.job_id AND d.task_index = t.task_index AND d.kind = 2 AND d.attempt = t.attempt)
ORDER BY t.task_index LIMIT 1

-- name: parent_output
SELECT seq, part, final, payload FROM Data
WHERE job_id = :job AND task_index = :index AND kind = 2 AND attempt = :attempt AND seq >= :seq AND part = :stream
ORDER BY seq LIMIT :rows

-- name: parent_output_last
SELECT seq, part, final, payload FROM Data
WHERE job_id = :job AND task_index = :index AND kind = 2 AND attempt = :attempt ORDER BY seq DESC LIMIT 1

-- name: watch_states
SELECT j.job_id, j.status, j.ended_us > 0, j.tasks, j.held, j.waiting, j.queued, j.running, j.succeeded,
  j.failed + j.timeout + j.oom + j.lost, j.cancelled, j.aborted
FROM JSON_TABLE(:jobs, '$[*]' COLUMNS (job BIGINT UNSIGNED PATH '$')) r
STRAIGHT_JOIN Jobs j ON j.job_id = r.job AND j.loading = 0
JOIN Visible v ON v.principal = :who AND v.what = 1 AND v.owner = j.owner
ORDER BY j.job_id
