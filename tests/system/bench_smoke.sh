#!/usr/bin/env bash
# The benchmark's programs still fit what they measure: small runs of those that need no cluster, a table, its plot.
. "${BASH_SOURCE%/*}/lib.sh"

bench=${JOBMILL_BIN%/bin}/tests/bench

run "$bench/bench_core" 3 2 500
equal "the core's: exit code" "$status" 0
matches "the core's: a line a figure" "$out" '^\{"name":"core_single_w3_j2","value":[0-9]+,"unit":"events/s"\}$'
run env -u JOBMILL_PROFILE "$bench/drive_submit" latency 1
equal "a driver without a profile: exit code" "$status" 64
run "$bench/bench_lone" 0
equal "no lone task: exit code" "$status" 64
run "$bench/bench_store" ranges none
equal "a batch of no size: exit code" "$status" 64
run env BENCH="latency nonsense" bash "$ROOT/tests/bench/run.sh"
equal "a section that there is not: exit code" "$status" 64
matches "it is named, with those that there are" "$err" "no section 'nonsense'.* latency "
run env PROFILE="lone nonsense" bash "$ROOT/tests/bench/profile.sh"
equal "a workload that there is not: exit code" "$status" 64
matches "it is named, with those that there are" "$err" "no workload 'nonsense'.* lone "

cat >"$T/rows.json" <<'END'
{"machine":"one","rows":[
 {"name":"rate_at_0","value":100000,"unit":"tasks/s","what":"x"},
 {"name":"rate_at_1000000","value":90000,"unit":"tasks/s","what":"x"},
 {"name":"busy_1_rate","value":800,"unit":"jobs/s","what":"x"},
 {"name":"busy_1_p50","value":1000,"unit":"us","what":"x"},
 {"name":"busy_1_p99","value":2000,"unit":"us","what":"x"},
 {"name":"busy_2_rate","value":1500,"unit":"jobs/s","what":"x"},
 {"name":"busy_2_p50","value":1200,"unit":"us","what":"x"},
 {"name":"busy_2_p99","value":2400,"unit":"us","what":"x"}
]}
END
run bash "$ROOT/tests/bench/plot.sh" "$T/rows.json"
equal "the plot: exit code" "$status" 0
equal "the plot: a point a rate, two a number of clients" "$(grep -c '<circle' <<<"$out")" 6
matches "the plot is whole" "$out" '</svg>$'
finish
