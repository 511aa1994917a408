#!/usr/bin/env bash
# soak.sh BUILD MINUTES: the simulation from new seeds, then the real programs under kill -9 and network faults, in turn
# until the time is over. Ends at the first thing that fails and says how to see it again.
set -u -o pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 70
[ $# -eq 2 ] && [[ $2 =~ ^[1-9][0-9]*$ ]] || { echo "usage: tests/soak.sh BUILD MINUTES; example: tests/soak.sh build/san 60" >&2 && exit 64; }
build=$1
end=$((SECONDS + $2 * 60))
log=$build/logs/soak.log
seeds=0 passes=0
mkdir -p "$build/logs"

simulate() { # N: so many seeds that nobody has tried
        local seed
        for ((i = 0; i < $1 && SECONDS < end; i++)); do
                seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
                timeout 600 "$build/tests/sim/sim" --seed "$seed" --events 100000 >"$log" 2>&1 || {
                        tail -n 20 "$log"
                        echo "again: $build/tests/sim/sim --seed $seed --events 100000"
                        exit 1
                }
                seeds=$((seeds + 1))
        done
}
while [ $SECONDS -lt $end ]; do
        simulate 20
        [ $SECONDS -lt $end ] || break
        SOAK_ROUNDS=20 TESTS='system/(faults_kill9|network_faults|failpoints|takeover|local_kill9)' bash tests/run.sh "$build" system || exit 1
        passes=$((passes + 1))
        printf '%d s: %d seeds, %d passes of the fault tests\n' $SECONDS $seeds $passes
done
printf 'soaked: %d seeds of 100,000 events, %d passes of the fault tests, nothing failed\n' $seeds $passes
