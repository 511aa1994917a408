#!/usr/bin/env bash
# A graph file is one job whose tasks wait for each other: order, failures, retries, a kill -9 in the middle, bad files,
# and a workflow in WfFormat.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 4
cd -- "$T" || exit 1

cat >diamond.json <<E1
{"name": "diamond", "defaults": {"time": "1m", "env": {"A": "all"}}, "tasks": [
  {"name": "a", "command": ["sh", "-c", "echo \$JOB_ENTRY \$A {}"]},
  {"name": "b", "after": "a", "command": ["sh", "-c", "[ -e '$T/good' ]"], "env": {"A": "mine"}},
  {"name": "c", "after": ["ok:a"], "command": ["sh", "-c", "echo \$A; pwd"], "env": "A=mine", "cwd": "/"},
  {"name": "d", "after": ["b", "c"], "command": ["echo", "d"]},
  {"name": "e", "after": ["any:d", "notok:b"], "command": ["echo", "e"]}]}
E1
exits "a dry run" 0 jobsubmit -f diamond.json --dry-run
matches "says what runs" "$out" 'echo d'
exits "a graph" 1 jobsubmit -f diamond.json --wait --timeout 60
job=$(jobctl ls -n 1 --csv -o job_id | tail -1)
equal "what became of each" "$(ask "SELECT GROUP_CONCAT(CONCAT(entry, '=', status) ORDER BY task_index) FROM v_tasks WHERE job_id = $job")" '"a=succeeded,b=failed,c=succeeded,d=aborted,e=succeeded"'
equal "why the one did not run" "$(ask "SELECT reason FROM v_tasks WHERE job_id = $job AND entry = 'd'")" dependency
equal "a task has the defaults" "$(jobctl logs "$job.1")" "a all a"
equal "and what is its own" "$(jobctl logs "$job.3")" $'mine\n/'
touch good
exits "a retry" 0 jobctl retry --failed "$job"
exits "brings back what was aborted below" 0 jobctl wait "$job" --timeout 60
equal "nothing else ran again" "$(ask "SELECT GROUP_CONCAT(attempt ORDER BY task_index) FROM v_tasks WHERE job_id = $job")" '"1,2,1,1,1"'

bad() { # what, text that stderr matches, graph
        printf '%s' "$3" >bad.json
        exits "$1" 65 jobsubmit -f bad.json
        matches "$1: says so" "$err" "$2"
}
before=$(ask "SELECT COUNT(*) FROM v_jobs")
bad "a circle" 'circle: x after z after y after x|circle: y after x after z after y|circle: z after y after x after z' '{"tasks":[{"name":"x","after":"z","command":["true"]},{"name":"y","after":"x","command":["true"]},{"name":"z","after":"y","command":["true"]}]}'
bad "an unknown parent" 'tasks\[0\] \(x\): after: there is no task "q"' '{"tasks":[{"name":"x","after":"q","command":["true"]}]}'
bad "an unknown key" 'tasks\[0\] \(x\): unknown key "commnd"; did you mean' '{"tasks":[{"name":"x","commnd":["true"]}]}'
bad "a name twice" 'tasks\[0\] and tasks\[1\] have the same name "x"' '{"tasks":[{"name":"x","command":["true"]},{"name":"x","command":["true"]}]}'
bad "no command" 'tasks\[0\] \(x\): no command' '{"tasks":[{"name":"x"}]}'
bad "what only a job has" 'tasks\[0\] \(x\): queue is the same for all tasks' '{"tasks":[{"name":"x","command":["true"],"queue":"q"}]}'
bad "what only an array has" 'tasks\[0\] \(x\): array has no meaning here' '{"tasks":[{"name":"x","command":["true"],"array":"1-3"}]}'
bad "what only the command has" 'tasks\[0\] \(x\): "wait" is for the whole command' '{"tasks":[{"name":"x","command":["true"],"wait":true}]}'
bad "a wrong need" 'tasks\[0\] \(x\): cpus: .*example' '{"tasks":[{"name":"x","command":["true"],"cpus":"many"}]}'
bad "a wrong value" 'tasks\[0\] \(x\): time: .*example' '{"tasks":[{"name":"x","command":["true"],"time":"soon"}]}'
bad "no JSON" 'bad.json: ' '{"tasks":['
exits "no file" 66 jobsubmit -f nowhere.json
for source in '-a 1-3' '--each-line bad.json'; do
        # shellcheck disable=SC2086
        exits "a graph and $source" 64 jobsubmit -f diamond.json $source
        matches "exclude each other" "$err" 'and --file exclude each other'
done
exits "one of -f and --from" 64 jobsubmit -f diamond.json --from -
equal "nothing of that was submitted" "$(ask "SELECT COUNT(*) FROM v_jobs")" "$before"

# Tasks that ask for different things.
cat >shapes.json <<E4
{"name": "shapes", "defaults": {"mem": "64M", "retries": 1}, "tasks": [
  {"name": "plain", "command": ["sh", "-c", "echo \$JOB_CPUS \$JOB_MEM"]},
  {"name": "wide", "after": "plain", "cpus": 3, "mem": "128M", "command": ["sh", "-c", "echo \$JOB_CPUS \$JOB_MEM"]},
  {"name": "once", "after": "plain", "retries": 0, "command": ["sh", "-c", "exit 7"]},
  {"name": "thrice", "after": "plain", "retries": 2, "command": ["sh", "-c", "exit 7"]},
  {"name": "twice", "after": "plain", "command": ["sh", "-c", "exit 7"]},
  {"name": "fine", "after": "plain", "ok_codes": [7], "command": ["sh", "-c", "exit 7"]},
  {"name": "nowhere", "require": ["moon"], "command": ["true"]}]}
E4
job=$(jobsubmit -q -f shapes.json 2>warned)
rest_is_over() { [ "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id = $job AND task_index < 7 AND status IN ('succeeded', 'failed')")" = 6 ]; }
await "all but one have ended" 60 rest_is_over
equal "each by its own rules" "$(ask "SELECT GROUP_CONCAT(CONCAT(entry, '=', status, attempt) ORDER BY task_index) FROM v_tasks WHERE job_id = $job AND task_index < 7")" \
  '"plain=succeeded1,wide=succeeded1,once=failed1,thrice=failed3,twice=failed2,fine=succeeded1"'
equal "what the description says" "$(jobctl logs "$job.1")" "1 67108864"
equal "what a task says" "$(jobctl logs "$job.2")" "3 134217728"
matches "why the last one waits" "$(jobctl why "$job.7")" moon
kill9 coordinator
local_ start coordinator 2>/dev/null
says_moon() { jobctl why "$job.7" | grep moon >/dev/null; }
await "the same after a restart" 60 says_moon
equal "it has not run" "$(ask "SELECT status FROM v_tasks WHERE job_id = $job AND task_index = 7")" queued
exits "a retry of what failed" 0 jobctl retry --failed "$job"
again_is_over() { [ "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id = $job AND entry IN ('once', 'twice', 'thrice') AND status = 'failed'")" = 3 ]; }
await "it is over" 60 again_is_over
equal "goes by the same rules" "$(ask "SELECT GROUP_CONCAT(attempt ORDER BY task_index) FROM v_tasks WHERE job_id = $job AND status = 'failed'")" '"2,6,4"'
exits "an end to it" 0 jobctl cancel --yes "$job"
cat >line.json <<'E5'
{"defaults": {"cpus": 1}, "tasks": [{"name": "x", "command": ["sh", "-c", "test $JOB_CPUS = 2"]},
  {"name": "y", "cpus": 3, "command": ["sh", "-c", "test $JOB_CPUS = 3"]}]}
E5
exits "the command line counts more than the defaults" 0 jobsubmit -q --cpus 2 -f line.json --wait --timeout 60

cat >own.json <<'E6'
{"defaults": {"out": "*.all"}, "tasks": [
  {"name": "x", "out": ["*.mine"], "command": ["sh", "-c", "touch a.all b.mine c.other"]},
  {"name": "y", "out_max": 4, "command": ["sh", "-c", "touch a.all b.mine; echo 12345"]},
  {"name": "z", "time": 60, "warn": "USR1@59s", "command": ["sh", "-c", "trap 'echo warned; exit 0' USR1; sleep 60 & wait"]}]}
E6
exits "what each records, keeps and is warned by" 0 jobsubmit -q -f own.json --wait --timeout 60
equal "files of its own beside those of all" "$(jobctl get last --list --csv | cut -d, -f2,5 | tail -n +2 | tr '\n' ' ')" "1,a.all 1,b.mine 2,a.all "
equal "output of its own length, a signal of its own" "$(jobctl logs last)" 1234warned

# Layers of tasks, a coordinator that is killed in the middle, and the proof that nobody started early.
/usr/bin/python3 - >layers.json <<'E2'
import json
names = lambda l: ["t%d_%d" % (l, k) for k in range(40)]
tasks = [{"name": n, "command": ["sleep", "0.02"], "after": [names(l - 1)[k], names(l - 1)[(k * 7 + 3) % 40]] if l else []}
         for l in range(12) for k, n in enumerate(names(l))]
json.dump({"name": "layers", "defaults": {"on_dep_fail": "run"}, "tasks": tasks}, __import__("sys").stdout)
E2
job=$(jobsubmit -q -f layers.json)
ended() { [ "$(ask "SELECT succeeded >= $1 FROM v_jobs WHERE job_id = $job")" = 1 ]; }
await "a third has ended" 60 ended 160
matches "why names the parents" "$(jobctl why "$job.480")" "parents have not ended: $job\\."
kill9 coordinator
local_ start coordinator 2>/dev/null
exits "it goes on" 0 jobctl wait "$job" --timeout 120
equal "each ran once" "$(ask "SELECT MAX(attempt) FROM v_tasks WHERE job_id = $job")" 1
equal "no task started before its parents had ended" "$(ask "SELECT COUNT(*) FROM v_tasks c JOIN v_tasks p ON p.job_id = c.job_id
  AND p.task_index IN (((c.task_index - 1) DIV 40 - 1) * 40 + (c.task_index - 1) MOD 40 + 1,
    ((c.task_index - 1) DIV 40 - 1) * 40 + ((c.task_index - 1) MOD 40 * 7 + 3) MOD 40 + 1)
  WHERE c.job_id = $job AND c.task_index > 40 AND c.started_at < p.ended_at")" 0

jobsubmit -q -f - <<<'{"defaults": {"type": "noop"}, "tasks": [{"name": "one"}, {"name": "two", "after": "one"}]}' >id
exits "a graph of another type, from stdin" 0 jobctl wait "$(cat id)" --timeout 60
finish
