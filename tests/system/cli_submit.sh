#!/usr/bin/env bash
# time-out: 240
# jobsubmit against a real cluster: everything that its man page promises.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1
logs() { jobctl logs "$@"; }
submitted() { # WORDS…: waits; sets out to the id
        exits "$1" 0 jobsubmit --wait --timeout 60 "${@:2}"
}

# --- the id, and --json
run jobsubmit --json -n one --key k1 -a 1-3 --type noop
matches "--json is one object" "$out" '^\{"schema":"jobsubmit/1","job_id":[0-9]+,"tasks":3,"key":"k1","existing":false\}$'
run jobsubmit --json -n one --key k1 -a 1-3 --type noop
matches "the same key again: the same job" "$out" '"existing":true\}$'
exits "the same key, another job: refused" 73 jobsubmit --key k1 --type noop
exits "a key with entries" 0 jobsubmit --key k2 echo {} ::: a b
exits "and the same ones: the same job" 0 jobsubmit --key k2 echo {} ::: a b
exits "and other ones: refused" 73 jobsubmit --key k2 echo {} ::: a c

# --- scripts
cat >job.sh <<'SCRIPT'
#!/bin/sh
#JOB --name 'from script' --tag kind=script
#JOB -e GREETING=hi -a 1-2
echo "$GREETING $1 $JOB_INDEX"
SCRIPT
submitted "a script runs without being executable" ./job.sh you
equal "with its options, its arguments and its index" "$(logs "$out")" $'hi you 1\nhi you 2'
equal "its name" "$(ask "SELECT name FROM v_jobs WHERE job_id=$out")" "from script"
submitted "options on the command line beat it" -n mine -a 7 -e GREETING=ho ./job.sh me
equal "every one of them" "$(logs "$out")" "ho me 7"
matches "a tag by its key" "$(jobsubmit --dry-run --json --tag kind=line --tag more=1 ./job.sh)" '"tags":\["kind=line","more=1"\]'
for outside in '--compat slurm' '--from x' '-f x'; do
        printf '#!/bin/sh\n#JOB %s\n' "$outside" >outside.sh
        exits "no #JOB line: $outside" 64 jobsubmit outside.sh
        matches "is said with its line" "$err" 'outside.sh:2: #JOB: --.* is for the command line'
done
submitted "entries replace its array" ./job.sh {} ::: x 'y z'
equal "one task per entry" "$(logs "$out")" $'hi x 1\nhi y z 2'
echo 'echo "plain $1"' >plain.sh
submitted "a script without #! is one of the shell" plain.sh words
equal "that gets its arguments" "$(logs "$out")" "plain words"
cp job.sh job
run jobsubmit --dry-run job
matches "#! alone makes a script too" "$out" $'\nscript +true'
run jobsubmit --dry-run "$(command -v env)"
lacks "a program with a slash is none" "$out" 'script'
run jobsubmit -q --wait -- ./job.sh
check "behind -- it is a command of the worker" test "$status" -eq 1

# --- entries
submitted "a product" echo '{1}={2}' '{#}' ::: a b ::: 1 2
equal "in order, the first list slowest" "$(logs "$out")" $'a=1 1\na=2 2\nb=1 3\nb=2 4'
submitted "pairs" echo {} ::: a b :::+ 1 2
equal "side by side" "$(logs "$out")" $'a 1\nb 2'
printf 'name,n\n"x, y",1\n"q""q",2\n' >table.csv
submitted "a CSV file" --each-csv table.csv -- sh -c 'echo "$0 $1 $JOB_ENTRY_name"' {name} {n}
equal "columns by name" "$(logs "$out")" $'x, y 1 x, y\nq"q 2 q"q'
submitted "a column of another alphabet" --each-csv <(printf 'größe-m\n7\n') -- sh -c 'echo "$JOB_ENTRY_gr__e_m"'
equal "has a _ for each character" "$(logs "$out")" 7
printf '{"name":"a","n":[1,2]}\n{"n":null,"name":"b c"}\n' >table.json
submitted "JSON lines" --each-json table.json echo {name} {n}
equal "members by name" "$(logs "$out")" $'a [1,2]\nb c null'
seq 200000 | sed 's/$/ some text that makes the line longer/' >lines
exits "200,000 lines" 0 jobsubmit --json --each-line lines --type noop
matches "make as many tasks" "$out" '"tasks":200000,'
big=$(sed 's/.*job_id":\([0-9]*\).*/\1/' <<<"$out")
exits "which run" 0 jobctl wait "$big" --timeout 120
equal "with their own entries" "$(ask "SELECT entry FROM v_tasks WHERE job_id=$big AND task_index=199999")" "199999 some text that makes the line longer"

# --- environment, folder, files
submitted "an environment of one's own" -e A='x y' -e HOME -- sh -c 'echo "$A $HOME"'
equal "and HOME by name" "$(logs "$out")" "x y $HOME"
LEAK=1 submitted "nothing else comes along" -- sh -c 'echo "${LEAK-none}"'
equal "unless asked for" "$(logs "$out")" none
LEAK=1 submitted "--env-all" --env-all -- sh -c 'echo "${LEAK-none}"'
equal "takes all" "$(logs "$out")" 1
mkdir work && echo data >work/in.txt
submitted "--cwd" --cwd work -- cat in.txt
equal "is where tasks run" "$(logs "$out")" data
head -c 3000000 /dev/urandom >blob
submitted "inputs and outputs" --in blob --in work/in.txt:renamed --out '*.out' -- sh -c 'sha256sum <blob; cp blob copy.out; cp renamed r.out'
files=$out
equal "the input arrives whole" "$(logs "$files")" "$(sha256sum <blob)"
exits "jobctl get" 0 jobctl get "$files" got
check "fetches the large file" cmp blob got/copy.out
check "and the small one" cmp work/in.txt got/r.out
matches "in JSON: what v_data says, and where it is" "$(jobctl get "$files" again --json | tr -d '\n')" '^\{"schema":"jobctl.get/1","rows":\[\{"job_id":'"$files"',"task_index":1,"attempt":1,"name":"copy.out","bytes":3000000,"sha256":"[0-9a-f]{64}","path":"again/copy.out"\},'
exits "never over a file that exists" 65 jobctl get "$files" got
exits "unless told so" 0 jobctl get --force "$files" got

submitted "standard input that is a pipe" --stdin <(echo piped) cat
equal "is read" "$(logs "$out")" piped
submitted "or nothing" --stdin /dev/null -- sh -c 'wc -c'
equal "is empty" "$(logs "$out")" 0
exits "stdin cannot be read twice" 64 jobsubmit --each-line - --stdin - cat </dev/null
matches "which is said" "$err" '--each-line - and --stdin - both read stdin'
exits "two inputs of one name" 64 jobsubmit --in blob --in work/in.txt:blob true
matches "are named once" "$err" "^jobsubmit: --in: two files are named 'blob'"

# --- order
run jobsubmit --hold -n held echo later
held=$out
run jobsubmit --after ok:last -n dependent echo after
after=$out
run jobctl why "$after"
matches "a dependent waits, and why says for what" "$out" "$held"
equal "hold keeps it back" "$(ask "SELECT status FROM v_jobs WHERE job_id=$held")" held
exits "release" 0 jobctl release "$held"
exits "then both run" 0 jobctl wait "$held" "$after" --timeout 60

# --- following
run jobsubmit --watch -- sh -c 'echo out; echo err >&2'
equal "--watch prints output as it comes" "$out" out
matches "stderr goes to stderr, the id too" "$err" $'^[0-9]+\n(.*\n)?err'
equal "a reader that has enough ends it quietly" \
        "$( (jobsubmit -n enough --watch -- sh -c 'seq 100000; sleep 0.1' 2>/dev/null; echo $? >piped) | head -n 1):$(cat piped)" "1:141"
exits "and the job goes on" 0 jobctl wait @enough --timeout 60
exits "--exit-code" 9 jobsubmit --wait --exit-code -- sh -c 'exit 9'
matches "says where to look" "$err" 'not every task of job [0-9]+ succeeded; jobctl tasks [0-9]+ says why'
exits "--ok-codes makes it a success" 0 jobsubmit --wait --exit-code --ok-codes 9 -- sh -c 'exit 9'
exits "the largest of an array" 3 jobsubmit --wait --exit-code -a 1-3 -- sh -c 'exit $JOB_INDEX'
exits "--timeout" 75 jobsubmit --wait --timeout 0.3s sleep 30
slow=$out
await "the job goes on" 10 eval '[ "$(job_status "$slow")" = running ]'
exits "until it is cancelled" 0 jobctl cancel "$slow"
jobsubmit --wait sleep 30 >id 2>err &
client=$!
await "a job that is waited for" 10 test -s id
kill -INT $client
wait $client
equal "Ctrl-C ends the wait with 130" "$?" 130
matches "and says how to cancel" "$(cat err)" "jobctl cancel $(cat id)"
exits "which works" 0 jobctl cancel "$(cat id)"
run jobsubmit --wait --progress -a 1-5 --type noop
matches "--progress ends with the counts" "$err" '5 of 5 done'

# --- where nobody hears the answer
exits "a full stdout is not a success" 70 sh -c 'exec jobsubmit --type noop >/dev/full'
matches "but stderr says which job it is" "$err" 'job [0-9]+ was submitted'
local_ stop mariadb 2>/dev/null
jobsubmit echo unsure >id 2>err &
client=$!
sleep 1
kill -INT $client
wait $client
equal "Ctrl-C before the answer: 130" "$?" 130
matches "and the key with which to try again" "$(cat err)" '--key [0-9a-f]{32}$'
key=$(sed -n 's/.*--key //p' err)
local_ start mariadb 2>/dev/null
exits "with it" 0 jobsubmit --connect-timeout 30 --key "$key" echo unsure
again=$out
equal "as often as one likes" "$(jobsubmit --key "$key" echo unsure)" "$again"
equal "there is one job" "$(ask 'SELECT COUNT(*) FROM v_jobs WHERE name="echo" AND job_id>='"$again")" 1

# --- nothing is sent
count=$(ask 'SELECT COUNT(*) FROM v_jobs')
run jobsubmit --dry-run -n dry -a 1-10:3 -- sh -c 'echo {}'
matches "--dry-run shows commands" "$out" "10  sh -c 'echo 10'"
run jobsubmit --dry-run --json echo {1} ::: a b
matches "--dry-run --json too" "$out" '"commands":\[\["echo","a"\],\["echo","b"\]\]'
equal "and submits nothing" "$(ask 'SELECT COUNT(*) FROM v_jobs')" "$count"
exits "a label that is no text" 64 jobsubmit --require $'k=\xff' true
matches "is refused here" "$err" '--require: .*is no label, nor label=value; example: --require disk=ssd'
for unknown in --no-such --no-such=1 -Z --tim=1 ---; do
        exits "$unknown is refused" 64 jobsubmit "$unknown" echo hello
done

# --- no worker
local_ scale 0 2>/dev/null
await "the worker has left" 20 eval '[ -z "$(pid_of worker)" ]'
run jobsubmit echo queued
matches "without a worker: queued" "$out" '^[0-9]+$'
matches "and stderr says so" "$err" 'no connected worker can run job'
run jobsubmit -q echo queued
equal "not with -q" "$err" ""

# --- refused with "try again": known not to be submitted
kill "$(pid_of coordinator)"
await "the coordinator has ended" 20 eval '[ -z "$(pid_of coordinator)" ]'
{
        cat "$DIR/coordinator.conf"
        echo 'unfinished-jobs = 1'
} >"$T/few.conf"
jobcoordinator --config "$T/few.conf" >few.out 2>few.log &
few=$!
await "a coordinator that takes one unfinished job" 30 grep -q ready few.out
exits "one more: later" 75 jobsubmit echo one more
equal "and nothing is unknown about it" "$err" "jobsubmit: too many unfinished jobs"
kill "$few"
wait "$few"
finish
