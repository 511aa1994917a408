#!/usr/bin/env bash
# time-out: 180
# What can be changed of a job: each setting from the command line to SQL, over kill -9, all or nothing.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
must jobctl queue set night max-running=1 >/dev/null
new_user bob submitter
cd -- "$T" || exit 1
said() { ask "SELECT CONCAT_WS('|', kind, actor, detail) FROM v_events WHERE job_id=$1 ORDER BY event_id DESC LIMIT 1"; }
why() { ask "SELECT detail FROM v_why WHERE job_id=$1 AND reason='$2'"; }
column() { ask "SELECT $2 FROM v_jobs WHERE job_id=$1"; }
restart() {
        kill9 coordinator
        must local_ start coordinator
}

# --- order: times, queue, name, remark
first=$(jobsubmit -n one -- sh -c "until [ -e '$T/go' ]; do sleep 0.05; done")
await "it runs" 20 eval '[ "$(job_status $first)" = running ]'
job=$(jobsubmit -n train -a 1-4 -- sh -c "until [ -e '$T/go' ]; do sleep 0.05; done")
await "one of four runs" 20 eval '[ "$(column $job running)" = 1 ]'
exits "set at" 0 jobctl set "$job" at=+1h --reason 'the night is cheaper'
equal "says how many tasks it concerns" "$out" "4 tasks changed"
matches "is written down" "$(said "$job")" "^set\|admin\|at=20..-..-..T.*Z: the night is cheaper$"
matches "is seen in SQL" "$(why "$job" time)" '^nothing starts before 20'
matches "and in why" "$(jobctl why "$job")" 'time +nothing starts before .*\(in 59m'
exits "set start-by" 0 jobctl set start-by=+2h "$job"
matches "is seen in SQL too" "$(why "$job" start-by)" '^what has not started is aborted at 20'
touch go
exits "what was running ends" 0 jobctl wait "$first" "$job.1" --timeout 30
await "and the rest waits" 20 eval '[ "$(column $job waiting)" = 3 ]'
restart
await "also after kill -9" 30 eval '[ "$(column $job "CONCAT(waiting, succeeded)")" = 31 ]'
equal "set queue, name, comment, priority at once" "$(jobctl set "$job" queue=night name=sleeper "comment=second try" priority=7)" "3 tasks changed"
equal "all are in v_jobs" "$(column "$job" "CONCAT_WS('|', queue, name, comment, priority)")" "night|sleeper|second try|7"
equal "and in the event" "$(said "$job")" "set|admin|name=sleeper comment='second try' queue=night priority=7"
equal "the job is found by its new name" "$(jobctl hold @sleeper --dry-run)" "3 tasks would be held"
exits "not by the old one" 66 jobctl hold @train
exits "at=now" 0 jobctl set @sleeper at=now start-by=none
exits "lets it go" 0 jobctl wait "$job" --timeout 30
equal "its queue runs one at a time" "$(ask "SELECT COUNT(*) FROM v_tasks a JOIN v_tasks b ON b.job_id=a.job_id AND b.task_index>a.task_index WHERE a.job_id=$job AND a.started_at > (SELECT MAX(ended_at) FROM v_tasks WHERE job_id=$first) AND b.started_at < a.ended_at AND a.started_at < b.ended_at")" 0
late=$(jobsubmit --hold -a 1-2 -- true)
exits "a start-by that comes" 0 jobctl set "$late" start-by=+1s
await "aborts" 20 eval '[ "$(column $late aborted)" = 2 ]'

# --- what tasks need
wide=$(jobsubmit --hold -a 1-2 -- sh -c 'echo $JOB_CPUS $JOB_MEM')
exits "set cpus and mem" 0 jobctl set "$wide" cpus=2 mem=64M
equal "is written down" "$(said "$wide")" "set|admin|cpus=2 mem=64M"
restart
must jobctl -q release "$wide"
exits "tasks take them" 0 jobctl wait "$wide" --timeout 30
equal "as they see" "$(jobctl logs "$wide" | sort -u)" "2 67108864"
exits "more than there is" 0 jobctl set "$(jobsubmit --hold -- true)" cpus=64
matches "is said" "$err" 'none of 1 workers could ever run it: 1 of 1 have fewer than 64 slots'

# --- failure
flaky=$(jobsubmit --hold -a 1-6 -- sh -c 'exit $JOB_INDEX')
exits "set what counts as success, and retries" 0 jobctl set "$flaky" ok-codes=1,2 retries=1 retry-on=3 backoff=10ms max-fails=50%
restart
must jobctl -q release "$flaky"
exits "it ends" 1 jobctl wait "$flaky" --timeout 30
equal "by those rules" "$(ask "SELECT GROUP_CONCAT(CONCAT(status, ' ', attempt) ORDER BY task_index SEPARATOR ' ') FROM v_tasks WHERE job_id=$flaky AND task_index < 5")" \
        "succeeded 1 succeeded 1 failed 2 failed 1"

# --- refused, and nothing of it holds
held=$(jobsubmit --hold -n held -- true)
wrong() { # WORD WHAT-IT-SAYS
        exits "$1 is wrong" "${3:-64}" jobctl set "$held" priority=9 "$1"
        matches "  … and named with an example" "$err" "$2"
}
wrong at=soon "^jobctl: at=soon: .*'soon'.*; example: jobctl set 36 at=18:30"
wrong start-by=2020-01-01 "^jobctl: start-by: '2020-01-01' is over; example: start-by=\+30m"
wrong backoff=fast "^jobctl: backoff=fast: .*'fast'.*example: jobctl set 36 backoff=5s,x2,max=10m"
wrong max-fails=some "^jobctl: max-fails=some: 'some' is neither.*example: jobctl set 36 max-fails=10%"
wrong retry-on=rain "^jobctl: retry-on=rain: .*'rain'.*example: jobctl set 36 retry-on=75,137"
wrong ok-codes=x "^jobctl: ok-codes: 'x' is no list of codes 0 … 255; example: ok-codes=0,3"
wrong queue=a/b "^jobctl: queue: 'a/b' is no name.*example: queue=night"
wrong cpus=0 "^jobctl: cpus=0: '0' is not within 1 .*example: jobctl set 36 cpus=4"
wrong mem=much "^jobctl: mem=much: .*'much'.*example: jobctl set 36 mem=4G,x2,max=32G"
wrong prio=1 "there is no setting 'prio'; did you mean priority\?"
wrong priority=1 "^jobctl: priority is given twice"
wrong queue=nowhere "there is no queue 'nowhere'" 66
must jobctl -q set "$held" start-by=+1h
wrong at=+2h 'start-by: it is not after at' 65
exits "nothing to change" 64 jobctl set "$held"
matches "is said" "$err" 'set what\? example: jobctl set 36 priority=10'
equal "nothing of all that holds" "$(column "$held" "CONCAT(priority, name)")" 0held
equal "--dry-run says how many" "$(jobctl set "$held" priority=3 name=other --dry-run)" "1 task would be changed"
equal "and changes nothing" "$(column "$held" "CONCAT(priority, name)")" 0held
exits "not somebody else's" 66 as bob jobctl set "$held" priority=1
equal "what has ended does not change" "$(jobctl set "$job" name=other)" "0 tasks changed"
equal "at all" "$(column "$job" name)" sleeper
finish
