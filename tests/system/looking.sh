#!/usr/bin/env bash
# time-out: 180
# Looking at the whole: stats, top, audit; and what `why` adds from the record.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
new_user olga operator
cd -- "$T" || exit 1

# --- stats
jobsubmit -q --wait -a 1-50 -- true
running=$(jobsubmit -a 1-5 -- sleep 100)
held=$(jobsubmit --hold -a 1-7 -- true)
await "two run" 20 eval '[ "$(ask "SELECT running FROM v_jobs WHERE job_id=$running")" = 2 ]'
value() { jobctl stats --interval 0.2s --csv | sed -n "s/^$1,//p"; }
equal "stats counts what runs" "$(value running)" 2
equal "and what is queued" "$(value queued)" 3
equal "and held" "$(value held)" 7
equal "slots" "$(value slots)" 2
check "waiting times are known" eval 'jobctl stats --interval 0.1s --json | /usr/bin/python3 -c "import json,sys; d={r[\"name\"]: r[\"value\"] for r in json.load(sys.stdin)[\"rows\"]}; assert 0 <= d[\"waiting_p50_s\"] <= d[\"waiting_p95_s\"] < 100, d"'
check "rates are counted" eval '[ "$(jobctl stats --interval 0.1s --csv | grep -c "^ends_per_s,[0-9.]*$")" = 1 ]'
exits "a word too many" 64 jobctl stats now

# --- top
exits "top without a terminal" 64 jobctl top
matches "names stats" "$err" 'jobctl stats'
cat >screen.py <<'PY'
import fcntl, os, pty, select, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp("jobctl", ["jobctl", "top", "--interval", "0.2s"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 60, 0, 0))
seen, asked, typed = b"", time.time(), False
while time.time() - asked < 30:
    ready, _, _ = select.select([fd], [], [], 1)
    try:
        part = os.read(fd, 65536) if ready else b""
    except OSError:
        break
    seen += part
    if seen.count(b"JOB ") >= 3 and not typed:
        typed = True
        os.write(fd, b"q")
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
last = seen.decode(errors="replace").split("\033[H")[-1].split("\033[J")[0]
lines = last.replace("\033[K", "").split("\r\n")
assert code == 0, code
assert "\033[?1049h" in seen.decode(errors="replace") and seen.decode(errors="replace").rstrip().endswith("\033[?1049l"), seen[-60:]
assert len(lines) <= 12 and all(len(line) <= 60 for line in lines), lines
assert any(line.startswith(sys.argv[1] + " ") and "held" in line for line in lines), lines
PY
check "top draws within its screen, and q brings back what was there" /usr/bin/python3 screen.py "$held"

# --- audit
as olga jobctl -q hold "$running" --reason 'disk is full'
exits "someone without the right" 77 as olga jobctl user ls
matches "audit names who did what" "$(jobctl audit --csv -o kind,actor,job_id,detail)" "hold,olga,$running,disk is full"
matches "and what was refused" "$(jobctl audit)" 'refuse +olga'
equal "the newest" "$(jobctl audit -n 1 --csv -o kind | wc -l)" 2
exits "--since that is none" 64 jobctl audit --since yesterday

# --- why
matches "why names who holds it, and his reason" "$(jobctl why "$running")" 'held-by +by olga, at .*: disk is full'
jobctl -q cancel all
exits "a task that failed" 1 jobsubmit --wait --timeout 60 -- sh -c 'exit 3'
matches "why says how it ended" "$(jobctl why "$(jobctl ls --csv -o job_id last | tail -n 1).1")" 'ended +failed, exit-code, code 3, attempt 1, on w1'

# --- the longest description, of characters that grow when they are shown
long=$(/usr/bin/python3 - <<'PY'
import subprocess
print(subprocess.run(["jobsubmit", "-q", "--hold", "--", "echo"] + ['""' * 740] * 150, capture_output=True, text=True).stdout)
PY
)
exits "show of a job with a very long command" 0 jobctl show "$long"
jobctl show "$long" --json >long
check "whole" /usr/bin/python3 -c 'import json; assert len(json.load(open("long"))["rows"][0]["spec"]["args"]) == 151'
finish
