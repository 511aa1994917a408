-- Sets of jobs that are loaded by several messages and live together; secrets of people.

-- A row while the job is loading: all of a set live at once, or are dropped.
CREATE TABLE JobSets (
  job_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  owner INT UNSIGNED NOT NULL,
  set_hash BINARY(16) NOT NULL,
  KEY by_set (owner, set_hash)
) ENGINE=InnoDB
;;
-- No reader's view shows this table. A name is that of an environment variable.
CREATE TABLE Secrets (
  owner INT UNSIGNED NOT NULL,
  name VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  bytes INT UNSIGNED NOT NULL,
  changed_us BIGINT NOT NULL,
  payload MEDIUMBLOB NOT NULL, -- sealed under the key of job 0
  PRIMARY KEY (owner, name)
) ENGINE=InnoDB
;;
