#!/usr/bin/env bash
# time-out: 180
# Bad input gets a clear error and loses nothing.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
jobs() { sql 'SELECT COUNT(*) FROM Jobs WHERE loading=0'; }
reason() { ask "SELECT CONCAT_WS(' ', status, reason, exit_code) FROM v_tasks WHERE job_id=$1"; }

# --- profiles and endpoints
exits "no such profile" 78 env JOBMILL_PROFILE="$T/nowhere" jobsubmit echo hello
matches "names the file" "$err" "$T/nowhere"
echo 'this is no profile' >"$T/garbage.profile" && chmod 600 "$T/garbage.profile"
exits "a file that is no profile" 78 as garbage jobsubmit echo hello
matches "is named with the line" "$err" 'garbage.profile.*1'
sed 's|^endpoint.*|endpoint = tcp://127.0.0.1:1|' "$JOBMILL_PROFILE" >"$T/nobody.profile" && chmod 600 "$T/nobody.profile"
exits "no coordinator" 69 as nobody jobsubmit --connect-timeout 1 echo hello
matches "names the endpoint" "$err" '127.0.0.1:1'
{
        grep -v '^server-key' "$JOBMILL_PROFILE"
        read -r public _ < <("$ROOT/tests/system/new_keys.py")
        printf 'server-key = %s\n' "$public"
} >"$T/server.profile" && chmod 600 "$T/server.profile"
exits "a wrong server key" 78 as server jobsubmit --connect-timeout 30 echo hello

# --- usage and data
count=$(jobs)
exits "no command" 64 jobsubmit
exits "an unknown option" 64 jobsubmit --sideways echo hello
for array in x 5-1 1- -3 1,,2 1-10:0 '1-5%0' 1-18446744073709551615 3000000000 1-3,2-4 '1 2'; do
        exits "array text '$array'" 65 jobsubmit "--array=$array" echo hello
        lacks "with a clear message" "$err" 'assert|Sanitizer|BUG'
done
exits "an array over the limit" 65 jobsubmit -a 0-2000000000 echo hello
exits "no such input file" 66 jobsubmit --in "$T/missing" echo hello
exits "a key used for another request" 0 jobsubmit --key k1 echo one
exits "is a conflict" 73 jobsubmit --key k1 echo two
exits "and for the same one the same job" 0 jobsubmit --key k1 echo one
count=$((count + 1))
equal "none of the refused was queued" "$(jobs)" "$count"
exits "an SQL error" 65 jobctl sql 'SELECT nonsense FROM v_jobs'
exits "no such job" 66 jobctl show 999999
exits "no such task" 66 jobctl logs "$(jobctl --json ls -n 1 | sed -n 's/.*"job_id": *\([0-9]*\).*/\1/p' | head -n 1).77"

# --- tasks that go wrong; the worker does not
exits "a command that does not exist" 1 jobsubmit --wait /no/such/program
equal "fails with a reason" "$(reason "$out")" "failed command-not-found"
exits "a result that is no JSON" 1 jobsubmit --wait -- sh -c 'echo "{oops" > $JOB_RESULT'
equal "fails with a reason, its code kept" "$(reason "$out")" "failed bad-result 0"
exits "a result over 1 MiB" 1 jobsubmit --wait -- sh -c 'printf "\"%01200000d\"" 1 > $JOB_RESULT'
equal "fails with a reason" "$(reason "$out")" "failed result-too-large 0"
exits "output over the cap" 0 jobsubmit --wait --out-max 10K -- sh -c 'yes | head -c 200000; exit 0'
check "is cut there" test "$(jobctl logs "$out" 2>/dev/null | wc -c)" -le 10300
matches "and that is said" "$(jobctl logs --stderr "$out")" 'output cut at'
exits "a working directory that does not exist" 1 jobsubmit --wait --cwd /no/such/folder pwd
equal "fails with a reason" "$(reason "$out")" "failed no-cwd"
exits "an exit code" 3 jobsubmit --wait --exit-code -- sh -c 'exit 3'
exits "a signal" 137 jobsubmit --wait --exit-code -- sh -c 'kill -9 $$'
exits "a time limit" 124 jobsubmit --wait --exit-code -t 1 --grace 1 -- sleep 60
exits "after all that the worker is well" 0 jobsubmit --wait echo hello

# --- disk full under the scratch folder
if mkdir -p "$T/small" && mount -t tmpfs -o size=256k,mode=700 none "$T/small" 2>/dev/null; then
        jobctl key add --worker small --out "$T/small.profile" >/dev/null
        local_ scale 0
        jobworker --profile "$T/small.profile" --slots 1 --scratch "$T/small" >"$T/small.log" 2>&1 &
        small=$!
        run jobsubmit --wait --timeout 60 -- sh -c 'head -c 1000000 /dev/zero > big; echo code $?'
        equal "a task that fills the scratch folder ends" "$status" 0
        matches "and saw the error itself" "$(jobctl logs "$out")" 'code 1'
        run jobsubmit --wait --timeout 60 --in "$ROOT/Makefile" -- sh -c 'head -c 1000000 /dev/zero > big; echo x > $JOB_RESULT'
        check "an unwritable result does not pass for success" test "$status" -eq 1
        exits "the next task finds room again" 0 jobsubmit --wait --timeout 60 -- sh -c 'head -c 100000 /dev/zero > some'
        kill "$small" && wait "$small"
        equal "the worker leaves in order" "$?" 0
        umount "$T/small"
        local_ scale 1 2>/dev/null
fi

# --- the database is down during a submission
local_ stop mariadb
jobsubmit --connect-timeout 60 --key during echo during >"$T/during.out" 2>"$T/during.err" &
client=$!
sleep 1.5
local_ start mariadb
wait "$client"
code=$?
if [ $code -eq 75 ]; then
        check "a submission that finds no database says: try again" test -s "$T/during.err"
        await "which then works" 30 eval 'jobsubmit --key during echo during >"$T/during.out"'
else
        equal "a submission that finds no database waits for it" "$code" 0
fi
exits "its job runs" 0 jobctl wait "$(cat "$T/during.out")" --timeout 60
equal "the same key gives the same job" "$(jobsubmit --key during echo during)" "$(cat "$T/during.out")"
equal "which is there once" "$(ask "SELECT COUNT(*) FROM v_jobs WHERE job_id=$(cat "$T/during.out")")" 1
finish
