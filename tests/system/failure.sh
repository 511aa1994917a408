#!/usr/bin/env bash
# time-out: 240
# Tasks that fail, run too long or take their worker down: what is tried again, what is given up, and what is kept of it.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2 --supervise
cd -- "$T" || exit 1
submitted() { # SENTENCE CODE WORDS…: waits; sets out to the id
        exits "$1" "$2" jobsubmit --wait --exit-code --timeout 60 "${@:3}"
}
attempts() { # JOB: status and reason of each, in order
        ask "SELECT CONCAT_WS('/', attempt, status, reason) FROM v_attempts WHERE job_id=$1 ORDER BY task_index, attempt" |
                tr '\n' ' '
}

# --- which ends are tried again
# shellcheck disable=SC2016 # the task's own variables
submitted "a code that is listed" 0 --retries 3 --retry-on 75,76 -- sh -c 'test $JOB_ATTEMPT = 3 || exit 75'
equal "is tried again" "$(attempts "$out")" "1/failed/exit-code 2/failed/exit-code 3/succeeded "
submitted "another code" 4 --retries 3 --retry-on 75,signal -- sh -c 'exit 4'
equal "is not" "$(attempts "$out")" "1/failed/exit-code "
submitted "a signal, by the code of a shell" 137 --retries 1 --retry-on 137 -- sh -c 'kill -9 $$'
equal "is tried again too" "$(attempts "$out")" "1/failed/signal 2/failed/signal "
submitted "a signal, as kill names it" 139 --retries 1 --retry-on SEGV -- sh -c 'kill -SEGV $$'
equal "the same" "$(attempts "$out")" "1/failed/signal 2/failed/signal "
submitted "a signal, by name" 139 --retries 1 --retry-on SIGSEGV -- sh -c 'kill -SEGV $$'
equal "the same" "$(attempts "$out")" "1/failed/signal 2/failed/signal "
submitted "a program that is not there" 1 --retries 2 --retry-on launch -- /no/such/program
equal "is no launch that failed" "$(attempts "$out")" "1/failed/command-not-found "
equal "and was not tried again" "$(ask "SELECT CONCAT(status, ' ', reason, ' ', attempt) FROM v_tasks WHERE job_id=$out")" "failed command-not-found 1"
submitted "a time limit" 124 --retries 1 --retry-on timeout -t 0.3s --grace 0.2s -- sleep 60
equal "by its status" "$(attempts "$out")" "1/timeout/time-limit 2/timeout/time-limit "
submitted "--retry-on alone says what is missing" 75 --retry-on 75 -- sh -c 'exit 75'
matches "on stderr" "$err" '--retry-on does nothing without --retries'

# --- waits between attempts
submitted "a task that waits between its attempts" 1 --retries 2 --backoff 1s,x2 -- sh -c 'exit 1'
equal "waits as long as it was told, and longer each time" \
        "$(ask "SELECT COUNT(*) FROM v_attempts a JOIN v_attempts b ON b.job_id=a.job_id AND b.attempt=a.attempt+1
                WHERE a.job_id=$out AND TIMESTAMPDIFF(MICROSECOND, a.ended_at, b.started_at) >= a.attempt * 1000000")" 2
run jobsubmit --retries 1 --backoff 3s -- sh -c 'exit 1'
waiting=$out
is_waiting() { [ "$(ask "SELECT CONCAT(status, ' ', started_at IS NULL) FROM v_tasks WHERE job_id=$1")" = "waiting 1" ]; }
await "it is waiting" 30 is_waiting "$waiting"
run jobctl why "$waiting.1"
matches "why says until when" "$out" 'attempt 1 is over, the next one starts not before 20[0-9-]+T'
matches "so does SQL" "$(ask "SELECT detail FROM v_why WHERE job_id=$waiting AND reason='back-off'")" 'waits until 20[0-9-]+ '
kill9 coordinator
await "after a crash of the coordinator" 30 jobctl server status
exits "it goes on" 1 jobctl wait "$waiting" --timeout 60
equal "and its second attempt kept the distance" \
        "$(ask "SELECT COUNT(*) FROM v_attempts a JOIN v_attempts b ON b.job_id=a.job_id AND b.attempt=2
                WHERE a.job_id=$waiting AND a.attempt=1 AND TIMESTAMPDIFF(MICROSECOND, a.ended_at, b.started_at) >= 3000000")" 1

# --- a time to start, and one to give up
run jobsubmit --at +4s -n later -a 1-3 true
later=$out
equal "a job that has its time is waiting" "$(job_status "$later")" waiting
run jobctl why "$later"
matches "why says until when" "$out" 'nothing starts before 20[0-9-]+T.*Z \(in [0-9]+s\)'
exits "it runs" 0 jobctl wait "$later" --timeout 60
equal "not before" "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$later AND TIMESTAMPDIFF(MICROSECOND, submitted_at, started_at) >= 4000000")" 3
run jobsubmit --hold --start-by +2s -a 1-3 true
late=$out
exits "what cannot start in time ends" 1 jobctl wait "$late" --timeout 60
equal "aborted" "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$late AND status='aborted' AND reason='start-by'")" 3
exits "it can be retried" 0 jobctl retry "$late"
exits "and released" 0 jobctl release "$late"
exits "then it runs, whatever the time" 0 jobctl wait "$late" --timeout 60
run jobsubmit --key at1 --at +1h true
first=$out
equal "the same key and delay: the same job" "$(jobsubmit --key at1 --at +1h true)" "$first"
exits "it can be cancelled" 0 jobctl cancel "$first"

# --- what each attempt leaves
# shellcheck disable=SC2016
submitted "attempts that use the processor" 3 --retries 1 -- sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3'
equal "are rows with worker, times and figures, superseded ones too" \
        "$(ask "SELECT COUNT(*) FROM v_attempts WHERE job_id=$out AND worker='w1' AND ended_at > started_at AND cpu_seconds > 0.01 AND max_rss_bytes > 100000 AND exit_code=3")" 2
first=$out
exits "a new round" 0 jobctl retry --failed "$first"
exits "of the same task" 1 jobctl wait "$first" --timeout 60
equal "keeps the old attempts; numbers grow" "$(attempts "$first")" \
        "1/failed/exit-code 2/failed/exit-code 3/failed/exit-code 4/failed/exit-code "
equal "and their figures" "$(ask "SELECT COUNT(*) FROM v_attempts WHERE job_id=$first AND cpu_seconds > 0.01 AND max_rss_bytes > 100000")" 4

# --- a warning before the time limit
submitted "a task that is warned" 0 -t 60s --warn USR1@59.5s -- bash -c 'trap "echo warned; exit 0" USR1; while :; do sleep 0.05; done'
equal "hears it and may end well" "$(jobctl logs "$out")" warned
submitted "one that does not care" 124 -t 1s --warn USR2@0.6s --grace 0.2s -- bash -c 'trap "echo warned" USR2; trap "" TERM; while :; do sleep 0.05; done'
equal "was warned once" "$(jobctl logs "$out")" warned
equal "and ends timeout" "$(ask "SELECT CONCAT(status, ' ', reason, ' ', exit_signal) FROM v_tasks WHERE job_id=$out")" "timeout time-limit 9"

# --- more memory after oom, where the machine can say that memory was the cause
memory='a = bytearray(150 << 20); import os; print(os.environ["JOB_MEM"])'
run jobctl worker show w1
if [[ $out =~ mem-cgroup ]]; then
        submitted "a task that needs more memory than it said" 0 --retries 3 --mem 64M,x2,max=1G -- /usr/bin/python3 -c "$memory"
        equal "gets twice as much after each attempt that ran out" "$(attempts "$out")" "1/oom/oom 2/oom/oom 3/succeeded "
        equal "and knows it" "$(jobctl logs "$out")" $((256 << 20))
        submitted "without a factor" 137 --retries 1 --mem 64M -- /usr/bin/python3 -c "$memory"
        equal "it gets what it had" "$(attempts "$out")" "1/oom/oom 2/oom/oom "
else
        submitted "where only addresses are limited" 0 --retries 3 --mem 1G,x2 -- /usr/bin/python3 -c "$memory"
        equal "a task has what it said" "$(jobctl logs "$out")" $((1 << 30))
fi

# --- too many failures
statuses() { ask "SELECT CONCAT(COUNT(*), ' ', status, ' ', COALESCE(reason, '-')) FROM v_tasks WHERE job_id=$1 GROUP BY status, reason ORDER BY status, reason" | tr '\n' ,; }
# shellcheck disable=SC2016
exits "--max-fails" 1 jobsubmit --wait --timeout 60 --max-fails 2 -a 1-1000%1 -- sh -c 'exit $((JOB_INDEX > 3))'
equal "aborts the rest after one more" "$(statuses "$out")" "994 aborted max-fails,3 failed exit-code,3 succeeded -,"
equal "which is an event" "$(ask "SELECT detail FROM v_events WHERE job_id=$out AND kind='abort'")" max-fails
exits "a part of the tasks" 1 jobsubmit --wait --timeout 60 --max-fails 10% -a 1-20%1 false
equal "likewise" "$(statuses "$out")" "17 aborted max-fails,3 failed exit-code,"
# shellcheck disable=SC2016
run jobsubmit --max-fails 0 -a 1-50 -- sh -c 'test $JOB_INDEX = 1 || exit 1; touch started; while [ ! -e go ]; do sleep 0.05; done'
slow=$out
lost_rest() { [ "$(ask "SELECT aborted + failed FROM v_jobs WHERE job_id=$slow")" = 49 ]; }
await "what has not started is aborted" 30 lost_rest
first_runs() { [ "$(ask "SELECT status FROM v_tasks WHERE job_id=$slow AND task_index=1")" = running ]; }
await "while the first one runs on" 30 first_runs
kill9 coordinator
await "after a crash of the coordinator" 30 jobctl server status
equal "it still runs" "$(ask "SELECT status FROM v_tasks WHERE job_id=$slow AND task_index=1")" running
exits "and can be cancelled" 0 jobctl cancel "$slow"
exits "which ends the job" 1 jobctl wait "$slow" --timeout 60
equal "its task is cancelled, the others stay aborted" "$(ask "SELECT CONCAT(cancelled, ' ', aborted + failed) FROM v_jobs WHERE job_id=$slow")" "1 49"
exits "aborted tasks can be tried again" 0 jobctl retry "$slow.[40-50]"
exits "and run" 1 jobctl wait "$slow" --timeout 60

# --- tasks that take their worker down
# shellcheck disable=SC2016
exits "a task that kills its worker" 1 jobsubmit --wait --timeout 120 --crash-limit 2 -- sh -c 'echo x >>'"$T"'/crashes; kill -9 $PPID; sleep 60'
equal "fails at its limit" "$(ask "SELECT CONCAT(status, ' ', reason) FROM v_tasks WHERE job_id=$out")" "failed crash-limit"
equal "after as many crashes" "$(wc -l <crashes)" 2
equal "each of them an attempt" "$(attempts "$out")" "1/lost/worker-lost 2/failed/crash-limit "
# shellcheck disable=SC2016
exits "one that may run at most once" 1 jobsubmit --wait --timeout 120 --at-most-once --retries 5 -- sh -c 'echo x >>'"$T"'/once; kill -9 $PPID; sleep 60'
equal "ends lost" "$(ask "SELECT CONCAT(status, ' ', reason) FROM v_tasks WHERE job_id=$out")" "lost worker-lost"
equal "and was started once" "$(wc -l <once)" 1
exits "the worker is there again" 0 jobsubmit --wait --timeout 60 true

# --- wrong values: the option, the value, an example; nothing is submitted
count=$(ask 'SELECT COUNT(*) FROM v_jobs')
while read -r option value; do
        exits "$option $value is refused" 64 jobsubmit "$option" "$value" true
        [[ $err == *"$option"*"'$value'"*"example: $option "* ]] || fail "… with option, value and example" "$err"
done <<'END'
--retry-on 300
--retry-on 0
--retry-on 75,
--retry-on SIGNONE
--retry-on worker-lost
--max-fails 101%
--max-fails -1
--max-fails many
--warn USR1
--warn USR1@soon
--time soon
--grace soon
--retries 1001
--crash-limit 0
--mem 4G,2
--mem 4G,max=8G
--mem 4G,x2,max=2G
--mem x2
--backoff 5s,y2
--backoff x2
--backoff 5s,x0.5
--backoff 10s,max=5s
--backoff 0
--at noonish
--at 25:00
--at 2026-02-30
--start-by then
--start-by 2020-01-01
--ok-codes 1,256
END
exits "a warning needs a limit" 64 jobsubmit --warn USR1@5s true
exits "--start-by is after --at" 64 jobsubmit --at +2h --start-by +1h true
exits "that comes later" 64 jobsubmit --time 5s --warn USR1@5s true
equal "and nothing was submitted" "$(ask 'SELECT COUNT(*) FROM v_jobs')" "$count"
finish
