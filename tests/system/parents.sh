#!/usr/bin/env bash
# time-out: 600
# What parents left is at hand in the child: their results, their output as standard input. Through graphs and
# dependencies, retries, a kill -9, another person's job; and output larger than any program's memory.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 4
cd -- "$T" || exit 1
done_() { jobctl wait "$1" --timeout 120 >/dev/null 2>&1; }
said() { done_ "$1" && jobctl logs "$1"; } # a task's stdout, once its job is over

# --- results
a=$(jobsubmit sh -c 'echo "{\"x\": 1}" >$JOB_RESULT; printf "a\0b\n"; echo no >&2')
equal "of one parent: its JSON itself" "$(said "$(jobsubmit --after "$a" -- sh -c 'cat $JOB_PARENT_RESULT')")" '{"x": 1}'
equal "of one task that left none: unset" "$(said "$(jobsubmit --after "$(jobsubmit true)" -- sh -c 'echo ${JOB_PARENT_RESULT-unset}')")" unset
equal "without parents: unset" "$(said "$(jobsubmit sh -c 'echo ${JOB_PARENT_RESULT-unset}')")" unset
array=$(jobsubmit -a 1-4 -- sh -c 'echo out$JOB_INDEX; [ $JOB_INDEX = 3 ] || echo $JOB_INDEX >$JOB_RESULT')
equal "of an array: by task id" "$(said "$(jobsubmit --after "any:$array" -- sh -c 'cat $JOB_PARENT_RESULT')")" "{\"$array.1\":1,\"$array.2\":2,\"$array.4\":4}"
equal "of several jobs" "$(said "$(jobsubmit --dependency "afterok:$a,afterany:$array" -- sh -c 'cat $JOB_PARENT_RESULT')")" "{\"$a.1\":{\"x\": 1},\"$array.1\":1,\"$array.2\":2,\"$array.4\":4}"
each=$(jobsubmit -a 1-3 --after "$a" -- sh -c 'cat $JOB_PARENT_RESULT; ls -A')
done_ "$each"
equal "the folder of a task is empty all the same" "$(jobctl logs "$each.[1-3]")" $'{"x": 1}{"x": 1}{"x": 1}'
each=$(jobsubmit -a 2-5 --after "each:$array" --on-dep-fail run -- sh -c 'cat ${JOB_PARENT_RESULT-/dev/null}')
done_ "$each"
equal "element by element: of the same index alone" "$(jobctl logs "$each.2")/$(jobctl logs "$each.3")/$(jobctl logs "$each.4")/$(jobctl logs "$each.5")" 2//4/
big=$(jobsubmit -a 1-3 -- sh -c 'printf "\"%0400000d\"" 1 >$JOB_RESULT')
large=$(jobsubmit --after "$big" -- sh -c 'echo $JOB_PARENT_RESULT_ERROR; cat "$JOB_PARENT_RESULT"')
done_ "$large"
equal "more than a MiB is said" "$(jobctl logs "$large")" too-large
matches "and cannot be taken for something else" "$(jobctl logs --stderr "$large")" "parents-too-large: No such file"

# --- output
printf 'a\0b\n' >want
jobctl logs "$(jobsubmit --wait --stdin-from "$a" -- cat)" >got
check "a job's output as stdin, the exact bytes of stdout alone" cmp want got
equal "of an array: in the order of its tasks" "$(said "$(jobsubmit --stdin-from "$array" -- cat)")" $'out1\nout2\nout3\nout4'
equal "of one task" "$(said "$(jobsubmit --stdin-from "$array.3" -- cat)")" out3
tasks=$(jobsubmit -a 2-4 --stdin-from "each:$array" -- sed 's/^/>/')
done_ "$tasks"
equal "of the task with the same index" "$(jobctl logs "$tasks.2" && jobctl logs "$tasks.4")" $'>out2\n>out4'
equal "which waits for that alone" "$(jobsubmit --dry-run -a 2-4 --stdin-from "each:$array" cat | sed -n 's/^after *//p')" "[{\"when\":\"each\",\"job\":$array}]"
words=$(jobsubmit --stdin-from "$array" grep {} ::: out2 out4)
done_ "$words"
equal "beside values" "$(jobctl logs "$words.2")" out4
printf '#!/bin/sh\n#JOB --stdin-from %s.2\nexec cat\n' "$array" >script.sh
equal "from a script's line" "$(said "$(jobsubmit ./script.sh)")" out2
equal "from a line of JSON" "$(said "$(echo "{\"command\":[\"cat\"],\"stdin_from\":\"$array.1\"}" | jobsubmit --from -)")" out1
equal "it is a dependency" "$(jobsubmit --dry-run --stdin-from "$array" cat | sed -n 's/^after *//p')" "[{\"when\":\"ok\",\"job\":$array}]"
cut=$(jobsubmit --stdin-from "$(jobsubmit --out-max 100 -- seq 1000)" -- sh -c 'wc -c; echo $JOB_STDIN_CUT')
equal "what was not kept of it" "$(said "$cut" | tr '\n' ' ')" "100 1 "
matches "is said" "$(jobctl logs --stderr "$cut")" "stdin lacks what was not kept of the output of 1 task"

# --- wrong words
exits "beside --stdin" 64 jobsubmit --stdin-from "$a" --stdin /etc/hosts cat
matches "says so" "$err" "--stdin-from $a: --stdin says something else"
exits "of some tasks" 64 jobsubmit --stdin-from "$array.[1-2]" cat
matches "shows how" "$err" "example: --stdin-from 36, or 36.4"
exits "of no job" 66 jobsubmit --stdin-from 9999 cat
new_user ann submitter
exits "of somebody else's" 66 as ann jobsubmit --stdin-from "$a" cat
must jobctl role add peek >/dev/null
must jobctl role grant peek job.read any >/dev/null
must jobctl user set ann --role +peek >/dev/null
theirs=$(as ann jobsubmit --after "$a" -- sh -c 'echo ${JOB_PARENT_RESULT-unset}')
done_ "$theirs"
equal "who may wait for it but not read it finds nothing" "$(as ann jobctl logs "$theirs")" unset
exits "and may not have its output" 66 as ann jobsubmit --stdin-from "$a" cat

# --- graphs
cat >graph.json <<'E1'
{"tasks": [
  {"name": "one", "command": ["sh", "-c", "echo 1 >$JOB_RESULT; seq 3"]},
  {"name": "t \"wo\"", "command": ["sh", "-c", "echo [2] >$JOB_RESULT"]},
  {"name": "sum", "stdin_from": "one", "command": ["sh", "-c", "cat $JOB_PARENT_RESULT; paste -sd+; test -e good"], "cwd": "@"},
  {"name": "all", "after": ["t \"wo\"", "any:one"], "command": ["sh", "-c", "cat $JOB_PARENT_RESULT"]},
  {"name": "last", "after": ["any:sum"], "command": ["sh", "-c", "echo ${JOB_PARENT_RESULT-unset}"]}]}
E1
sed -i "s|\"@\"|\"$T\"|" graph.json
graph=$(jobsubmit -f graph.json)
done_ "$graph"
equal "a parent's output in a graph" "$(jobctl logs "$graph.3" | tr '\n' ' ')" "11+2+3 "
equal "parents by their names" "$(jobctl logs "$graph.4")" '{"one":1,"t \"wo\"":[2]}'
equal "of a parent that left nothing" "$(jobctl logs "$graph.5")" unset
touch good
exits "a retry" 0 jobctl retry --failed "$graph"
exits "has it again" 0 jobctl wait "$graph" --timeout 60
equal "the same" "$(jobctl logs "$graph.3" | tr '\n' ' ')" "11+2+3 "
echo '{"tasks":[{"name":"a","command":["true"]},{"name":"b","stdin_from":"q","command":["cat"]}]}' >bad.json
exits "of a task that is not there" 65 jobsubmit -f bad.json
matches "names it" "$err" 'tasks\[1\] \(b\): stdin_from: there is no task "q"'
echo '{"tasks":[{"name":"a","stdin_from":"b","command":["true"]},{"name":"b","stdin_from":"a","command":["cat"]}]}' >bad.json
exits "a circle of outputs" 65 jobsubmit -f bad.json
matches "is a circle" "$err" "circle"

# --- a retry of the parent, a coordinator that dies in between
flaky=$(jobsubmit -- sh -c "echo try \$JOB_ATTEMPT; echo \$JOB_ATTEMPT >\$JOB_RESULT; test -e '$T/fine'")
child=$(jobsubmit --stdin-from "$flaky" -- sh -c 'cat; cat $JOB_PARENT_RESULT')
done_ "$child"
equal "the child of what failed" "$(job_status "$child")" aborted
touch fine
exits "a retry of the parent" 0 jobctl retry --failed "$flaky"
exits "brings the child" 0 jobctl wait "$child" --timeout 60
equal "with what the newest attempt left" "$(jobctl logs "$child")" $'try 2\n2'
slow=$(jobsubmit -- sh -c 'echo 7 >$JOB_RESULT; echo before; sleep 2')
child=$(jobsubmit --stdin-from "$slow" -- sh -c 'cat; cat $JOB_PARENT_RESULT')
kill9 coordinator
local_ start coordinator 2>/dev/null
equal "over a kill -9" "$(said "$child")" $'before\n7'

# --- more than memory holds
size=$((256 << 20))
huge=$(jobsubmit --out-max 1G -- sh -c "head -c $size /dev/zero | tr '\\0' x")
sum=$(jobsubmit --stdin-from "$huge" -- md5sum)
equal "a large output arrives whole" "$(said "$sum")" "$(head -c $size /dev/zero | tr '\0' x | md5sum)"
equal "nothing is left in the scratch folder" "$(find "$DIR/scratch" -name '*parents*' -o -name 'p[0-9]*' | wc -l)" 0
finish
