#!/usr/bin/env bash
# time-out: 600
# kill -9 of workers, coordinator and MariaDB in turn while 2,000 tasks run (SOAK_ROUNDS: more) and two clients submit:
# nothing that was acknowledged is lost, nothing is recorded twice, and what is recorded happened.
. "${BASH_SOURCE%/*}/lib.sh"

ROUNDS=${SOAK_ROUNDS:-3}
TASKS=$((ROUNDS * 600 + 200))
cluster_up --workers 3 --slots 2 --supervise

# The witness: every execution says its job, index and attempt and the digest of its output, outside the system.
mkdir "$T/witness"
export W=$T/witness/log
cat >"$T/task.sh" <<'END'
#!/bin/sh
sleep 0.0$((JOB_INDEX % 9))
line="job $JOB_ID task $JOB_INDEX"
echo "$JOB_ID $JOB_INDEX $JOB_ATTEMPT $(echo "$line" | sha256sum | cut -c1-64)" >> "$W"
echo "{\"index\":$JOB_INDEX,\"attempt\":$JOB_ATTEMPT}" > "$JOB_RESULT"
echo "$line"
END

job=$(jobsubmit -n big -a "1-$TASKS" --crash-limit 100 -e W "$T/task.sh")
matches "the array is acknowledged" "$job" '^[0-9]+$'

# Tasks that may not run twice: each ends well or is lost.
AT_MOST_ONCE=$(jobsubmit -n once -a 1-300 --at-most-once -e W "$T/task.sh")

# Two clients submit one job after the other with keys of their own and log what was acknowledged.
client() { # NAME
        local n=0 id
        while [ ! -e "$T/enough" ]; do
                n=$((n + 1))
                id=$(jobsubmit --connect-timeout 60 -n "$1" --key "$1-$n" --crash-limit 100 -e W "$T/task.sh" 2>>"$T/$1.err") &&
                        printf '%s %s-%s\n' "$id" "$1" "$n" >>"$T/$1.acked"
                sleep 0.05
        done
}
client one &
client two &

done_tasks() { sql "SELECT COUNT(*) FROM Tasks WHERE job_id=$job AND status=5" 2>/dev/null || echo 0; }
grown() { [ "$(done_tasks)" -ge $((before + 60)) ] || [ "$(done_tasks)" -ge $TASKS ]; }
kills=0
for ((round = 0; round < ROUNDS; round++)); do
        for part in "worker w$((round % 3 + 1))" coordinator mariadb; do
                before=$(done_tasks)
                await "tasks go on (before the kill of $part, $before done)" 60 grown || break 2
                # shellcheck disable=SC2086 # two words
                old=$(pid_of $part)
                # shellcheck disable=SC2086
                kill -9 "$old" && kills=$((kills + 1))
                # shellcheck disable=SC2086
                await "$part is started again" 20 eval "new=\$(pid_of $part); [ -n \"\$new\" ] && [ \"\$new\" != $old ]"
        done
done
equal "every kill hit" "$kills" $((ROUNDS * 3))
touch "$T/enough"
wait
exits "the array ends well" 0 jobctl wait "$job" --timeout 150
for name in one two; do
        check "client $name had submissions acknowledged" test -s "$T/$name.acked"
        cut -d' ' -f1 "$T/$name.acked" | sort -u >"$T/$name.ids"
        run jobctl wait - --timeout 120 <"$T/$name.ids"
        equal "its jobs end well" "$status" 0
done

run jobctl wait "$AT_MOST_ONCE" --timeout 120
check "the at-most-once tasks have ended" test "$status" -le 1
equal "well, or lost" "$(sql "SELECT COUNT(*) FROM Tasks WHERE job_id=$AT_MOST_ONCE AND status NOT IN (5, 9)")" 0
equal "every task of the array succeeded once" "$(sql "SELECT COUNT(*), SUM(status=5) FROM Tasks WHERE job_id=$job")" "$TASKS	$TASKS"
. "$ROOT/tests/system/invariants.sh"
check_invariants "$W" "$T"/*.acked

local_ down
equal "no process of a task is left" "$(grep -lsazF -- "JOB_DIR=$DIR/scratch/" /proc/[0-9]*/environ)" ""
equal "no scratch folder is left" "$(find "$DIR/scratch" -mindepth 2 -maxdepth 2 -name '[0-9]*' | head -n 3)" ""
finish
