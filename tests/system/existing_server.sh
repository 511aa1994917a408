#!/usr/bin/env bash
# A MariaDB server that exists: deploy/mariadb/README.md step by step, with no more rights than it grants, then a job.
# time-out: 180
. "${BASH_SOURCE%/*}/lib.sh"

SRV=$T/s
root_sql() { mariadb --no-defaults --socket="$SRV/s" --user=jobmill --batch --skip-column-names "$@"; }
coordinator=
worker=
stop() {
        [ -z "$worker" ] || { kill "$worker" && wait "$worker"; } 2>/dev/null
        [ -z "$coordinator" ] || { kill "$coordinator" && wait "$coordinator"; } 2>/dev/null
        bash "$ROOT/tests/contract/server.sh" stop "$SRV"
        at_end
}
start_coordinator() {
        rm -f "$T/log/coordinator.out" # what an earlier one said does not count
        jobcoordinator --config "$T/coordinator.conf" >"$T/log/coordinator.out" 2>>"$T/log/coordinator.log" &
        coordinator=$!
        await 'the coordinator is ready' 20 grep -qx ready "$T/log/coordinator.out"
}

mkdir -p "$T/log" "$T/plugin" "$T/scratch"
must bash "$ROOT/tests/contract/server.sh" start "$SRV" --plugin-dir="$T/plugin"
trap stop EXIT

# 2. database and account, as the page says them
sed -n '/^   ```sql$/,/^   ```$/p' "$ROOT/deploy/mariadb/README.md" | grep -v '```' |
        sed 's/jobmill@localhost/mill@localhost/g; s/IDENTIFIED VIA .*;/IDENTIFIED BY '"'pw'"';/' >"$T/account.sql"
matches 'the page has the statements' "$(cat "$T/account.sql")" 'CREATE DATABASE jobmill.*GRANT CREATE USER'
must root_sql -e "SOURCE $T/account.sql"
(umask 077 && printf '[jobmill]\nsocket = %s\nuser = mill\npassword = pw\n' "$SRV/s" >"$T/db.cnf")

# 3. the functions
MARIADB="mariadb --no-defaults --socket=$SRV/s --user=jobmill" exits 'make install-udf puts the functions into the server' 0 \
        bash "$ROOT/deploy/mariadb/install-udf.sh" "$ROOT/build/lib/jobmill_udf.so"
matches '… and says so' "$err" 'jobmill_udf.so is in place.*the functions are known'
equal '… into its own plugin folder' "$(ls "$T/plugin")" jobmill_udf.so
MARIADB="mariadb --no-defaults --socket=$SRV/s --user=jobmill" exits '… as often as one likes' 0 \
        bash "$ROOT/deploy/mariadb/install-udf.sh" "$ROOT/build/lib/jobmill_udf.so"
exits 'without a server it says what to run later' 0 env PLUGIN_DIR="$T/scratch" MARIADB="mariadb --no-defaults --socket=$T/none" \
        bash "$ROOT/deploy/mariadb/install-udf.sh" "$ROOT/build/lib/jobmill_udf.so"
matches '… by name' "$err" 'mysql < .*install.sql'
rm -f "$T/scratch/jobmill_udf.so"

# 4. the coordinator's first start
(umask 077 && mkdir "$T/keys")
printf '%s\n' "listen = tcp://127.0.0.1:$("$ROOT/tests/system/free_port.py")" "key-file = $T/keys/coordinator.key" "keyring = $T/keys/keyring" \
        "database-options = $T/db.cnf" >"$T/coordinator.conf"
exits 'the coordinator sets itself up with these rights alone' 0 \
        jobcoordinator --config "$T/coordinator.conf" --init --admin ann --profile-out "$T/ann.profile" --sql
[ "$status" -eq 0 ] || finish
start_coordinator
export JOBMILL_PROFILE=$T/ann.profile
check 'a worker gets its key' jobctl key add --worker w1 --out "$T/w1.profile"
jobworker --profile "$T/w1.profile" --slots 2 --scratch "$T/scratch" >"$T/log/worker.log" 2>&1 &
worker=$!
exits 'a job runs' 0 jobsubmit --wait --timeout 30 -n sealed -- sh -c 'echo "{\"x\":1}" > "$JOB_RESULT"'

# 5. before and after the server has the key ring
equal 'without the key ring in the server nothing is in clear' "$(ask "SELECT COUNT(*), COUNT(status), COUNT(name) FROM v_jobs")" 1,0,0
check '… and its log says which file it looked for' grep -q 'jobmill.keyring: No such file' "$SRV/log"
must install -m 600 "$T/keys/keyring" "$SRV/data/jobmill.keyring"
equal 'with it the results are in clear, at once' "$(ask "SELECT job_name, JSON_VALUE(result, '\$.x') FROM v_results")" sealed,1
exits 'results come by jobctl too' 0 timeout 30 jobctl results last --json
matches '… in clear' "$out" '\{\\?"x\\?": ?1\}'
check 'the private part of the job is nowhere in the tables' \
        test -z "$(grep -rlF 'JOB_RESULT' "$SRV/data/jobmill" 2>/dev/null)"

# upgrade: another file, the same functions, while the coordinator runs
cp "$ROOT/build/lib/jobmill_udf.so" "$T/newer.so" && printf 'x' >>"$T/newer.so"
MARIADB="mariadb --no-defaults --socket=$SRV/s --user=jobmill" exits 'a newer library takes the place of the old one' 0 \
        bash "$ROOT/deploy/mariadb/install-udf.sh" "$T/newer.so"
equal '… and is used' "$(ask "SELECT result FROM v_results")" '"{""x"":1}"'

# removal
must root_sql mysql <"$ROOT/sql/udf/uninstall.sql"
kill "$coordinator" && wait "$coordinator"
start_coordinator
await 'the worker comes back' 30 eval '[ "$(ask "SELECT state FROM v_workers")" = connected ]'
equal 'without the functions the views show what is not sealed' "$(ask "SELECT COUNT(*), MAX(status), COUNT(name) FROM v_jobs")" 1,succeeded,0
exits '… and jobctl opens results as ever' 0 timeout 30 jobctl results last --json
matches '… in clear' "$out" '\{\\?"x\\?": ?1\}'
finish
