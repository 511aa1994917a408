#!/usr/bin/env bash
# What run.sh and peers.sh share: a private cluster, rows of the table, waiting. Sourced from the top of the tree.
T=$(mktemp -d "${TMPDIR:-/tmp}/jobmill-bench.XXXXXX")
DIR=$T/run
export JOBMILL_BIN=$PWD/build/bin
BACKGROUND=() # what was started beside the cluster
at_end() {
        [ ${#BACKGROUND[@]} = 0 ] || kill "${BACKGROUND[@]}" 2>/dev/null
        deploy/local --dir "$DIR" destroy 2>/dev/null
        rm -rf -- "$T"
}
trap at_end EXIT
trap 'exit 130' INT TERM

: >"$T/rows"
record() { # NAME VALUE UNIT WHAT
        [ -n "$2" ] || { echo "bench: no value for $1" >&2 && kill $$ && exit 70; }
        printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$T/rows"
        printf '%-28s %14s %-9s %s\n' "$1" "$2" "$3" "$4"
}
median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }
now_us() { echo "${EPOCHREALTIME/./}"; }
rate() { awk -v n="$1" -v us="$2" 'BEGIN { printf "%.0f\n", n * 1e6 / us }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f\n", a / b }'; }
timed_us() { # COMMAND…: microseconds; stops the whole run if it fails
        local start
        start=$(now_us)
        "$@" >"$T/last.out" 2>"$T/last.err" || { echo "bench: $* failed: $(tail -n 1 "$T/last.err")" >&2 && kill $$; }
        echo $(($(now_us) - start))
}
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
cpu_each() { awk -v before="$1" -v after="$2" -v n="$3" 'BEGIN { printf "%.2f\n", (after - before) * 1000 / n }'; }
all_ended() { until_sql 'SELECT COUNT(*) = 0 FROM Jobs WHERE ended_us = 0'; }
workers() { # N: that many are there
        deploy/local --dir "$DIR" scale "$1" 2>/dev/null || exit 70
        until_sql "SELECT COUNT(*) = $1 FROM Workers WHERE state = 1"
}
noop_rate() { rate "$1" "$(timed_us jobsubmit --wait --type noop -a "1-$1")"; } # N
true_rate() { rate "$1" "$(timed_us jobsubmit --wait -a "1-$1" /bin/true)"; } # N
micro() { # PROGRAM [ARG…]: its lines of JSON as rows
        "$@" 2>/dev/null | sed -n 's/.*"name": *"\([^"]*\)", *"value": *\([0-9.]*\), *"unit": *"\([^"]*\)".*/\1 \2 \3/p' |
                while read -r name value unit; do record "$name" "$value" "$unit" "${1##*/}, by itself"; done
}

# In turn, RUNS times: ours and theirs, both commands that print tasks a second; the ratios' median is what counts.
in_turn() { # NAME "WHAT THEIRS IS" OURS-COMMAND THEIR-COMMAND…
        local name=$1 what=$2 ours=$3 of=${1%%_*} i
        shift 3
        : >"$T/ours" && : >"$T/theirs" && : >"$T/ratio"
        for ((i = 0; i < RUNS; i++)); do
                $ours >>"$T/ours" && "$@" >>"$T/theirs" || { echo "bench: $name failed" >&2 && kill $$; }
                ratio "$(tail -n 1 "$T/ours")" "$(tail -n 1 "$T/theirs")" >>"$T/ratio"
        done
        record "$name" "$(median <"$T/theirs")" tasks/s "$what, in turn with ours"
        record "${of}_over_${name#*_}" "$(median <"$T/ratio")" x "ours over it, median of the runs' ratios"
}
