#!/usr/bin/env bash
# time-out: 240
# A worker's life: joining, draining, being killed, idling out; and what each of its exit codes says.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 0
export W=$T/witness
mkdir -p "$W"
check "a key for a worker" jobctl key add --worker n1 --out "$T/n1.profile"
check "and another" jobctl key add --worker n2 --out "$T/n2.profile"
pid=
start() { # OPTION…: a worker in the background; waits until it is ready
        "$JOBMILL_BIN/jobworker" --scratch "$T/scratch" "$@" >"$T/worker.out" 2>"$T/worker.err" &
        pid=$!
        await "a worker says ready" 20 grep -qx ready "$T/worker.out"
}
ends() { # SENTENCE CODE: the worker ends with that code
        local code
        wait "$pid"
        code=$?
        equal "$1" "$code" "$2"
}
count() { ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$1 AND status='$2'"; }
is() { [ "$(count "$1" "$2")" = "$3" ]; }
no_process_below() { ! grep -lsaF -- "JOB_DIR=$1" /proc/[0-9]*/environ; }

# --- exit codes that need no work
exits "no profile" 64 jobworker
exits "a profile that is not there" 78 jobworker --profile "$T/missing"
exits "an unknown option" 64 jobworker --profile "$T/n1.profile" --frobnicate
exits "nonsense for slots" 64 jobworker --profile "$T/n1.profile" --slots 0
exits "nonsense for a label" 64 jobworker --profile "$T/n1.profile" --label =x
exits "bytes that are no text" 64 jobworker --profile "$T/n1.profile" --label $'k=\xff'
sed 's|^endpoint.*|endpoint = tcp://127.0.0.1:1|' "$T/n1.profile" >"$T/nobody.profile" && chmod 600 "$T/nobody.profile"
exits "no coordinator" 69 jobworker --profile "$T/nobody.profile" --scratch "$T/scratch" --connect-timeout 1
matches "is said with the endpoint" "$err" 'tcp://127.0.0.1:1'
exits "a person's key" 77 jobworker --profile "$JOBMILL_PROFILE" --scratch "$T/scratch"
{ grep -E '^(endpoint|server)' "$T/n1.profile" && read -r public secret < <("$ROOT/tests/system/new_keys.py") &&
        printf 'public-key = %s\nsecret-key = %s\n' "$public" "$secret"; } >"$T/stranger.profile" && chmod 600 "$T/stranger.profile"
exits "an unknown key" 77 jobworker --profile "$T/stranger.profile" --scratch "$T/scratch"
exits "a user that is not there" 78 jobworker --profile "$T/n1.profile" --scratch "$T/scratch" --task-user no-such-user-here
chmod 644 "$T/stranger.profile"
exits "a profile that others can read" 78 jobworker --profile "$T/stranger.profile" --scratch "$T/scratch"

# --- draining
start --profile "$T/n1.profile" --slots 2 --label disk=ssd
exits "a second worker with its key and folder" 78 jobworker --profile "$T/n1.profile" --scratch "$T/scratch"
matches "is told why" "$err" 'another worker'
id=$(jobsubmit -q -e W -a 1-20 -- sh -c 'echo $JOB_INDEX >>$W/drain; sleep 0.5')
await "tasks run" 20 test -s "$W/drain"
kill -TERM "$pid"
ends "a drained worker ends with 0" 0
equal "what it had started is done, the rest is queued" "$(count "$id" succeeded)" "$(wc -l <"$W/drain")"
check "some are left" test "$(count "$id" queued)" -gt 10
refute "its scratch folder is gone" test -e "$T/scratch/"*
start --profile "$T/n2.profile" --slots 4
await "the next worker does the rest" 30 is "$id" succeeded 20
equal "each ran once" "$(sort -n "$W/drain" | uniq | wc -l)" "$(wc -l <"$W/drain")"

# --- a second signal
id=$(jobsubmit -q -e W -- sh -c 'echo $JOB_ATTEMPT >>$W/twice; trap "exit 0" TERM; while :; do sleep 0.1; [ ! -e $W/go ] || exit 0; done')
await "a long task runs" 20 test -s "$W/twice"
kill -TERM "$pid"
sleep 0.3
check "it waits for it" kill -0 "$pid"
kill -TERM "$pid"
ends "a second signal ends it at once, with 0" 0
equal "its task is queued again" "$(count "$id" queued)" 1
touch "$W/go"
start --profile "$T/n2.profile" --slots 1 --idle-exit 1
await "and done by the next" 20 is "$id" succeeded 1
equal "as another attempt" "$(tr '\n' ' ' <"$W/twice")" "1 2 "
ends "which ends by itself when it is idle" 0

# --- the drain timeout, and life
start --profile "$T/n1.profile" --slots 1 --life 1 --drain-timeout 1
id=$(jobsubmit -q -- sleep 300)
ends "a life that is over drains, and the drain's time-out stops what runs" 0
equal "which is queued again" "$(count "$id" queued)" 1
check "cancel it" jobctl cancel "$id" --yes

# --- kill -9: the first process dies with the worker, the rest at its next start
start --profile "$T/n1.profile" --slots 2
id=$(jobsubmit -q -e W -- sh -c 'echo x >>$W/killed; [ $(wc -l <$W/killed) -gt 1 ] || { setsid sleep 300 & sleep 300; }')
await "a task with a daemon runs" 20 test -s "$W/killed"
folder=$(echo "$T/scratch/"*)
kill -9 "$pid"
wait "$pid" 2>/dev/null
start --profile "$T/n1.profile" --slots 2
check "nothing of the dead worker's tasks lives" no_process_below "$folder/t1"$'\n'
await "its task runs again" 60 is "$id" succeeded 1
equal "as the second attempt" "$(ask "SELECT attempt FROM v_tasks WHERE job_id=$id")" 2
kill -TERM "$pid"
ends "and it still drains" 0
check "no folder is left" test -z "$(ls -A "$T/scratch")"

# --- tasks as somebody else
if [ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1; then
        chmod 711 "$T"
        start --profile "$T/n1.profile" --slots 1 --task-user nobody
        id=$(jobsubmit --wait -q -- sh -c 'id -un; id -Gn; pwd >/dev/null; echo "{\"a\":1}" >$JOB_RESULT; : >f; cat /proc/$PPID/environ 2>/dev/null | head -c 1 | wc -c')
        equal "runs as that user, who cannot look into the worker" "$(jobctl logs "$id" | tr '\n' ' ')" "nobody nogroup 0 "
        equal "its result is recorded" "$(jobctl results "$id" --csv | tail -n 1 | grep -c '""a"":1')" 1
        run jobsubmit --wait -q -- cat "$T/n1.profile"
        refute "it cannot read the worker's key" test "$(count "$out" succeeded)" = 1
        kill -TERM "$pid"
        ends "and drains" 0
        check "its folders are gone, too" test -z "$(ls -A "$T/scratch")"
fi

# --- a key that is revoked
start --profile "$T/n2.profile" --slots 1
key=$(jobctl --json key ls | tr '{' '\n' | grep '"n2"' | sed -n 's/.*"key_id": *\([0-9]*\).*/\1/p' | tail -n 1)
check "its key is revoked" jobctl key revoke "$key"
id=$(jobsubmit -q echo never)
ends "with 77" 77
equal "and got nothing to do" "$(count "$id" queued)" 1
check "cancel it, too" jobctl cancel "$id" --yes

# --- orders
check "a third key" jobctl key add --worker n3 --out "$T/n3.profile"
start --profile "$T/n3.profile" --slots 1
check "a person drains it" jobctl worker drain n3
await "which is seen" 20 eval '[ "$(ask "SELECT state FROM v_workers WHERE worker='"'n3'"'")" = draining ]'
id=$(jobsubmit -q echo later)
sleep 0.5
equal "it takes nothing while it drains" "$(count "$id" queued)" 1
check "and lets it go on" jobctl worker resume n3
await "it does what waited" 20 is "$id" succeeded 1
check "and stops it" jobctl worker stop n3
ends "which ends it with 0" 0
start --profile "$T/n3.profile" --slots 1
exits "that was for this process: the next one works" 0 jobsubmit --wait --timeout 60s echo again
check "drained once more" jobctl worker drain n3
kill -TERM "$pid"
ends "it ends" 0
start --profile "$T/n3.profile" --slots 1
id=$(jobsubmit -q echo kept)
await "a drain holds for the next one, too" 20 eval '[ "$(ask "SELECT state FROM v_workers WHERE worker='"'n3'"'")" = draining ]'
check "until resume" jobctl worker resume n3
await "then it works" 20 is "$id" succeeded 1
kill -TERM "$pid"
ends "and ends" 0
finish
