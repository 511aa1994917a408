#!/usr/bin/env bash
# time-out: 300
# Where tasks come from, to INTERFACE's letter: indexes, lists, products, pairs, entries and rows of a query; and how large
# they may be. The optimised programs: memory is looked at.
. "${BASH_SOURCE%/*}/lib.sh"

export JOBMILL_BIN PATH
JOBMILL_BIN=$(plain_bin jobcoordinator)
PATH=$JOBMILL_BIN:$PATH
cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1
commands() { jobsubmit --dry-run "$@" | sed -n '/^\(first \)\?commands:/,$p' | tail -n +2 | sed 's/^ *//'; }
spec_of() { jobsubmit --dry-run --json "$@"; }
peak_kb() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status"; }

equal "a range with a step" "$(commands -a 1-9:4 echo {})" $'1  echo 1\n5  echo 5\n9  echo 9'
equal "a list, in order of the indexes" "$(commands -a 7,0,3-4 echo {})" $'0  echo 0\n3  echo 3\n4  echo 4\n7  echo 7'
matches "% is at most so many at once" "$(spec_of -a 1-100:2%10 true)" '"tasks":50,.*"max_running":10'
matches "--max-running beats it" "$(spec_of -a 1-100%10 --max-running 3 true)" '"max_running":3[,}]'
matches "the largest index" "$(spec_of -a 2147483647 true)" '"lo":2147483647'
exits "beyond it" 65 jobsubmit -a 2147483648 true
exits "more than ten million" 65 jobsubmit -a 0-10000000 true
for wrong in 5-1 1-5:0 1,,2 1-5%0 a 1-5:2%x 1,1; do
        exits "array '$wrong'" 65 jobsubmit -a "$wrong" true
        matches "names option and an example" "$err" '--array.*example'
done
equal "in a plain array only {} is replaced" "$(commands -a 3 echo {} {1} {#} {x} {})" '3  echo 3 '"'{1}' '{#}' '{x}'"' 3'
equal "a product: values joined, numbers, the index" "$(commands echo {} {2}{1} {#} {3} {x} ::: a b ::: 1 2)" \
        $'1  echo \'a 1\' 1a 1 \'{3}\' \'{x}\'\n2  echo \'a 2\' 2a 2 \'{3}\' \'{x}\'\n3  echo \'b 1\' 1b 3 \'{3}\' \'{x}\'\n4  echo \'b 2\' 2b 4 \'{3}\' \'{x}\''
equal "pairs" "$(commands echo {1}{2} ::: a b :::+ 1 2)" $'1  echo a1\n2  echo b2'
equal "a pair within a product" "$(commands echo {1}{2}{3} ::: a b :::+ 1 2 ::: x y)" $'1  echo a1x\n2  echo a1y\n3  echo b2x\n4  echo b2y'
exits "pairs of different length" 65 jobsubmit echo ::: a b :::+ 1
exits ":::+ first" 64 jobsubmit echo :::+ a
equal "--no-replace" "$(commands --no-replace echo {} ::: a)" "1  echo '{}' ::: a"
equal "behind -- too" "$(commands -- echo {} ::: a)" "1  echo a"
equal "no replacement without entries" "$(commands echo {} {1} {#})" "1  echo '{}' '{1}' '{#}'"
printf 'a,b\n1,"x, ""y"""\n' >t.csv
equal "a column that exists, and one that does not" "$(commands --each-csv t.csv echo {a} {b} {c})" "1  echo 1 'x, \"y\"' '{c}'"
printf '{"k":"v","n":1.50}\n{"n":null,"k":"w"}\n' >t.json
equal "members of JSON lines" "$(commands --each-json t.json echo {k} {n})" $'1  echo v 1.50\n2  echo w null'
printf '[\n  {"k": "a, ]\\"", "n": [1,\n 2]},\n  {"n": 3, "k": "b"}\n]\n' >t.json
equal "elements of one array" "$(commands --each-json t.json echo {k} {#})" $'1  echo \'a, ]"\' 1\n2  echo b 2'
equal "objects in one line" "$(commands --each-json <(echo '[{"k":1},{"k":2}]') echo {k})" $'1  echo 1\n2  echo 2'
equal "lines that are arrays are lines" "$(commands --each-json <(printf '[1,"x"]\n[2,"y"]\n') echo {1} {2})" $'1  echo 1 x\n2  echo 2 y'
exits "an array that does not end" 65 jobsubmit --each-json <(printf '[\n1,\n2') echo {}
matches "says where" "$err" 'element 2: the array ends too early'
exits "two sources" 64 jobsubmit -a 1-3 --each-line t.csv true

# --- rows of a query
first=$(jobsubmit --wait --timeout 60 -a 1-4 -- sh -c 'echo "{\"n\": $((JOB_INDEX * 10))}" >"$JOB_RESULT"')
query="SELECT task_index, JSON_VALUE(result, '\$.n') AS n, NULL AS nothing, 'a<b>&\"c' AS odd FROM v_results WHERE job_id=$first AND task_index > 2 ORDER BY task_index"
exits "yesterday's results are today's array" 0 jobsubmit --wait --timeout 60 --each-sql "$query" -- echo '{task_index} {n} <{nothing}> {odd} {2} {#}'
equal "columns by name and number, NULL empty" "$(jobctl logs "$out")" $'3 30 <> a<b>&"c 30 1\n4 40 <> a<b>&"c 40 2'
matches "the origin is kept with the job" "$(jobctl show "$out" --json)" "\"origin\":\"SELECT task_index, JSON_VALUE.*WHERE job_id=$first "
new_user bob submitter
exits "asked as oneself" 65 as bob jobsubmit --each-sql "$query" -- echo {n}
matches "another person's rows are not there" "$err" 'no rows'
exits "a wrong query" 65 jobsubmit --each-sql 'SELECT nonsense FROM v_jobs' echo
matches "gives MariaDB's own words" "$err" "--each-sql: SQL: ERROR 1054"
exits "one that writes" 77 jobsubmit --each-sql 'DELETE FROM v_jobs' echo

# --- large
rss() { resident_kb "$(pid_of coordinator)"; }
before=$(rss)
exits "ten million tasks in one array" 0 jobsubmit --json --hold -a 1-10000000 --type noop
matches "are acknowledged" "$out" '"tasks":10000000,'
after=$(rss)
check "the coordinator does not grow with them: $before kB, $after kB" test $((after - before)) -lt 8192
must jobctl cancel last --yes >/dev/null
seq 1000000 | sed 's/$/ and some words/' >lines
peak=$(/usr/bin/python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' jobsubmit --hold --each-line lines --type noop 2>&1)
big=$(head -n 1 <<<"$peak")
check "a million lines in little memory: $(tail -n 1 <<<"$peak") kB" test "$(tail -n 1 <<<"$peak")" -lt 32768
check "the coordinator too: $(peak_kb "$(pid_of coordinator)") kB" test "$(peak_kb "$(pid_of coordinator)")" -lt 98304
equal "every line has its task" "$(ask "SELECT tasks FROM v_jobs WHERE job_id=$big")" 1000000
finish
