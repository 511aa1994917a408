#!/usr/bin/env bash
# make bench: every figure that the README quotes, measured on a private cluster of this build (durable settings, one
# machine for everything). Medians of RUNS; what is compared is measured in turn in the same run.
# Prints one table and writes build/bench.json and, drawn by plot.sh, build/bench.svg.
# BENCH_QUICK=1: small sizes, one run. BENCH_ONLY: regular expression of sections
# (noop single clients spawn output latency reader load array history replay workers memory micro).
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70

if [ "${BENCH_QUICK:-}" = 1 ]; then
        RUNS=${RUNS:-1} NOOP=40000 SINGLE=4000 SPAWN=1000 LATENCY=300 WHOLE=50
        ARRAYS=1000000 HISTORY=200000 STEPS=5 QUEUED=1000000 WORKERS=1000
else
        RUNS=${RUNS:-3} NOOP=400000 SINGLE=20000 SPAWN=5000 LATENCY=2000 WHOLE=300
        ARRAYS="1000000 10000000" HISTORY=1000000 STEPS=10 QUEUED=1000000 WORKERS=10000
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
        local end=$((SECONDS + 900))
        until [ "$(sql "$1")" = 1 ]; do
                [ $SECONDS -lt $end ] || { echo "bench: in vain for 15 minutes: $1" >&2 && kill $$; }
                sleep 0.01
        done
}
part_pid() { deploy/local --dir "$DIR" status | awk -v part="$1" '$1 == part { print $3; exit }'; }
kib() { sed -n "s/^$2:[[:blank:]]*\([0-9]*\) kB/\1/p" "/proc/$(part_pid "$1")/status"; } # PART FIELD
mib() { echo $(($(kib "$1" "$2") / 1024)); }
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$(part_pid "$1")/stat"; } # PART
all_ended() { until_sql 'SELECT COUNT(*) = 0 FROM Jobs WHERE ended_us = 0'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f\n", a / b }'; }
noop_rate() { rate "$1" "$(timed_us jobsubmit --wait --type noop -a "1-$1")"; } # N

exports=$(deploy/local --dir "$DIR" up --workers 1 --slots 2) || exit 70
eval "$exports"
printf '%s, %s cores, MariaDB %s, flushed 512-byte write %s\n\n' "$(sed -n 's/^model name[^:]*: //p;T;q' /proc/cpuinfo)" "$(nproc)" \
        "$(sql 'SELECT VERSION()')" "$(dd if=/dev/zero of="$T/flush" bs=512 count=500 oflag=dsync 2>&1 | awk -F, '/copied/ { printf "%.2f ms", $(NF - 1) * 2 }')"
jobsubmit --wait --type noop -a 1-2000 >/dev/null || exit 70

if wanted noop; then
        for ((i = 0; i < RUNS; i++)); do noop_rate $NOOP; done >"$T/v"
        record noop_array "$(median <"$T/v")" tasks/s "no-op tasks of one array, each result durable, by jobsubmit --wait"
fi
if wanted single; then
        for ((i = 0; i < RUNS; i++)); do
                start=$(now_us)
                build/tests/bench/drive_submit single $SINGLE 500 >/dev/null || exit 70
                all_ended
                rate $SINGLE $(($(now_us) - start))
        done >"$T/v"
        record noop_single "$(median <"$T/v")" jobs/s "jobs of one no-op task, 500 in a message, submitted and ended"
fi
if wanted clients; then
        for ((i = 0; i < RUNS; i++)); do
                start=$(now_us)
                build/tests/bench/drive_submit clients $((SINGLE / 4)) 50 >/dev/null || exit 70
                all_ended
                rate $((SINGLE / 4)) $(($(now_us) - start))
        done >"$T/v"
        record noop_clients "$(median <"$T/v")" jobs/s "jobs of one no-op task, from 50 clients, one after the other each"
fi
against() { # NAME WHAT COMMAND…: /bin/true tasks in turn with it
        local name=$1 what=$2
        shift 2
        : >"$T/ours" && : >"$T/theirs" && : >"$T/ratio"
        for ((i = 0; i < RUNS; i++)); do
                rate "$SPAWN" "$(timed_us jobsubmit --wait -a "1-$SPAWN" /bin/true)" >>"$T/ours"
                rate "$SPAWN" "$(timed_us "$@")" >>"$T/theirs"
                ratio "$(tail -n 1 "$T/ours")" "$(tail -n 1 "$T/theirs")" >>"$T/ratio"
        done
        record "spawn_$name" "$(median <"$T/theirs")" tasks/s "$what, in turn with it"
        record "spawn_over_$name" "$(median <"$T/ratio")" "x $name" "median of the runs' ratios"
}
if wanted spawn; then
        against xargs "xargs -P2 -n1 /bin/true" sh -c "seq $SPAWN | xargs -P2 -n1 /bin/true"
        record spawn "$(median <"$T/ours")" tasks/s "/bin/true as tasks of one array, 2 slots, durable, output captured"
        if command -v parallel >/dev/null; then
                against parallel "parallel -j2 --joblog" sh -c "seq $SPAWN | parallel -j2 --joblog $T/joblog /bin/true"
        fi
fi
if wanted output; then
        text=$(head -c 768 /dev/urandom | base64 -w 0)
        for ((i = 0; i < RUNS; i++)); do
                rate $((NOOP / 4)) "$(timed_us jobsubmit --wait -a 1-$((NOOP / 4)) --type echo "$text")"
        done >"$T/v"
        record output_1k "$(median <"$T/v")" tasks/s "tasks with 1 KiB of output each, recorded and sealed, no process"
        for ((i = 0; i < RUNS; i++)); do
                # shellcheck disable=SC2016 # the task's shell expands it
                rate "$SPAWN" "$(timed_us jobsubmit --wait -a "1-$SPAWN" sh -c 'echo "$1"; echo "{\"ok\":$JOB_INDEX}" >"$JOB_RESULT"' sh "$text")"
        done >"$T/v"
        record result_json "$(median <"$T/v")" tasks/s "sh that prints 1 KiB and writes a JSON result"
fi
if wanted latency; then
        for ((i = 0; i < RUNS; i++)); do build/tests/bench/drive_submit latency $LATENCY || exit 70; done >"$T/v"
        record latency_p50 "$(cut -d' ' -f1 "$T/v" | median)" us "submit to end known, one no-op, idle, connected client"
        record latency_p99 "$(cut -d' ' -f2 "$T/v" | median)" us "the same"
        for ((i = 0; i < WHOLE; i++)); do timed_us jobsubmit --wait --type noop; done | sort -n >"$T/v"
        record whole_p50 "$(sed -n "$((WHOLE / 2))p" "$T/v")" us "a whole jobsubmit --wait process"
        record whole_p99 "$(sed -n "$((WHOLE * 99 / 100))p" "$T/v")" us "the same"
fi
if wanted reader; then
        : >"$T/ratio" && : >"$T/reads"
        for ((i = 0; i < RUNS; i++)); do
                alone=$(noop_rate $NOOP)
                (
                        n=0
                        trap 'echo "$n" >>"$T/reads"; exit 0' TERM
                        while :; do
                                sql 'SELECT status, COUNT(*), AVG(ended_us - started_us) FROM Tasks GROUP BY status' >/dev/null
                                n=$((n + 1))
                        done
                ) &
                reader=$!
                ratio "$(noop_rate $NOOP)" "$alone" >>"$T/ratio"
                kill $reader && wait $reader
        done
        record reader_ratio "$(median <"$T/ratio")" "x alone" "no-op rate while one SELECT after the other groups all of Tasks"
        record reader_selects "$(median <"$T/reads")" selects "done by that reader meanwhile"
fi
if wanted load; then
        deep=$(jobsubmit --type noop --priority -10 -a 1-$((NOOP * 50)))
        for ((i = 0; i < RUNS; i++)); do build/tests/bench/drive_submit latency $((LATENCY / 4)) || exit 70; done >"$T/v"
        record load_p50 "$(cut -d' ' -f1 "$T/v" | median)" us "submit to end known while an array of lower priority runs"
        record load_p99 "$(cut -d' ' -f2 "$T/v" | median)" us "the same"
        jobctl cancel "$deep" --yes >/dev/null && all_ended
fi
if wanted array; then
        deploy/local --dir "$DIR" scale 0 2>/dev/null
        until_sql 'SELECT COUNT(*) = 0 FROM Workers WHERE state = 1'
        for array in $ARRAYS; do
                size=$((array / 1000000))m
                : >"$T/ack" && : >"$T/whole" && : >"$T/rows_ms"
                for ((i = 0; i < RUNS; i++)); do
                        timed_us jobsubmit --type noop --hold -a "1-$array" >>"$T/whole"
                        jobctl cancel "$(cat "$T/last.out")" --yes >/dev/null && all_ended
                        start=$(now_us)
                        read -r ack job < <(build/tests/bench/drive_submit array "$array")
                        until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND materialised = tasks"
                        echo $((($(now_us) - start) / 1000)) >>"$T/rows_ms"
                        echo "$ack" >>"$T/ack"
                        if [ $i = 0 ]; then
                                record "array_${size}_rss" "$(mib coordinator VmRSS)" MiB "the coordinator's resident memory with $array tasks queued"
                                deploy/local --dir "$DIR" scale 1 2>/dev/null
                                start=$(now_us)
                                until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND succeeded > 0"
                                record "array_${size}_first" $((($(now_us) - start) / 1000)) ms "a worker is there: first task's end seen in SQL"
                                deploy/local --dir "$DIR" scale 0 2>/dev/null
                        fi
                        jobctl cancel "$job" --yes >/dev/null && all_ended
                done
                record "array_${size}_ack" "$(median <"$T/ack")" us "array of $array acknowledged, durable, connected client"
                record "array_${size}_whole" "$(median <"$T/whole")" us "the same by a whole jobsubmit"
                record "array_${size}_rows" "$(median <"$T/rows_ms")" ms "all its rows in Tasks"
        done
        deploy/local --dir "$DIR" scale 1 2>/dev/null
fi
if wanted history; then
        first=''
        for ((i = 0; i < STEPS; i++)); do
                last=$(noop_rate $HISTORY)
                first=${first:-$last}
                record "rate_at_$((i * HISTORY))" "$last" tasks/s "no-op tasks, $((i * HISTORY)) of them finished before"
        done
        record rate_kept "$(ratio "$last" "$first")" "x first" "the last of these over the first"
        record row_bytes "$(($(stat -c %s "$DIR/mariadb/jobmill/Tasks.ibd") / $(sql 'SELECT COUNT(*) FROM Tasks')))" bytes "a task in the database, its share of the file"
fi
if wanted replay; then
        deploy/local --dir "$DIR" scale 0 2>/dev/null
        until_sql 'SELECT COUNT(*) = 0 FROM Workers WHERE state = 1'
        job=$(jobsubmit --type noop -a 1-$QUEUED 2>/dev/null) || exit 70
        until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND materialised = tasks"
        kill -9 "$(part_pid coordinator)"
        start=$(now_us)
        deploy/local --dir "$DIR" start coordinator 2>/dev/null || exit 70
        record replay_ready $((($(now_us) - start) / 1000)) ms "coordinator started again after kill -9 with $QUEUED tasks queued: it serves"
        deploy/local --dir "$DIR" scale 1 2>/dev/null
        until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND succeeded > 0"
        record replay_first $((($(now_us) - start) / 1000)) ms "then a worker started: a first task's end is seen in SQL"
        jobctl cancel "$job" --yes >/dev/null
        all_ended
fi
if wanted workers; then
        : >"$T/workers"
        build/tests/bench/drive_workers $WORKERS 30 >"$T/workers" &
        until grep -q connected "$T/workers" || ! kill -0 $!; do sleep 0.2; done
        record workers_connected "$(awk '$1 == "connected" { print $2 }' "$T/workers")" ms "$WORKERS workers: handshake, ready and its answer, from all to the last"
        before=$(cpu_ms coordinator) && sleep 10 && after=$(cpu_ms coordinator)
        record workers_cpu "$(((after - before) / 10))" "ms/s" "the coordinator's processor time with their heartbeats, all threads"
        record workers_rss "$(mib coordinator VmRSS)" MiB "its resident memory with them"
        record workers_p50 "$(build/tests/bench/drive_submit latency $((LATENCY / 4)) | cut -d' ' -f1)" us "submit to end known, meanwhile"
        wait $!
        record workers_answered "$(awk '$1 == "beats" && $2 { printf "%.4f", $3 / $2 }' "$T/workers")" "of 1" "heartbeats answered within the run"
fi
if wanted memory; then
        record coordinator_rss "$(mib coordinator VmRSS)" MiB "the coordinator at the end of this run"
        record coordinator_peak "$(mib coordinator VmHWM)" MiB "its largest"
        record worker_rss "$(mib worker VmRSS)" MiB "the worker at the end"
        before=$(cpu_ms coordinator) && sleep 5 && after=$(cpu_ms coordinator)
        record idle_cpu "$(awk -v a="$before" -v b="$after" 'BEGIN { print (b - a) / 5 }')" "ms/s" "the coordinator's processor time with nothing to do"
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
tests/bench/plot.sh >build/bench.svg
