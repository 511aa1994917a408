#!/usr/bin/env bash
# Two coordinators: exactly one serves, whoever is frozen, doubled or restarted.
# time-out: 180
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1
first=$(pid_of coordinator)
conf=$DIR/coordinator.conf

exits "a second one at the same address leaves the first alone" 75 timeout 20 jobcoordinator --config "$conf"
matches "and says so" "$err" "another coordinator"
exits "which serves on" 0 jobsubmit --wait --timeout 30s echo one

# Frozen, at the same address.
job=$(jobsubmit sh -c "until [ -e '$T/go' ]; do sleep 0.05; done; echo kept")
await "a task runs" 20 eval '[ "$(job_status '"$job"')" = running ]'
kill -STOP "$first"
jobcoordinator --config "$conf" >"$T/second.out" 2>"$T/second.log" &
second=$!
await "the second takes the epoch from a frozen one within 15 s" 15 grep -q "replayed: epoch=" "$T/second.log"
touch "$T/go"
kill -CONT "$first"
await "the first ends when it wakes" 15 eval '! kill -0 '"$first"
check "because of the epoch" grep -q "another coordinator has taken over" "$DIR/log/coordinator.log"
await "the second serves" 15 grep -qx ready "$T/second.out"
exits "the task that ran meanwhile is done" 0 jobctl wait "$job" --timeout 60s
equal "by its first attempt" "$(sql "SELECT attempt FROM Tasks WHERE job_id=$job")" 1
equal "with its output" "$(jobctl logs "$job")" kept

# Frozen, another address: the take-over does not wait for the port.
kill -STOP "$second"
sed "s|^listen.*|listen = tcp://127.0.0.1:$("$ROOT/tests/system/free_port.py")|" "$conf" >"$T/third.conf"
jobcoordinator --config "$T/third.conf" >"$T/third.out" 2>"$T/third.log" &
third=$!
await "a third at another address serves within 15 s" 15 grep -qx ready "$T/third.out"
kill -CONT "$second"
wait "$second"
equal "the second ends with 70" $? 70
kill -TERM "$third"
wait "$third"
equal "SIGTERM ends with 0" $? 0

# At once.
for _ in $(seq 8); do
        jobcoordinator --config "$conf" >"$T/a.out" 2>"$T/a.log" &
        a=$!
        jobcoordinator --config "$conf" >"$T/b.out" 2>"$T/b.log" &
        b=$!
        await "of two started at once one ends" 20 eval '! kill -0 '"$a"' || ! kill -0 '"$b"
        await "and one serves" 20 jobctl --connect-timeout 1 server status
        equal "under an epoch of its own" "$(grep -ho 'epoch=[0-9]*' "$T/a.log" "$T/b.log" | sort | uniq -d)" ""
        kill -TERM "$a" "$b" 2>/dev/null
        wait "$a" "$b"
done
finish
