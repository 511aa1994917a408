#!/usr/bin/env bash
# run.sh SECONDS: builds every fuzz_*.c of this folder with libFuzzer and the sanitizers, and runs each that long, from
# the inputs kept in tests/fuzz/corpus/NAME (new ones are collected in build/fuzz/NAME). Stops at the first crash and says
# where its input lies. FUZZ_ONLY: a regular expression that chooses targets.
set -eu -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
seconds=${1:-60}
out=build/fuzz
export FLAGS='-std=gnu11 -O1 -g -D_GNU_SOURCE -DJOBMILL_VERSION="fuzz" -fno-omit-frame-pointer -I. -Icommon -Icoordinator -Iworker -I/usr/include/mariadb'
export SAN='address,undefined'

compile() { # FILE
        local object=build/fuzz/obj/${1%.c}.o
        mkdir -p "${object%/*}"
        # shellcheck disable=SC2086 # flags are words
        clang-14 $FLAGS -fsanitize=fuzzer-no-link,$SAN -fno-sanitize-recover=all -c "$1" -o "$object"
}
export -f compile
printf '%s\0' common/base/*.c common/proto/*.c common/crypt/*.c coordinator/core/*.c | xargs -0 -P "$(nproc)" -n 1 bash -c 'compile "$0"'

# The recorded messages, in each direction.
seed_messages() { # FOLDER
        local file direction
        for file in common/proto/examples/*; do
                for direction in 0 1 2 3; do
                        { printf "\\00$direction" && cat "$file"; } >"$1/seed-$direction-${file##*/}"
                done
        done
}

ran=0
for source in tests/fuzz/fuzz_*.c; do
        name=${source##*/fuzz_}
        name=${name%.c}
        [ -e "$source" ] && [[ $name =~ ${FUZZ_ONLY:-.} ]] || continue
        mkdir -p "$out/$name" "tests/fuzz/corpus/$name"
        [ "$name" != msg ] || seed_messages "$out/$name"
        # shellcheck disable=SC2086
        clang-14 $FLAGS -fsanitize=fuzzer,$SAN -fno-sanitize-recover=all -o "$out/fuzz_$name" "$source" \
                $(find build/fuzz/obj -name '*.o') -ljson-c -lcrypto -lz -lpthread -lm
        echo "fuzz $name, $seconds s"
        "$out/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$out/$name." \
                "$out/$name" "tests/fuzz/corpus/$name" >"$out/$name.log" 2>&1 || {
                tail -n 30 "$out/$name.log"
                echo "fuzz $name: a crash, see $out/$name.log and $out/$name.*"
                exit 1
        }
        sed -n 's/^stat::number_of_executed_units: */  inputs tried: /p' "$out/$name.log"
        rmdir --ignore-fail-on-non-empty "tests/fuzz/corpus/$name"
        ran=$((ran + 1))
done
echo "$ran fuzz targets, no crash"
[ "$ran" -gt 0 ]
