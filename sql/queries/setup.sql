-- Statements of the coordinator's start: settings, schema, epoch.

-- name: setup_variables
SELECT LOWER(variable_name), variable_value FROM information_schema.GLOBAL_VARIABLES
WHERE LOWER(variable_name) IN ('innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', 'innodb_doublewrite',
  'innodb_force_recovery', 'sql_mode', 'wsrep_on', 'max_allowed_packet', 'version')
ORDER BY 1

-- name: setup_has_sequence
SELECT COUNT(*) FROM information_schema.ENGINES WHERE engine = 'SEQUENCE' AND support IN ('YES', 'DEFAULT')

-- name: setup_anonymous
SELECT COUNT(*) FROM mysql.global_priv WHERE User = ''

-- name: setup_foreign_engine
SELECT table_name, engine FROM information_schema.TABLES
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB' LIMIT 1

-- name: setup_lock
SELECT GET_LOCK(LEFT(CONCAT('jobmill.schema.', DATABASE()), 64), 60)

-- name: setup_unlock
SELECT RELEASE_LOCK(LEFT(CONCAT('jobmill.schema.', DATABASE()), 64))

-- name: setup_version
SELECT CAST(COALESCE(MAX(version), 0) AS UNSIGNED) FROM SchemaVersion

-- name: setup_version_put
INSERT INTO SchemaVersion (version, applied_at) VALUES (:version, NOW(6))

-- name: setup_steps
SELECT begun, done FROM SchemaSteps WHERE version = :version

-- name: setup_steps_put
INSERT INTO SchemaSteps (version, begun, done) VALUES (:version, :begun, :done)
ON DUPLICATE KEY UPDATE begun = VALUES(begun), done = VALUES(done)

-- name: setup_views_digest
SELECT digest FROM SchemaViews WHERE part = 0

-- name: setup_views_put
INSERT INTO SchemaViews (part, digest) VALUES (0, :digest) ON DUPLICATE KEY UPDATE digest = VALUES(digest)

-- name: setup_coordinator
SELECT epoch, install FROM Coordinator WHERE part = 0

-- name: setup_coordinator_put
INSERT INTO Coordinator (part, epoch, install, wrapped_key, scope_secret, started_us)
VALUES (0, 0, :install, :wrapped_key, :scope_secret, 0)
ON DUPLICATE KEY UPDATE part = VALUES(part)

-- name: setup_scope_secret
UPDATE Coordinator SET scope_secret = :scope_secret WHERE part = 0

-- The epoch that this connection has raised it to, whoever raises it next: two coordinators that start at once must
-- never take the same one.
-- name: setup_epoch_raise
UPDATE Coordinator SET epoch = LAST_INSERT_ID(epoch + 1), started_us = :started_us WHERE part = 0

-- name: setup_epoch
SELECT LAST_INSERT_ID()

-- Has the trigger taken it to where transactions look?
-- name: setup_epoch_fenced
SELECT COUNT(*) FROM Writers WHERE writer = 1 AND epoch >= :epoch

-- name: setup_has_admin
SELECT COUNT(*) FROM Members m JOIN Principals p ON p.principal = m.principal JOIN Nodes n ON n.principal = p.principal
WHERE m.role = 1 AND p.active = 1 AND n.revoked = 0 AND n.is_worker = 0

-- name: init_next
SELECT COALESCE((SELECT MAX(principal) FROM Principals), 0) + 1, COALESCE((SELECT MAX(key_id) FROM Nodes), 0) + 1
