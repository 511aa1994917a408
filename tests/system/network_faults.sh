#!/usr/bin/env bash
# The network between worker and coordinator: partitions shorter and longer than the lease, half-open and reset
# connections, delays. Witness files say what really ran.
# time-out: 240
. "${BASH_SOURCE%/*}/lib.sh"

LEASE_S=10
cluster_up --workers 0
local_ stop coordinator
port=$(sed -n 's|^listen = tcp://127.0.0.1:||p' "$DIR/coordinator.conf")
{
        cat "$DIR/coordinator.conf"
        printf 'lease = %ss\nheartbeat = 500ms\n' "$LEASE_S"
} >"$T/coordinator.conf"
jobcoordinator --config "$T/coordinator.conf" >"$T/coordinator.out" 2>"$T/coordinator.log" &
coordinator=$!
await "a coordinator with a short lease serves" 20 grep -qx ready "$T/coordinator.out"

mkfifo "$T/orders"
"$ROOT/tests/system/tcp_proxy.py" "$port" <"$T/orders" >"$T/proxy.port" &
proxy=$!
exec 9>"$T/orders"
order() { echo "$*" >&9; }
await "the proxy listens" 10 test -s "$T/proxy.port"

# worker NAME PORT SLOTS: sets worker_pid
worker() {
        must jobctl key add --worker "$1" --out "$T/$1.profile" >/dev/null
        sed -i "s|^endpoint = .*|endpoint = tcp://127.0.0.1:$2|" "$T/$1.profile"
        jobworker --profile "$T/$1.profile" --slots "$3" --scratch "$T/scratch.$1" >"$T/$1.log" 2>&1 &
        worker_pid=$!
        await "worker $1 is there" 20 eval '[ "$(ask "SELECT state FROM v_workers WHERE worker='"'$1'"'")" = connected ]'
}
far=
worker far "$(cat "$T/proxy.port")" 2
far=$worker_pid

# submit NAME COUNT COMMAND: an array whose tasks say in $T/NAME.witness that they began; sets job
submit() { job=$(jobsubmit -n "$1" -a "1-$2" -- sh -c "echo \$JOB_INDEX \$JOB_ATTEMPT >>'$T/$1.witness'; $3; echo \$JOB_INDEX"); }
begun() { [ "$(wc -l <"$T/$1.witness" 2>/dev/null || echo 0)" -ge "$2" ]; }
ran_twice() { cut -d' ' -f1 "$T/$1.witness" | sort | uniq -d | wc -l; }
done_once() { # NAME COUNT
        exits "$1: everything succeeds" 0 jobctl wait "$job" --timeout 90s
        equal "$1: no task ran twice" "$(ran_twice "$1")" 0
        equal "$1: each ran" "$(wc -l <"$T/$1.witness")" "$2"
        equal "$1: each has its output once" "$(sql "SELECT COUNT(DISTINCT task_index), COUNT(*) FROM Data WHERE job_id=$job AND kind=2 AND final=1")" "$2	$2"
}

submit short 8 "sleep 1"
await "tasks run" 20 begun short 2
order hold
sleep 3
order pass
done_once short 8

submit strand 4 "sleep 3"
await "tasks run" 20 begun strand 2
order strand
done_once strand 4

submit deaf 6 "sleep 1"
await "tasks run" 20 begun deaf 2
order deaf
sleep 3
order pass
done_once deaf 6

submit reset 60 "sleep 0.1"
await "tasks run" 20 begun reset 2
for _ in $(seq 12); do
        order reset
        sleep 0.3
done
done_once reset 60

order delay 200
submit delay 10 true
done_once delay 10
order delay 0

# Longer than the lease, with another worker at hand.
submit long 1 "sleep 25"
await "the task runs" 20 begun long 1
worker near "$port" 2
near=$worker_pid
order hold
await "the lease over, the other worker runs it" $((LEASE_S * 2 + 5)) begun long 2
order pass
await "the first one is told and stops it" 20 eval '[ "$(pgrep -fc "${T##*/}/[l]ong.witness")" -le 2 ]'
exits "long: it succeeds" 0 jobctl wait "$job" --timeout 90s
equal "long: by attempt 2" "$(sql "SELECT attempt FROM Tasks WHERE job_id=$job")" 2
equal "long: recorded by the other worker" "$(ask "SELECT worker FROM v_tasks WHERE job_id=$job")" near
equal "long: its output is that of attempt 2" "$(sql "SELECT GROUP_CONCAT(DISTINCT attempt) FROM Data WHERE job_id=$job AND final=1")" 2

order quit
exec 9>&-
kill -TERM "$far" "$near"
wait "$far" "$near" "$proxy"
kill -TERM "$coordinator"
wait "$coordinator"
equal "the coordinator ends as asked" $? 0
finish
