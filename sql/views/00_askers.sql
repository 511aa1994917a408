-- Who asks, and what may be shown. Made as the coordinator's account; nobody else may read them, and the readers' views
-- use them as their definer. Nothing in here is a stored function: the server lets only those DESCRIBE a view (SHOW
-- COLUMNS, information_schema.columns) who may execute every function in it. Statements end with a line ";;". Blocks
-- `-- if: udf … -- else … -- end` depend on whether the server has jobmill_udf.so.
DROP FUNCTION IF EXISTS scope
;;
DROP FUNCTION IF EXISTS me
;;
-- if: no-udf
-- Without the library sealed values stay sealed, numbers are guarded more slowly, and nobody can DESCRIBE the views.
CREATE OR REPLACE FUNCTION scope_of(owners MEDIUMTEXT CHARACTER SET ascii) RETURNS MEDIUMTEXT CHARACTER SET ascii
DETERMINISTIC NO SQL SQL SECURITY DEFINER
RETURN IF(RIGHT(owners, 1) = ',', owners, NULL)
;;
CREATE OR REPLACE FUNCTION scoped(s MEDIUMTEXT CHARACTER SET ascii, owner INT UNSIGNED, n BIGINT) RETURNS BIGINT
DETERMINISTIC NO SQL SQL SECURITY DEFINER
RETURN IF(FIND_IN_SET(owner, s) AND RIGHT(s, 1) = ',', n, NULL)
;;
CREATE OR REPLACE FUNCTION scoped_text(s MEDIUMTEXT CHARACTER SET ascii, owner INT UNSIGNED, t BLOB) RETURNS BLOB
DETERMINISTIC NO SQL SQL SECURITY DEFINER
RETURN IF(FIND_IN_SET(owner, s) AND RIGHT(s, 1) = ',', t, NULL)
;;
CREATE OR REPLACE FUNCTION unseal(kind INT, payload LONGBLOB, wrapped_key BLOB, s MEDIUMTEXT CHARACTER SET ascii,
  owner INT UNSIGNED, job BIGINT, idx BIGINT, attempt INT, part INT, seq BIGINT, final INT) RETURNS LONGBLOB
DETERMINISTIC NO SQL SQL SECURITY DEFINER
RETURN NULL
;;
CREATE OR REPLACE FUNCTION unseal_entry(kind INT, payload LONGBLOB, wrapped_key BLOB, s MEDIUMTEXT CHARACTER SET ascii,
  owner INT UNSIGNED, job BIGINT, idx BIGINT, attempt INT, part INT, seq BIGINT, final INT, k BIGINT) RETURNS LONGBLOB
DETERMINISTIC NO SQL SQL SECURITY DEFINER
RETURN NULL
;;
-- end
-- The principal that logged in; no row for anybody else. The whole login name counts, up to the last @ of USER(), byte for
-- byte: `ALICE`, `alice ` and `alice@x` are not alice. Only people whose SQL account we made. LIMIT: one row, made once a
-- statement, into which no predicate of the reader reaches.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW asker AS
SELECT p.principal AS m FROM Principals p
WHERE p.name = CONVERT(LEFT(USER(), CHAR_LENGTH(USER()) - LOCATE('@', REVERSE(USER()))) USING ascii)
  AND CAST(p.name AS BINARY) =
    CAST(CONVERT(LEFT(USER(), CHAR_LENGTH(USER()) - LOCATE('@', REVERSE(USER()))) USING utf8mb4) AS BINARY)
  AND p.active = 1 AND p.has_sql = 1 AND p.is_worker = 0
LIMIT 1
;;
-- The owners whose rows that principal sees (Visible.what: 1 jobs, 2 data, 3 events), authenticated for unseal and scoped.
-- Every owner ends with a comma: a reader can lower group_concat_max_len, and a list cut inside a number must not name
-- another.
CREATE OR REPLACE SQL SECURITY DEFINER VIEW asker_jobs AS
SELECT a.m AS m,
-- if: udf
  seal_scope((SELECT CONVERT(GROUP_CONCAT(v.owner, ',' ORDER BY v.owner SEPARATOR '') USING ascii)
      FROM Visible v WHERE v.principal = a.m AND v.what = 1), (SELECT c.scope_secret FROM Coordinator c WHERE c.part = 0)) AS s
-- else
  scope_of((SELECT CONVERT(GROUP_CONCAT(v.owner, ',' ORDER BY v.owner SEPARATOR '') USING ascii)
    FROM Visible v WHERE v.principal = a.m AND v.what = 1)) AS s
-- end
FROM asker a LIMIT 1
;;
CREATE OR REPLACE SQL SECURITY DEFINER VIEW asker_data AS
SELECT a.m AS m,
-- if: udf
  seal_scope((SELECT CONVERT(GROUP_CONCAT(v.owner, ',' ORDER BY v.owner SEPARATOR '') USING ascii)
      FROM Visible v WHERE v.principal = a.m AND v.what = 2), (SELECT c.scope_secret FROM Coordinator c WHERE c.part = 0)) AS d
-- else
  scope_of((SELECT CONVERT(GROUP_CONCAT(v.owner, ',' ORDER BY v.owner SEPARATOR '') USING ascii)
    FROM Visible v WHERE v.principal = a.m AND v.what = 2)) AS d
-- end
FROM asker a LIMIT 1
;;
CREATE OR REPLACE SQL SECURITY DEFINER VIEW asker_both AS
SELECT j.m AS m, j.s AS s, d.d AS d FROM asker_jobs j JOIN asker_data d LIMIT 1
;;
CREATE OR REPLACE SQL SECURITY DEFINER VIEW asker_events AS
SELECT a.m AS m,
-- if: udf
  seal_scope((SELECT CONVERT(GROUP_CONCAT(v.owner, ',' ORDER BY v.owner SEPARATOR '') USING ascii)
      FROM Visible v WHERE v.principal = a.m AND v.what = 3), (SELECT c.scope_secret FROM Coordinator c WHERE c.part = 0)) AS e
-- else
  scope_of((SELECT CONVERT(GROUP_CONCAT(v.owner, ',' ORDER BY v.owner SEPARATOR '') USING ascii)
    FROM Visible v WHERE v.principal = a.m AND v.what = 3)) AS e
-- end
FROM asker a LIMIT 1
;;
