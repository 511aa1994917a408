#!/usr/bin/env bash
# time-out: 300
# Files of jobs: whole and right at both ends, each content stored once a job and sent once a worker, and no program needs
# memory for them. The optimised programs: what a sanitizer keeps would say nothing about memory.
. "${BASH_SOURCE%/*}/lib.sh"

export JOBMILL_BIN PATH
JOBMILL_BIN=$(plain_bin jobcoordinator)
PATH=$JOBMILL_BIN:$PATH
cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1
MIB=64
BOUND_KB=49152 # no program may have more resident: three quarters of the file
peak_kb() { awk '$1 == "VmHWM:" { print $2 }' "/proc/$1/status"; }
digest() { sha256sum "$1" | cut -c1-64; }
# peak_of COMMAND…: runs it, sets out to what it printed and peak to its largest resident memory
peak_of() {
        out=$(/usr/bin/python3 -c 'import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)' "$T/peak" "$@")
        status=$?
        peak=$(cat "$T/peak")
}

head -c $((MIB * 1048576)) /dev/urandom >big
peak_of jobsubmit --in big --out 'copy*' -- sh -c 'cp big copy1 && sha256sum <big'
job=$out
matches "a large file is submitted" "$job" '^[0-9]+$'
check "jobsubmit needs little memory for it: $peak kB" test "$peak" -lt $BOUND_KB
exits "its task runs" 0 jobctl wait "$job" --timeout 120
equal "and finds the same bytes" "$(jobctl logs "$job" | cut -c1-64)" "$(digest big)"
peak_of jobctl get "$job" got
equal "jobctl get brings the output" "$status" 0
check "with little memory: $peak kB" test "$peak" -lt $BOUND_KB
equal "the same bytes" "$(digest got/copy1)" "$(digest big)"
equal "with the digest that SQL shows" "$(ask "SELECT bytes, sha256 FROM v_data WHERE job_id=$job")" "$((MIB * 1048576)),$(digest big)"
check "the coordinator needed little: $(peak_kb "$(pid_of coordinator)") kB" test "$(peak_kb "$(pid_of coordinator)")" -lt $BOUND_KB
check "so did the worker: $(peak_kb "$(pid_of worker)") kB" test "$(peak_kb "$(pid_of worker)")" -lt $BOUND_KB

# --- once a job, once a worker
cp big twin
job=$(jobsubmit --wait --timeout 120 --in big --in twin --in big:third --stdin big -a 1-2 -- sh -c 'cat big twin third - | sha256sum')
equal "a content named four times" "$(jobctl logs "$job" | cut -c1-64 | sort -u)" "$(cat big big big big | sha256sum | cut -c1-64)"
equal "is stored once" "$(sql "SELECT COUNT(*), COUNT(DISTINCT part) FROM JobData WHERE job_id=$job")" "$MIB	1"
# Without what is stored, the job can only run from what the worker kept.
held=$(jobsubmit --hold --in big -- sha256sum big)
must sql "DELETE FROM JobData WHERE job_id=$held"
must jobctl release "$held" >/dev/null
exits "a content that the worker has is not sent again" 0 jobctl wait "$held" --timeout 60
equal "and is the right one" "$(jobctl logs "$held" | cut -c1-64)" "$(digest big)"
# Another person who knows the digest gets nothing of it.
new_user bob submitter
held=$(as bob jobsubmit --hold --in big -- sha256sum big)
must sql "DELETE FROM JobData WHERE job_id=$held"
must as bob jobctl release "$held" >/dev/null
exits "what is kept is its owner's alone" 1 as bob jobctl wait "$held" --timeout 60
equal "for others it has to be sent" "$(ask "SELECT reason FROM v_tasks WHERE job_id=$held")" bad-input
# Kept files that somebody changed are not used.
held=$(jobsubmit --hold --in big -- sha256sum big)
for file in $(find / -xdev -path '*/c[0-9]*/[0-9]*' -size ${MIB}M -newer "$T/twin" 2>/dev/null | grep -- scratch || find "$DIR" "${TMPDIR:-/tmp}" -xdev -type f -path '*/c[0-9]*/[0-9]*' -size ${MIB}M 2>/dev/null); do
        printf x | dd of="$file" conv=notrunc bs=1 count=1 2>/dev/null
        touched=1
done
check "the worker keeps it as a file" test -n "${touched-}"
must jobctl release "$held" >/dev/null
exits "the job runs all the same" 0 jobctl wait "$held" --timeout 60
equal "from what was sent anew" "$(jobctl logs "$held" | cut -c1-64)" "$(digest big)"

# --- standard input
printf 'one\ntwo\n' >words
exits "stdin of every task" 0 jobsubmit --wait --timeout 60 -a 1-3 --stdin words -- sh -c 'wc -l; ls'
equal "from its start, and no file" "$(jobctl logs "$out")" $'2\n2\n2'
exits "stdin of jobsubmit itself" 0 jobsubmit --wait --timeout 60 --stdin - -- cat <words
equal "is passed on" "$(jobctl logs "$out")" $'one\ntwo'
: >empty
exits "an empty file" 0 jobsubmit --wait --timeout 60 --stdin empty -- wc -c
equal "is empty" "$(jobctl logs "$out")" 0
exits "a file that is not there" 66 jobsubmit --stdin nowhere cat
matches "is named" "$err" '--stdin: nowhere: No such file'
finish
