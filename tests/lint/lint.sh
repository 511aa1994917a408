#!/usr/bin/env bash
# make lint: format, static analysis, layers, sizes, and a few habits that a program can check. Every check runs, each
# says what it found; 1 if any found something.
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70
lint=tests/lint
failed=0

mapfile -t sources < <(find common coordinator worker sql tests -name '*.c' | sort)
mapfile -t headers < <(find common coordinator worker sql tests -name '*.h' | sort)
flags=(-std=gnu11 -D_GNU_SOURCE -DJOBMILL_VERSION='""' -I. -Icommon -Icoordinator -Iworker -Ibuild/gen -I/usr/include/mariadb)

format() { clang-format-14 --dry-run -Werror "${sources[@]}" "${headers[@]}"; }
analysis() {
        mkdir -p build/cppcheck
        cppcheck --quiet -j 2 --cppcheck-build-dir=build/cppcheck --std=c11 --enable=warning,performance,portability \
                --error-exitcode=1 --inline-suppr --suppressions-list=$lint/cppcheck.suppressions \
                --library=posix --library=$lint/cppcheck.cfg -D_GNU_SOURCE -DJOBMILL_VERSION='""' -I. -Icommon -Icoordinator -Iworker "${sources[@]}"
}
layers() { bash $lint/layers.sh; }
sizes() { bash $lint/stats.sh --limits; }
# Each header compiles alone.
headers_alone() {
        local header bad=0
        for header in "${headers[@]}"; do
                printf '#include "%s"\n' "$header" | gcc -fsyntax-only -Wall -Werror -x c "${flags[@]}" - || bad=1
        done
        return $bad
}
# File-scope data is constant: nothing of ours lies in .data or .bss. (The log has to know where it goes.)
globals() {
        local archive bad=0
        for archive in build/lib/*.a; do
                [ -e "$archive" ] || continue
                objdump -t "$archive" | awk -v archive="$archive" '
                        / file format / { object = $1 }
                        NF > 3 && object != "log.o:" && $(NF - 2) ~ /^\.(data|bss)(\..*)?$/ && $(NF - 2) !~ /^\.data\.rel\.ro/ && $(NF - 1) !~ /^0+$/ {
                                printf "%s%s changeable file-scope data: %s\n", archive, object, $NF
                                bad = 1
                        }
                        END { exit bad }' || bad=1
        done
        return $bad
}
# Nothing unfinished lands, and no tab or blank at a line's end.
habits() {
        local found
        found=$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b|[[:blank:]]$' "${sources[@]}" "${headers[@]}" && true) || true
        found+=$(grep -nP '\t' "${sources[@]}" "${headers[@]}") || true
        found+=$(grep -nE '^[[:blank:]]*goto ' "${sources[@]}") || true
        [ -z "$found" ] || { printf '%s\n' "$found" && return 1; }
}
# Under pipefail `writer | grep -q` fails at random: grep leaves at its first hit and the writer dies of SIGPIPE.
shell_syntax() {
        local file bad=0
        for file in deploy/local .ci/run deploy/*.sh deploy/*/*.sh sql/*.sh tests/*.sh tests/*/*.sh; do
                [ ! -e "$file" ] || bash -n "$file" || bad=1
                [ ! -e "$file" ] || ! grep -HnE '^[^#]*\|[[:blank:]]*grep -[a-zA-Z]*q' "$file" || bad=1
        done
        return $bad
}

# The page that strangers write peers from says what the declarations say.
protocol() { $lint/protocol_tables.py; }

for check in format layers sizes habits shell_syntax protocol headers_alone globals analysis; do
        if output=$($check 2>&1); then
                printf 'ok   lint/%s\n' "$check"
        else
                printf 'FAIL lint/%s\n' "$check"
                printf '%s\n' "$output" | head -n 60 | sed 's/^/       /'
                failed=1
        fi
done
exit $failed
