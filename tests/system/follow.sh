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
rest=$(sed -n '3,$p' events) # it was ended as soon as it had shown the last one
equal "--from goes on exactly there" "$(jobctl events --from "$second" | head -n "$(wc -l <<<"$rest")")" "$rest"
timeout 3 jobctl events -f "$last" >one
equal "of one job alone" "$(grep -vc "\"job_id\":$last," one):$(wc -l <one)" "0:1"
as bob timeout 2 jobctl events -f >bobs
lacks "nobody sees what others do" "$(cat bobs)" "\"job_id\":$last,"
exits "-f is JSON lines" 64 jobctl events -f --csv

# --- wait: jobs, tasks and ranges at once
jobctl -q release "$last"
exits "several jobs, tasks, ranges" 0 jobctl wait "$last" "$many.7" "$many.[1-20:3]" --timeout 60
check "nothing is left subscribed" eval '[ "$(jobctl server status | awk "\$1 == \"sessions\" { print \$2 }")" -le 3 ]'

group() { jobsubmit -q -n group --tag set=one --hold -- "$@"; }
first=$(group true)
group sh -c 'exit 3' >/dev/null
group sh -c 'kill -9 $$' >/dev/null
third=$(group true)
exits "a look at several: none is over" 75 jobctl wait "$first-$third" --timeout 0
matches "and how many" "$err" "4 of 4 jobs have not ended, the first of them $first"
jobctl -q release "$first"
exits "one is over" 0 jobctl wait "$first" --timeout 60
exits "a look at jobs that are over and others" 75 jobctl wait @group --timeout 0
matches "counts the others" "$err" '3 of 4 jobs have not ended'
exits "a limit" 75 jobctl wait tag:set=one --timeout 0.2
exits "one that is not there ends it" 66 jobctl wait "$first-$third" 99999 --timeout 60
jobctl wait @group --progress --exit-code --timeout 600 2>progress &
waiter=$!
await "a wait for several shows counts of all" 20 grep -q '1 of 4 jobs over, tasks: 1 of 4 done' progress
kill9 coordinator
must local_ start coordinator
jobctl -q release @group --yes
wait $waiter
equal "it outlives a restart; the largest exit code of all" "$?" 137
matches "the last counts" "$(tail -n 2 progress | head -n 1)" '4 of 4 jobs over, tasks: 4 of 4 done, 2 failed'
exits "without --exit-code" 1 jobctl wait "tag:set=one"
exits "those that succeeded" 0 jobctl wait --exit-code "$first" "$third"
exits "ids on stdin, in any order, twice" 1 sh -c "printf '%s\n' $third $first $first.1 $((first + 1)) | jobctl wait -"
exits "last~1 and last" 1 jobctl wait last~1 last
exits "json rows of those waited for" 1 jobctl wait @group --json
equal "each once" "$(grep -o '"job_id":[0-9]*' <<<"$out" | sort -u | wc -l)" 4

# --- many jobs: one subscription, not a question for each
for i in $(seq 2000); do printf '{"type":"noop","name":"crowd"}\n'; done | jobsubmit -q --from - >/dev/null
exits "two thousand jobs by name" 0 jobctl wait @crowd --timeout 240
selects() { local_ sql -Nse "SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'" | awk '{ print $2 }'; }
before=$(selects)
exits "and again, when all are over" 0 jobctl wait @crowd --timeout 60
after=$(selects)
check "costs a few statements" test $((after - before)) -le 40

# --- output of several jobs; one refresh is two statements, however many tasks
a=$(jobsubmit -q -- bash -c 'echo one; while ! [ -e '"$T"'/go2 ]; do sleep 0.2; done; printf "two\0\nend"')
b=$(jobsubmit -q -a 1-150 -- bash -c 'echo b$JOB_INDEX; while ! [ -e '"$T"'/go2 ]; do sleep 0.2; done; echo c$JOB_INDEX')
jobctl logs -f --label "$a" "$b" >several &
follower=$!
await "output of several jobs is shown while they run" 60 eval '[ "$(wc -l <several)" -ge 151 ]'
before=$(selects)
touch go2
wait $follower
equal "their follow ends when all have ended" "$?" 0
after=$(selects)
check "for a bounded number of statements" test $((after - before)) -le 400
equal "each line has its task" "$(grep -ac "^$a\.1: " several):$(grep -acE "^$b\.[0-9]+: [bc][0-9]+$" several)" "3:300"
equal "exact bytes of each" "$(grep -a "^$a\.1: " several | sed 's/^[^ ]* //' | tr '\0' 0)" $'one\ntwo0\nend'
equal "in order within a task" "$(grep -a "^$b\.77: " several | sed 's/^[^ ]* //' | tr '\n' ' ')" "b77 c77 "
jobctl logs "$b" >later
equal "logs of many, in the order of the tasks" "$(sed -n 3,4p later | tr '\n' ' ')" "b2 c2 "

# --- attempts
again=$(jobsubmit -q --wait --retries 1 -- sh -c 'echo attempt $JOB_ATTEMPT; [ $JOB_ATTEMPT = 2 ]')
exits "an earlier attempt" 0 jobctl logs --attempt 1 "$again"
equal "its own output" "$out" "attempt 1"
exits "one that there is not" 66 jobctl logs --attempt 3 "$again"
matches "which there are" "$err" "no attempt 3: task $again.1 has had attempts 1 to 2"
exits "of several jobs, where one has it" 0 jobctl logs --attempt 2 "$first" "$again"
equal "the output of that" "$out" "attempt 2"
exits "the same with -f" 66 timeout 60 jobctl logs -f --attempt 3 "$again"
exits "and with --tail" 66 jobctl logs --tail 2 --attempt 3 "$again"
exits "a set of jobs can be waited for as it is submitted" 0 sh -c 'printf "%s\n" "{\"command\":[\"sleep\",\"1\"]}" "{\"command\":[\"true\"]}" | timeout 60 jobsubmit -q --wait --from -'
finish
