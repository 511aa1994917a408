#!/usr/bin/env bash
# time-out: 240
# jobctl against a real cluster: looking, waiting, acting.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 4
cd -- "$T" || exit 1
jobsubmit --wait -n alpha --tag kind=a -a 1-4 -- sh -c 'echo "out $JOB_INDEX"; echo "err $JOB_INDEX" >&2; echo "{\"i\":$JOB_INDEX,\"t\":\"a,b\"}" >$JOB_RESULT; [ $JOB_INDEX != 3 ]' >alpha
alpha=$(cat alpha)
jobsubmit --wait -n beta --comment $'x\e[31m\ny' echo 'beta out' >beta
beta=$(cat beta)
ids() { "$@" | sed -n 's/.*"job_id":\([0-9]*\).*/\1/p' | tr '\n' ' '; }

# --- selectors
equal "last" "$(ids jobctl --json ls last)" "$beta "
equal "last~1" "$(ids jobctl --json ls last~1)" "$alpha "
equal "@name" "$(ids jobctl --json ls @alpha)" "$alpha "
equal "tag:" "$(ids jobctl --json ls tag:kind=a)" "$alpha "
equal "a range" "$(ids jobctl --json ls "$alpha-$beta")" "$alpha $beta "
equal "all" "$(ids jobctl --json ls all)" "$alpha $beta "
equal "stdin" "$(echo "$beta $alpha" | ids jobctl --json ls -)" "$beta $alpha "
equal "one task, as Slurm writes it" "$(jobctl logs "${alpha}_2")" "out 2"
equal "some tasks" "$(jobctl logs "$alpha.[1-4:2]")" $'out 1\nout 3'
exits "none of that name" 66 jobctl show @gamma
exits "none before" 66 jobctl show last~9
exits "no selector" 65 jobctl show 36.x
exits "no such task" 66 jobctl tasks "$alpha.9"
matches "is said" "$err" "no such task in job $alpha"
exits "also in JSON" 66 jobctl --json tasks "$alpha.[8-9]"
exits "none of that status is an empty list" 0 jobctl tasks "$alpha.1" -s failed
exits "wait --json" 1 jobctl --json wait "$alpha.[1-4]" "$beta"
equal "shows the jobs, once each" "$(ids printf '%s\n' "$out")" "$alpha $beta "
exits "logs has no JSON" 64 jobctl --json logs "$alpha"
matches "and says where there is" "$err" 'jobctl sql --json'
exits "no such worker" 66 jobctl worker show w77
exits "which one?" 64 jobctl show
for name in 'a b' -1 $'\xff' "$(printf '%0100d' 0)"; do
        exits "what is no name is no queue" 64 jobctl ls --queue="$name"
        matches "and said to be none" "$err" '^jobctl: --queue: .* is no name; names are letters'
        exits "nor a person" 64 jobctl cancel "$alpha" --user="$name"
        exits "nobody's events" 64 jobctl audit -u "$name"
done
exits "bytes that are no text select nothing" 65 jobctl ls $'@\xff'
for command in ls show tasks wait results events cancel; do
        exits "$command: no selector on stdin is no job" 0 jobctl --json "$command" - </dev/null
        matches "an empty list" "$out" '^(\{"schema":"jobctl.*"rows":\[\]\}|)$'
done
equal "with its heading" "$(jobctl tasks --csv -o task_id,status - </dev/null)" "task_id,status"

# --- ls
equal "-s takes our words" "$(ids jobctl --json ls -s failed)" "$alpha "
equal "and Slurm's, in any case" "$(ids jobctl --json ls -s completed,pd)" "$beta "
exits "but no others" 64 jobctl ls -s finished
equal "-o and --csv" "$(jobctl ls --csv -o name,tasks,failed,comment "$alpha")" $'name,tasks,failed,comment\nalpha,4,1,'
exits "an unknown column" 64 jobctl ls -o nothing
matches "is told which there are" "$err" 'columns: job_id name'
equal "a column as the heading spells it" "$(jobctl ls -q -o JOB_ID | tr -d ' ' | tr '\n' ' ')" "$(jobctl ls -q -o job_id | tr -d ' ' | tr '\n' ' ')"
equal "--sort falling" "$(jobctl ls -q -o job_id --sort -job_id | tr -d ' ' | tr '\n' ' ')" "$beta $alpha "
equal "a job that is named twice is one row" "$(jobctl ls -q --csv -o job_id "$alpha" "@alpha" "$beta" | tr "\n" " ")" "job_id $alpha $beta "
equal "-n keeps the newest" "$(ids jobctl --json ls -n 1)" "$beta "
equal "--queue" "$(ids jobctl --json ls --queue night)" ""
equal "--since the future is empty" "$(ids jobctl --json ls --since 2100-01-01)" ""
lacks "a table shows no control characters" "$(jobctl ls -o comment)" $'\e'
matches "but their names" "$(jobctl ls -o comment)" 'x\\x1b\[31m\\ny'
matches "--json has them escaped" "$(jobctl --json ls "$beta")" '"comment":"x\\u001b\[31m\\ny"'

# --- tasks, results, show, why, events
equal "tasks with a status" "$(jobctl tasks --csv -s failed -o task_id,exit_code "$alpha")" $'task_id,exit_code\n'"$alpha.3,1"
equal "results as JSON values" "$(jobctl results --json "$alpha.1" | tail -n 1)" \
        "$(jobctl results --json "$alpha.1" | tail -n 1 | grep -F '"result":{"i":1,"t":"a,b"}')"
matches "results as CSV" "$(jobctl results --csv -o task_index,result "$alpha.1")" '^task_index,result'$'\n''1,"\{""i"":1,""t"":""a,b""\}"$'
exits "show" 0 jobctl show "$alpha"
matches "has the counts" "$out" 'failed +1'
check "show --json is JSON" eval 'jobctl --json show "$alpha" "$beta" | /usr/bin/python3 -c "import json,sys; d=json.load(sys.stdin); assert d[\"schema\"]==\"jobctl.show/1\" and d[\"rows\"][0][\"spec\"][\"name\"]==\"alpha\" and d[\"rows\"][1][\"events\"]"'
numbers() { sed -n 's/.*"event_id":\([0-9]*\).*/\1/p' | tr '\n' ' '; }
jobctl hold "$alpha" 2>/dev/null
all=$(jobctl events "$beta" "$alpha" | numbers)
equal "events of several jobs stand in their order" "$all" "$(tr ' ' '\n' <<<"$all" | sort -n | tr '\n' ' ' | sed 's/^ *//')"
equal "in JSON, too" "$(jobctl events --json "$beta" "$alpha" | numbers)" "$all"
equal "each once" "$(wc -w <<<"$all")" "$(($(jobctl events "$alpha" | wc -l) + $(jobctl events "$beta" | wc -l)))"
check "events are JSON lines" eval 'jobctl events "$alpha" | /usr/bin/python3 -c "import json,sys; assert [json.loads(l)[\"kind\"] for l in sys.stdin][0]==\"submit\""'
exits "why of an ended job" 0 jobctl why "$alpha"

# --- logs
equal "--stderr" "$(jobctl logs --stderr "$alpha.2")" "err 2"
matches "--both" "$(jobctl logs --both "$alpha.2")" '(out 2.*err 2|err 2.*out 2)'
equal "--label" "$(jobctl logs --label "$alpha.[2-3]")" "$alpha.2: out 2"$'\n'"$alpha.3: out 3"
many=$(jobsubmit --wait -- seq 1000)
equal "--tail" "$(jobctl logs --tail 2 "$many")" $'999\n1000'
bytes=$(jobsubmit --wait -- printf 'a\0b\377\r')
equal "the exact bytes" "$(jobctl logs "$bytes" | od -An -tx1)" " 61 00 62 ff 0d"
equal "escaped on a terminal" "$(script -qec "jobctl logs $bytes" /dev/null)" 'a\x00b\xff\r'
exits "of no such task" 66 jobctl logs "$alpha.77"

large=$(jobsubmit --wait -- seq 100000)
equal "a reader that has enough ends it quietly" "$( (jobctl logs "$large"; echo $? >piped) 2>&1 | head -n 1):$(cat piped)" "1:141"

# --- waiting
exits "wait: not all succeeded" 1 jobctl wait "$alpha"
exits "wait for those that did" 0 jobctl wait "$alpha.[1-2]"
exits "wait --exit-code" 1 jobctl wait --exit-code "$alpha"
long=$(jobsubmit -a 1-3 -- sh -c 'echo start; sleep 60')
exits "wait --timeout" 75 jobctl wait "$long" --timeout 0.3s
exits "wait --timeout 0 looks once: it runs" 75 jobctl wait "$long" --timeout 0
matches "and says so" "$err" "job $long has not ended; it goes on"
exits "or has ended" 0 jobctl wait "$alpha.[1-2]" --timeout 0
exits "well or not" 1 jobctl wait "$alpha" --timeout 0
exits "both" 75 jobctl wait "$alpha.[1-2]" "$long" --timeout 0
exits "logs -f --timeout" 75 jobctl logs "$long" -f --timeout 0.3s
matches "prints what there is" "$out" start
exits "without -f there is nothing to wait for" 64 jobctl logs "$long" --timeout 1
exits "wait --csv" 0 jobctl wait "$alpha.[1-2]" --csv
matches "prints the job" "$out" "^job_id,name,.*"$'\n'"$alpha,alpha,"
equal "show --csv, too" "$(jobctl show "$alpha" --csv)" "$out"
exits "why: it runs" 0 jobctl why "$long"

# --- acting
equal "--dry-run counts" "$(jobctl cancel --dry-run "$long.[1-2]")" "2 tasks would be cancelled"
equal "cancel some tasks" "$(jobctl cancel "$long.[1-2]")" "2 tasks cancelled"
exits "they end" 1 jobctl wait "$long.[1-2]" --timeout 30
await "the other runs on" 10 eval '[ "$(ask "SELECT status FROM v_tasks WHERE job_id=$long AND task_index=3")" = running ]'
exits "signal" 0 jobctl signal KILL "$long.3"
exits "ends it" 137 jobctl wait --exit-code "$long.3" --timeout 30
exits "retry what failed" 0 jobctl retry --failed "$long"
matches "one task" "$out" '^1 task queued again'
exits "cancel the job" 0 jobctl --json cancel "$long"
matches "as JSON" "$out" '"schema":"jobctl.cancel/1","changed":1'
equal "as CSV" "$(jobctl hold --csv "$long" 2>/dev/null)" $'job_id,changed\n'"$long,0"
matches "a row a job" "$(tr -d '\n' <<<"$out")" "\"rows\":\[\{\"job_id\":$long,\"changed\":1\}\]\}$"
exits "wait" 1 jobctl wait "$long" --timeout 30
jobsubmit -a 1-300 -- sleep 60 >many
equal "more than 100 tasks are asked for on a terminal" "$(echo n | script -qec "jobctl cancel $(cat many)" /dev/null | grep -c 'Go on')" 1
equal "and no means no" "$(ask "SELECT cancelled FROM v_jobs WHERE job_id=$(cat many)")" 0
exits "set" 0 jobctl set "$(cat many)" priority=7 max-running=2
equal "is seen" "$(ask "SELECT priority FROM v_jobs WHERE job_id=$(cat many)")" 7
exits "hold" 0 jobctl hold "$(cat many)"
exits "a script is taken at its word" 0 jobctl cancel "$(cat many)"
exits "nothing is left" 1 jobctl wait "$(cat many)" --timeout 30
exits "a wrong setting" 64 jobctl set last priority=101
matches "says what would work" "$err" "priority=101: '101' is not within .*; example: jobctl set 36 priority=10"
for command in cancel hold release retry 'signal TERM' 'set priority=1'; do
        # shellcheck disable=SC2086
        exits "$command: no such job" 66 jobctl $command 999999
done

# --- tasks that do not exist
for command in results why show cancel retry events tasks logs 'get --force' wait hold release 'signal TERM' 'set priority=1'; do
        # shellcheck disable=SC2086
        exits "$command: no such task" 66 jobctl $command "$alpha.99" --connect-timeout 20
        matches "is said" "$err" "no such task in job $alpha"
done
exits "a selection counts if one of its tasks exists" 0 jobctl results "$alpha.[4-99]"
exits "as text of a shell, too" 66 jobctl wait "${alpha}_99"
exits "the newest job has no such task, either" 66 jobctl show last.9999
big=$(jobsubmit -q --hold -a 0-29999:3 --type noop)
exits "a task whose row is not made yet exists" 0 jobctl why "$big.29997"
exits "one between its steps does not" 66 jobctl why "$big.29998"
exits "nor one behind the last" 66 jobctl cancel "$big.[30000-40000]"
exits "cancel the rest" 0 jobctl cancel "$big" --yes

# --- queues and workers
exits "queue pause" 0 jobctl queue pause default
paused=$(jobsubmit -q echo later)
matches "why: paused" "$(jobctl why "$paused")" 'paused'
exits "queue resume" 0 jobctl queue resume default
exits "then it runs" 0 jobctl wait "$paused" --timeout 30
exits "a queue that is not there cannot be paused" 66 jobctl queue pause night
matches "which is said" "$err" 'no queue night'
exits "nor resumed" 66 jobctl queue resume night
lacks "and is not made by that" "$(jobctl queue ls --csv)" night
exits "queue set" 0 jobctl queue set night max-running=1 weight=3
matches "makes a queue" "$(jobctl queue ls --csv)" $'\nnight,0,1,3,'
exits "worker drain" 0 jobctl worker drain w1
await "is seen" 10 eval 'grep -q "^w1,draining" < <(jobctl worker ls --csv)'
exits "worker resume" 0 jobctl worker resume w1
exits "and it works again" 0 jobsubmit --wait --timeout 30 echo again
exits "no such worker" 66 jobctl worker drain nobody
exits "server status" 0 jobctl server status

# --- a wait and a follow outlive the coordinator
follow=$(jobsubmit -- sh -c 'echo one; while ! [ -e '"$T"'/go ]; do sleep 0.05; done; echo two')
jobctl wait "$follow" --timeout 90 &
waiter=$!
jobctl logs -f "$follow" >followed &
follower=$!
await "a follow shows output as it comes" 20 grep -q one followed
kill9 coordinator
sleep 0.5
local_ start coordinator 2>/dev/null
touch go
wait $waiter
equal "a wait goes on after the restart" "$?" 0
wait $follower
equal "a follow too" "$?:$(tr '\n' ' ' <followed)" "0:one two "
finish
