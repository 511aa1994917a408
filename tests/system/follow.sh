#!/usr/bin/env bash
# time-out: 240
# Subscriptions: output of many tasks as it comes, events as they happen, several waits; all over a restart.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 200
new_user bob submitter
cd -- "$T" || exit 1

# --- logs -f: many tasks at once, exact bytes, over a restart
many=$(jobsubmit -a 1-200 -- bash -c 'printf "a%s\0\n" $JOB_INDEX; while ! [ -e '"$T"'/go ]; do sleep 0.3; done; seq 1 50; printf "end%s" $JOB_INDEX')
jobctl logs -f "$many" >all &
follower=$!
jobctl logs -f --label "$many.[5-6]" >two &
labelled=$!
await "output of every task is shown while it runs" 60 eval '[ "$(tr -d "\0" <all | grep -c "^a")" = 200 ]'
kill9 coordinator
must local_ start coordinator
touch go
wait $follower
equal "a follow ends when all have ended" "$?" 0
jobctl logs "$many" >later
equal "each byte once, over a restart" "$(wc -c <all)" "$(wc -c <later)"
equal "of every task" "$(tr -d '\0' <all | grep -oE 'end[0-9]+' | sort -u | wc -l)" 200
equal "all lines of all" "$(tr -d '\0' <all | sed 's/end[0-9]*//g' | grep -cx '[0-9]*')" "$(tr -d '\0' <later | grep -cx '[0-9]*')"
wait $labelled
equal "a follow of some tasks, each line with its task" \
        "$?:$(tr -d '\0' <two | sort | uniq -c | sort -rn | awk '{print $1}' | sort -u | tr '\n' ' '):$(grep -c "^$many.5: " two):$(grep -c "^$many.6: " two)" "0:1 :52:52"
lacks "and of no others" "$(cut -d: -f1 two | sort -u | tr '\n' ' ')" "\.[0-47-9]"

# --- logs of what is over, and --tail with -f
exits "a follow of what is over ends at once" 0 timeout 20 sh -c "jobctl logs -f $many.7 | tr -d '\\0'"
equal "with all of it" "$(tail -n 2 <<<"$out" | tr '\n' ' ')" "50 end7 "
exits "--tail and -f" 0 timeout 20 jobctl logs -f --tail 1 "$many.7"
equal "the last line" "$out" end7
exits "jobsubmit --watch" 0 timeout 60 jobsubmit --watch -a 1-5 -- sh -c 'echo out $JOB_INDEX; echo err $JOB_INDEX >&2; sleep 0.3; echo bye $JOB_INDEX'
equal "shows it as it comes" "$(sort <<<"$out" | tr '\n' ' ')" "bye 1 bye 2 bye 3 bye 4 bye 5 out 1 out 2 out 3 out 4 out 5 "
again=$(jobsubmit --retries 1 -- sh -c 'echo attempt $JOB_ATTEMPT; sleep 0.5; [ $JOB_ATTEMPT = 2 ]')
exits "a follow goes over to the next attempt" 0 timeout 60 jobctl logs -f "$again"
matches "and shows it whole" "$out" 'attempt 2'

# --- events -f: a subscription, resumable by number, over a restart
from=$(jobctl events | tail -n 1 | sed 's/.*"event_id":\([0-9]*\).*/\1/')
jobctl events -f --from "$from" >events &
events=$!
held=$(jobsubmit --hold -a 1-3 -- true)
await "an event is shown when it happens" 20 grep -q '"kind":"submit"' events
as bob jobsubmit -q true >/dev/null
jobctl -q release "$held" --reason 'now'
await "the next one too, with its reason" 20 grep -q '"kind":"release".*"detail":"now"' events
kill9 coordinator
must local_ start coordinator
jobctl -q cancel "$held" --reason 'after the restart'
jobctl -q hold "$many" --reason 'nothing to hold'
last=$(jobsubmit --hold -- true)
await "and after a restart of the coordinator" 30 grep -q "\"job_id\":$last,.*\"kind\":\"submit\"" events
check "each line is JSON, each event there once, in order" /usr/bin/python3 - <<'PY'
import json
seen = [json.loads(line)["event_id"] for line in open("events")]
assert seen == sorted(set(seen)), seen
PY
kill -INT $events
wait $events
equal "Ctrl-C ends it" "$?" 130
second=$(sed -n 2p events | sed 's/.*"event_id":\([0-9]*\).*/\1/')
equal "--from goes on exactly there" "$(jobctl events --from "$second" | head -n 3)" "$(sed -n 3,5p events)"
timeout 3 jobctl events -f "$last" >one
equal "of one job alone" "$(grep -vc "\"job_id\":$last," one):$(wc -l <one)" "0:1"
as bob timeout 2 jobctl events -f >bobs
lacks "nobody sees what others do" "$(cat bobs)" "\"job_id\":$last,"
exits "-f is JSON lines" 64 jobctl events -f --csv

# --- wait: jobs, tasks and ranges at once
jobctl -q release "$last"
exits "several jobs, tasks, ranges" 0 jobctl wait "$last" "$many.7" "$many.[1-20:3]" --timeout 60
jobctl server status --json >status
check "nothing is left subscribed" eval '[ "$(jobctl server status | awk "\$1 == \"sessions\" { print \$2 }")" -le 3 ]'
finish
