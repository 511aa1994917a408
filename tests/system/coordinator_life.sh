#!/usr/bin/env bash
# Start and end of the coordinator, and a database that goes away: what it says, what it promises, how it exits.
# time-out: 180
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1
conf=$DIR/coordinator.conf

# The configuration.
exits "a sample configuration is printed" 0 jobcoordinator --sample-config
equal "it is the one in deploy/config" "$out" "$(cat "$ROOT/deploy/config/coordinator.conf")"
exits "--check-config finds nothing wrong" 0 jobcoordinator --config "$conf" --check-config
for line in "colour = blue" "lease = soon" "listen = 5555" "readers = 0" "database = a b"; do
        { cat "$conf" && echo "$line"; } >"$T/bad.conf"
        exits "'$line' is refused" 78 jobcoordinator --config "$T/bad.conf"
        matches "with file and line" "$err" "bad\.conf:$(grep -c '' "$T/bad.conf"): ${line%% *}"
done
sed 's|^keyring = .*|keyring = /nowhere/keyring|' "$conf" >"$T/bad.conf"
exits "a missing key ring is refused" 78 jobcoordinator --config "$T/bad.conf"
matches "with the way to make it" "$err" "--init"
exits "no configuration is wrong use" 64 jobcoordinator
exits "set-up is safe to repeat" 0 jobcoordinator --config "$conf" --init --admin "$(id -un)" --profile-out "$DIR/keys/admin.profile"

# The database is gone while tasks run.
job=$(jobsubmit -a 1-6 -- sh -c 'sleep 1; echo $JOB_INDEX >>'"'$T/witness'")
await "tasks run" 20 test -s "$T/witness"
kill9 mariadb
await "after two seconds the coordinator says so" 10 grep -q "degraded, new work is sent away" "$DIR/log/coordinator.log"
exits "a submission is sent away" 75 timeout 20 jobsubmit echo hello
exits "a listing too" 75 timeout 20 jobctl ls
exits "status is answered" 0 timeout 20 jobctl server status
await "workers go on" 20 eval '[ "$(wc -l <'"'$T/witness'"')" -ge 4 ]'
must local_ start mariadb
await "it says when the database is back" 20 grep -q "database answers again" "$DIR/log/coordinator.log"
exits "the job succeeds" 0 jobctl wait "$job" --timeout 60s
equal "each task ran once" "$(sort "$T/witness" | uniq -c | awk '$1 != 1' | wc -l) $(wc -l <"$T/witness")" "0 6"

# The end.
coordinator=$(pid_of coordinator)
(jobsubmit --type noop -a 1-200000 >/dev/null)
kill -TERM "$coordinator"
await "SIGTERM under load ends it within 7 s" 7 eval '[ -z "$(pid_of coordinator)" ]'
check "as asked" grep -q "stopped: unfinished_jobs=1" "$DIR/log/coordinator.log"

# The database is not there at the start.
kill9 mariadb
jobcoordinator --config "$conf" >"$T/out" 2>"$T/err" &
coordinator=$!
await "without a database it stays up and says what it waits for" 20 grep -q "waiting for the database" "$T/err"
refute "it does not serve" test -s "$T/out"
kill -TERM "$coordinator"
wait "$coordinator"
equal "SIGTERM ends it with 0" $? 0
jobcoordinator --config "$conf" >"$T/out" 2>"$T/err" &
coordinator=$!
await "again it waits" 20 grep -q "waiting for the database" "$T/err"
must local_ start mariadb
await "when the database comes, it serves" 20 grep -qx ready "$T/out"
exits "and what was begun goes on to its end" 0 jobctl wait last --timeout 90s
equal "every task has succeeded, once" "$(ask "SELECT tasks, succeeded FROM v_jobs ORDER BY job_id DESC LIMIT 1")" "200000,200000"
kill -TERM "$coordinator"
wait "$coordinator"
equal "it ends with 0" $? 0
finish
