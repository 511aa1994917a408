#!/usr/bin/env bash
# A second user sees none of the first one's rows: by no command, by no SQL, by no message of the protocol.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
new_user alice submitter
new_user bob submitter

SECRET=plover7731
echo "$SECRET file" >"$T/input.txt"
printf '%s\n' "$SECRET-entry" other >"$T/entries"
job=$(as alice jobsubmit -n "$SECRET-name" --wait --each-line "$T/entries" --in "$T/input.txt" --out 'made*' -e "TOKEN=$SECRET-env" -- \
        sh -c 'echo "$TOKEN" "$1"; echo "$TOKEN" > made.txt; echo "{\"word\":\"$TOKEN\"}" > $JOB_RESULT' "$SECRET-arg" {})
matches "alice's job runs" "$job" '^[0-9]+$'
queued=$(as alice jobsubmit -n "$SECRET-held" --key "$SECRET-key" -c 64 echo "$SECRET-queued" 2>/dev/null)

as alice jobctl results "$job" >"$T/alice.results"
check "alice sees her results" grep -q "$SECRET" "$T/alice.results"
check "and her output" grep -q "$SECRET" <(as alice jobctl logs "$job.1")
check "and by SQL" grep -q "$SECRET" <(as alice jobctl sql --csv 'SELECT * FROM v_results')

# --- commands
for command in "ls" "ls -u all" "ls -u alice" "show $job" "tasks $job" "why $queued" "logs $job" "logs $job.1" "results $job" \
        "get $job $T/stolen" "events $job" "events" "cancel $queued" "retry $job" "show last" "ls --since 1d" \
        "wait $job --timeout 1" "show 1-9" "results all" "tasks all" "logs all" "events all" "worker ls" "queue ls" "stats" "top -n 1"; do
        # shellcheck disable=SC2086 # words
        run timeout 20 env JOBMILL_PROFILE="$T/bob.profile" jobctl $command </dev/null
        lacks "bob's jobctl $command shows nothing of alice's" "$out$err$(ls "$T/stolen" 2>/dev/null)" "$SECRET|alice"
done
exits "another's job is no job" 66 as bob jobctl show "$job"
theirs=$err
exits "and looks like one that is not there" 66 as bob jobctl show 999999
equal "in the same words" "${theirs//$job/N}" "${err//999999/N}"
exits "nor found by its name" 66 as bob jobctl show "@$SECRET-name"
exits "nor can it be cancelled" 66 as bob jobctl cancel "$queued"
exits "nor waited for" 66 as bob jobctl wait "$job" --timeout 5
exits "nor its output read" 66 as bob jobctl logs "$job.1"
equal "alice's queued job is untouched" "$(sql "SELECT cancelled FROM Jobs WHERE job_id=$queued")" 0
refute "alice's key does not give bob her job" test "$(as bob jobsubmit --key "$SECRET-key" echo mine 2>/dev/null)" = "$queued"

# --- SQL
for view in v_jobs v_tasks v_attempts v_results v_output v_data v_events v_why v_usage; do
        run as bob jobctl sql --csv "SELECT * FROM $view"
        lacks "bob sees nothing of alice's in $view" "$out$err" "$SECRET|alice"
done
equal "bob's v_jobs has his own job alone" "$(as bob jobctl sql --csv 'SELECT DISTINCT owner FROM v_jobs')" $'owner\nbob'
for table in Tasks Data Jobs JobData Nodes Principals Coordinator; do
        run as bob jobctl sql --csv "SELECT * FROM $table"
        equal "bob may not read the table $table" "$([ "$status" -ne 0 ] && [ -z "$out" ] && echo refused)" refused
done
run as bob jobctl sql --csv "INSERT INTO v_jobs (job_id) VALUES (1)"
refute "nor write" test "$status" -eq 0

# --- the protocol itself
run as bob "$ROOT/tests/system/protocol_probe.py" "$job" "$queued"
lacks "no message of the protocol shows bob anything" "$out$err" "$SECRET|alice"
matches "though the coordinator answered" "$out" 'sent [0-9]+ answered [1-9][0-9]+'
finish
