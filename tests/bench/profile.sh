#!/usr/bin/env bash
# make profile: where the processor time of a task goes, thread by thread, on a private cluster of this build; and, where
# `perf` is installed, in which functions. Compare before and after a change: the same command on both builds.
# PROFILE="noop lone": these workloads only. What was found so far: NOTES.md.
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70

WORKLOADS="noop single lone spawn"
for workload in ${PROFILE:-}; do
        [[ " $WORKLOADS " == *" $workload "* ]] || { echo "profile: no workload '$workload'; there are: $WORKLOADS" >&2 && exit 64; }
done
. tests/bench/lib.sh
DRIVE=build/tests/bench/drive_submit
PARTS="mariadb coordinator worker"

# "PART THREAD NANOSECONDS" of all threads, those of one name together.
threads() {
        local part pid task
        for part in $PARTS; do
                pid=$(part_pid "$part")
                for task in "/proc/$pid/task"/*; do
                        echo "$part $(tr ' ' _ <"$task/comm") $(cut -d' ' -f1 "$task/schedstat")"
                done
        done 2>/dev/null | awk '{ t[$1 " " $2] += $3 } END { for (k in t) print k, t[k] }' | sort
}
functions() { # the ten that take most, of each process
        local part
        for part in $PARTS; do
                echo "  $part:"
                perf report -i "$T/perf.data" --no-children --percentage relative --sort dso,symbol \
                        --pid "$(part_pid "$part")" --stdio 2>/dev/null |
                        awk '!/^#/ && NF && n++ < 10 { sub(/( +-)+ *$/, ""); sub(/^ +/, "    "); print }'
        done
}
profile() { # N WHAT COMMAND…
        local n=$1 what=$2 recorder=
        shift 2
        threads >"$T/before"
        if command -v perf >/dev/null; then
                perf record -q -e cpu-clock -F 1999 -o "$T/perf.data" \
                        -p "$(for part in $PARTS; do part_pid "$part"; done | paste -sd,)" >/dev/null 2>&1 &
                recorder=$!
                sleep 0.5
        fi
        "$@" >/dev/null || exit 70
        all_ended
        threads >"$T/after"
        [ -z "$recorder" ] || { kill -INT "$recorder" && wait "$recorder"; }
        printf '\n%s\n' "$what"
        join <(awk '{ print $1 "/" $2, $3 }' "$T/before") <(awk '{ print $1 "/" $2, $3 }' "$T/after") |
                awk -v n="$n" '{ us = ($3 - $2) / 1000 / n; if (us >= 0.005) printf "  %10.2f us a task  %s\n", us, $1 }' | sort -rn
        if [ -n "$recorder" ]; then functions; fi
}
run_noop() { profile 400000 "no-op tasks of one array" jobsubmit --wait --type noop -a 1-400000; }
run_single() { profile 10000 "jobs of one no-op task, 500 in a message" $DRIVE single 10000 500; }
run_lone() { profile 2000 "jobs of one no-op task, each submitted when the last one's end is known" $DRIVE latency 2000; }
run_spawn() { profile 4000 "/bin/true as tasks of one array" jobsubmit --wait -a 1-4000 /bin/true; }

exports=$(deploy/local --dir "$DIR" up --workers 1 --slots 2) || exit 70
eval "$exports"
jobsubmit --wait --type noop -a 1-2000 >/dev/null || exit 70
for workload in ${PROFILE:-$WORKLOADS}; do "run_$workload"; done
