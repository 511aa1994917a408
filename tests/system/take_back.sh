#!/usr/bin/env bash
# Tasks that wait behind a long one on one worker go to another that is idle: they do not wait for its end.
#
# A worker whose slots are all taken by long tasks gives back by itself what it holds ahead, and the first two parts hold
# with that alone. The third needs the coordinator's take-back: nothing tells the worker that what it holds must wait.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 2 --slots 1
# Short tasks first, so that both workers ask for many ahead; one in the middle takes as long as it is let.
job=$(jobsubmit -q -a 1-400 -- sh -c "[ \$JOB_INDEX -ne 150 ] || until [ -e '$T/go' ]; do sleep 0.05; done")
all_but_one() { [ "$(ask "SELECT succeeded, running FROM v_jobs WHERE job_id=$job")" = 399,1 ]; }
await "all others end while one runs on" 60 all_but_one
touch "$T/go"
exits "it ends, too" 0 jobctl wait "$job" --timeout 60
equal "each task ran once" "$(sql "SELECT COUNT(*), SUM(status=5), MAX(attempt), MAX(crashes) FROM Tasks WHERE job_id=$job")" "400	400	1	0"

# Known from the start: the long one first, the short ones behind it in the same order of starting.
rm "$T/go"
long=$(jobsubmit -q -n long -p 50 -- sh -c "until [ -e '$T/go' ]; do sleep 0.05; done")
await "the long one runs" 20 eval '[ "$(job_status "$long")" = running ]'
short=$(jobsubmit -q -n short -a 1-100 -- sh -c 'sleep 0.02')
exits "the short ones do not wait for it" 0 jobctl wait "$short" --timeout 120
equal "which runs still" "$(job_status "$long")" running
touch "$T/go"
exits "until it ends" 0 jobctl wait "$long" --timeout 60

# A slot is free, so the holder sees no reason to give anything back; but each task that waits there wants both slots.
rm "$T/go"
must local_ up --workers 1 --slots 2 >/dev/null
one_left() { [ "$(local_ status --json | grep -o '"name":"w[0-9]*","pid":[0-9]*,"state":"running"' | wc -l)" = 1 ]; }
await "the other worker leaves, though it has just been started" 20 one_left
exits "short tasks, so that the one worker asks for many ahead" 0 jobsubmit -q --wait -a 1-300 true
granted() { jobctl server status --csv | sed -n 's/^tasks_granted,//p'; }
half=$(jobsubmit -q -n half -p 50 -- sh -c "until [ -e '$T/go' ]; do sleep 0.05; done")
await "a task of one slot runs" 20 eval '[ "$(job_status "$half")" = running ]'
whole=$(jobsubmit -q -n whole -c 2 -a 1-20 true)
await "tasks of two slots wait behind it" 20 eval '[ "$(granted)" -gt 4 ]'
must local_ scale 2
exits "the coordinator takes them to an idle worker" 0 jobctl wait "$whole" --timeout 60
equal "where they ran" "$(ask "SELECT COUNT(DISTINCT worker), SUM(worker IS NULL) FROM v_tasks WHERE job_id=$whole")" 1,0
equal "while the first runs still" "$(job_status "$half")" running
touch "$T/go"
exits "until it ends, too" 0 jobctl wait "$half" --timeout 60
finish
