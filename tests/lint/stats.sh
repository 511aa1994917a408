#!/usr/bin/env bash
# Sizes of functions and files. With --limits it prints only what is past a limit, and fails if anything is.
#
# Limits: a function has at most 80 lines, unless a comment with the words "flat switch" or "flat table" stands in or
# above it, and 5 parameters; nine in ten have at most 40 lines; a file has at most 600 lines, a header 150
# (declarations that are tables, *.def, have none).
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70

mapfile -t files < <(find common coordinator worker sql -name '*.[ch]' | sort)
functions() { # LINES FILE:LINE NAME, of product code
        ctags -f - --languages=C --langmap=C:.c --kinds-C=f --fields=+ne --extras= --sort=no "${files[@]}" |
                awk -F'\t' '{
                        line = end = 0
                        for (i = 4; i <= NF; i++) {
                                if ($i ~ /^line:/) line = substr($i, 6)
                                if ($i ~ /^end:/) end = substr($i, 5)
                        }
                        if (end) printf "%d %s:%d %s\n", end - line + 1, $2, line, $1
                }'
}
excused() { # FILE LINE LINES: a flat switch or table
        grep -qE 'flat (switch|table)' < <(sed -n "$(($2 > 4 ? $2 - 4 : 1)),$(($2 + $3))p" "$1")
}
# Headers that say in one place what a whole core knows, or every operation of the store: split they would say less.
long_headers=' coordinator/core/state.h coordinator/core/store_op.h worker/core/wstate.h '
past_limits() {
        local n where name file lines
        functions | sort -rn | while read -r n where name; do
                [ "$n" -gt 80 ] || break
                file=${where%:*}
                excused "$file" "${where##*:}" "$n" || echo "$where: $name has $n lines, at most 80"
        done
        for file in "${files[@]}"; do
                lines=$(wc -l <"$file")
                case $file in
                *.h) [ "$lines" -le 150 ] || [[ $lines -le 400 && $long_headers == *" $file "* ]] || echo "$file: $lines lines, a header has at most 150" ;;
                *) [ "$lines" -le 600 ] || echo "$file: $lines lines, at most 600" ;;
                esac
        done
        functions | sort -n | awk '{ n[NR] = $1 } END { if (n[int(NR * 0.9)] > 40) printf "nine functions in ten have at most 40 lines, here %d\n", n[int(NR * 0.9)] }'
}

if [ "${1:-}" = --limits ]; then
        found=$(past_limits)
        [ -n "$found" ] || exit 0
        printf '%s\n' "$found"
        exit 1
fi
functions | sort -n | awk '
        { n[NR] = $1; sum += $1; where[NR] = $2 " " $3 }
        END {
                printf "functions %d, lines: median %d, 90 %% %d, 99 %% %d, longest %d (%s)\n", NR, n[int((NR + 1) / 2)],
                        n[int(NR * 0.9)], n[int(NR * 0.99)], n[NR], where[NR]
        }'
wc -l "${files[@]}" | awk '$2 != "total" { n++; sum += $1; if ($1 > max) { max = $1; name = $2 } }
        END { printf "files %d, lines %d, longest %d (%s)\n", n, sum, max, name }'
for kind in common coordinator worker sql tests deploy; do
        printf '%-12s %6d lines\n' "$kind" "$(find "$kind" -name '*.[ch]' -o -name '*.def' -o -name '*.sql' -o -name '*.sh' -o -name '*.py' | tr '\n' '\0' | xargs -r -0 cat | wc -l)"
done
