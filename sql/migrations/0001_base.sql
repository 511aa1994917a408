-- The first schema. Statements end with a line that is only ";;". Applied once, under a lock, in order.
-- Times are BIGINT microseconds since 1970 UTC, 0: not yet. Text that says something is sealed (VARBINARY, BLOB).
-- Words and numbers of status, reason, kind come from common/proto/*.def; a drift test compares them.
-- SchemaVersion, SchemaSteps and SchemaViews (what was applied, how far) are made by the program itself.

-- One row a partition. Every transaction reads it with a shared lock and gives up if epoch has moved on.
CREATE TABLE Coordinator (
  part TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  epoch BIGINT UNSIGNED NOT NULL,
  install BINARY(16) NOT NULL,
  wrapped_key VARBINARY(80) NOT NULL,      -- data key of job 0: events without a job
  scope_secret VARBINARY(64) NOT NULL,     -- what scope() shows to seal_scope(); no reader can select it
  started_us BIGINT NOT NULL
) ENGINE=InnoDB
;;
-- The last transaction of each writer: after a connection died during COMMIT this says whether it happened.
CREATE TABLE Writers (
  writer TINYINT UNSIGNED NOT NULL PRIMARY KEY,
  epoch BIGINT UNSIGNED NOT NULL,
  batch BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB
;;
CREATE TABLE Principals (
  principal INT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  is_worker TINYINT UNSIGNED NOT NULL,
  active TINYINT UNSIGNED NOT NULL,
  has_sql TINYINT UNSIGNED NOT NULL DEFAULT 0, -- 1: has a MariaDB account of this name, made by us; 2: it has to go
  sql_hash CHAR(41) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '', -- of an account still to be made
  made_us BIGINT NOT NULL
) ENGINE=InnoDB
;;
-- Keys: one CURVE public key a row (the guide's nodes are those with is_worker).
CREATE TABLE Nodes (
  key_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  principal INT UNSIGNED NOT NULL,
  is_worker TINYINT UNSIGNED NOT NULL,
  public_key CHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  revoked TINYINT UNSIGNED NOT NULL,
  expires_us BIGINT NOT NULL,
  made_us BIGINT NOT NULL,
  revoked_us BIGINT NOT NULL DEFAULT 0,
  KEY by_principal (principal)
) ENGINE=InnoDB
;;
CREATE TABLE Roles (
  role INT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE
) ENGINE=InnoDB
;;
CREATE TABLE Members (
  role INT UNSIGNED NOT NULL,
  principal INT UNSIGNED NOT NULL,
  PRIMARY KEY (role, principal),
  KEY by_principal (principal)
) ENGINE=InnoDB
;;
CREATE TABLE Grants (
  role INT UNSIGNED NOT NULL,
  permission VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  scope TINYINT UNSIGNED NOT NULL,
  type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '*',
  PRIMARY KEY (role, permission, scope, type)
) ENGINE=InnoDB
;;
-- Whose rows a person sees, from Members and Grants, rewritten with every change of them.
CREATE TABLE Visible (
  principal INT UNSIGNED NOT NULL,
  what TINYINT UNSIGNED NOT NULL, -- 1 job.read, 2 data.read, 3 event.read
  owner INT UNSIGNED NOT NULL,
  PRIMARY KEY (principal, what, owner)
) ENGINE=InnoDB
;;
CREATE TABLE Queues (
  queue INT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  paused TINYINT UNSIGNED NOT NULL,
  max_running BIGINT UNSIGNED NOT NULL,
  weight INT UNSIGNED NOT NULL
) ENGINE=InnoDB
;;
CREATE TABLE Submissions (
  owner INT UNSIGNED NOT NULL,
  key_hash BINARY(16) NOT NULL,
  digest BINARY(32) NOT NULL,
  job_id BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (owner, key_hash),
  KEY by_job (job_id)
) ENGINE=InnoDB
;;
CREATE TABLE Jobs (
  job_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  owner INT UNSIGNED NOT NULL,
  queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  task_type TINYINT UNSIGNED NOT NULL,
  loading TINYINT UNSIGNED NOT NULL,   -- not acknowledged yet: no view shows it
  status TINYINT UNSIGNED NOT NULL,    -- numbers of task_status.def
  priority SMALLINT NOT NULL,
  cpus INT UNSIGNED NOT NULL,
  max_running BIGINT UNSIGNED NOT NULL,
  tasks BIGINT UNSIGNED NOT NULL,
  held BIGINT UNSIGNED NOT NULL,
  waiting BIGINT UNSIGNED NOT NULL,
  queued BIGINT UNSIGNED NOT NULL,
  running BIGINT UNSIGNED NOT NULL,
  succeeded BIGINT UNSIGNED NOT NULL,
  failed BIGINT UNSIGNED NOT NULL,
  timeout BIGINT UNSIGNED NOT NULL,
  oom BIGINT UNSIGNED NOT NULL,
  lost BIGINT UNSIGNED NOT NULL,
  cancelled BIGINT UNSIGNED NOT NULL,
  aborted BIGINT UNSIGNED NOT NULL,
  mark BIGINT UNSIGNED NOT NULL,
  low BIGINT UNSIGNED NOT NULL,
  materialised BIGINT UNSIGNED NOT NULL,
  submitted_us BIGINT NOT NULL,
  started_us BIGINT NOT NULL,
  ended_us BIGINT NOT NULL,
  ending TINYINT UNSIGNED NOT NULL DEFAULT 0, -- the final status that tasks not started are getting; 0: none
  ending_reason TINYINT UNSIGNED NOT NULL DEFAULT 0,
  floor_epoch BIGINT UNSIGNED NOT NULL DEFAULT 0, -- leases of older epochs are never adopted again
  chunks INT UNSIGNED NOT NULL,
  entries_per_chunk INT UNSIGNED NOT NULL, -- 0: the job has no entries
  name_hash BINARY(16) NOT NULL,
  name VARBINARY(300) NOT NULL,            -- sealed
  comment VARBINARY(1100) NOT NULL,        -- sealed; empty: none
  wrapped_key VARBINARY(80) NOT NULL,
  spec LONGBLOB NOT NULL,                  -- sealed
  KEY by_owner (owner, job_id),
  KEY by_name (owner, name_hash),
  KEY unfinished (ended_us, job_id)
) ENGINE=InnoDB
;;
CREATE TABLE JobTags (
  job_id BIGINT UNSIGNED NOT NULL,
  part SMALLINT UNSIGNED NOT NULL,
  owner INT UNSIGNED NOT NULL,
  tag_hash BINARY(16) NOT NULL,
  tag VARBINARY(600) NOT NULL, -- sealed
  PRIMARY KEY (job_id, part),
  KEY by_tag (owner, tag_hash)
) ENGINE=InnoDB
;;
-- Chunks of entries (part 0) and of inputs (part 1…), sealed.
CREATE TABLE JobData (
  job_id BIGINT UNSIGNED NOT NULL,
  part SMALLINT UNSIGNED NOT NULL,
  seq INT UNSIGNED NOT NULL,
  owner INT UNSIGNED NOT NULL,
  payload LONGBLOB NOT NULL,
  PRIMARY KEY (job_id, part, seq)
) ENGINE=InnoDB
;;
-- The heart: fixed width, nothing NULL, clustered by job and index, no secondary index.
CREATE TABLE Tasks (
  job_id BIGINT UNSIGNED NOT NULL,
  task_index INT UNSIGNED NOT NULL,
  status TINYINT UNSIGNED NOT NULL,
  reason TINYINT UNSIGNED NOT NULL DEFAULT 0,
  exit_code TINYINT UNSIGNED NOT NULL DEFAULT 0,
  exit_signal TINYINT UNSIGNED NOT NULL DEFAULT 0,
  attempt SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  tries SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  crashes SMALLINT UNSIGNED NOT NULL DEFAULT 0,
  owner INT UNSIGNED NOT NULL,
  worker INT UNSIGNED NOT NULL DEFAULT 0,
  nonce BIGINT UNSIGNED NOT NULL DEFAULT 0,
  started_us BIGINT NOT NULL DEFAULT 0,
  ended_us BIGINT NOT NULL DEFAULT 0,
  cpu_us BIGINT NOT NULL DEFAULT 0,
  rss_kib INT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (job_id, task_index)
) ENGINE=InnoDB
;;
-- Attempts that are not the newest.
CREATE TABLE Attempts (
  job_id BIGINT UNSIGNED NOT NULL,
  task_index INT UNSIGNED NOT NULL,
  attempt SMALLINT UNSIGNED NOT NULL,
  status TINYINT UNSIGNED NOT NULL,
  reason TINYINT UNSIGNED NOT NULL,
  exit_code TINYINT UNSIGNED NOT NULL,
  exit_signal TINYINT UNSIGNED NOT NULL,
  worker INT UNSIGNED NOT NULL,
  started_us BIGINT NOT NULL,
  ended_us BIGINT NOT NULL,
  cpu_us BIGINT NOT NULL,
  rss_kib INT UNSIGNED NOT NULL,
  PRIMARY KEY (job_id, task_index, attempt)
) ENGINE=InnoDB
;;
CREATE TABLE Data (
  job_id BIGINT UNSIGNED NOT NULL,
  task_index INT UNSIGNED NOT NULL,
  kind TINYINT UNSIGNED NOT NULL,     -- data_kind of words.def
  attempt SMALLINT UNSIGNED NOT NULL,
  part SMALLINT UNSIGNED NOT NULL,    -- stream of output, number of a file, 0
  seq INT UNSIGNED NOT NULL,
  final TINYINT UNSIGNED NOT NULL,
  owner INT UNSIGNED NOT NULL,
  recorded_us BIGINT NOT NULL,
  payload LONGBLOB NOT NULL,          -- sealed
  PRIMARY KEY (job_id, task_index, kind, attempt, seq, part)
) ENGINE=InnoDB
;;
CREATE TABLE Files (
  job_id BIGINT UNSIGNED NOT NULL,
  task_index INT UNSIGNED NOT NULL,
  attempt SMALLINT UNSIGNED NOT NULL,
  file SMALLINT UNSIGNED NOT NULL,
  owner INT UNSIGNED NOT NULL,
  bytes BIGINT UNSIGNED NOT NULL,
  sha256 CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARBINARY(4200) NOT NULL, -- sealed
  PRIMARY KEY (job_id, task_index, attempt, file)
) ENGINE=InnoDB
;;
CREATE TABLE Events (
  event_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at_us BIGINT NOT NULL,
  job_id BIGINT UNSIGNED NOT NULL,
  owner INT UNSIGNED NOT NULL,
  task_index INT UNSIGNED NOT NULL,
  has_index TINYINT UNSIGNED NOT NULL,
  kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  actor INT UNSIGNED NOT NULL,
  detail VARBINARY(2048) NOT NULL, -- sealed; empty: none
  KEY by_job (job_id, event_id)
) ENGINE=InnoDB
;;
CREATE TABLE Workers (
  worker INT UNSIGNED NOT NULL PRIMARY KEY,
  state TINYINT UNSIGNED NOT NULL, -- 1 connected, 2 draining, 3 lost, 4 gone
  slots INT UNSIGNED NOT NULL,
  slots_busy INT UNSIGNED NOT NULL,
  labels VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  version VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  host VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  enforces VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  seen_us BIGINT NOT NULL
) ENGINE=InnoDB
;;
INSERT INTO Roles (role, name) VALUES (1,'admin'),(2,'submitter'),(3,'operator'),(4,'reader'),(5,'auditor'),(6,'worker')
;;
INSERT INTO Grants (role, permission, scope) VALUES
 (1,'job.submit',1),(1,'job.read',3),(1,'job.act',3),(1,'data.read',1),(1,'event.read',3),(1,'worker.act',3),
 (1,'queue.act',3),(1,'user.admin',3),(1,'role.grant',3),(1,'server.admin',3),
 (2,'job.submit',1),(2,'job.read',1),(2,'job.act',1),(2,'data.read',1),(2,'event.read',1),
 (3,'job.read',3),(3,'job.act',3),(3,'event.read',3),(3,'worker.act',3),(3,'queue.act',3),
 (4,'job.read',2),(4,'data.read',2),(4,'event.read',2),
 (5,'job.read',3),(5,'event.read',3),
 (6,'worker.run',3)
;;
INSERT INTO Queues (queue, name, paused, max_running, weight) VALUES (1,'default',0,0,1)
;;
