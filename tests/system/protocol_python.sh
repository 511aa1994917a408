#!/usr/bin/env bash
# A client and a worker in Python, written from PROTOCOL.md alone, against the real coordinator; each also against our
# other half.
. "${BASH_SOURCE%/*}/lib.sh"

CLIENT=$ROOT/tests/contract/protocol_client.py
WORKER=$ROOT/tests/contract/protocol_worker.py
client() { /usr/bin/python3 "$CLIENT" "$JOBMILL_PROFILE" "$@"; }
job_of() { sed -n 's/.*"job"\(_id\)\?: *\([0-9]*\).*/\2/p' | head -n 1; }

cluster_up --workers 0
must jobctl key add --worker snake --out "$T/snake.profile" >/dev/null
/usr/bin/python3 "$WORKER" "$T/snake.profile" --slots 2 --scratch "$T/snake" >"$T/snake.log" 2>&1 &
snake=$!
await "the Python worker is connected" 20 grep -q ready "$T/snake.log"

# Client and worker both strangers.
run client submit --wait --array 1-20 -- sh -c 'echo "line $JOB_INDEX"; echo "{\"i\":$JOB_INDEX}" > $JOB_RESULT'
equal "a Python client submits an array and waits for it" "$status" 0
job=$(job_of <<<"$out")
equal "every task has succeeded" "$(sql "SELECT COUNT(*), SUM(status=5) FROM Tasks WHERE job_id=$job")" "20	20"
equal "run by the Python worker" "$(ask "SELECT DISTINCT worker FROM v_tasks WHERE job_id=$job")" snake
equal "its output was recorded" "$(client logs "$job" 7 stdout)" "line 7"
equal "so were its results" "$(ask "SELECT SUM(JSON_VALUE(result, '\$.i')) FROM v_results WHERE job_id=$job")" 210
run client submit --wait -- sh -c 'exit 3'
equal "a task that fails is told" "$status" 1

# Our client, their worker.
exits "jobsubmit works with the Python worker" 0 jobsubmit --wait --each-line <(printf 'a b\nc\n') -- echo '<{}>'
equal "entries arrive" "$(jobctl logs "$out.1")" "<a b>"
printf 'some input\n' >"$T/in.txt"
exits "inputs and output files too" 0 jobsubmit --wait --in "$T/in.txt" --out 'copy*' -- cp in.txt copy.txt
exits "jobctl get brings them" 0 jobctl get "$out" "$T/got"
check "whole" grep -qr 'some input' "$T/got"

# Their client, our worker.
kill -TERM "$snake"
wait "$snake"
equal "the Python worker leaves in order" "$?" 0
local_ scale 1 2>/dev/null
run client submit --wait --input "$T/in.txt" --entry one --entry two -- sh -c 'cat in.txt; echo "$1"' x '{}'
equal "the Python client works with jobworker" "$status" 0
job=$(job_of <<<"$out")
equal "entries and inputs arrive" "$(client logs "$job" 2 stdout)" $'some input\ntwo'
run client submit --key same -- echo hello
first=$(job_of <<<"$out")
run client submit --key same -- echo hello
equal "a resent submission is the same job" "$(job_of <<<"$out")" "$first"
run client submit --key same -- echo other
matches "another under the same key is refused" "$err" CONFLICT
run client list jobs
matches "the Python client lists" "$out" "\"job_id\": *$first"
finish
