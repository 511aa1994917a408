-- MariaDB accounts of people.

-- name: accounts_pending
SELECT principal, name, has_sql, sql_hash FROM Principals
WHERE has_sql = 2 OR sql_hash <> '' OR (:everybody AND has_sql = 1)

-- name: accounts_foreign
SELECT COUNT(*) FROM mysql.global_priv
WHERE User = :name AND (Host <> '%' OR COALESCE(JSON_VALUE(Priv, '$.authentication_string'), '') <> :sql_hash)

-- name: accounts_settle
UPDATE Principals SET has_sql = :has_sql, sql_hash = '' WHERE principal = :principal

-- name: accounts_views
SELECT table_name FROM information_schema.VIEWS WHERE table_schema = DATABASE() AND LEFT(table_name, 2) = 'v_'
