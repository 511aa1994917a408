#!/usr/bin/env bash
# time-out: 300
# Secrets: a task that names one finds it in its environment, and nothing else in the whole system shows it.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1
new_user alice submitter
new_user bob submitter
value=open-sesame-$RANDOM$RANDOM$RANDOM
show='printf "%s" "$API_TOKEN" | sha256sum | cut -c1-64'
digest=$(printf %s "$value" | sha256sum | cut -c1-64)

exits "a secret from stdin" 0 as alice jobctl secret add API_TOKEN <<<"$value"
exits "its task runs" 0 as alice jobsubmit --wait --timeout 60 -a 1-20 --secret API_TOKEN -- sh -c "$show"
job=$out
equal "and finds the value, without the newline" "$(as alice jobctl logs "$job" | sort -u)" "$digest"
exits "listed by name" 0 as alice jobctl secret ls --csv
matches "with its time, and no more" "$out" $'^name,changed_at\nAPI_TOKEN,20[^\n]*$'
exits "in a job of JSON" 0 as alice jobsubmit --wait --timeout 60 --from - <<<"{\"command\":[\"sh\",\"-c\",\"printf %s \\\"\$API_TOKEN\\\" | wc -c\"],\"secret\":[\"API_TOKEN\"]}"
equal "it is the same" "$(as alice jobctl logs "$out")" "${#value}"

# --- whose it is
exits "another person's is not there" 66 as bob jobsubmit --secret API_TOKEN true
matches "and the error names what to do" "$err" 'no secret API_TOKEN; keep one: jobctl secret add'
equal "nor in his listing" "$(as bob jobctl secret ls --csv | tail -n +2)" ""
exits "nor can he remove it" 66 as bob jobctl secret rm API_TOKEN
exits "his own of the same name" 0 as bob jobctl secret add API_TOKEN <<<"bobs own"
exits "is his own" 0 as bob jobsubmit --wait --timeout 60 --secret API_TOKEN -- sh -c "$show"
equal "by its value" "$(as bob jobctl logs "$out")" "$(printf 'bobs own' | sha256sum | cut -c1-64)"

# --- changed and removed
held=$(as alice jobsubmit --hold --secret API_TOKEN -- sh -c "$show")
exits "a new value" 0 as alice jobctl secret add API_TOKEN <(printf 'new value')
must as alice jobctl release "$held" >/dev/null
exits "is that of the next start" 0 as alice jobctl wait "$held" --timeout 60
equal "of a job submitted before" "$(as alice jobctl logs "$held")" "$(printf 'new value' | sha256sum | cut -c1-64)"
held=$(as alice jobsubmit --hold --secret API_TOKEN true)
exits "removed" 0 as alice jobctl secret rm API_TOKEN
must as alice jobctl release "$held" >/dev/null
exits "its task cannot start" 1 as alice jobctl wait "$held" --timeout 60
equal "and says why" "$(as alice jobctl sql --csv "SELECT status, reason FROM v_tasks WHERE job_id=$held" | tail -n 1)" failed,no-secret
exits "nor can another job name it" 66 as alice jobsubmit --secret API_TOKEN true
exits "removed twice" 66 as alice jobctl secret rm API_TOKEN

# --- wrong values
exits "no name" 64 as alice jobctl secret add 1x <<<x
exits "a name of the system's" 64 as alice jobctl secret add JOB_X <<<x
exits "nothing" 65 as alice jobctl secret add X </dev/null
exits "too long" 65 as alice jobctl secret add X < <(head -c 70000 /dev/zero | tr '\0' x)
exits "zero bytes" 65 as alice jobctl secret add X < <(printf 'a\0b')
exits "no file" 66 as alice jobctl secret add X "$T/nowhere"
exits "--secret without a name" 64 as alice jobsubmit --secret a-b true
exits "twice" 65 as alice jobsubmit --secret X --secret X true
exits "beside a variable of that name" 65 as alice jobsubmit --secret X -e X=1 true

# --- where it must not be: while a task holds it, and after
must as alice jobctl secret add API_TOKEN <<<"$value" >/dev/null
mkfifo hold
job=$(as alice jobsubmit --secret API_TOKEN -n holds -e T="$T" -- sh -c 'test -n "$API_TOKEN" && echo started && read x <"$T/hold"')
started() { [ "$(as alice jobctl logs "$job")" = started ]; }
await "a task holds it" 60 started
for pid in $(pgrep -f -- "$DIR" || true); do tr '\0' '\n' <"/proc/$pid/cmdline"; done >cmdlines 2>/dev/null
lacks "no command line has it" "$(cat cmdlines)" "$value"
{
        as alice jobctl show "$job" --json
        as alice jobctl show "$job"
        as alice jobctl tasks "$job" --json
        as alice jobctl secret ls --json
        as alice jobctl events --from 0
        as alice jobctl why "$job"
        jobctl server status --json
        jobctl worker ls --json
        as alice jobsubmit --dry-run --secret API_TOKEN -- true
        as alice jobsubmit --dry-run --json --secret API_TOKEN -- true
} >listings 2>&1
check "the listings say something" test "$(wc -c <listings)" -gt 1000
lacks "none of them has it" "$(cat listings)" "$value"
echo go >hold
exits "the task ends" 0 as alice jobctl wait "$job" --timeout 60
for view in $(as alice jobctl sql --csv "SELECT table_name FROM information_schema.views WHERE table_schema='jobmill'" | tail -n +2); do
        as alice jobctl sql --csv "SELECT * FROM $view"
done >views 2>&1
check "the views say something" test "$(wc -c <views)" -gt 1000
lacks "no view has it" "$(tr -d '\0' <views)" "$value"
refute "nobody reads the table" as alice jobctl sql "SELECT * FROM Secrets"
mariadb-dump --defaults-file="$DIR/db.cnf" --hex-blob jobmill >dump.hex 2>/dev/null || sql "SELECT HEX(payload) FROM Secrets" >dump.hex
mariadb-dump --defaults-file="$DIR/db.cnf" jobmill >dump 2>/dev/null || sql "SELECT payload FROM Secrets" >dump
check "there is a dump" test -s dump
refute "a dump of the database does not have it" grep -qa -- "$value" dump dump.hex
refute "nor in hexadecimal" grep -qai -- "$(printf %s "$value" | od -An -tx1 | tr -d ' \n')" dump.hex
refute "no log, no file of the cluster" grep -rqa -- "$value" "$DIR" --include='*' --exclude-dir=tasks
finish
