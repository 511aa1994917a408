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

# --- top: driven in a terminal of its own
drive() { /usr/bin/python3 "$ROOT/tests/system/drive_top.py" "$@"; }
for name in top-1 top-2 top-3; do jobsubmit -q --hold -n "$name" -a 1-5 true >/dev/null; done
check "top shows jobs, filters, sorts, pauses, asks for a person, follows the window, and leaves all as it was" \
        drive see:DONE see:top-3 keys:/ see:'only lines' keys:top-2 gone:top-3 keys:ENTER see:'[/top-2]' keys:ESC see:top-3 \
        size:30x80 see:NAME gone:'QUEUE ' size:12x60 see:'q quit' size:24x120 see:PRIO keys:u see:'jobs of' keys:nobody keys:ENTER see:'[user nobody]' \
        gone:top-3 keys:u keys:ENTER see:top-3 keys:p see:PAUSED keys:p gone:PAUSED keys:s see:QUEUED- keys:r see:QUEUED+ \
        keys:DOWN keys:END keys:q end:0
for name in INT TERM HUP QUIT; do
        check "top gives the terminal back when SIG$name ends it" drive see:DONE signal:$name end:130
done
TOP_TERM=no-such-terminal check "an unknown terminal is named" drive see:"does not know the terminal type 'no-such-terminal'" end:64
check "a wrong coordinator is an ordinary error" env JOBMILL_PROFILE=/dev/null /usr/bin/python3 "$ROOT/tests/system/drive_top.py" end:78
finish
