# For the tests of this folder: `. "${BASH_SOURCE%/*}/lib.sh"` first, `finish` last. A test uses the real commands on
# private clusters, waits for conditions instead of sleeping, and leaves nothing behind: what it makes lies in $T, which
# goes at its end together with every cluster in it.
#
#   # time-out: 600        in the first lines of a test: seconds that it may take (else 300)
#   # alone                … it needs the machine for itself
#
# JOBMILL_BIN: the programs under test (else build/san/bin, else build/bin).
#
# A loaded machine is no fault: every wait ends as soon as its condition holds, so its bound is generous. `| grep -q` is
# not used: grep leaves at its first hit, the writer before it dies of SIGPIPE, and with pipefail a hit reads as none.
set -u -o pipefail

ROOT=$(readlink -f -- "${BASH_SOURCE[0]%/*}/../..")
T=$(mktemp -d "${TMPDIR:-/tmp}/jobmill-test.XXXXXX")
if [ -z "${JOBMILL_BIN:-}" ]; then
        JOBMILL_BIN=$ROOT/build/san/bin
        [ -x "$JOBMILL_BIN/jobcoordinator" ] || JOBMILL_BIN=$ROOT/build/bin
fi
export JOBMILL_BIN
unset JOBMILL_PROFILE
PATH=$JOBMILL_BIN:$PATH
DIR=$T/run # the test's cluster
PATIENCE=${JOBMILL_PATIENCE:-5} # what a bound is multiplied by
checks=0
failures=0
out= # of the last `run`
err=
status=

pass() {
        checks=$((checks + 1))
        printf 'ok   %s\n' "$1"
}
fail() { # SENTENCE [DETAIL…]
        checks=$((checks + 1))
        failures=$((failures + 1))
        printf 'FAIL %s\n' "$1"
        shift
        [ $# -eq 0 ] || printf '     %s\n' "$@"
}
# check SENTENCE COMMAND…: the command succeeds
check() {
        local sentence=$1
        shift
        if "$@" >"$T/.check" 2>&1; then pass "$sentence"; else fail "$sentence" "$*" "$(tail -n 5 "$T/.check")"; fi
}
refute() {
        local sentence=$1
        shift
        if "$@" >"$T/.check" 2>&1; then fail "$sentence" "succeeded: $*"; else pass "$sentence"; fi
}
# equal SENTENCE GOT WANTED
equal() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got:    $2" "wanted: $3"; fi; }
# matches SENTENCE TEXT REGEX
matches() { if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got:    $2" "wanted: $3"; fi; }
lacks() { if [[ $2 =~ $3 ]]; then fail "$1" "got:    $2" "must not match: $3"; else pass "$1"; fi; }
# run COMMAND…: sets out, err, status
run() {
        "$@" >"$T/.out" 2>"$T/.err"
        status=$?
        out=$(cat "$T/.out")
        err=$(cat "$T/.err")
        return 0
}
# exits SENTENCE CODE COMMAND…: the command ends with that code; sets out and err
exits() {
        local sentence=$1 code=$2
        shift 2
        run "$@"
        if [ "$status" -eq "$code" ]; then
                pass "$sentence"
        else
                fail "$sentence" "$*" "ended with $status, not $code" "stdout: ${out:0:500}" "stderr: ${err:0:500}"
        fi
}
# await SENTENCE SECONDS COMMAND…: it succeeds within that time (on a quiet machine)
await() {
        local sentence=$1 deadline=$((SECONDS + $2 * PATIENCE))
        shift 2
        until "$@" >/dev/null 2>&1; do
                if [ $SECONDS -ge $deadline ]; then
                        fail "$sentence" "still not true: $*"
                        return 1
                fi
                sleep 0.05
        done
        pass "$sentence"
}
# For what the rest of a test cannot do without.
must() {
        "$@" && return 0
        fail "$*"
        finish
}

# --- clusters -------------------------------------------------------------------------------------------------
local_() { "$ROOT/deploy/local" --dir "$DIR" "$@"; }
# cluster_up [OPTION…]: a cluster in $DIR; the commands then use it as its administrator
cluster_up() {
        local exports
        exports=$(local_ up "$@") || {
                fail "the cluster comes up" "$(tail -n 3 "$DIR"/log/*.log 2>/dev/null)"
                finish
        }
        eval "$exports"
}
pid_of() { # PART [NAME]: of the running daemon; nothing if it does not run
        local_ status | awk -v part="$1" -v name="${2:-}" '$1 == part && (name == "" || $2 == name) && $4 == "running" && !n++ { print $3 }'
}
kill9() { # PART [NAME]
        kill -9 "$(pid_of "$@")"
}
# plain_bin: the optimised programs, where memory is what the program itself needs: what a sanitizer keeps says nothing.
plain_bin() { if [ -x "$ROOT/build/bin/$1" ]; then echo "$ROOT/build/bin"; else echo "$JOBMILL_BIN"; fi; }
resident_kb() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; } # PID
# sql QUERY: as the coordinator's account; tab-separated, no header
sql() { mariadb --defaults-file="$DIR/db.cnf" --batch --skip-column-names jobmill -e "$1"; }
# new_user NAME ROLE: a person with a profile $T/NAME.profile and an SQL account
new_user() { must jobctl user add "$1" --role "$2" --profile-out "$T/$1.profile" --sql >/dev/null; }
as() { # NAME COMMAND…
        JOBMILL_PROFILE=$T/$1.profile "${@:2}"
}
# ask QUERY: through the views, as the caller (JOBMILL_PROFILE); comma-separated, no header
ask() { jobctl sql --csv "$1" | tail -n +2; }
# job_status ID: as people see it
job_status() { ask "SELECT status FROM v_jobs WHERE job_id=$1"; }

# --- the end --------------------------------------------------------------------------------------------------
finished=
finish() {
        finished=1
        exit $((failures > 0))
}
at_end() {
        local code=$? dir
        trap - EXIT
        if [ $((failures + (code != 0))) -gt 0 ]; then
                for dir in "$T"/*/log; do
                        [ -d "$dir" ] || continue
                        tail -v -n 15 "$dir"/*.log
                done
        fi
        for dir in "$T"/*/state/cluster; do
                [ -e "$dir" ] || continue
                "$ROOT/deploy/local" --dir "${dir%/state/cluster}" destroy 2>/dev/null
        done
        cd / && chmod -R u+rwX "$T" 2>/dev/null
        rm -rf -- "$T"
        [ -n "$finished" ] || { printf 'FAIL the test ended before its last line (code %s)\n' "$code" && failures=$((failures + 1)); }
        [ "$checks" -gt 0 ] || { printf 'FAIL the test checked nothing\n' && failures=1; }
        printf '%s checks, %s failed\n' "$checks" "$failures"
        exit $((failures > 0))
}
trap at_end EXIT
trap 'exit 143' TERM INT
