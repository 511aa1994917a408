#!/usr/bin/env bash
# The first session of INTERFACE: what the README tells a new user to type, line by line.
. "${BASH_SOURCE%/*}/lib.sh"

cd -- "$T" || exit 1
run "$ROOT/deploy/local" up --workers 2 --slots 2
equal "deploy/local up makes a cluster in ./run" "$status" 0
equal "its stdout has nothing but export lines" "$(grep -cv '^export ' <<<"$out")" 0
eval "$out"
equal "and exports the administrator's profile" "$(stat -c %a -- "$JOBMILL_PROFILE")" 600
equal "jobsubmit is found" "$(type -P jobsubmit)" "$JOBMILL_BIN/jobsubmit"

run jobsubmit echo hello
matches "jobsubmit prints the job's id, nothing else" "$out" '^[1-9][0-9]*$'
equal "and nothing on stderr while a worker is there" "$err" ""
first=$out
exits "jobctl wait ends when the job has" 0 jobctl wait "$first" --timeout 60
exits "jobctl logs last shows the output" 0 jobctl logs last
equal "the very bytes" "$out" hello

exits "an array is waited for" 0 jobsubmit --wait --progress -a '1-100%8' -- sh -c 'sleep 0.02; echo $JOB_INDEX'
array=$out
equal "its tasks have all succeeded" "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$array AND status='succeeded'")" 100
exits "jobctl show" 0 jobctl show "$array"
exits "jobctl tasks" 0 jobctl tasks "$array"
exits "jobctl ls" 0 jobctl ls
matches "lists the array" "$out" "(^|[[:space:]])${array}[[:space:]]"

mkdir thumb
for name in a b 'c d'; do echo "picture $name" >"$name.png"; done
exits "one task per line of stdin" 0 jobsubmit --wait --cwd . -n thumbs --each-line - -- cp {} thumb/{} < <(ls -- *.png)
equal "each file was treated, blanks and all" "$(ls thumb | tr '\n' ';')" "a.png;b.png;c d.png;"

exits "tasks leave JSON results" 0 jobsubmit --wait -a 1-20 -- sh -c 'echo "{\"x\":$JOB_INDEX,\"loss\":0.$((JOB_INDEX + 10))}" > $JOB_RESULT'
last=$out
exits "results by SQL, best first" 0 jobctl sql --csv "SELECT task_index, JSON_VALUE(result,\"\$.loss\") loss FROM v_results WHERE job_id=$last ORDER BY loss LIMIT 3"
equal "as the tasks wrote them" "$out" $'task_index,loss\n1,0.11\n2,0.12\n3,0.13'
exits "jobctl results" 0 jobctl results "$last"

exits "scale 4" 0 "$ROOT/deploy/local" scale 4
equal "four workers run" "$("$ROOT/deploy/local" status | grep -c '^worker .*running')" 4
exits "scale 0" 0 "$ROOT/deploy/local" scale 0
await "and drains them" 20 eval '! grep -q "^worker .*running" < <("$ROOT/deploy/local" status)'
run jobsubmit echo later
matches "without a worker a job is queued all the same" "$out" '^[1-9][0-9]*$'
matches "and stderr says that no worker is there" "$err" 'worker'
exits "down" 0 "$ROOT/deploy/local" down
refute "nothing runs any more" grep -q running <("$ROOT/deploy/local" status)
finish
