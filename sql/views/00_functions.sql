-- Who asks, and what may be shown. Run as the coordinator's account; nobody else may execute them. Statements end
-- with a line ";;". Blocks `-- if: udf … -- else … -- end` depend on whether the server has jobmill_udf.so.

-- The principal that logged in, or NULL. The whole login name counts, up to the last @ of USER(), byte for byte:
-- `ALICE`, `alice ` and `alice@x` are not alice. Only people whose SQL account we made.
CREATE OR REPLACE FUNCTION me() RETURNS INT UNSIGNED
READS SQL DATA SQL SECURITY DEFINER
COMMENT 'the principal that logged in'
BEGIN
  DECLARE login VARCHAR(384) CHARACTER SET utf8mb4 DEFAULT LEFT(USER(), CHAR_LENGTH(USER()) - LOCATE('@', REVERSE(USER())));
  RETURN (SELECT p.principal FROM Principals p
          WHERE p.name = CONVERT(login USING ascii) AND CAST(p.name AS BINARY) = CAST(login AS BINARY)
            AND p.active = 1 AND p.has_sql = 1 AND p.is_worker = 0);
END
;;
-- The owners whose rows that principal sees (wanted: Visible.what), authenticated for unseal and scoped. Every owner
-- ends with a comma: a reader can lower group_concat_max_len, and a list cut inside a number must not name another.
CREATE OR REPLACE FUNCTION scope(wanted TINYINT UNSIGNED) RETURNS MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin
READS SQL DATA SQL SECURITY DEFINER
COMMENT 'whose rows the login sees'
BEGIN
  DECLARE who INT UNSIGNED DEFAULT me();
  DECLARE owners MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin;
  IF who IS NULL THEN
    RETURN NULL;
  END IF;
  SET owners = (SELECT GROUP_CONCAT(v.owner, ',' ORDER BY v.owner SEPARATOR '')
                FROM Visible v WHERE v.principal = who AND v.what = wanted);
-- if: udf
  RETURN seal_scope(owners, (SELECT c.scope_secret FROM Coordinator c WHERE c.part = 0));
-- else
  RETURN IF(RIGHT(owners, 1) = ',', owners, NULL);
-- end
END
;;
-- if: no-udf
-- Without the library sealed values stay sealed, and numbers are guarded more slowly.
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
