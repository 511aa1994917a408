#!/usr/bin/env bash
# A cluster in a path of some 200 bytes with blanks, as a user who is not root where that can be tried.
. "${BASH_SOURCE%/*}/lib.sh"

DIR=$T/$(printf 'a long path with blanks %.0s' {1..7})x
DIR=${DIR:0:190}
cluster_up --workers 1
exits "a cluster in a path of ${#DIR} bytes serves" 0 jobsubmit --wait echo hello
equal "its output is there" "$(jobctl logs last)" hello
exits "SQL too" 0 jobctl sql --csv 'SELECT COUNT(*) AS n FROM v_jobs'
equal "with the row" "$out" $'n\n1'
outside=$(find /tmp -maxdepth 1 -name "jobmill-$(cat "$DIR/state/cluster")")
check "the socket lies in a private folder" test "$(stat -c %a -- "$outside")" = 700
local_ destroy 2>/dev/null
refute "that goes with the cluster" test -e "$outside"

if [ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1; then
        # The programs must be readable to him: a copy, since the clone may lie in a folder that is not.
        mkdir -p "$T/copy/build" && cp -r "$ROOT/deploy" "$T/copy/" && mkdir -p "$T/copy/sql" && cp -r "$ROOT/sql/udf" "$T/copy/sql/"
        mkdir -p "$T/copy/build/lib" && cp -r "$JOBMILL_BIN" "$T/copy/build/bin" && cp "$ROOT/build/lib/jobmill_udf.so" "$T/copy/build/lib/"
        chmod -R a+rX "$T/copy" && chmod 711 "$T" && mkdir "$T/his" && chown nobody "$T/his"
        he() { setpriv --reuid nobody --regid nogroup --clear-groups env -u JOBMILL_BIN HOME="$T/his" PATH="$T/copy/build/bin:$PATH" "$@"; }
        exits "a user who is not root makes a cluster" 0 he "$T/copy/deploy/local" --dir "$T/his/run" up
        exits "and runs a job" 0 he env JOBMILL_PROFILE="$T/his/run/keys/admin.profile" jobsubmit --wait id -u
        equal "as himself" "$(he env JOBMILL_PROFILE="$T/his/run/keys/admin.profile" jobctl logs last)" "$(id -u nobody)"
        exits "and removes it" 0 he "$T/copy/deploy/local" --dir "$T/his/run" destroy
fi
finish
