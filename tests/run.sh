#!/usr/bin/env bash
# run.sh BUILD KIND…: runs the tests of those kinds (lint, unit, sim, contract, system) on what lies in BUILD, two at a
# time.
# One line a test; what it printed is kept in BUILD/logs. Ends with `N passed, N failed`; 1 if anything failed.
# TESTS: an extended regular expression that chooses tests by name (kind/name).
#
# A system test also fails if a process that it started is left, or a sanitizer reported something in any program.
set -u -o pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 70
[ $# -ge 2 ] || { echo "usage: tests/run.sh BUILD lint|unit|sim|contract|system…" >&2 && exit 64; }
build=$1
shift
logs=$build/logs
results=$(mktemp -d "${TMPDIR:-/tmp}/jobmill-run.XXXXXX")
trap 'rm -rf -- "$results"' EXIT
mkdir -p "$logs"
parallel=$(nproc)
PATIENCE=3 # a test's bound is what it may take on a quiet machine
[ "$parallel" -le 2 ] || parallel=2

list() { # KIND: "NAME FILE" lines
        local file
        case $1 in
        unit | contract) set -- "$1" "tests/$1"/test_*.c ;;
        sim) set -- sim tests/sim/sim.c ;;
        lint) set -- lint tests/lint/lint.sh ;;
        system) set -- system tests/system/*.sh ;;
        *) echo "unknown kind of test: $1" >&2 && exit 64 ;;
        esac
        for file in "${@:2}"; do
                [ -e "$file" ] && [ "${file##*/}" != lib.sh ] && [ "${file##*/}" != invariants.sh ] || continue
                file=${file##*/}
                printf '%s/%s\n' "$1" "${file%.*}"
        done
}
# What a test's file says in its first lines.
mark() { sed -n "1,15s/^\(#\|.\*\) $2: *//p" "tests/$1".[sc]* 2>/dev/null | head -n 1; }
is_alone() { grep -qx '# alone' < <(sed -n 1,15p "tests/$1".[sc]* 2>/dev/null); }

left_processes() { grep -lsazxF -- "JOBMILL_TEST=$1" /proc/[0-9]*/environ; }
check_left() { # ID: processes that the test left: named and ended; false if there were any
        local environ found
        mapfile -t found < <(left_processes "$1")
        [ ${#found[@]} -gt 0 ] || return 0
        for environ in "${found[@]}"; do
                environ=${environ%/environ}
                printf 'FAIL a process is left: %s %s\n' "${environ#/proc/}" "$(tr '\0' ' ' <"$environ/cmdline")"
                kill -9 "${environ#/proc/}"
        done
        return 1
}
run_one() { # NAME: writes results/NAME with its line
        local name=$1 log=$logs/${1//\//_}.log id=$$.${1//\//_} seconds command code start=$EPOCHREALTIME
        local san=$PWD/$logs/${1//\//_}.sanitizer
        rm -f -- "$san".*
        seconds=$(mark "$name" time-out)
        case $name in
        system/* | lint/*) command=(bash "tests/$name.sh") seconds=${seconds:-300} ;;
        sim/*) command=("$build/tests/sim/sim") seconds=600 ;;
        contract/*) command=("$build/tests/$name") seconds=${seconds:-300} ;;
        *) command=("$build/tests/$name") ;;
        esac
        seconds=$((${seconds:-120} * PATIENCE))
        # Signals as a terminal gives them: a job in the background of a script, or under nohup, has some ignored.
        JOBMILL_TEST=$id JOBMILL_BIN=$PWD/$build/bin \
                ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:log_path=\"$san\"" \
                UBSAN_OPTIONS="print_stacktrace=1:log_path=\"$san\"" \
                env --default-signal timeout --kill-after=20 "$seconds" "${command[@]}" </dev/null >"$log" 2>&1
        code=$?
        [ $code -ne 124 ] || echo "FAIL it took more than $seconds s" >>"$log"
        check_left "$id" >>"$log" || code=1
        if compgen -G "$san.*" >/dev/null; then
                echo "FAIL a sanitizer reported:" >>"$log"
                head -n 40 "$san".* >>"$log"
                code=1
        fi
        start=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }')
        if [ $code -eq 0 ]; then
                printf 'ok   %-44s %s\n' "$name" "$start"
                : >"$results/ok.${name//\//_}"
        else
                printf 'FAIL %-44s %s, code %s, %s\n' "$name" "$start" "$code" "$log"
                grep -a -A3 -E '^FAIL|Assertion|^[ ]+[0-9]+\. ' "$log" | head -n 30 | sed 's/^/       /'
                : >"$results/failed.${name//\//_}"
        fi
}

running=0
run_all() { # NAME…
        local name
        for name in "$@"; do
                if [ "$running" -ge "$parallel" ]; then
                        wait -n
                        running=$((running - 1))
                fi
                run_one "$name" &
                running=$((running + 1))
        done
}
together=()
alone=()
for name in $(for kind in "$@"; do list "$kind"; done | grep -E -- "${TESTS:-.}"); do
        if is_alone "$name"; then
                alone+=("$name")
        elif [[ $name == sim/* ]]; then # the longest first
                together=("$name" "${together[@]}")
        else
                together+=("$name")
        fi
done
run_all "${together[@]}"
wait
for name in "${alone[@]}"; do run_one "$name"; done

count() { find "$results" -name "$1.*" | wc -l; }
passed=$(count ok)
failed=$(count failed)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
