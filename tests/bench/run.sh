#!/usr/bin/env bash
# make bench: every figure that the README quotes, measured on a private cluster of this build (durable settings, one
# machine for everything). Medians of RUNS; what is compared is measured in turn in the same run: xargs, a bare loop of the
# store at the same batch size, and each peer that is installed (peers.sh).
# Prints one table and writes build/bench.json and, drawn by plot.sh, build/bench.svg.
# BENCH_QUICK=1: small sizes, one run, some minutes. BENCH="latency noop": these sections only, no plot.
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70

SECTIONS="noop single clients shell spawn output latency reader load busy array history replay workers memory peers micro"
wanted() { [ -z "${BENCH:-}" ] || [[ " ${BENCH//,/ } " == *" $1 "* ]]; }
for section in ${BENCH:+${BENCH//,/ }}; do
        [[ " $SECTIONS " == *" $section "* ]] || { echo "bench: no section '$section'; there are: $SECTIONS" >&2 && exit 64; }
done
if [ "${BENCH_QUICK:-}" = 1 ]; then
        RUNS=${RUNS:-1} NOOP=40000 SINGLE=4000 SHELL_JOBS=100 SPAWN=1000 LATENCY=400 LOAD=30 WHOLE=60 BUSY=2000
        ARRAYS=1000000 HISTORY=200000 STEPS=5 QUEUED=1000000 WORKERS=1000 BEATS_S=12
else
        RUNS=${RUNS:-3} NOOP=400000 SINGLE=20000 SHELL_JOBS=500 SPAWN=5000 LATENCY=2000 LOAD=100 WHOLE=300 BUSY=10000
        ARRAYS="1000000 10000000" HISTORY=1000000 STEPS=11 QUEUED=1000000 WORKERS=10000 BEATS_S=30
fi
. tests/bench/lib.sh
. tests/bench/peers.sh
DRIVE=build/tests/bench/drive_submit

# --- rates ---
measure_noop() {
        local db coordinator worker
        db=$(cpu_ms mariadb) coordinator=$(cpu_ms coordinator) worker=$(cpu_ms worker)
        for ((i = 0; i < RUNS; i++)); do noop_rate $NOOP; done >"$T/v"
        record noop_array "$(median <"$T/v")" tasks/s "no-op tasks of one array, each result durable, by jobsubmit --wait"
        record noop_cpu_db "$(cpu_each "$db" "$(cpu_ms mariadb)" $((NOOP * RUNS)))" us "processor time a task: MariaDB"
        record noop_cpu_coordinator "$(cpu_each "$coordinator" "$(cpu_ms coordinator)" $((NOOP * RUNS)))" us "the coordinator, all threads"
        record noop_cpu_worker "$(cpu_each "$worker" "$(cpu_ms worker)" $((NOOP * RUNS)))" us "the worker"
        store_rate() { build/tests/bench/bench_store ranges 2000 | sed -n 's/.*_2000","value":\([0-9]*\),.*/\1/p'; }
        in_turn noop_store "a loop of the store alone: rows made, ends as ranges, 2000 tasks a batch" "noop_rate $NOOP" store_rate
}
jobs_rate() { # N WHAT ARG…: N jobs by drive_submit until the last has ended
        local start
        start=$(now_us)
        $DRIVE "${@:2}" >/dev/null || exit 70
        all_ended
        rate "$1" $(($(now_us) - start))
}
measure_single() {
        for ((i = 0; i < RUNS; i++)); do jobs_rate $SINGLE single $SINGLE 500; done >"$T/v"
        record noop_single "$(median <"$T/v")" jobs/s "jobs of one no-op task, 500 in a message, submitted and ended"
}
measure_clients() {
        for ((i = 0; i < RUNS; i++)); do jobs_rate $((SINGLE / 4)) clients $((SINGLE / 4)) 50; done >"$T/v"
        record noop_clients "$(median <"$T/v")" jobs/s "jobs of one no-op task, from 50 clients, one after the other each"
}
measure_shell() {
        shell_loop() { for ((j = 0; j < SHELL_JOBS; j++)); do jobsubmit --type noop || return 1; done; }
        for ((i = 0; i < RUNS; i++)); do rate $SHELL_JOBS "$(timed_us shell_loop)" && all_ended; done >"$T/v"
        record noop_shell "$(median <"$T/v")" jobs/s "jobs of one no-op task, a loop of jobsubmit in one shell"
}
measure_spawn() {
        xargs_rate() { rate "$SPAWN" "$(timed_us sh -c "seq $SPAWN | xargs -P2 -n1 /bin/true")"; }
        in_turn spawn_xargs "xargs -P2 -n1 /bin/true, nothing durable" "true_rate $SPAWN" xargs_rate
        record spawn "$(median <"$T/ours")" tasks/s "/bin/true as tasks of one array, 2 slots, durable, output captured"
}
measure_output() {
        local text
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
}

# --- latency ---
percentiles() { # NAME WHAT: of "p50 p99" lines
        record "$1_p50" "$(cut -d' ' -f1 "$T/v" | median)" us "$2"
        record "$1_p99" "$(cut -d' ' -f2 "$T/v" | median)" us "the same"
}
measure_latency() {
        for ((i = 0; i < RUNS; i++)); do $DRIVE latency $LATENCY || exit 70; done >"$T/v"
        percentiles latency "submit to end known, one no-op, idle, connected client"
        micro build/tests/bench/bench_lone $LATENCY
        for ((i = 0; i < WHOLE; i++)); do timed_us jobsubmit --wait --type noop; done | sort -n >"$T/v"
        record whole_p50 "$(sed -n "$((WHOLE / 2))p" "$T/v")" us "a whole jobsubmit --wait process"
        record whole_p99 "$(sed -n "$((WHOLE * 99 / 100))p" "$T/v")" us "the same"
        for ((i = 0; i < WHOLE; i++)); do timed_us jobsubmit --version; done >"$T/v"
        record whole_start "$(median <"$T/v")" us "of it: a jobsubmit that only says its version"
}
measure_reader() {
        local alone reader
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
        record reader_ratio "$(median <"$T/ratio")" x "no-op rate while one SELECT after the other groups all of Tasks, over it alone"
        record reader_selects "$(median <"$T/reads")" selects "done by that reader meanwhile"
}
measure_load() {
        local deep
        deep=$(jobsubmit --type noop --priority -10 -a 1-$((NOOP * 20)))
        for ((i = 0; i < RUNS; i++)); do $DRIVE latency $LOAD || exit 70; done >"$T/v"
        percentiles load "submit to end known while an array of lower priority runs"
        jobctl cancel "$deep" --yes >/dev/null && all_ended
}
measure_busy() { # the curve of the plot
        local clients what
        for clients in 1 2 4 8 16 32 64; do
                for ((i = 0; i < RUNS; i++)); do $DRIVE busy $BUSY $clients || exit 70; done | sort -g >"$T/v"
                what="$clients clients at once, each one task after the other until its end is known"
                record "busy_${clients}_rate" "$(cut -d' ' -f1 "$T/v" | median)" jobs/s "$what"
                record "busy_${clients}_p50" "$(cut -d' ' -f2 "$T/v" | median)" us "the same: submit to end known"
                record "busy_${clients}_p99" "$(cut -d' ' -f3 "$T/v" | median)" us "the same"
        done
}

# --- scale ---
cancel_all() { jobctl cancel "$1" --yes >/dev/null && all_ended; }
array_once() { # SIZE: appends to ack, whole and rows_ms; leaves the job's id in $job
        local start ack
        timed_us jobsubmit --type noop --hold -a "1-$1" >>"$T/whole"
        cancel_all "$(cat "$T/last.out")"
        start=$(now_us)
        read -r ack job < <($DRIVE array "$1")
        until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND materialised = tasks"
        echo $((($(now_us) - start) / 1000)) >>"$T/rows_ms"
        echo "$ack" >>"$T/ack"
}
measure_array() {
        local array size job start runs
        for array in $ARRAYS; do
                size=$((array / 1000000))m runs=$((array > 1000000 ? 1 : RUNS))
                : >"$T/ack" && : >"$T/whole" && : >"$T/rows_ms"
                for ((i = 0; i < runs; i++)); do
                        workers 0
                        array_once "$array"
                        [ $i = 0 ] || { cancel_all "$job" && continue; }
                        record "array_${size}_rss" "$(mib coordinator VmRSS)" MiB "the coordinator's resident memory with $array tasks queued"
                        start=$(now_us)
                        workers 1
                        until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND succeeded > 0"
                        record "array_${size}_first" $((($(now_us) - start) / 1000)) ms "a worker is started: first task's end seen in SQL"
                        all_ended
                        record "array_${size}_last" $((($(now_us) - start) / 1000)) ms "the last task's"
                done
                record "array_${size}_ack" "$(median <"$T/ack")" us "array of $array acknowledged, durable, connected client"
                record "array_${size}_whole" "$(median <"$T/whole")" us "the same by a whole jobsubmit"
                record "array_${size}_rows" "$(median <"$T/rows_ms")" ms "all its rows in Tasks"
        done
        workers 1
}
measure_history() {
        local first='' last
        for ((i = 0; i < STEPS; i++)); do
                last=$(noop_rate $HISTORY)
                first=${first:-$last}
                record "rate_at_$((i * HISTORY))" "$last" tasks/s "no-op tasks, $((i * HISTORY)) of them finished before"
        done
        record rate_kept "$(ratio "$last" "$first")" x "the last of these over the first"
        record row_bytes "$(($(stat -c %s "$DIR/mariadb/jobmill/Tasks.ibd") / $(sql 'SELECT COUNT(*) FROM Tasks')))" bytes "a task in the database, its share of the file"
}
measure_replay() {
        local job start finished
        workers 0
        finished=$(sql 'SELECT SUM(succeeded + cancelled) FROM Jobs')
        job=$(jobsubmit --type noop -a 1-$QUEUED 2>/dev/null) || exit 70
        until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND materialised = tasks"
        kill -9 "$(part_pid coordinator)"
        start=$(now_us)
        deploy/local --dir "$DIR" start coordinator 2>/dev/null || exit 70
        record replay_ready $((($(now_us) - start) / 1000)) ms "coordinator started after kill -9, $QUEUED tasks queued, $finished ended: it serves"
        deploy/local --dir "$DIR" scale 1 2>/dev/null
        until_sql "SELECT COUNT(*) = 1 FROM Jobs WHERE job_id = $job AND succeeded > 0"
        record replay_first $((($(now_us) - start) / 1000)) ms "then a worker started: a first task's end is seen in SQL"
        cancel_all "$job"
}
measure_workers() {
        local before after
        : >"$T/workers"
        build/tests/bench/drive_workers $WORKERS $BEATS_S >"$T/workers" &
        until grep -q connected "$T/workers" || ! kill -0 $!; do sleep 0.2; done
        record workers_connected "$(awk '$1 == "connected" { print $2 }' "$T/workers")" ms "$WORKERS workers: handshake, ready and its answer, from all to the last"
        before=$(cpu_ms coordinator) && sleep $((BEATS_S / 3)) && after=$(cpu_ms coordinator)
        record workers_cpu "$(((after - before) * 3 / BEATS_S))" "ms/s" "the coordinator's processor time with their heartbeats, all threads"
        record workers_rss "$(mib coordinator VmRSS)" MiB "its resident memory with them"
        record workers_p50 "$($DRIVE latency $LOAD | cut -d' ' -f1)" us "submit to end known, meanwhile"
        wait $!
        record workers_answered "$(awk '$1 == "beats" && $2 { printf "%.4f", $3 / $2 }' "$T/workers")" "of 1" "heartbeats answered within the run"
}
measure_memory() {
        local before after
        record coordinator_rss "$(mib coordinator VmRSS)" MiB "the coordinator at the end of this run"
        record coordinator_peak "$(mib coordinator VmHWM)" MiB "its largest"
        record worker_rss "$(mib worker VmRSS)" MiB "the worker at the end"
        before=$(cpu_ms coordinator) && sleep 5 && after=$(cpu_ms coordinator)
        record idle_cpu "$(awk -v a="$before" -v b="$after" 'BEGIN { print (b - a) / 5 }')" "ms/s" "the coordinator's processor time with nothing to do"
}
measure_micro() {
        for program in core codec exec store; do micro build/tests/bench/bench_$program; done
}

exports=$(deploy/local --dir "$DIR" up --workers 1 --slots 2) || exit 70
eval "$exports"
MACHINE="$(sed -n 's/^model name[^:]*: //p;T;q' /proc/cpuinfo), $(nproc) cores, MariaDB $(sql 'SELECT VERSION()'), flushed 512-byte write $(dd if=/dev/zero of="$T/flush" bs=512 count=500 oflag=dsync 2>&1 | awk -F, '/copied/ { printf "%.2f ms", $(NF - 1) * 2 }'), load $(cut -d' ' -f1 /proc/loadavg)"
printf '%s\n\n' "$MACHINE"
jobsubmit --wait --type noop -a 1-2000 >/dev/null || exit 70
for section in $SECTIONS; do
        if wanted "$section"; then "measure_$section"; fi
done
awk -F'\t' -v machine="$MACHINE" 'BEGIN { printf "{\"machine\":\"%s\",\"rows\":[", machine }
        { printf "%s\n {\"name\":\"%s\",\"value\":%s,\"unit\":\"%s\",\"what\":\"%s\"}", (NR > 1 ? "," : ""), $1, $2, $3, $4 }
        END { print "\n]}" }' "$T/rows" >build/bench.json
if [ -z "${BENCH:-}" ]; then # the plot wants rows of all of them
        tests/bench/plot.sh >build/bench.svg
fi
