#!/usr/bin/env bash
# time-out: 240
# Acting on many jobs at once: some hundreds are on their way together, one that is refused stops no other, and whatever
# comes in between leaves a count of what was done.
. "${BASH_SOURCE%/*}/lib.sh"

N=1500
cluster_up --workers 1 --slots 2
new_user bob submitter
cd -- "$T" || exit 1
awk -v n=$N 'BEGIN { for (i = 0; i < n; i++) print "{\"name\":\"many\",\"type\":\"noop\",\"hold\":true,\"command\":[]}" }' >jobs
last=$(jobsubmit --from jobs | tail -n 1)
count() { ask "SELECT COUNT(*) FROM v_jobs WHERE name='many' AND $1"; }
commits() { sql "SELECT batch FROM Writers WHERE writer=1"; }

# --- the same answers as for one
equal "--dry-run counts all" "$(jobctl release @many --dry-run)" "$N tasks would be released"
before=$(commits)
equal "set all" "$(jobctl set @many priority=4 comment=all)" "$N tasks changed"
spent=$(($(commits) - before))
check "in a transaction for many of them ($spent)" test "$spent" -le $((N / 10))
equal "all have changed" "$(count "priority=4 AND comment='all'")" "$N"
equal "an event each" "$(ask "SELECT COUNT(*) FROM v_events WHERE kind='set' AND actor='admin' AND detail='comment=all priority=4'")" "$N"
equal "a row each in JSON, in order" "$(jobctl set "1-$last" priority=5 --json | /usr/bin/python3 -c '
import json, sys
said = json.load(sys.stdin)
ids = [row["job_id"] for row in said["rows"]]
print(said["changed"], len(ids), ids == sorted(ids), {row["changed"] for row in said["rows"]})')" "$N $N True {1}"

# --- one that is refused
his=$(as bob jobsubmit --hold true)
exits "some of which are not there" 66 as bob jobctl set "$his" "$last" $((last + 1000)) priority=1
equal "the others are done, and counted" "$out" "1 task changed"
matches "the first that was refused is named" "$err" "^jobctl: job $last: no such job"
matches "and how many more" "$err" "1 more of the 3 jobs were refused"
equal "somebody else's has not changed" "$(count priority=5)" "$N"

# --- Ctrl-C
kill -STOP "$(pid_of coordinator)"
jobctl release @many >said 2>noted &
client=$!
sleep 0.1 # it may be anywhere: the counts must fit all the same
kill -CONT "$(pid_of coordinator)"
await "some are released" 20 eval '[ "$(sql "SELECT COUNT(*) FROM Jobs WHERE hold=0")" -gt 0 ]'
kill -INT "$client"
wait "$client"
code=$?
if [ $code -eq 0 ]; then
        equal "it was through before it heard of it" "$(cat said)" "$N tasks released"
else
        equal "it says that it was interrupted" "$code" 130
        matches "and how far it came" "$(cat noted)" "interrupted: [0-9]+ of $N jobs done \([0-9]+ tasks released\), [0-9]+ asked without an answer, [0-9]+ not asked"
        first=$(sed -nE 's/.*interrupted: ([0-9]+) of .*/\1/p' noted)
        unsure=$(sed -nE 's/.*, ([0-9]+) asked without.*/\1/p' noted)
        second=$(jobctl release @many | sed 's/ .*//')
        check "the next one does the rest ($first, $unsure, then $second)" test $((first + second)) -le $N -a $((first + unsure + second)) -ge $N
fi
equal "each was released once" "$(ask "SELECT COUNT(*) FROM v_events WHERE kind='release'")" "$N"
await "all run" 60 eval '[ "$(count "status=\"succeeded\"")" = $N ]'

# --- kill -9 in the middle: what was not answered is asked again
awk -v n=$N 'BEGIN { for (i = 0; i < n; i++) print "{\"name\":\"more\",\"type\":\"noop\",\"hold\":true,\"command\":[]}" }' >jobs
jobsubmit --from jobs >/dev/null
jobctl cancel @more --reason 'not needed' >said 2>noted &
client=$!
await "some are cancelled" 20 eval '[ "$(sql "SELECT COUNT(*) FROM Jobs WHERE cancelled > 0")" -gt 0 ]'
kill9 coordinator
must local_ start coordinator
wait "$client"
equal "it goes on with the next coordinator" "$?" 0
matches "to its end" "$(cat said)" '^[0-9]+ tasks cancelled$'
equal "all are cancelled" "$(ask "SELECT COUNT(*) FROM v_jobs WHERE name='more' AND status='cancelled'")" "$N"
equal "and retried together" "$(jobctl retry @more)" "$N tasks queued again"
must jobctl -q release @more # as it was submitted
await "they run" 60 eval '[ "$(ask "SELECT COUNT(*) FROM v_jobs WHERE name=\"more\" AND status=\"succeeded\"")" = $N ]'

# --- nobody answers
local_ stop coordinator
exits "no coordinator" 69 jobctl cancel 1 2 3 --connect-timeout 0.3s
finish
