#!/usr/bin/env bash
# Systems that people use instead, where they are installed, in turn with ours: what each does with the same tasks. None is
# needed. Sourced by run.sh.
#
# Durable here: what is acknowledged outlives a power cut. xargs, parallel and gearmand keep nothing, beanstalkd keeps
# tasks and no results, Slurm keeps both.
PORT=$((21000 + $$ % 4000))

queue() { /usr/bin/python3 tests/bench/peer_queue.py "$@"; } # beanstalkd|gearmand PORT WHAT N
up() { # COMMAND…: in the background, until its port answers
        "$@" >"$T/peer.log" 2>&1 &
        BACKGROUND+=($!)
        local end=$((SECONDS + 10))
        until (: >"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
                [ $SECONDS -lt $end ] && kill -0 $! 2>/dev/null || { echo "bench: $1 does not start: $(tail -n 1 "$T/peer.log")" >&2 && return 1; }
                sleep 0.05
        done
}
down() {
        kill "${BACKGROUND[-1]}" && wait "${BACKGROUND[-1]}" 2>/dev/null
        unset 'BACKGROUND[-1]'
        PORT=$((PORT + 1))
}
peer_queue() { # NAME "WHAT IT KEEPS"
        local kind=${1%%-*}
        in_turn "noop_$1" "$1, $2: no-op tasks, two Python workers" "noop_rate $NOOP" queue "$kind" $PORT noop $((NOOP / 10))
        in_turn "spawn_$1" "$1: /bin/true by two Python workers" "true_rate $SPAWN" queue "$kind" $PORT spawn "$SPAWN"
        for ((i = 0; i < RUNS; i++)); do queue "$kind" $PORT latency $((LATENCY / 4)) || exit 70; done >"$T/v"
        record "latency_$1_p50" "$(cut -d' ' -f1 "$T/v" | median)" us "$1: a task given until its end is known"
        record "latency_$1_p99" "$(cut -d' ' -f2 "$T/v" | median)" us "the same"
}
run_beanstalkd() {
        mkdir "$T/binlog" "$T/binlog50"
        up beanstalkd -l 127.0.0.1 -p $PORT -b "$T/binlog" -f0 && peer_queue beanstalkd "each put flushed" && down
        up beanstalkd -l 127.0.0.1 -p $PORT -b "$T/binlog50" -f50 && peer_queue beanstalkd-50ms "flushed every 50 ms" && down
}
run_gearmand() {
        up gearmand -L 127.0.0.1 -p $PORT -l "$T/gearmand.log" -P "$T/gearmand.pid" && peer_queue gearmand "nothing durable" && down
}
parallel_rate() { rate "$SPAWN" "$(timed_us sh -c "seq $SPAWN | parallel -j2 --joblog $T/joblog /bin/true")"; }
run_parallel() { in_turn spawn_parallel "parallel -j2 --joblog /bin/true" "true_rate $SPAWN" parallel_rate; }
tsp_rate() { # its own server, under its own socket
        local n=$((SPAWN / 10)) start
        export TS_SOCKET=$T/tsp TS_MAXFINISHED=1000000 TMPDIR=$T
        start=$(now_us)
        tsp -S 2
        for ((i = 0; i < n; i++)); do tsp -n /bin/true; done >/dev/null
        until [ "$(tsp -l | grep -c finished)" = "$n" ]; do sleep 0.05; done
        rate "$n" $(($(now_us) - start))
        tsp -K
}
run_tsp() { in_turn spawn_tsp "tsp -S 2, /bin/true, nothing durable" "true_rate $SPAWN" tsp_rate; }
slurm_rate() {
        local n=$((SPAWN < 1000 ? SPAWN : 1000))
        rate "$n" "$(timed_us sbatch --wait --array=1-"$n" --output=/dev/null --wrap=/bin/true)"
}
run_sbatch() { # a cluster that answers, whosever it is
        timeout 5 sinfo >/dev/null 2>&1 || return 0
        in_turn spawn_slurm "sbatch --wait --array, /bin/true" "true_rate $SPAWN" slurm_rate
        for ((i = 0; i < 20; i++)); do timed_us srun /bin/true; done >"$T/v"
        record latency_slurm_p50 "$(median <"$T/v")" us "a whole srun /bin/true"
}
run_hq() {
        local server=$T/hq
        hq --server-dir "$server" server start >"$T/hq.log" 2>&1 &
        BACKGROUND+=($!)
        until hq --server-dir "$server" server info >/dev/null 2>&1; do sleep 0.1; done
        hq --server-dir "$server" worker start --cpus 2 >"$T/hqw.log" 2>&1 &
        BACKGROUND+=($!)
        hq_rate() { rate "$SPAWN" "$(timed_us hq --server-dir "$server" submit --wait --array "1-$SPAWN" --stdout none --stderr none /bin/true)"; }
        in_turn spawn_hyperqueue "hq submit --wait --array, /bin/true, journal off" "true_rate $SPAWN" hq_rate
        hq --server-dir "$server" server stop >/dev/null 2>&1
        unset 'BACKGROUND[-1]' 'BACKGROUND[-1]'
}
measure_peers() {
        local peer any=''
        for peer in parallel beanstalkd gearmand tsp sbatch hq; do
                command -v $peer >/dev/null || continue
                any=1
                "run_$peer"
        done
        [ -n "$any" ] || echo "peers: none of parallel, beanstalkd, gearmand, tsp, sbatch, hq is installed"
}
