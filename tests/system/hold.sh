#!/usr/bin/env bash
# time-out: 240
# Single tasks are held and released: in arrays small and large, in graphs, beside retries and cancels; what a worker has
# and has not started is taken back; a coordinator that dies knows all of it afterwards.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
new_user olga operator
cd -- "$T" || exit 1
count() { jobctl "$@" 2>/dev/null | sed -nE 's/^([0-9]+) tasks?.*/\1/p'; }
held_of() { ask "SELECT GROUP_CONCAT(task_index ORDER BY task_index SEPARATOR ' ') FROM v_tasks WHERE job_id=$1 AND status='held'"; }
held() { ask "SELECT held FROM v_jobs WHERE job_id=$1"; }
again() { kill9 coordinator && must local_ start coordinator; }
gate="until [ -e $T/go ]; do sleep 0.05; done"

# --- the worker's two slots are taken, and it has tasks ahead
exits "short tasks, so that it asks for many ahead" 0 jobsubmit -q --wait -a 1-300 true
some=$(jobsubmit -n some -a 1-9 -- sh -c "[ \$JOB_INDEX -gt 2 ] || { $gate; }; echo \$JOB_INDEX >>$T/ran")
await "two of nine run" 20 eval '[ "$(ask "SELECT running FROM v_jobs WHERE job_id=$some")" = 2 ]'
equal "hold counts what has not started" "$(count hold "$some" -s queued --dry-run)" 7
exits "hold all nine, one by one" 0 jobctl hold "$some.[1-9]" --reason 'wait for disk'
equal "seven are" "$out" "7 tasks held"
matches "and it is said that two run on" "$err" "job $some: 2 tasks run and go on"
await "also those that the worker had" 20 eval '[ "$(held_of "$some")" = "3 4 5 6 7 8 9" ]'
equal "in the counts" "$(held "$some")" 7
equal "and in jobctl tasks" "$(jobctl tasks "$some" -s held --csv | tail -n +2 | wc -l)" 7
equal "which are held already" "$(jobctl hold "$some.[3-9]")" "0 tasks held"
equal "the event names them" "$(ask "SELECT CONCAT_WS('|', actor, detail) FROM v_events WHERE job_id=$some AND kind='hold' ORDER BY event_id LIMIT 1")" "admin|tasks 1-9: wait for disk"
exits "why says it" 0 jobctl why "$some.6"
matches "who, since when, why and the remedy" "$out" "held by admin since 20.*\(wait for disk\): jobctl release $some.6"
touch go
await "the two end" 20 eval '[ "$(sort -n ran | tr "\n" " ")" = "1 2 " ]'
again
equal "a restart keeps what is held" "$(held_of "$some")" "3 4 5 6 7 8 9"
matches "and who holds it" "$(jobctl why "$some.6")" "held by admin since 20.*wait for disk"
exits "others run meanwhile" 0 jobsubmit -q --wait true
equal "release one" "$(as olga jobctl release "$some.8")" "1 task released"
exits "it runs" 0 jobctl wait "$some.8" --timeout 60
equal "alone" "$(sort -n ran | tr '\n' ' ')" "1 2 8 "
exits "cancel reaches a held one" 0 jobctl cancel "$some.9"
exits "retry opens it again" 0 jobctl retry "$some.9"
exits "and it runs" 0 jobctl wait "$some.9" --timeout 60
equal "release -s of another status: nothing" "$(count release "$some" -s queued)" 0
equal "release of the job: what is left" "$(jobctl release "$some")" "5 tasks released"
exits "all of it succeeds" 0 jobctl wait --exit-code "$some" --timeout 60
equal "each ran once" "$(sort -n ran | tr '\n' ' ')" "1 2 3 4 5 6 7 8 9 "

# --- a whole job that is held lets one go; a whole job is taken back too
back=$(jobsubmit --hold -a 1-3 -- true)
equal "a held job lets one go" "$(jobctl release "$back.2")" "1 task released"
exits "which runs" 0 jobctl wait "$back.2" --timeout 60
equal "the others stay held" "$(held_of "$back")" "1 3"
jobctl -q cancel "$back"
rm go
whole=$(jobsubmit -n whole -a 1-6 -- sh -c "$gate")
await "two of six run" 20 eval '[ "$(ask "SELECT running FROM v_jobs WHERE job_id=$whole")" = 2 ]'
equal "hold the job" "$(count hold "$whole" --reason later)" 4
matches "why says who" "$(jobctl why "$whole")" "all of it is held by admin since 20.*\(later\)"
touch go
await "only the two run" 20 eval '[ "$(ask "SELECT CONCAT(succeeded, queued, held) FROM v_jobs WHERE job_id=$whole")" = 204 ]'
equal "release it" "$(count release "$whole")" 4
exits "the others run" 0 jobctl wait "$whole" --timeout 60

# --- a graph: what is held waits for its parent and for the person; what depends on it waits for it
cat >graph.json <<END
{"name":"g","tasks":[
 {"name":"a","command":["sh","-c","until [ -e $T/a ]; do sleep 0.05; done"]},
 {"name":"b","command":["true"],"after":["a"]},
 {"name":"c","command":["true"],"after":["b"]},
 {"name":"d","command":["true"],"after":["a"]}]}
END
graph=$(jobsubmit -f graph.json)
equal "hold a task that waits for its parent" "$(jobctl hold "$graph.2")" "1 task held"
why=$(jobctl why "$graph.2")
matches "both are said: the person" "$why" "held by admin"
matches "and the parent" "$why" "1 of its 1 parents have not ended: $graph.1"
again
touch a
exits "the parent ends, another child runs" 0 jobctl wait "$graph.4" --timeout 60
equal "the held one does not, nor what depends on it" "$(ask "SELECT GROUP_CONCAT(status ORDER BY task_index) FROM v_tasks WHERE job_id=$graph")" '"succeeded,held,waiting,succeeded"'
again
equal "nor after a restart" "$(ask "SELECT GROUP_CONCAT(status ORDER BY task_index) FROM v_tasks WHERE job_id=$graph")" '"succeeded,held,waiting,succeeded"'
equal "release" "$(jobctl release "$graph.2")" "1 task released"
exits "and all of it runs" 0 jobctl wait --exit-code "$graph" --timeout 60

# --- an attempt that failed waits for its next one, and is held
tries=$(jobsubmit -n tries --retries 3 --backoff 2s -- sh -c '[ $JOB_ATTEMPT -gt 1 ]')
await "its first attempt is over" 20 eval '[ "$(ask "SELECT status FROM v_tasks WHERE job_id=$tries")" = waiting ]'
equal "hold it" "$(jobctl hold "$tries.1")" "1 task held"
again
sleep_over() { jobctl why "$tries.1" >"$T/why"; ! grep -q "not before" "$T/why"; }
await "its time comes" 20 sleep_over
equal "and it is held" "$(ask "SELECT CONCAT(status, attempt) FROM v_tasks WHERE job_id=$tries")" held1
equal "until released" "$(jobctl release "$tries.1")" "1 task released"
exits "then it succeeds" 0 jobctl wait --exit-code "$tries" --timeout 60

# --- large: as soon as it is acknowledged, whatever has rows by then; nothing is rewritten
first=$(jobsubmit --queue shut --type noop) # now there is such a queue
exits "the queue's first" 0 jobctl wait "$first" --timeout 60
must jobctl queue pause shut >/dev/null
large=$(jobsubmit --queue shut -a 1-200000 --type noop)
equal "hold most of a large array" "$(jobctl hold "$large.[11-199990]" --yes)" "199980 tasks held"
equal "the counts say so" "$(held "$large")" 199980
await "its rows are made" 60 eval '[ "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$large")" = 200000 ]'
equal "and are shown as held" "$(ask "SELECT COUNT(*), MIN(task_index), MAX(task_index) FROM v_tasks WHERE job_id=$large AND status='held'")" 199980,11,199990
equal "as one run" "$(sql "SELECT COUNT(*) FROM Holds WHERE job_id=$large")" 1
must jobctl queue resume shut >/dev/null
await "the rest runs, before and behind" 60 eval '[ "$(ask "SELECT succeeded, held FROM v_jobs WHERE job_id=$large")" = 20,199980 ]'
again
equal "a restart keeps it" "$(held "$large")" 199980
equal "release half of it" "$(jobctl release "$large.[11-100000]" --yes)" "99990 tasks released"
await "which runs" 60 eval '[ "$(ask "SELECT succeeded, held FROM v_jobs WHERE job_id=$large")" = 100010,99990 ]'
equal "cancel the rest" "$(jobctl cancel "$large" -s held --yes)" "99990 tasks cancelled"
exits "so it ends" 1 jobctl wait "$large" --timeout 60
equal "and nothing of it is held" "$(sql "SELECT (SELECT COUNT(*) FROM Holds), (SELECT COUNT(*) FROM Jobs WHERE hold > 0 AND ended_us = 0)")" "0	0"
step=$(jobsubmit -a 1-99:7 --hold -- true)
equal "an array with a step: release some" "$(jobctl release "$step.[8-36]")" "5 tasks released"
exits "they run" 0 jobctl wait "$step.[8-36]" --timeout 60
equal "the others are held" "$(held_of "$step")" "1 43 50 57 64 71 78 85 92 99"
jobctl -q cancel "$step"
exits "wrong use" 64 jobctl hold "$step" -s sleeping
matches "is named" "$err" "'sleeping' is no status"
finish
