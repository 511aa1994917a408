#!/usr/bin/env bash
# time-out: 240
# jobctl report: what tasks say of themselves while they run, and what hostile ones try.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 4
new_user bob submitter
cd -- "$T" || exit 1
said() { ask "SELECT CONCAT_WS(' ', done, total, report) FROM v_progress WHERE job_id=$1 AND task_index=$2" | sed 's/^"\(.*\)"$/\1/; s/""/"/g'; }
says() { [ "$(said "$1" "$2")" = "$3" ]; }

# --- from inside a task, seen while it runs
job=$(jobsubmit -a 1-2 -- bash -c '
        test -S "$JOB_SOCKET" && test -z "${JOBMILL_PROFILE:-}" || exit 9
        jobctl report progress $JOB_INDEX/10 && jobctl report set loss=0.5 phase="warm up" || exit 8
        while ! [ -e '"$T"'/go ]; do sleep 0.05; done
        setsid -w jobctl report progress 9/10 && jobctl report set loss=0.25')
await "progress and values appear in SQL while it runs" 20 says "$job" 2 '2 10 {"loss":0.5,"phase":"warm up"}'
await "of each task" 20 says "$job" 1 '1 10 {"loss":0.5,"phase":"warm up"}'
equal "of a task that runs" "$(ask "SELECT status FROM v_tasks WHERE job_id=$job AND task_index=2")" running
equal "values by name" "$(ask "SELECT JSON_VALUE(report, '$.loss') FROM v_progress WHERE job_id=$job AND task_index=1")" 0.5
equal "jobctl tasks shows it" "$(jobctl tasks --csv -o task_id,done,total "$job.1")" $'task_id,done,total\n'"$job.1,1,10"
matches "jobctl show too" "$(jobctl show "$job")" $'progress\n  1  1/10  [{]"loss":0.5,"phase":"warm up"[}]\n  2  2/10'
matches "and in JSON" "$(jobctl show --json "$job")" '"progress":\[.*"done":1,"total":10'
equal "nobody else sees it" "$(as bob jobctl sql --csv "SELECT COUNT(*) FROM v_progress" | tail -n 1)" 0
exits "nor by jobctl" 66 as bob jobctl show "$job"
equal "it is sealed in the database" "$(sql "SELECT COUNT(*) FROM Reports WHERE payload LIKE '%loss%' OR payload LIKE '%warm%'")" 0
kill9 coordinator
must local_ start coordinator
touch go
exits "the tasks go on over a restart" 0 jobctl wait "$job" --timeout 60
equal "what they said last stays, from another session too" "$(said "$job" 1)" '9 10 {"phase":"warm up","loss":0.25}'

# --- wrong words
wrong=$(jobsubmit -- bash -c '
        for words in "progress" "progress x" "progress 3/" "progress 1/2/3" "progress -1" "set" "set loss" "set =3" "set a" "progress 5%x"; do
                jobctl report $words 2>/dev/null; echo "$words: $?"
        done
        jobctl report set "a b=1" 2>&1; echo $?
        jobctl report set "big=$(head -c 3990 /dev/zero | tr "\0" x)" 2>&1; echo $?
        env -u JOB_SOCKET jobctl report progress 1 2>&1; echo $?')
exits "wrong words" 0 jobctl wait "$wrong" --timeout 30
jobctl logs "$wrong" >words
equal "each is a usage error" "$(head -n 10 words | grep -c ': 64$')" 10
matches "a wrong name is explained" "$(sed -n 11,12p words)" $'letters, digits.*\n65'
matches "too much as well" "$(sed -n 13,14p words)" $'at most 64 values, 4000 bytes.*\n65'
matches "outside of a task" "$(sed -n 15,16p words)" $'JOB_SOCKET is not set.*\n64'
exits "outside of a task, really" 64 env -u JOB_SOCKET jobctl report progress 3/10
JOB_SOCKET=$(find "$DIR/scratch" -name socket -type s) exits "a process that is no task's" 65 jobctl report progress 3/10
matches "is told so" "$err" 'belongs to no task'
equal "the socket is for its user alone" "$(find "$DIR/scratch" -name socket -type s -perm 600 | wc -l)" 1
exits "a worker that is gone" 69 env JOB_SOCKET="$T/none" jobctl report progress 3/10

# --- hostile ones: garbage, half lines, a thousand connections, who reads nothing, ten thousand reports a second
cat >hostile.py <<'PY'
import json, os, socket, sys, time
path = os.environ["JOB_SOCKET"]
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    return s
def ask(s, line):
    s.sendall(line)
    return s.makefile("rb").readline()
s = connect()
for line in [b"\x00\xff\xfe\n", b"GET / HTTP/1.1\n", b"[" * 5000 + b"\n", b'{"done":1e400}\n', b'{"set":{"x":{"y":' * 4 + b"\n", b"\n"]:
    assert b"error" in ask(s, line), line
assert b"ok" in ask(s, b'{"done":1}\n')
s = connect()
try:
    s.sendall(b"x" * 1000000)
    answer = s.makefile("rb").read()
except OSError:
    answer = b""
assert b"ok" not in answer
slow = connect()
slow.sendall(b'{"done":')
crowd = [connect() for _ in range(1000)]
s = connect()
assert b"ok" in ask(s, b'{"done":2,"total":20}\n')
del crowd
deaf = connect()
deaf.setblocking(False)
for _ in range(200000):
    try:
        deaf.send(b'{"done":3}\n' * 50)
    except BlockingIOError:
        time.sleep(0.001)
        if _ > 20000: break
    except OSError:
        break
s = connect()
begun, n = time.time(), 0
reader = s.makefile("rb")
while time.time() - begun < 3:
    s.sendall(b'{"done":%d,"set":{"n":%d}}\n' % (n, n) * 50)
    for _ in range(50): assert b"ok" in reader.readline()
    n += 50
assert b"ok" in ask(s, b'{"done":77,"total":77,"set":{"n":%d}}\n' % n)
print("reports", n)
PY
hostile=$(jobsubmit -- /usr/bin/python3 "$T/hostile.py")
polite=$(jobsubmit -- bash -c 'for i in 1 2 3 4 5; do jobctl report progress $i/5 || exit 1; sleep 0.5; done')
exits "a task that is hostile gets its answers" 0 jobctl wait "$hostile" --timeout 120
[ "$status" = 0 ] || jobctl logs --both "$hostile"
exits "its neighbour is served" 0 jobctl wait "$polite" --timeout 60
equal "with its own progress" "$(said "$polite" 1)" "5 5"
equal "the hostile one's newest report counts" "$(ask "SELECT CONCAT(done, ' ', total) FROM v_progress WHERE job_id=$hostile")" "77 77"
n=$(jobctl logs "$hostile" | sed -n 's/^reports //p')
check "it made thousands of reports" test "${n:-0}" -ge 3000
exits "the worker works on" 0 jobsubmit --wait --timeout 30 true
check "every envelope opens" eval 'mariadb --defaults-file="$DIR/db.cnf" --batch --skip-column-names jobmill <"$ROOT/tests/system/envelopes.sql" | "${JOBMILL_BIN%/bin}/tests/system/check_envelopes" "$DIR/keys/keyring"'

# --- a folder whose path is longer than an address
long=$T/$(printf 'd%.0s' {1..120})
mkdir "$long"
must jobctl key add --worker far --out "$T/far.profile" >/dev/null
PATH=$JOBMILL_BIN:$PATH jobworker --profile "$T/far.profile" --slots 1 --scratch "$long" >far.out 2>far.err &
far=$!
await "a worker with a long path is ready" 20 grep -q ready far.out
must local_ scale 0
deep=$(jobsubmit -- bash -c 'echo ${#JOB_SOCKET}; jobctl report progress 4/4')
exits "its tasks report as well" 0 jobctl wait "$deep" --timeout 60
equal "over a long path" "$(said "$deep" 1)" "4 4"
kill "$far"
wait "$far"
equal "it leaves no socket" "$(find "$long" -type s | wc -l)" 0
finish
