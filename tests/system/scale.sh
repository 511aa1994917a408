#!/usr/bin/env bash
# More workers, fewer workers, while a job runs: every task is recorded once, draining loses nothing.
. "${BASH_SOURCE%/*}/lib.sh"

workers() { local_ status | grep -c '^worker .*running'; }
cluster_up --workers 1 --slots 1
# Nothing ends before all four are there.
job=$(jobsubmit -a 1-300 --crash-limit 1 -- sh -c "until [ -e '$T/go' ]; do sleep 0.05; done; sleep 0.05; echo \$JOB_INDEX")
exits "scale 4" 0 local_ scale 4
equal "four workers run" "$(workers)" 4
four_at_work() { [ "$(sql "SELECT COUNT(DISTINCT worker) FROM Tasks WHERE job_id=$job AND worker<>0")" -ge 4 ]; }
await "all of them get tasks" 30 four_at_work
touch "$T/go"
exits "scale 2 while they run" 0 local_ scale 2
await "two leave" 30 eval '[ "$(workers)" -eq 2 ]'
exits "scale 3 again" 0 local_ scale 3
equal "three workers run" "$(workers)" 3
exits "the job ends well" 0 jobctl wait "$job" --timeout 90
equal "every task ran once" "$(sql "SELECT COUNT(*), SUM(status=5), MAX(attempt), MAX(crashes) FROM Tasks WHERE job_id=$job")" "300	300	1	0"

# A worker that joins by hand, with a key of its own, and leaves when there is nothing to do.
jobctl key add --worker visitor --out "$T/visitor.profile" >/dev/null
exits "scale 0" 0 local_ scale 0
await "all leave" 20 eval '[ "$(workers)" -eq 0 ]'
run jobsubmit --tag where=visitor sh -c 'echo "by $JOB_WORKER"'
waiting=$out
equal "a job waits" "$(sql "SELECT queued FROM Jobs WHERE job_id=$waiting")" 1
exits "a worker started later runs it and ends when idle" 0 \
        timeout 60 jobworker --profile "$T/visitor.profile" --slots 1 --scratch "$T/scratch" --idle-exit 1s
equal "the job has ended" "$(jobctl logs "$waiting")" "by visitor"
finish
