#!/usr/bin/env bash
# time-out: 240
# Acting on jobs and tasks: filters, reasons and authors, signals, limits of what runs, and a cancel that holds while the
# worker is away.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
local_ stop coordinator
printf 'lease = 4s\nheartbeat = 500ms\n' >>"$DIR/coordinator.conf"
must local_ start coordinator
new_user bob submitter
new_user olga operator
cd -- "$T" || exit 1
count() { jobctl "$@" | sed -nE 's/^([0-9]+) tasks?.*/\1/p'; }
detail() { ask "SELECT CONCAT_WS('|', kind, task_index, actor, detail) FROM v_events WHERE job_id=$1 AND kind='$2' ORDER BY event_id DESC LIMIT 1"; }
is_status() { [ "$(ask "SELECT status FROM v_tasks WHERE job_id=$1 AND task_index=$2")" = "$3" ]; }

# --- filters
mixed=$(jobsubmit -n mixed -a 1-10 -- sleep 300)
await "two of ten run" 20 eval '[ "$(ask "SELECT running FROM v_jobs WHERE job_id=$mixed")" = 2 ]'
equal "cancel --status counts what is queued" "$(count cancel "$mixed" --status queued --dry-run)" 8
equal "in Slurm's words too" "$(count cancel "$mixed" -s PD --dry-run)" 8
equal "cancel --status ends it" "$(count cancel "$mixed" -s queued --reason 'too many')" 8
equal "and leaves what runs" "$(ask "SELECT CONCAT(running, ' ', cancelled) FROM v_jobs WHERE job_id=$mixed")" "2 8"
equal "the event has author and reason" "$(detail "$mixed" cancel)" "cancel|admin|queued: too many"
exits "a status that is none" 64 jobctl cancel "$mixed" -s sleeping
matches "is named" "$err" "'sleeping' is no status"
theirs=$(as bob jobsubmit -n theirs --hold -a 1-5 -- sleep 300)
night=$(jobsubmit --queue night --hold -a 1-3 -- sleep 300)
equal "--user chooses whose" "$(as olga jobctl cancel all --user bob --dry-run)" "5 tasks would be cancelled"
equal "without SEL: all of them" "$(as olga jobctl cancel -u bob --dry-run)" "5 tasks would be cancelled"
equal "--queue chooses where" "$(count cancel all --queue night --dry-run)" 3
exits "nobody of that name" 66 as olga jobctl cancel all --user nobody
exits "a job of another queue" 66 jobctl cancel "$mixed" --queue night
equal "no job of his own is no mistake" "$(as olga jobctl cancel all)" "0 tasks cancelled"
equal "an operator acts on it" "$(as olga jobctl cancel "$theirs.[2-4]" --reason 'disk is full')" "3 tasks cancelled"
equal "and is named to its owner" \
        "$(as bob jobctl sql --csv "SELECT CONCAT_WS('|', actor, detail) FROM v_events WHERE job_id=$theirs AND kind='cancel'" | tail -n 1)" "olga|tasks 2-4: disk is full"
exits "hold with a reason" 0 jobctl hold "$mixed" --reason 'wait for data'
equal "is written down" "$(detail "$mixed" hold)" "hold|admin|wait for data"
exits "release with a reason" 0 jobctl release "$mixed" --reason 'data is there'
equal "is written down too" "$(detail "$mixed" release)" "release|admin|data is there"
jobctl -q cancel "$night"

# --- more than 100 tasks
many=$(jobsubmit --hold -a 1-150 -- true)
on_terminal() { # WORD COMMAND: what the command says when it is asked for on a terminal
        /usr/bin/python3 - "$@" <<'PY'
import os, pty, select, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", sys.argv[2]])
seen, answered = b"", False
while True:
    ready, _, _ = select.select([fd], [], [], 20)
    try:
        part = os.read(fd, 4096) if ready else b""
    except OSError:
        part = b""
    if not part:
        break
    seen += part
    if b"[y/N]" in seen and not answered:
        answered = True
        os.write(fd, (sys.argv[1] + "\n").encode())
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(seen.decode().replace("\r", ""), end="")
sys.exit(code)
PY
}
exits "on a terminal it asks, and no means no" 64 on_terminal n "jobctl cancel $many"
matches "with the count" "$out" '150 tasks would be cancelled\. Go on\?'
exits "set asks as well" 64 on_terminal n "jobctl set $many priority=3"
equal "and nothing has changed" "$(ask "SELECT CONCAT(held, ' ', priority) FROM v_jobs WHERE job_id=$many")" "150 0"
exits "--yes does not ask" 0 on_terminal n "jobctl set $many priority=3 --yes --reason urgent"
lacks "not at all" "$out" 'Go on'
equal "set is written down" "$(detail "$many" set)" "set|admin|priority=3: urgent"
exits "yes means yes" 0 on_terminal y "jobctl cancel $many"
equal "all of them" "$(ask "SELECT cancelled FROM v_jobs WHERE job_id=$many")" 150

# --- signals
jobctl -q cancel "$mixed"
jobctl -q wait "$mixed" --timeout 30
heard=$(jobsubmit -a 1-2 -- sh -c 'trap "echo usr1 >>'"$T"'/heard.$JOB_INDEX" USR1; touch '"$T"'/up.$JOB_INDEX; while :; do sleep 0.05; done')
await "two tasks listen" 20 test -e up.1 -a -e up.2
exits "signal one task" 0 jobctl signal "$heard.2" --signal SIGUSR1 --reason 'look here'
await "it hears it" 10 test -e heard.2
check "the other does not" test ! -e heard.1
equal "the event names it" "$(detail "$heard" signal)" "signal|2|admin|USR1: look here"
exits "by number" 0 jobctl signal "$heard" --signal 10
await "both hear it" 10 test -e heard.1
exits "as kill has it" 0 jobctl signal usr1 "$heard.1"
exits "or behind the tasks" 0 jobctl signal "$heard.1" USR1
exits "no such signal" 64 jobctl signal "$heard" --signal NOSUCH
matches "is said with an example" "$err" "--signal: 'NOSUCH' is no signal; example: "
exits "TERM by default" 0 jobctl signal "$heard"
exits "ends them" 143 jobctl wait --exit-code "$heard" --timeout 30

# --- the limit of what runs
long=$(jobsubmit -t 300 -- sleep 300)
await "it runs" 20 is_status "$long" 1 running
exits "set time" 0 jobctl set "$long" time=1s
exits "ends it when that time is up" 124 jobctl wait --exit-code "$long" --timeout 30
equal "as any limit" "$(ask "SELECT CONCAT(status, ' ', reason) FROM v_tasks WHERE job_id=$long")" "timeout time-limit"
more=$(jobsubmit -t 2 -- sleep 4)
exits "a longer one" 0 jobctl set "$more" time=1h
exits "lets it go on" 0 jobctl wait "$more" --timeout 30
second=$(jobsubmit -- sh -c '[ $JOB_ATTEMPT = 2 ] || { sleep 1; exit 3; }')
await "an attempt runs" 20 is_status "$second" 1 running
exits "set retries" 0 jobctl set "$second" retries=1
exits "gives it another one" 0 jobctl wait --exit-code "$second" --timeout 30
exits "retries that are none" 64 jobctl set "$second" retries=many
matches "are named" "$err" "retries=many: 'many' is no whole number; example: "

# --- a cancel holds, whoever is away
away=$(jobsubmit -a 1-2 -- sh -c 'echo run >>'"$T"'/witness.$JOB_INDEX; sleep 300')
await "two tasks run" 20 test -e witness.1 -a -e witness.2
worker=$(pid_of worker w1)
kill -STOP "$worker"
equal "cancel while the worker does not answer" "$(jobctl cancel "$away.1" --reason 'not this one')" "1 task cancelled"
kill9 coordinator
must local_ start coordinator
must local_ scale 2
exits "it ends once the lease is over" 1 jobctl wait "$away.1" --timeout 60
equal "cancelled" "$(ask "SELECT status FROM v_tasks WHERE job_id=$away AND task_index=1")" cancelled
await "the other one runs again elsewhere" 60 eval '[ "$(wc -l <witness.2)" = 2 ]'
kill -CONT "$worker"
await "the worker that comes back runs nothing of it" 30 eval '! pgrep -f "[w]itness.\$JOB_INDEX; sleep" >/dev/null || [ "$(pgrep -cf "[w]itness.\$JOB_INDEX; sleep")" = 1 ]'
equal "and the cancelled task never ran again" "$(wc -l <witness.1)" 1
equal "its status stays" "$(ask "SELECT status FROM v_tasks WHERE job_id=$away AND task_index=1")" cancelled
jobctl -q cancel "$away"
exits "the rest ends" 1 jobctl wait "$away" --timeout 30
finish
