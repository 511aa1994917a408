#!/usr/bin/env bash
# make bench: every figure that the README quotes, measured on a private cluster of this build (durable settings, one
# machine for everything). Medians of RUNS; what is compared is measured in turn in the same run.
# Prints one table and writes build/bench.json. BENCH_QUICK=1: small sizes, one run. BENCH_ONLY: regular expression of sections
# (noop single spawn latency array memory micro).
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70

if [ "${BENCH_QUICK:-}" = 1 ]; then
        RUNS=${RUNS:-1} NOOP=40000 SINGLE=4000 SPAWN=1000 LATENCY=300 WHOLE=50 ARRAY=1000000
else
        RUNS=${RUNS:-5} NOOP=400000 SINGLE=20000 SPAWN=5000 LATENCY=2000 WHOLE=300 ARRAY=1000000
fi
T=$(mktemp -d "${TMPDIR:-/tmp}/jobmill-bench.XXXXXX")
DIR=$T/run
export JOBMILL_BIN=$PWD/build/bin
at_end() {
        deploy/local --dir "$DIR" destroy 2>/dev/null
        rm -rf -- "$T"
}
trap at_end EXIT
trap 'exit 130' INT TERM

: >"$T/rows"
record() { # NAME VALUE UNIT WHAT
        printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$T/rows"
        printf '%-28s %14s %-9s %s\n' "$1" "$2" "$3" "$4"
}
median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }
now_us() { echo "${EPOCHREALTIME/./}"; }
rate() { awk -v n="$1" -v us="$2" 'BEGIN { printf "%.0f\n", n * 1e6 / us }'; }
timed_us() { # COMMAND…: microseconds; stops the whole run if it fails
        local start
        start=$(now_us)
        "$@" >"$T/last.out" 2>"$T/last.err" || { echo "bench: $* failed: $(tail -n 1 "$T/last.err")" >&2 && kill $$; }
        echo $(($(now_us) - start))
}
wanted() { [[ $1 =~ ${BENCH_ONLY:-.} ]]; }
sql() { mariadb --defaults-file="$DIR/db.cnf" --batch --skip-column-names jobmill -e "$1"; }
until_sql() { # QUERY: until it answers 1
        until [ "$(sql "$1")" = 1 ]; do sleep 0.01; done
}
coordinator_kib() { # FIELD of /proc/PID/status
        local pid
        pid=$(deploy/local --dir "$DIR" status | awk '$1 == "coordinator" { print $3 }')
        sed -n "s/^$1:[[:blank:]]*\([0-9]*\) kB/\1/p" "/proc/$pid/status"
}

exports=$(deploy/local --dir "$DIR" up --workers 1 --slots 2) || exit 70
eval "$exports"
printf '%s, %s cores, MariaDB %s, flushed 512-byte write %s\n\n' "$(sed -n 's/^model name[^:]*: //p;T;q' /proc/cpuinfo)" "$(nproc)" \
        "$(sql 'SELECT VERSION()')" "$(dd if=/dev/zero of="$T/flush" bs=512 count=500 oflag=dsync 2>&1 | awk -F, '/copied/ { printf "%.2f ms", $(NF - 1) * 2 }')"
jobsubmit --wait --type noop -a 1-2000 >/dev/null || exit 70

if wanted noop; then
        for ((i = 0; i < RUNS; i++)); do rate $NOOP "$(timed_us jobsubmit --wait --type noop -a 1-$NOOP)"; done >"$T/v"
        record noop_array "$(median <"$T/v")" tasks/s "no-op tasks of one array, each result durable, by jobsubmit --wait"
fi
if wanted single; then
        for ((i = 0; i < RUNS; i++)); do
                start=$(now_us)
                build/tests/bench/drive_submit single $SINGLE 500 >/dev/null || exit 70
                until_sql 'SELECT COUNT(*) = 0 FROM Jobs WHERE ended_us = 0'
                rate $SINGLE $(($(now_us) - start))
        done >"$T/v"
        record noop_single "$(median <"$T/v")" jobs/s "jobs of one no-op task, 500 in a message, submitted and ended"
fi
if wanted spawn; then
        : >"$T/ours" && : >"$T/theirs" && : >"$T/ratio"
        for ((i = 0; i < RUNS; i++)); do
                ours=$(rate $SPAWN "$(timed_us jobsubmit --wait -a 1-$SPAWN /bin/true)")
                theirs=$(rate $SPAWN "$(timed_us sh -c "seq $SPAWN | xargs -P2 -n1 /bin/true")")
                echo "$ours" >>"$T/ours" && echo "$theirs" >>"$T/theirs"
                awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.3f\n", a / b }' >>"$T/ratio"
        done
        record spawn "$(median <"$T/ours")" tasks/s "/bin/true as tasks of one array, 2 slots, durable"
        record spawn_xargs "$(median <"$T/theirs")" tasks/s "xargs -P2 -n1 /bin/true, in turn with it"
        record spawn_ratio "$(median <"$T/ratio")" "x xargs" "median of the runs' ratios"
fi
if wanted latency; then
        for ((i = 0; i < RUNS; i++)); do build/tests/bench/drive_submit latency $LATENCY || exit 70; done >"$T/v"
        record latency_p50 "$(cut -d' ' -f1 "$T/v" | median)" us "submit to end known, one no-op, idle, connected client"
        record latency_p99 "$(cut -d' ' -f2 "$T/v" | median)" us "the same"
        for ((i = 0; i < WHOLE; i++)); do timed_us jobsubmit --wait --type noop; done | sort -n >"$T/v"
        record whole_p50 "$(sed -n "$((WHOLE / 2))p" "$T/v")" us "a whole jobsubmit --wait process"
        record whole_p99 "$(sed -n "$((WHOLE * 99 / 100))p" "$T/v")" us "the same"
fi
if wanted array; then
        deploy/local --dir "$DIR" scale 0 2>/dev/null
        until_sql 'SELECT COUNT(*) = 0 FROM Workers WHERE state = 1'
        : >"$T/ack" && : >"$T/whole" && : >"$T/rows_ms"
        for ((i = 0; i < RUNS; i++)); do
                start=$(now_us)
                read -r ack job < <(build/tests/bench/drive_submit array $ARRAY)
                until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND materialised = tasks"
                echo $((($(now_us) - start) / 1000)) >>"$T/rows_ms"
                echo "$ack" >>"$T/ack"
                jobctl cancel "$job" --yes >/dev/null
                timed_us jobsubmit --type noop -a 1-$ARRAY >>"$T/whole"
                job=$(cat "$T/last.out")
                jobctl cancel "$job" --yes >/dev/null
                until_sql "SELECT COUNT(*) = 0 FROM Jobs WHERE ended_us = 0"
        done
        record array_ack "$(median <"$T/ack")" us "array of $ARRAY acknowledged, durable, connected client"
        record array_whole "$(median <"$T/whole")" us "the same by a whole jobsubmit"
        record array_rows "$(median <"$T/rows_ms")" ms "all its rows in Tasks"
        jobsubmit --type noop -a 1-$ARRAY >/dev/null 2>&1
        until_sql "SELECT COUNT(*) = 0 FROM Jobs WHERE materialised < tasks AND ended_us = 0"
        record array_rss "$(($(coordinator_kib VmRSS) / 1024))" MiB "the coordinator's resident memory with it queued"
        deploy/local --dir "$DIR" scale 1 2>/dev/null
        until_sql 'SELECT COUNT(*) = 0 FROM Jobs WHERE ended_us = 0'
        record array_peak "$(($(coordinator_kib VmHWM) / 1024))" MiB "the coordinator's largest resident memory of this run"
fi
if wanted micro; then
        for program in build/tests/bench/bench_*; do
                [ -x "$program" ] && [ -f "$program" ] || continue
                "$program" | sed -n 's/.*"name": *"\([^"]*\)", *"value": *\([0-9.]*\), *"unit": *"\([^"]*\)".*/\1 \2 \3/p' |
                        while read -r name value unit; do record "$name" "$value" "$unit" "${program##*/}"; done
        done
fi

awk -F'\t' 'BEGIN { printf "{\"rows\":[" }
        { printf "%s\n {\"name\":\"%s\",\"value\":%s,\"unit\":\"%s\",\"what\":\"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3, $4 }
        END { print "\n]}" }' "$T/rows" >build/bench.json
