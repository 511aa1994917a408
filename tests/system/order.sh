#!/usr/bin/env bash
# time-out: 300
# Who is served when: weights of people, one of a name at a time, hold, paused and limited queues; and v_demand, which
# counts only what could start.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 0 --slots 1
new_user ann submitter
new_user bob submitter
new_user carl submitter
demand() { ask "SELECT slots_wanted, slots_running FROM v_demand WHERE queue='$1'"; }
starts() { ask "SELECT COUNT(*) FROM (SELECT owner FROM v_tasks WHERE started_at IS NOT NULL ORDER BY started_at LIMIT 200) t WHERE owner='$1'"; }

# --- shares: people queue up, then a weight is set, then a worker comes
exits "nonsense for a weight" 64 jobctl user set ann --weight none
matches "is said with an example" "$err" '--weight.*example'
a=$(as ann jobsubmit -q -a 1-1000000 --type sleep 0.01)
b=$(as bob jobsubmit -q -a 1-400 --type sleep 0.01)
check "a weight holds for what is queued" jobctl user set ann --weight 3
matches "and is shown" "$(jobctl user ls --csv)" 'ann,submitter,1,3'
equal "all that is queued is wanted" "$(demand default)" 1000400,0
kill9 coordinator
must local_ start coordinator >/dev/null 2>&1
must local_ scale 1 >/dev/null 2>&1
half_done() { [ "$(ask "SELECT COUNT(*) FROM v_tasks WHERE started_at IS NOT NULL")" -ge 300 ]; }
export JOBMILL_PROFILE
await "they run" 90 half_done
check "three to one, also after a kill -9: 200 starts" test "$(($(starts bob) >= 40 && $(starts bob) <= 60))" = 1
ten=$(as carl jobsubmit -q -a 1-10 --type sleep 0.01)
check "a million of one does not delay ten of another" as carl jobctl wait "$ten" --timeout 60
check "though nearly all of them still wait" test "$(ask "SELECT queued FROM v_jobs WHERE job_id=$a")" -gt 900000
must jobctl cancel "$a" --yes >/dev/null
must jobctl cancel "$b" --yes >/dev/null

# --- one of a name at a time
one=$(jobsubmit -q -n nightly --type sleep 600)
two=$(jobsubmit -q -n nightly --singleton --type noop)
other=$(jobsubmit -q -n other --singleton --type noop)
equal "an older one of its name is unfinished: it waits" "$(job_status "$two")" waiting
run jobctl why "$two"
matches "and why says for whom" "$out" "singleton +job $one of the same name"
must jobctl cancel "$one" >/dev/null
must jobctl wait "$two" "$other" --timeout 60
equal "then it runs" "$(job_status "$two")" succeeded

# --- hold, pause, limit; what could start is what is wanted
must local_ scale 0 >/dev/null 2>&1
id=$(jobsubmit -q --queue q1 --hold -a 1-10 --type noop)
equal "a held job wants nothing" "$(demand q1)" 0,0
must jobctl release "$id" >/dev/null
equal "released it does" "$(demand q1)" 10,0
must jobctl queue pause q1 >/dev/null
equal "a paused queue wants nothing" "$(demand q1)" 0,0
must jobctl queue resume q1 >/dev/null
must jobctl queue set q1 max-running=4 >/dev/null
equal "a limited one no more than its limit" "$(demand q1)" 4,0
must jobctl queue set q1 max-running=0 >/dev/null
must jobctl set "$id" max-running=3 >/dev/null
equal "nor a limited job" "$(demand q1)" 3,0
second=$(jobsubmit -q --queue q1 --after "$id" -c 2 -a 1-5 --type noop)
equal "what waits for another job is not wanted yet" "$(demand q1)" 3,0
wide=$(jobsubmit -q --queue q2 -c 3 -a 1-5%2 --type noop)
equal "slots, not tasks" "$(demand q2)" 6,0
equal "v_queues counts them all" "$(ask "SELECT jobs, waiting, queued FROM v_queues WHERE queue='q1'")" 2,5,10
must jobctl cancel "$wide" >/dev/null
high=$(jobsubmit -q --queue q1 -a 1-3 --type noop)
must jobctl set "$high" priority=50 >/dev/null
must jobctl set "$id" max-running=0 >/dev/null
must local_ scale 1 >/dev/null 2>&1
must jobctl wait "$high" "$id" --timeout 60
equal "a priority set while queued comes first" "$(ask "SELECT (SELECT MAX(started_at) FROM v_tasks WHERE job_id=$high) <= (SELECT MIN(started_at) FROM v_tasks WHERE job_id=$id)")" 1
must jobctl cancel "$second" >/dev/null

# --- quotas: what a person may have at once
new_user dora submitter
exits "a limit that there is not" 64 jobctl quota set dora max-cpus=3
matches "those that there are, with an example" "$err" 'max-jobs=N max-tasks=N max-running=N; example'
exits "a person who is not there" 66 jobctl quota set nobody max-jobs=3
exits "somebody who may not" 77 as dora jobctl quota set dora max-jobs=3
must jobctl quota add dora max-jobs=3 max-tasks=1000 >/dev/null
must jobctl quota set dora max-running=2 >/dev/null
kill9 coordinator
must local_ start coordinator >/dev/null 2>&1
export JOBMILL_PROFILE
equal "all of it is there after a kill -9" "$(jobctl quota ls --csv)" $'owner,max_jobs,jobs,max_tasks,tasks,max_running,running\ndora,3,0,1000,0,2,0'
equal "dora sees her own" "$(as dora jobctl quota ls --csv | tail -n +2)" 'dora,3,0,1000,0,2,0'
equal "bob sees none" "$(as bob jobctl quota ls --csv | tail -n +2)" ''
must local_ scale 0 >/dev/null 2>&1
id=$(as dora jobsubmit -q --queue q3 -a 1-6 --type sleep 1)
equal "v_demand wants no more than may run" "$(demand q3)" 2,0
must local_ scale 3 >/dev/null 2>&1
two_run() { [ "$(ask "SELECT running FROM v_jobs WHERE job_id=$id")" = 2 ]; }
await "two run" 60 two_run
run as dora jobctl why "$id"
equal "so says v_why" "$(ask "SELECT reason, detail FROM v_why WHERE job_id=$id AND reason='quota'")" 'quota,its owner runs 2 tasks of at most 2'
matches "why names it" "$out" 'quota +the quota of its owner is 2 tasks at once'
must jobctl wait "$id" --timeout 120
most=$(ask "SELECT MAX(n) FROM (SELECT (SELECT COUNT(*) FROM v_tasks b WHERE b.job_id=$id AND b.started_at <= a.started_at AND b.ended_at > a.started_at) n FROM v_tasks a WHERE a.job_id=$id) x")
check "never more than two at once" test "$most" -le 2
exits "more tasks than may ever be" 65 as dora jobsubmit -q -a 1-1001 --type noop
matches "says so" "$err" 'your quota is 1000 unfinished tasks: 1001 are more than that'
for _ in 1 2 3; do must as dora jobsubmit -q --hold --type noop >/dev/null; done
exits "a job too many" 75 as dora jobsubmit --connect-timeout 1 -q --type noop
matches "says how many there are" "$err" 'your quota is 3 unfinished jobs: you have 3, and these are 1'
must jobctl quota rm dora >/dev/null
equal "a quota that is gone is not listed" "$(jobctl quota ls --csv | tail -n +2)" ''
check "and lets her" as dora jobsubmit -q --type noop
finish
