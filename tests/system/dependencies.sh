#!/usr/bin/env bash
# Dependencies in both spellings: of whole jobs, of elements on elements with a kill -9 in the middle, Slurm's list,
# singleton, --on-dep-fail.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 4
cd -- "$T" || exit 1

# An array with one element that fails, an array that follows it element by element, and a coordinator that is killed.
first=$(jobsubmit -q --array 1-20 -- sh -c '[ "$JOB_INDEX" = 7 ] && exit 3; [ "$JOB_INDEX" -lt 9 ] || while [ ! -e '"$T"'/go ]; do sleep 0.05; done')
second=$(jobsubmit -q --array 3-24 --after "each:$first" -- sh -c 'echo $JOB_INDEX')
third=$(jobsubmit -q --array 1-20 --dependency "aftercorr:$first" --on-dep-fail run -- true)
begun() { [ "$(ask "SELECT a.failed = 1 AND a.succeeded = 7 AND b.aborted = 1 FROM v_jobs a, v_jobs b WHERE a.job_id = $first AND b.job_id = $second")" = 1 ]; }
await "the first elements are through" 60 begun
equal "the others wait" "$(ask "SELECT waiting FROM v_jobs WHERE job_id = $second")" 12
matches "why names the element" "$(jobctl why "$second.15")" "task $first\\.15 has not ended \\(8 of 20 tasks of that job have\\)"
matches "and counts those that wait" "$(jobctl why "$second")" "12 tasks wait for their own of job $first \\(8 of 20 tasks of that job have\\)"
kill9 coordinator
touch go
local_ start coordinator 2>/dev/null
exits "the first ends" 1 jobctl wait "$first" --timeout 90
exits "the second ends" 1 jobctl wait "$second" --timeout 60
exits "the third too, nothing of it aborted" 0 jobctl wait "$third" --timeout 60
equal "one element fails" "$(ask "SELECT GROUP_CONCAT(task_index) FROM v_tasks WHERE job_id = $first AND status <> 'succeeded'")" 7
equal "that one alone is aborted" "$(ask "SELECT GROUP_CONCAT(CONCAT(task_index, ' ', status, ' ', reason)) FROM v_tasks WHERE job_id = $second AND status <> 'succeeded'")" "7 aborted dependency"
equal "those of indexes that the first does not have ran" "$(ask "SELECT succeeded FROM v_jobs WHERE job_id = $second")" 21
equal "none started before its own had ended" "$(ask "SELECT COUNT(*) FROM v_tasks c JOIN v_tasks p ON p.job_id = $first AND p.task_index = c.task_index WHERE c.job_id IN ($second, $third) AND c.status = 'succeeded' AND c.started_at < p.ended_at")" 0
fourth=$(jobsubmit -q --array 6-8 --after "each:$first" -- true)
exits "one that comes after the end of the other" 1 jobctl wait "$fourth" --timeout 60
equal "has the same answer" "$(ask "SELECT GROUP_CONCAT(status ORDER BY task_index) FROM v_tasks WHERE job_id = $fourth")" '"succeeded,aborted,succeeded"'

# The failed element is retried while elements of both jobs still wait: its own of the other job comes back, and theirs.
rm -f ok
a=$(jobsubmit -q --array 1-3 -- sh -c "case \$JOB_INDEX in 1) [ -e '$T/ok' ] ;; 2) while [ ! -e '$T/last' ]; do sleep 0.05; done ;; esac")
b=$(jobsubmit -q --array 1-3 --after "each:$a" -- true)
c=$(jobsubmit -q --array 1-4 --after "each:$b" --retries 1 -- true)
counts() { ask "SELECT CONCAT(succeeded, ' ', waiting, ' ', aborted) FROM v_jobs WHERE job_id = $1"; }
is_counts() { [ "$(counts "$1" | tr -d '"')" = "$2" ]; }
await "what follows the failed element is aborted, to the end of the chain" 60 is_counts "$c" "2 1 1"
touch ok
exits "the element is retried while its job goes on" 0 jobctl retry "$a" --failed --yes
await "and what followed it has run" 60 is_counts "$c" "3 1 0"
touch last
exits "all of them end well" 0 jobctl wait "$a" "$b" "$c" --timeout 60
equal "the aborted ones kept their past" "$(ask "SELECT COUNT(*) FROM v_events WHERE job_id IN ($b, $c) AND kind = 'retry'")" 2

# Arrays of other steps, an array that waits for a single task, and a single task that waits for an array.
even=$(jobsubmit -q --array 2-20:2 -- sh -c '[ "$JOB_INDEX" != 10 ]')
some=$(jobsubmit -q --array 1-24:3,26,32-40:4 --after "each:$even" -- true)
exits "one of a step fails" 1 jobctl wait "$even" --timeout 60
exits "so does the array that follows in steps of its own" 1 jobctl wait "$some" --timeout 60
equal "by the one of that index" "$(ask "SELECT GROUP_CONCAT(task_index), (SELECT succeeded FROM v_jobs WHERE job_id = $some) FROM v_tasks WHERE job_id = $some AND status = 'aborted'")" "10,11"
exits "an array after a single task" 0 jobsubmit -q --array 0-3 --after "each:$(jobsubmit -q -- true)" --wait --timeout 60 -- true
exits "a single task after an array" 1 jobsubmit -q --after "each:$(jobsubmit -q --array 1-2 -- sh -c '[ "$JOB_INDEX" != 1 ]')" --wait --timeout 60 -- true
exits "and after lines" 0 jobsubmit -q --array 1-2 --after "each:$(printf 'x\ny\nz\n' | jobsubmit -q --each-line - -- test {} != z)" --wait --timeout 60 -- true

# Jobs that are not there, or not yet.
exits "an unknown job" 66 jobsubmit --after each:4000000 -- true
newest=$(jobsubmit -q -- true)
exits "a job cannot wait for its own elements" 66 jobsubmit --after "each:$((newest + 1))" --array 1-3 -- true
printf '{"tasks":[{"name":"a","command":["true"]},{"name":"b","command":["true"],"after":"a"}]}' >graph.json
run jobsubmit -f graph.json --after "each:$even"
matches "tasks that depend on each other cannot wait so, too" "$status $err" 'each is not for tasks that have edges'
equal "and nothing was submitted" "$(ask "SELECT COUNT(*) FROM v_jobs WHERE job_id > $newest")" 0

# Whole jobs, in Slurm's list.
gate() { jobsubmit -q -- sh -c "while [ ! -e '$T/$1' ]; do sleep 0.05; done; exit $2"; }
a=$(gate a 0) b=$(gate b 0) c=$(gate c 1) d=$(gate d 1)
list=$(jobsubmit -q --dependency "afterok:$a:$b,afterany:$c,afternotok:$d" -- true)
both=$(jobsubmit -q --after "ok:$a,$b,any:$c,notok:$d" -- true) # the same in our own words
is() { [ "$(job_status "$1")" = "$2" ]; }
for part in a b c; do
        touch "$part"
        exits "$part ends" "$([ $part = c ] && echo 1 || echo 0)" jobctl wait "${!part}" --timeout 60
        equal "all of the list must be met: $part alone does not do" "$(job_status "$list")" waiting
done
touch d
exits "all of them are" 0 jobctl wait "$list" "$both" --timeout 60
equal "what waited started last" "$(ask "SELECT COUNT(*) FROM v_jobs x JOIN v_jobs y WHERE x.job_id IN ($a, $b, $c, $d) AND y.job_id IN ($list, $both) AND y.started_at < x.ended_at")" 0
exits "afternotok of one that succeeded" 1 jobsubmit -q --dependency "afternotok:$a" --wait --timeout 60 -- true
exits "afterok of one that failed" 1 jobsubmit -q --dependency "afterok:$a:$c" --wait --timeout 60 -- true
exits "which runs all the same if one wishes" 0 jobsubmit -q --dependency "afterok:$a:$c" --on-dep-fail run --wait --timeout 60 -- true
exits "a wrong word" 64 jobsubmit --dependency "aftersome:$a" -- true
matches "is named with an example" "$err" 'example: --dependency afterok:36:37'
exits "Slurm's after" 64 jobsubmit --dependency "after:$a" -- true
matches "is told what to say instead" "$err" 'example: --dependency afterany:36'
exits "one of several, of which one succeeded" 0 jobsubmit -q --dependency "afterok:$c?afterok:$a" --wait --timeout 60 -- true
exits "none of several" 1 jobsubmit -q --dependency "afterok:$c?afternotok:$a" --wait --timeout 60 -- true
equal "is aborted for the dependency" "$(ask "SELECT reason FROM v_tasks WHERE job_id = $out")" dependency
e=$(gate e 1) f=$(gate f 0) h=$(gate h 0)
one=$(jobsubmit -q --dependency "afterok:$e?afterok:$f:$h" -- true)
touch e
exits "one fails" 1 jobctl wait "$e" --timeout 60
equal "the others may still do" "$(job_status "$one")" waiting
matches "as why says" "$(jobctl why "$one")" "ok of job $f .*; one of 3 is enough"
kill9 coordinator
local_ start coordinator 2>/dev/null
equal "also after a restart" "$(job_status "$one")" waiting
touch f
exits "one of them does" 0 jobctl wait "$one" --timeout 60
equal "whatever becomes of the last" "$(job_status "$h")" running
touch h
for wrong in "afterok:$a?singleton" "afterok:$a?afterok:$b,afterok:$c" "aftercorr:$a?afterok:$b"; do
        exits "not with ?: $wrong" 64 jobsubmit --dependency "$wrong" -- true
        matches "is said" "$err" "example: --dependency afterok:36\\?afterany:37"
done
exits "and no --after beside it" 64 jobsubmit --dependency "afterok:$a?afterok:$b" --after "$c" -- true
exits "a job that is not there" 66 jobsubmit --dependency "afterok:$a,aftercorr:4000000" -- true
exits "a task of a job" 64 jobsubmit --dependency "afterok:${a}_1" -- true
matches "is no whole job" "$err" 'a dependency is on a whole job'

# What waits although it can never be met, with --on-dep-fail run: a whole job, and one whose parent is cancelled.
gone=$(jobsubmit -q --hold -- true)
run1=$(jobsubmit -q --after "ok:$gone" --on-dep-fail run -- true)
run2=$(jobsubmit -q --array 1-3 --after "ok:$gone" -- true)
equal "both wait" "$(job_status "$run1") $(job_status "$run2")" "waiting waiting"
jobctl cancel "$gone" --yes >/dev/null
exits "one runs all the same" 0 jobctl wait "$run1" --timeout 60
exits "the other is aborted" 1 jobctl wait "$run2" --timeout 60
equal "all of it, for the dependency" "$(ask "SELECT DISTINCT CONCAT(status, ' ', reason) FROM v_tasks WHERE job_id = $run2" | tr -d '"')" "aborted dependency"
exits "a wrong policy" 64 jobsubmit --on-dep-fail go -- true

# Singleton in the list is --singleton.
old=$(jobsubmit -q -n only -- sh -c "while [ ! -e '$T/only' ]; do sleep 0.05; done")
new=$(jobsubmit -q -n only --dependency "afterok:$a,singleton" -- true)
same=$(jobsubmit -q -n only --singleton -- true)
await "the older one runs" 60 is "$old" running
equal "the list waits for it" "$(job_status "$new")" waiting
equal "and the option too" "$(job_status "$same")" waiting
matches "why says so" "$(jobctl why "$new")" "job $old of the same name"
touch only
exits "then the next of the name" 0 jobctl wait "$new" --timeout 60
exits "and the last" 0 jobctl wait "$same" --timeout 60
finish
