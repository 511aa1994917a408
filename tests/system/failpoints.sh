#!/usr/bin/env bash
# time-out: 400
# Every named crash point: the coordinator ends there by SIGKILL, is started again, and nothing that was acknowledged is
# lost or recorded twice. A point that is never passed fails the test.
. "${BASH_SOURCE%/*}/lib.sh"

# A coordinator with crash points; all other programs are those under test.
must make -s -C "$ROOT" FAILPOINTS=1 CFLAGS=-O1 build/fail/bin/jobcoordinator >&2
mkdir "$T/bin"
for program in "$JOBMILL_BIN"/*; do ln -s "$program" "$T/bin/"; done
ln -sf "$ROOT/build/fail/bin/jobcoordinator" "$T/bin/jobcoordinator"
under_test=$JOBMILL_BIN
export JOBMILL_UDF=${JOBMILL_UDF:-$ROOT/build/lib/jobmill_udf.so} JOBMILL_BIN=$T/bin PATH=$T/bin:$PATH
export JOBMILL_FAILPOINT_LOG=$T/passed
mapfile -t points < <(grep -rhoE 'FAILPOINT\("[^"]+"' "$ROOT/coordinator" "$ROOT/worker" "$ROOT/common" | cut -d'"' -f2 | sort -u)
check "there are crash points" test "${#points[@]}" -ge 8

mkdir "$T/witness"
export W=$T/witness/log
: >"$W"
cat >"$T/task.sh" <<'END'
#!/bin/sh
sleep 0.1
line="job $JOB_ID task $JOB_INDEX"
echo "$JOB_ID $JOB_INDEX $JOB_ATTEMPT $(echo "$line" | sha256sum | cut -c1-64)" >> "$W"
echo "{\"index\":$JOB_INDEX}" > "$JOB_RESULT"
echo "$line"
END

# Points of the schema: the very first start dies there, the next one goes on.
for point in "${points[@]}"; do
        [[ $point == coordinator.migrate.* ]] || continue
        JOBMILL_FAILPOINT="$point:kill9@7" JOBMILL_FAILPOINT_ONCE="$T/once.$point" local_ up --workers 0 >/dev/null 2>&1
        check "the first start died at $point" test -e "$T/once.$point"
        check "and the next one serves" local_ up --workers 0
        equal "with a whole schema" "$(sql 'SELECT COUNT(*) FROM Roles')" 6
        must local_ destroy 2>/dev/null
done

cluster_up --workers 1 --slots 4
is_down() { [ -z "$(pid_of coordinator)" ]; }
for point in "${points[@]}"; do
        [[ $point != coordinator.migrate.* ]] || continue
        must local_ stop coordinator 2>/dev/null
        JOBMILL_FAILPOINT="$point:kill9@2" JOBMILL_FAILPOINT_ONCE="$T/once.$point" local_ start coordinator >/dev/null 2>&1
        for n in 1 2 3; do
                {
                        id=$(jobsubmit --connect-timeout 60 -n "$point" --key "$point-$n" --crash-limit 100 -a 1-6 -e W "$T/task.sh" 2>"$T/err.$n") &&
                                echo "$id" >>"$T/acked"
                } &
        done
        await "the coordinator dies at $point" 30 is_down
        must local_ start coordinator >/dev/null 2>&1
        wait
        check "every client had its submission acknowledged" test "$(grep -c . "$T/acked")" -ge 3
        exits "and the jobs end well" 0 jobctl wait "@$point" --timeout 90
        equal "three of them" "$(jobctl ls "@$point" --json | grep -c '"job_id"')" 3
done
for point in "${points[@]}"; do
        check "$point was passed" grep -qx -- "$point" "$T/passed"
done
JOBMILL_BIN=$under_test
. "$ROOT/tests/system/invariants.sh"
check_invariants "$W" "$T/acked"
finish
