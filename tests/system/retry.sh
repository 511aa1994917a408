#!/usr/bin/env bash
# A retry by a person is a new round of a job: whoever was aborted because of it waits again, also across a kill -9.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1
status_of() { ask "SELECT GROUP_CONCAT(status ORDER BY job_id) FROM v_jobs WHERE job_id IN ($1)"; }
is() { [ "$(status_of "$1")" = "$2" ]; }

jobsubmit -q -n first --hold -a 1-3 -- sh -c "[ -e '$T/good' ] || [ \$JOB_INDEX -ne 2 ]" >id
first=$(cat id)
second=$(jobsubmit -q -n second --after "ok:$first" echo second)
third=$(jobsubmit -q -n third -a 1-3 --after "ok:$second" echo third)
cleanup=$(jobsubmit -q -n cleanup --after "notok:$first" echo cleanup)
given_up=$(jobsubmit -q -n given-up --after "ok:$first" echo never)
exits "cancel one of the dependants" 0 jobctl cancel "$given_up"
exits "let the first go" 0 jobctl release "$first"
exits "a task of the first fails" 1 jobctl wait "$first" --timeout 60
await "its dependants are aborted, theirs too" 20 is "$second,$third" '"aborted,aborted"'
exits "what waits for a failure runs" 0 jobctl wait "$cleanup" --timeout 60

# Nobody runs anything now: what comes back can be seen waiting.
local_ scale 0 2>/dev/null
await "the worker has left" 20 eval '[ -z "$(pid_of worker)" ]'
exits "retry what failed" 0 jobctl retry --failed "$first"
equal "one task of three" "$out" "1 task queued again"
await "its dependants wait again" 20 is "$second,$third" '"waiting,waiting"'
equal "whoever was cancelled does not" "$(status_of "$given_up")" cancelled
matches "why says for what" "$(jobctl why "$second")" "job $first"
matches "and events that they came back" "$(jobctl events "$second")" '"kind":"retry"'
kill9 coordinator
local_ start coordinator 2>/dev/null
await "a restart keeps that" 20 is "$second,$third" '"waiting,waiting"'
touch "$T/good"
local_ scale 1 2>/dev/null
exits "then everything runs" 0 jobctl wait "$first" "$second" "$third" --timeout 60
equal "each task once" "$(ask "SELECT COUNT(*) FROM v_output WHERE job_id IN ($second,$third)")" 4
equal "with its output" "$(jobctl logs "$third")" $'third\nthird\nthird'
finish
