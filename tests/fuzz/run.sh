#!/usr/bin/env bash
# tests/fuzz/run.sh SECONDS [TARGET…]: builds the fuzz targets (clang, address and undefined-behaviour sanitizers), replays the
# kept corpus on each and then runs it for SECONDS. Two at a time. What it finds lies in build/fuzz/found; a crash is
# printed and ends in exit code 1: it becomes a unit test, and its input a file of tests/fuzz/corpus.
set -eu -o pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
shift || true
out=build/fuzz
cc=clang-14
flags=(-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all)
command -v $cc >/dev/null || { echo "tests/fuzz: $cc is not installed; run: apt-get install clang-14 libclang-rt-14-dev" >&2 && exit 78; }

if [ $# -gt 0 ]; then targets=("$@"); else
        targets=()
        for file in tests/fuzz/fuzz_*.c; do
                file=${file##*/fuzz_}
                targets+=("${file%.c}")
        done
fi

# The programs' own rules, with another compiler and place. A target on top of the simulation gets that and the core too.
needs_core() { grep -q '"sim.h"' "tests/fuzz/fuzz_$1.c"; } # TARGET
core=()
for target in "${targets[@]}"; do
        if needs_core "$target"; then
                for file in coordinator/core/*.c tests/sim/s{tore,hell}.c tests/sim/room.c; do core+=("$out/obj/${file%.c}.o"); done
                break
        fi
done
mkdir -p $out
env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory -j2 B=$out CC=$cc WARN= SAN= FAILPOINTS= CFLAGS="${flags[*]}" \
        $out/lib/libcli.a $out/lib/libcommon.a "${core[@]}" >$out/build.log 2>&1 || { cat $out/build.log && exit 1; }

build_one() { # TARGET
        local source=tests/fuzz/fuzz_$1.c program=$out/fuzz_$1
        local objects=() object new=0
        ! needs_core "$1" || objects=("${core[@]}")
        for object in "$source" "${objects[@]}" $out/lib/lib{cli,common}.a; do [ "$program" -nt "$object" ] || new=1; done
        [ $new -eq 1 ] || return 0
        $cc -std=gnu11 -D_GNU_SOURCE "${flags[@]}" -fsanitize=fuzzer -I. -Icommon -Icoordinator -Itests/sim "$source" \
                "${objects[@]}" $out/lib/libcli.a $out/lib/libcommon.a -lczmq -lzmq -ljson-c -lcrypto -lz -lpthread -o "$program"
}

# Words that a blind search would need long to find: all names and words of the protocol.
dictionary() {
        sed -nE 's/^FIELD[A-Z_]*\([a-z_]+, ([a-z0-9_]+),.*/"\\"\1\\":"/p' common/proto/messages.def
        sed -nE 's/^MSG\([a-z_]+, [A-Za-z]+, "([a-z-]+)".*/"\\"\1\\""/p' common/proto/messages.def
        sed -nE 's/^[A-Z_]+\(.*"([a-z.-]+)"[^"]*$/"\\"\1\\""/p' common/proto/*.def
        printf '"%s"\n' '9007199254740991' '\\u0000' '\\ud800' '[[1,2]]' '\xef\xbb\xbf' '1e400' '-0'
}

# Names of new functions are not printed: that would want a symbolizer, which is in another package.
run_one() { # TARGET
        local target=$1 found=$out/found/$1 corpus=(tests/fuzz/corpus/$1) log=$out/$1.log options=()
        mkdir -p "$found" $out/crashes
        if [ "$target" = msg ]; then corpus+=(common/proto/examples); fi
        case $target in msg | spec | session) options=(-dict=$out/dictionary -max_len=8192) ;; esac
        # -runs=0 replays every file and stops.
        if [ "$seconds" -gt 0 ]; then options+=(-max_total_time="$seconds"); else options+=(-runs=0); fi
        if "$out/fuzz_$target" "${options[@]}" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -print_funcs=0 \
                -artifact_prefix="$out/crashes/$target-" "$found" "${corpus[@]}" >"$log" 2>&1; then
                printf 'ok   fuzz/%-12s %s runs\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
        else
                printf 'FAIL fuzz/%s\n' "$target"
                tail -n 40 "$log" | sed 's/^/       /'
                return 1
        fi
}

for target in "${targets[@]}"; do build_one "$target"; done
dictionary | sort -u >$out/dictionary
failed=0
for ((i = 0; i < ${#targets[@]}; i += 2)); do
        run_one "${targets[i]}" &
        first=$!
        if [ $((i + 1)) -lt ${#targets[@]} ]; then run_one "${targets[i + 1]}" || failed=1; fi
        wait $first || failed=1
done
exit $failed
