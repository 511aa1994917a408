-- Jobs that were aborted because a job they depend on did not end as they needed it: a new round of that job brings them
-- back. due: it has begun, and they have not come back yet (a coordinator that was killed goes on where it was). Jobs
-- aborted before this migration are not in here: a retry of their own brings them back.
CREATE TABLE Aborted (
  on_job BIGINT UNSIGNED NOT NULL, -- the one they wait for
  job_id BIGINT UNSIGNED NOT NULL,
  due TINYINT UNSIGNED NOT NULL,
  PRIMARY KEY (on_job, job_id),
  KEY by_job (job_id),
  KEY by_due (due, job_id)
) ENGINE=InnoDB
;;
