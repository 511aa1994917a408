-- Times of jobs, for readers (v_why): no task starts before at_us, what has not started by start_by_us is aborted. 0: none.
-- Jobs of before say nothing here until they are changed; the coordinator has it from the description.
ALTER TABLE Jobs
  ADD COLUMN IF NOT EXISTS at_us BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN IF NOT EXISTS start_by_us BIGINT NOT NULL DEFAULT 0
;;
