-- What running tasks say of themselves: one row a task, the newest that it said.
CREATE TABLE Reports (
  job_id BIGINT UNSIGNED NOT NULL,
  task_index INT UNSIGNED NOT NULL,
  owner INT UNSIGNED NOT NULL,
  attempt SMALLINT UNSIGNED NOT NULL,
  done BIGINT NOT NULL,                  -- -1: not said
  total BIGINT NOT NULL,                 -- -1: not said
  at_us BIGINT NOT NULL,
  payload VARBINARY(4352) NOT NULL,      -- the values that it named, as JSON, sealed; '': none
  PRIMARY KEY (job_id, task_index)
) ENGINE=InnoDB
;;
