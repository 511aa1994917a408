#!/usr/bin/env bash
# time-out: 300
# A graph of 20,000 tasks: all of them run once, in order; and a first failure ends all that needs it, at once.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 2 --slots 2
cd -- "$T" || exit 1
N=20000
/usr/bin/python3 - $N >graph.json <<'E1'
import json, sys
n = int(sys.argv[1])
parents = lambda t: sorted({(t * 7 + 3) % t, t - 1 - t % 40} - {-1}) if t else []
json.dump({"name": "large", "defaults": {"type": "noop"},
           "tasks": [{"name": "t%d" % t, "after": ["t%d" % p for p in parents(t)]} for t in range(n)]}, sys.stdout)
E1
exits "20,000 tasks" 0 jobsubmit -q -f graph.json --wait --timeout 600
job=$(jobctl ls -n 1 --csv -o job_id | tail -1)
equal "each has succeeded" "$(ask "SELECT succeeded FROM v_jobs WHERE job_id = $job")" $N
equal "in one attempt" "$(ask "SELECT COUNT(*), MIN(attempt), MAX(attempt) FROM v_tasks WHERE job_id = $job")" "$N,1,1"
ask "SELECT task_index, started_at, ended_at FROM v_tasks WHERE job_id = $job" >times.csv
equal "none before its parents had ended" "$(/usr/bin/python3 - times.csv <<'E3'
import csv, sys
rows = {int(i) - 1: (start, end) for i, start, end in csv.reader(open(sys.argv[1]))}
parents = lambda t: {(t * 7 + 3) % t, t - 1 - t % 40} - {-1} if t else set()
print(len(rows), sum(rows[t][0] < rows[p][1] for t in rows for p in parents(t)))
E3
)" "$N 0"

/usr/bin/python3 - $N >chain.json <<'E2'
import json, sys
json.dump({"name": "chain", "tasks": [{"name": "t%d" % t, "command": ["false"], "after": ["t%d" % (t - 1)] if t else []}
                                      for t in range(int(sys.argv[1]))]}, sys.stdout)
E2
exits "a chain whose first task fails" 1 jobsubmit -q -f chain.json --wait --timeout 300
job=$(jobctl ls -n 1 --csv -o job_id | tail -1)
equal "is over, all the way down" "$(ask "SELECT failed, aborted FROM v_jobs WHERE job_id = $job")" "1,$((N - 1))"
equal "for that reason" "$(ask "SELECT DISTINCT reason FROM v_tasks WHERE job_id = $job AND status = 'aborted'")" dependency
finish
