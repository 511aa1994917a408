#!/usr/bin/env bash
# time-out: 200
# Published workflows: instances in WfFormat, of each of its versions, are graphs; no task starts before its parents have ended.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1
tool() { /usr/bin/python3 "$ROOT/tests/tools/wfformat.py" "$@"; }
digest() { jobsubmit "$@" --dry-run | sed -n 's/^entries_sha256  *//p'; }
# FILE JOB: edges that hold in what was recorded, and those that do not
edges() {
        local rows
        rows=$(tool --edges "$1" | awk -F'\t' '{ printf "%sSELECT '\''%s'\'' child, '\''%s'\'' parent", (NR > 1 ? " UNION ALL " : ""), $1, $2 }')
        ask "SELECT CONCAT(SUM(c.started_at >= p.ended_at), ' ', SUM(c.started_at < p.ended_at)) FROM ($rows) e
  JOIN v_tasks c ON c.job_id = $2 AND c.entry = e.child JOIN v_tasks p ON p.job_id = $2 AND p.entry = e.parent
  WHERE c.status = 'succeeded' AND p.status = 'succeeded'"
}

cat >v15.json <<'END'
{"name": "sample", "description": "ours", "schemaVersion": "1.5", "createdAt": "2026-01-01T00:00:00Z", "workflow": {
 "specification": {"files": [{"id": "in", "sizeInBytes": 3}], "tasks": [
  {"name": "merge", "id": "merge_1", "parents": ["count_1", "count_2"], "children": []},
  {"name": "split", "id": "split_1", "parents": [], "children": ["count_1", "count_2"], "inputFiles": ["in"]},
  {"name": "count", "id": "count_1", "parents": ["split_1"], "children": ["merge_1"]},
  {"name": "count", "id": "count_2", "parents": ["split_1"], "children": ["merge_1"]}]},
 "execution": {"makespanInSeconds": 120.5, "executedAt": "2026-01-01T00:00:00Z", "tasks": [
  {"id": "split_1", "runtimeInSeconds": 125.5, "coreCount": 2, "command": {"program": "printf", "arguments": ["%s\n", "{} {1}"]}},
  {"id": "count_1", "runtimeInSeconds": 60, "avgCPU": 90.5, "command": {"program": "echo a b |\n wc -w", "arguments": []}},
  {"id": "count_2", "runtimeInSeconds": 61.25, "command": {"program": "true"}},
  {"id": "merge_1", "runtimeInSeconds": 3e1, "command": {"program": "echo", "arguments": ["merged"]}}],
  "machines": [{"nodeName": "n1"}]}}}
END
exits "an instance of 1.5, with scaled times" 0 jobsubmit -f v15.json --wf-scale 0.001 --wait --timeout 60
job=$out
equal "its name is the job's, its ids are the tasks'" "$(ask "SELECT GROUP_CONCAT(job_name, ' ', task_type, ' ', entry ORDER BY task_index SEPARATOR '; ') FROM v_tasks WHERE job_id = $job")" "sample sleep merge_1; sample sleep split_1; sample sleep count_1; sample sleep count_2"
equal "each slept a thousandth of its time" "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id = $job AND TIMESTAMPDIFF(MICROSECOND, started_at, ended_at) >=
  CASE entry WHEN 'split_1' THEN 125500 WHEN 'count_1' THEN 60000 WHEN 'count_2' THEN 61250 ELSE 30000 END")" 4
equal "no child started before its parents had ended" "$(edges v15.json "$job")" "4 0"

exits "without a scale: what was recorded runs" 0 jobsubmit -f v15.json --wait --timeout 60
job=$out
equal "program and arguments, braces as they are" "$(jobctl logs "$job.2")" "{} {1}"
equal "a program that is a script" "$(jobctl logs "$job.3" | tr -d ' ')" 2
equal "the last one" "$(jobctl logs "$job.1")" merged
matches "on as many cpus as it had" "$(jobctl show "$job" --json)" '"shapes":\[\{"tasks":\[\[2,2\]\],"cpus":2'

# --- older versions: the same graph in other places
cat >v14.json <<'END'
{"name": "sample", "schemaVersion": "1.4", "workflow": {"makespanInSeconds": 3, "tasks": [
  {"name": "merge", "id": "merge_1", "type": "compute", "parents": ["count_1", "count_2"], "children": [], "runtimeInSeconds": 30, "cores": 1},
  {"name": "split", "id": "split_1", "type": "compute", "parents": [], "children": ["count_1", "count_2"], "runtimeInSeconds": 125.5},
  {"name": "count", "id": "count_1", "type": "compute", "parents": ["split_1"], "children": ["merge_1"], "runtimeInSeconds": 60},
  {"name": "count", "id": "count_2", "type": "compute", "parents": ["split_1"], "children": ["merge_1"], "runtimeInSeconds": 61.25}]}}
END
cat >v13.json <<'END'
{"name": "sample", "schemaVersion": "1.3", "workflow": {"makespan": 3, "tasks": [
  {"name": "merge_1", "parents": ["count_1", "count_2"], "runtime": 30},
  {"name": "split_1", "parents": [], "runtime": 125.5},
  {"name": "count_1", "parents": ["split_1"], "runtime": 60},
  {"name": "count_2", "parents": ["split_1"], "runtime": 61.25}]}}
END
cat >v11.json <<'END'
{"name": "sample", "schemaVersion": "1.1", "workflow": {"jobs": [
  {"name": "merge_1", "children": [], "runtime": 30},
  {"name": "split_1", "children": ["count_1", "count_2"], "runtime": 125.5},
  {"name": "count_1", "children": ["merge_1"], "runtime": 60},
  {"name": "count_2", "children": ["merge_1"], "runtime": 61.25}]}}
END
cat >named.json <<'END'
{"name": "sample", "workflow": {"tasks": [
  {"name": "m", "id": "merge_1", "parents": ["c1", "c2", "c1"], "runtime": 30},
  {"name": "s", "id": "split_1", "runtime": 125.5},
  {"name": "c1", "id": "count_1", "parents": ["s"], "runtime": 60},
  {"name": "c2", "id": "count_2", "parents": ["s"], "runtime": 61.25}]}}
END
same=$(digest -f v15.json --wf-scale 0.001)
matches "a digest of tasks, edges and times" "$same" '^[0-9a-f]{64}$'
for version in v14 v13 v11 named; do
        equal "$version.json is the same graph" "$(digest -f $version.json --wf-scale 0.001)" "$same"
done
refute "other times, another one" test "$(digest -f v15.json --wf-scale 0.002)" = "$same"
for version in v15 v14 v13 v11 named; do
        tool --scale 0.001 $version.json >graph.json
        equal "the tool of the tests makes the same of $version.json" "$(digest -f graph.json)" "$same"
done
exits "from stdin, with options for all" 0 sh -c 'jobsubmit -f - --wf-scale 1e-3 -n other --tag a=b --retries 1 --wait --timeout 60 <v13.json'
equal "which count" "$(ask "SELECT CONCAT(name, succeeded) FROM v_jobs WHERE job_id = $out")" other4

# --- what is wrong is named by its path, and nothing is submitted
jobs=$(ask "SELECT COUNT(*) FROM v_jobs")
wrong() { # SENTENCE CODE TEXT [OPTION…]: of the file wrong.json
        exits "$1" "$2" jobsubmit -f wrong.json "${@:4}"
        matches "… is named" "$err" "$3"
}
edit() { /usr/bin/python3 -c 'import json, sys; d = json.load(open("v15.json")); s = d["workflow"]["specification"]["tasks"]; e = d["workflow"]["execution"]["tasks"]; exec(sys.argv[1]); json.dump(d, open("wrong.json", "w"))' "$1"; }
edit 's[0]["parents"].append("nobody")'
wrong "an unknown parent" 65 'wrong.json: workflow.specification.tasks\[0\] \(merge_1\): parents\[2\]: there is no task "nobody"' --wf-scale 1
edit 's[1]["parents"].append("merge_1")'
wrong "a circle" 65 'workflow.specification.tasks: tasks wait for each other in a circle: .*split_1 after ' --wf-scale 1
edit 'del s[2]["id"], s[2]["name"]'
wrong "a task without a name" 65 'workflow.specification.tasks\[2\]: id: ' --wf-scale 1
edit 's[3]["id"] = "count_1"'
wrong "an id twice" 65 'workflow.specification.tasks\[2\] and \[3\] have the same id "count_1"' --wf-scale 1
edit 's[0]["parents"] = ["count"]'
wrong "a name of several tasks" 65 'tasks\[0\] \(merge_1\): parents\[0\]: several tasks are called "count"' --wf-scale 1
edit 'e[0]["id"] = "gone"'
wrong "a run of no task" 65 'workflow.execution.tasks\[0\]: id: there is no task "gone"' --wf-scale 1
edit 'e[1]["runtimeInSeconds"] = -1'
wrong "a time that is none" 65 'tasks\[2\] \(count_1\): runtimeInSeconds: a number' --wf-scale 1
edit 'del e[2]["command"]'
wrong "no command" 65 'tasks\[3\] \(count_2\): no command was recorded; --wf-scale 1 '
echo '{"workflow": {"specification": {}}}' >wrong.json
wrong "not WfFormat" 65 'wrong.json: workflow: no tasks: ' --wf-scale 1
echo '{"workflow": {"tasks": []}}' >wrong.json
wrong "no tasks" 65 'workflow.tasks: a list of at least one task' --wf-scale 1
echo '{"tasks": [{"name": "a", "command": ["true"]}]}' >wrong.json
wrong "a scale for a plain graph" 64 '--wf-scale: this is no workflow in WfFormat' --wf-scale 1
wrong "a scale that is none" 64 "--wf-scale: 'fast' is no number from 0 to 1000; example: --wf-scale 0.01" --wf-scale fast
exits "a scale without a file" 64 jobsubmit --wf-scale 1 true
matches "… is named" "$err" "--wf-scale goes with a workflow; example: jobsubmit -f workflow.json"
equal "nothing of it was submitted" "$(ask "SELECT COUNT(*) FROM v_jobs")" "$jobs"
finish
