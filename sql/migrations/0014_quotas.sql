-- What a person may have at most: unfinished jobs, tasks of these, tasks granted at once; 0: no limit.
ALTER TABLE Principals
  ADD COLUMN IF NOT EXISTS max_jobs BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS max_tasks BIGINT UNSIGNED NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS max_running BIGINT UNSIGNED NOT NULL DEFAULT 0
;;
