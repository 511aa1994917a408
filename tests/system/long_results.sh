#!/usr/bin/env bash
# A result of 1 MiB, the most that a task may record, is served whole in every form, however its characters are escaped.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
# Exactly 1 MiB of JSON: one string of quotes, so that a row of it as text is twice as long.
cat >"$T/long.py" <<'END'
import os, sys
text = '"' + '\\"' * 524287 + '"'
assert len(text) == 1 << 20
index = int(os.environ["JOB_INDEX"])
with open(os.environ["JOB_RESULT"], "w") as result:
    result.write(text if index == 2 else str(index))
END
job=$(jobsubmit -q -a 1-3 -- /usr/bin/python3 "$T/long.py")
exits "tasks record results, one of 1 MiB" 0 jobctl wait "$job" --timeout 60
cat >"$T/same.py" <<'END'
import csv, json, sys
form, wanted = sys.argv[1], '"' + '\\"' * 524287 + '"'
csv.field_size_limit(1 << 24)
if form == "json":
    got = [row["result"] for row in json.load(sys.stdin)["rows"]]
    wanted = json.loads(wanted)
    sys.exit(got != [1, wanted, 3])
if form == "csv":
    got = [row["result"] for row in csv.DictReader(sys.stdin)]
    sys.exit(got != ["1", wanted, "3"])
got = [line.split(None, 4)[4].rstrip("\n") for line in sys.stdin]
sys.exit(got != ["1", wanted, "3"])
END
for form in json csv; do
        jobctl results "$job" --$form >"$T/results"
        check "they are whole as $form" /usr/bin/python3 "$T/same.py" $form <"$T/results"
done
jobctl results "$job" -q >"$T/results"
check "they are whole as text" /usr/bin/python3 "$T/same.py" text <"$T/results"
jobctl results "$job" --sort -task_index -n 2 -o task_index,result --csv >"$T/results"
equal "sorted and cut, they keep their rows" "$(cut -c1-8 "$T/results" | tr '\n' ' ')" 'task_ind 3,3 2,"""\"" '
jobctl sql --csv "SELECT SHA2(result, 256) sum FROM v_results WHERE job_id=$job AND task_index=2" >"$T/sum"
equal "SQL gives the same bytes" "$(tail -n 1 "$T/sum")" \
        "$(/usr/bin/python3 -c "print('\"' + '\\\\\"' * 524287 + '\"', end='')" | sha256sum | cut -d' ' -f1)"
# One byte more is refused by the worker, and said so.
over=$(jobsubmit -q -- sh -c 'printf "\"%01048575d\"" 0 >"$JOB_RESULT"')
exits "a longer one fails its task" 1 jobctl wait "$over" --timeout 60
equal "with its reason" "$(ask "SELECT reason FROM v_tasks WHERE job_id=$over")" result-too-large
finish
