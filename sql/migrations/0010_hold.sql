-- 1: the whole job is held; 2: some of its tasks are, one by one (Holds). The count of held tasks does not tell.
ALTER TABLE Jobs ADD COLUMN IF NOT EXISTS hold TINYINT UNSIGNED NOT NULL DEFAULT 0 AFTER max_running
;;
UPDATE Jobs SET hold = 1 WHERE held > 0 AND ended_us = 0
;;
-- Tasks that are held one by one: indexes first_index, first_index + step, … last_index. Their rows are not rewritten. For
-- readers only: the coordinator has it from the description, where it also stands who holds them, and why.
CREATE TABLE IF NOT EXISTS Holds (
  job_id BIGINT UNSIGNED NOT NULL,
  first_index INT UNSIGNED NOT NULL,
  last_index INT UNSIGNED NOT NULL,
  step INT UNSIGNED NOT NULL,
  PRIMARY KEY (job_id, first_index, step)
) ENGINE=InnoDB
;;
