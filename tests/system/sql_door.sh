#!/usr/bin/env bash
# Two people's sealed rows behind the SQL views of a real server: each sees his own in clear, and no trick of the
# other's gives anything away. The rows are made by seal_rows, so that this needs no coordinator.
# time-out: 300
. "${BASH_SOURCE%/*}/lib.sh"

SRV=$T/s
DB=jobmill
export JOBMILL_KEYRING=$T/keyring
VIEWS=$(grep -v '^#' "$ROOT/sql/views/grants.txt")
# Views of which everybody sees every row.
FOR_ALL='v_demand v_queues v_workers'

dba() { mariadb --no-defaults --socket="$SRV/s" --user=jobmill --batch --skip-column-names "${@:2}" $DB -e "$1"; }
# sql_as USER QUERY: tab-separated, no header
sql_as() { mariadb --no-defaults --socket="$SRV/s" --user="$1" --password=pw --batch --skip-column-names $DB -e "$2" 2>&1; }
# quiet_as USER FILE: runs on after errors
quiet_as() { mariadb --no-defaults --socket="$SRV/s" --user="$1" --password=pw --batch --skip-column-names --force $DB <"$2" 2>&1; }

# choose udf|no-udf FILE: the lines that apply
choose() {
        awk -v want="$1" '
                /^-- if: / { keep = ($3 == want); inside = 1; next }
                /^-- else$/ && inside { keep = !keep; next }
                /^-- end$/ && inside { inside = 0; next }
                !inside || keep' "$2"
}
feed() { mariadb --no-defaults --socket="$SRV/s" --user=jobmill --default-character-set=utf8mb4 "$@"; }

load() { # TASKS udf|no-udf: a fresh database with the rows of seal_rows
        feed -e "DROP DATABASE IF EXISTS $DB; CREATE DATABASE $DB CHARACTER SET utf8mb4"
        { echo 'DELIMITER ;;' && cat "$ROOT"/sql/migrations/*.sql; } | feed $DB || return 1
        rm -f "$JOBMILL_KEYRING"
        { echo 'START TRANSACTION;' && "$SEAL_ROWS" "$JOBMILL_KEYRING" "$1" && echo 'COMMIT;'; } | feed $DB || return 1
        for file in "$ROOT"/sql/views/*.sql; do
                { echo 'DELIMITER ;;' && choose "$2" "$file"; } | feed $DB || return 1
        done
}
account() { # NAME HOST: may read the views, and nothing else
        local view
        {
                echo "CREATE USER '$1'@'$2' IDENTIFIED BY 'pw';"
                for view in $VIEWS; do echo "GRANT SELECT ON $DB.$view TO '$1'@'$2';"; done
        } | feed --force 2>"$T/.accounts"
}
columns_of() { dba "SELECT column_name FROM information_schema.columns WHERE table_schema='$DB' AND table_name='$1' ORDER BY ordinal_position"; }

# --- what a reader can make the server do with foreign rows -----------------------------------------------------
# Statements that collect in @x every value of column C of view V that a predicate, a sort, a group or a join gets to
# see, each ended by a line `§V.C <TAB> values`.
probes() { # VIEW COLUMN
        local see="(@x := CONCAT(@x, '|', COALESCE(CAST($2 AS CHAR), '~')))" seen="SELECT '§$1.$2', @x; SET @x='';"
        echo "SET @x='';"
        echo "SELECT COUNT(*) FROM $1 WHERE $see IS NULL; $seen"
        echo "SELECT STRAIGHT_JOIN COUNT(*) FROM $1 WHERE $see IS NULL; $seen"
        echo "SELECT $2 AS k FROM $1 GROUP BY k HAVING $see IS NULL; $seen"
        echo "SELECT 1 FROM $1 ORDER BY $see LIMIT 1; $seen"
        echo "SELECT EXISTS(SELECT 1 FROM $1 WHERE $see IS NULL); $seen"
        echo "SELECT COUNT(*) FROM (SELECT $2 FROM $1) i WHERE $see IS NULL; $seen"
        case " $FOR_ALL v_usage " in *" $1 "*) return ;; esac
        echo "SELECT COUNT(*) FROM $1 WHERE job_id IN (1, 3) AND $see IS NULL; $seen"
        echo "SELECT COUNT(*) FROM $1 WHERE job_id = 1 AND $see IS NULL; $seen"
        echo "SELECT COUNT(*) FROM v_jobs o LEFT JOIN (SELECT job_id jid, $2 FROM $1) i ON jid = o.job_id AND $see IS NULL; $seen"
        echo "SELECT COUNT(*) FROM v_tasks o WHERE EXISTS (SELECT 1 FROM $1 i WHERE i.job_id = o.job_id + 1 AND $see IS NULL); $seen"
}
values_of() { # USER: lines `V.C <TAB> value` of all that he may see
        local view column
        for view in $VIEWS; do
                for column in $(columns_of "$view"); do
                        echo "SELECT '$view.$column', CAST($column AS CHAR) FROM $view WHERE $column IS NOT NULL;"
                done
        done >"$T/values.sql"
        quiet_as "$1" "$T/values.sql" | sort -u
}
MODES=("SET @mode='plain'"
        "SET join_cache_level=0"
        "SET join_cache_level=8, optimizer_switch='join_cache_hashed=on'"
        "SET optimizer_switch='derived_merge=off,condition_pushdown_for_derived=off,split_materialized=off'"
        "SET optimizer_switch='semijoin=off,materialization=off,in_to_exists=on,table_elimination=off'"
        "SET sql_mode='ANSI', optimizer_use_condition_selectivity=1"
        "SET optimizer_search_depth=1, optimizer_prune_level=0"
        "SET group_concat_max_len=4, character_set_connection=utf16")
# leaks TASKS: what bob's probes saw of alice's; her ids of jobs, tasks and events are not secret
leaks() {
        local mode view column
        values_of alice >"$T/alice"
        values_of bob >"$T/bob"
        for mode in "${MODES[@]}"; do
                echo "$mode;"
                for view in $VIEWS; do
                        for column in $(columns_of "$view"); do probes "$view" "$column"; done
                done
        done >"$T/probes.sql"
        quiet_as bob "$T/probes.sql" >"$T/seen.raw"
        sed -n 's/^§//p' "$T/seen.raw" | awk -F '\t' '{ n = split($2, value, "|"); for (i = 1; i <= n; i++) if (value[i] != "" && value[i] != "~") print $1 "\t" value[i] }' |
                sort -u >"$T/seen"
        comm -12 "$T/seen" "$T/alice" | comm -23 - "$T/bob" |
                grep -vE $'^v_[a-z]+\\.(job_id|task_index|task_id|event_id)\t' | head -n 20
        grep -h 'alice-secret' "$T/seen.raw" | head -n 5
}
probe_everything() { # SENTENCE
        local found
        found=$(leaks)
        equal "$1" "$found" ''
        check "  … by probes that do see bob's own" grep -q "bob" "$T/seen"
}

# --- the scene --------------------------------------------------------------------------------------------------
SEAL_ROWS=${JOBMILL_BIN%/bin}/tests/system/seal_rows
must test -x "$SEAL_ROWS"
mkdir -p "$T/plugin"
must cp "$ROOT/build/lib/jobmill_udf.so" "$T/plugin/"
must bash "$ROOT/tests/contract/server.sh" start "$SRV" --plugin-dir="$T/plugin"
trap 'bash "$ROOT/tests/contract/server.sh" stop "$SRV"; at_end' EXIT
must feed mysql <"$ROOT/sql/udf/install.sql"
must feed mysql <"$ROOT/sql/udf/install.sql" # twice is as good as once
must load 5 udf
for name in alice bob rita olga gone carol ALICE 'alice ' 'alice@x' stranger; do account "$name" localhost; done

equal 'the list of granted views is the list of views' "$(printf '%s\n' $VIEWS)" \
        "$(dba "SELECT table_name FROM information_schema.views WHERE table_schema='$DB' AND table_name LIKE 'v\_%' ORDER BY 1")"
documented=$(awk '/^v_[a-z]*: / { sub(":.*", ""); view = $0; next } /^[^ ]/ { view = "" } view && /^  [a-z_0-9]+  / { print view "." $1 }' \
        "$ROOT/sql/views/schema.txt" | LC_ALL=C sort)
equal 'schema.txt documents exactly the columns that there are' "$documented" \
        "$(dba "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns WHERE table_schema='$DB' AND table_name LIKE 'v\\_%'" | LC_ALL=C sort)"

# --- what there is: tools look it up before they ask -------------------------------------------------------------
for view in $VIEWS; do
        columns=$(columns_of "$view" | tr '\n' ' ')
        equal "DESCRIBE $view has its columns" "$(sql_as bob "DESCRIBE $view" | cut -f 1 | tr '\n' ' ')" "$columns"
        equal '… so has SHOW COLUMNS' "$(sql_as bob "SHOW COLUMNS FROM $view" | cut -f 1 | tr '\n' ' ')" "$columns"
        equal '… and information_schema' "$(sql_as bob "SELECT column_name FROM information_schema.columns WHERE table_schema='$DB' AND table_name='$view' ORDER BY ordinal_position" | tr '\n' ' ')" "$columns"
done
equal 'the tables that a reader sees are the views' "$(sql_as bob 'SHOW TABLES')" "$(printf '%s\n' $VIEWS)"
equal 'numbers of jobs, tasks and events are whole numbers' \
        "$(sql_as bob "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE column_name IN ('job_id', 'task_index', 'event_id') AND data_type NOT IN ('bigint', 'int')")" ''

# --- one's own rows, in clear -----------------------------------------------------------------------------------
equal 'own results are in clear' "$(sql_as alice "SELECT job_id, task_index, owner, status, entry, result FROM v_results ORDER BY 1, 2 LIMIT 1")" \
        $'1\t1\talice\tfailed\talice-secret value 1\t{"x":1,"of":"alice-secret"}'
equal 'own output is in clear; what is no UTF-8 shows as ?' "$(sql_as alice "SELECT stream, seq, text FROM v_output WHERE job_id=1 AND task_index=5")" \
        $'stdout\t1\talice-secret ? out\\n'
equal 'own jobs have names and comments' "$(sql_as bob "SELECT name, comment, queue, status FROM v_jobs WHERE job_id=4")" \
        $'{"name":4,"of":"bob-secret"}\t{"comment":4,"of":"bob-secret"}\tbobs\ttimeout'
equal 'own files are listed' "$(sql_as bob "SELECT name, bytes FROM v_data WHERE job_id=2 AND task_index=3")" $'{"file":3,"of":"bob-secret"}\t500003'
equal 'own events and the starts and ends of tasks are listed' \
        "$(sql_as bob "SELECT kind, COUNT(*), COUNT(event_id), MAX(actor), MAX(detail) FROM v_events WHERE job_id=2 GROUP BY kind ORDER BY 1")" \
        $'cancel-by-bob\t1\t1\tbob\t{"event":2,"of":"bob-secret"}\nend\t10\t0\tw-bob\ttimeout\nstart\t10\t0\tw-bob\tNULL'
equal 'events with a number resume by number' "$(sql_as bob "SELECT job_id FROM v_events WHERE event_id > 2")" 4
equal 'attempts are the newest and the earlier ones' "$(sql_as alice "SELECT attempt, status, worker, exit_code, cpu_seconds FROM v_attempts WHERE job_id=1 AND task_index=2 ORDER BY 1")" \
        $'1\tfailed\tw-alice\t41\t0.100002\n2\tfailed\tw-alice\t41\t0.100002'
equal 'an end by a signal has no exit code' "$(sql_as bob "SELECT exit_code, exit_signal, reason FROM v_tasks WHERE job_id=2 AND task_index=1")" $'NULL\t15\ttime-limit'
equal 'entries of the last, shorter chunk are found' "$(sql_as alice "SELECT entry FROM v_tasks WHERE job_id=3 AND task_index=5")" 'alice-secret value 5'
equal 'times do not depend on the time zone' "$(sql_as alice "SET time_zone='+05:30'; SELECT started_at FROM v_tasks WHERE job_id=1 AND task_index=1")" '2020-09-13 12:26:41.000001'
equal 'a time that has not come is NULL' "$(sql_as alice "SELECT ended_at FROM v_jobs WHERE job_id=1")" NULL
equal 'JSON functions take results' "$(sql_as alice "SELECT SUM(JSON_VALUE(result, '\$.x')) FROM v_results WHERE job_id=1")" 15
equal 'text is compared byte for byte' "$(sql_as alice "SELECT COUNT(*) FROM v_tasks WHERE entry = 'ALICE-secret value 1'")" 0

# A plain array from 0, without entries.
dba "INSERT INTO Jobs (job_id, owner, queue, task_type, loading, status, priority, cpus, max_running, tasks, held, waiting, queued, running, succeeded, failed,
        timeout, oom, lost, cancelled, aborted, mark, low, materialised, submitted_us, started_us, ended_us, chunks, entries_per_chunk, name_hash, name, comment,
        wrapped_key, spec) SELECT 77, 8, queue, 2, 0, 3, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, name_hash, '', '', wrapped_key, ''
        FROM Jobs WHERE job_id = 1; INSERT INTO Tasks (job_id, task_index, status, owner) VALUES (77, 0, 3, 8)"
equal 'an array from 0 without entries is shown, without a warning' \
        "$(sql_as olga "SELECT task_id, status, attempt, worker, exit_code, cpu_seconds, v_tasks.started_at, comment, entry FROM v_tasks JOIN v_jobs USING (job_id, status) WHERE job_id = 77; SHOW WARNINGS")" \
        $'77.0\tqueued\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL'
dba "UPDATE Jobs SET hold = 1, held = 1 WHERE job_id = 77"
equal '… and is held when its job is' "$(sql_as olga "SELECT status FROM v_tasks WHERE job_id = 77")" held
dba "UPDATE Jobs SET hold = 2 WHERE job_id = 77"
equal '… is not when others of its job are' "$(sql_as olga "SELECT status FROM v_tasks WHERE job_id = 77")" queued
dba "INSERT INTO Holds (job_id, first_index, last_index, step) VALUES (77, 0, 4, 2)"
equal '… and is when it is one of them' "$(sql_as olga "SELECT status FROM v_tasks WHERE job_id = 77")" held
dba "UPDATE Jobs SET hold = 0, held = 0, waiting = 1, queued = 0 WHERE job_id = 77"
equal '… or waits with it' "$(sql_as olga "SELECT status, (SELECT GROUP_CONCAT(reason) FROM v_why WHERE job_id = 77) FROM v_tasks WHERE job_id = 77")" $'waiting\twaiting'
dba "DELETE FROM Jobs WHERE job_id = 77; DELETE FROM Tasks WHERE job_id = 77"

# --- who sees what ----------------------------------------------------------------------------------------------
for view in v_jobs v_tasks v_attempts v_results v_output v_data v_progress; do
        equal "$view has only own jobs" "$(sql_as bob "SELECT GROUP_CONCAT(DISTINCT job_id ORDER BY job_id) FROM $view")" 2,4
done
equal 'a reader by role sees her colleague in clear' "$(sql_as rita "SELECT DISTINCT owner, JSON_VALUE(result, '\$.of') FROM v_results")" $'alice\talice-secret'
equal 'an operator sees the jobs of all' "$(sql_as olga "SELECT COUNT(DISTINCT owner), COUNT(*) FROM v_tasks")" $'2\t20'
equal '… but opens no data' "$(sql_as olga "SELECT (SELECT COUNT(*) FROM v_results), (SELECT COUNT(*) FROM v_output), (SELECT COUNT(*) FROM v_data), COUNT(entry) FROM v_tasks")" $'0\t0\t0\t0'
for name in ALICE 'alice ' 'alice@x' stranger gone carol; do # the server itself may refuse a name that ends in a blank
        matches "'$name' is nobody" "$(sql_as "$name" "SELECT (SELECT COUNT(*) FROM v_jobs), (SELECT COUNT(*) FROM v_tasks), (SELECT COUNT(*) FROM v_results), (SELECT COUNT(*) FROM v_events), (SELECT COUNT(*) FROM v_usage)")" "^(0.0.0.0.0|ERROR 1045.*'alice '.*)$"
done
feed -e "CREATE USER ''@localhost IDENTIFIED BY 'pw'"
matches 'an anonymous account may read nothing' "$(sql_as nobody "SELECT COUNT(*) FROM v_jobs")" '(denied|1142|1044)'
feed -e "DROP USER ''@localhost"

# --- leaks ------------------------------------------------------------------------------------------------------
probe_everything 'no predicate, sort, group or join sees a value of somebody else (few rows)'
clear=$(sql_as bob "SELECT COUNT(*) FROM v_results WHERE CAST(result AS INT) > 5; SHOW WARNINGS LIMIT 100;
        SELECT COUNT(*) FROM v_results WHERE JSON_VALUE(result, '\$.x') + 0 > 'y'; SHOW WARNINGS LIMIT 100;
        SELECT COUNT(*) FROM v_jobs WHERE name > 5; SHOW WARNINGS LIMIT 100;
        SELECT COUNT(*) FROM v_tasks WHERE entry + 0 > 0; SHOW WARNINGS LIMIT 100")
lacks 'warnings of conversions quote nothing of somebody else' "$clear" 'alice'
matches '… though they do quote one'"'"'s own' "$clear" 'bob-secret'
for guess in "EXTRACTVALUE('<a/>', CONCAT('~', result))" "UPDATEXML('<a/>', CONCAT('~', result), 1)" "JSON_EXTRACT('{}', result)" "CAST(result AS DATE)"; do
        lacks "errors of ${guess%%(*} quote nothing of somebody else" "$(sql_as bob "SELECT $guess FROM v_results; SELECT COUNT(*) FROM v_results WHERE $guess = 1; SHOW WARNINGS")" 'alice'
done
start=$EPOCHREALTIME
sql_as bob "SELECT COUNT(*) FROM v_results WHERE IF(result LIKE '%alice%', SLEEP(1), 0); SELECT COUNT(*) FROM v_jobs j WHERE EXISTS (SELECT 1 FROM v_results r WHERE IF(r.result LIKE '%alice%', SLEEP(1), 0))" >/dev/null
slept=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
check "a predicate's time tells nothing about somebody else's text ($slept ms)" test "$slept" -lt 900
equal 'equality with a guess finds nothing' "$(sql_as bob "SELECT COUNT(*) FROM v_results r JOIN v_tasks t USING (job_id, task_index) WHERE r.owner = 'alice' OR r.result = '{\"x\":1,\"of\":\"alice-secret\"}'")" 0
matches 'a list of owners cut short opens nothing' "$(sql_as bob "SET group_concat_max_len=4; SELECT COUNT(name), COUNT(status) FROM v_jobs")" $'(^0\t0$|Row 1 was cut by GROUP_CONCAT)'

# --- the doors beside the door ----------------------------------------------------------------------------------
secret=$(dba "SELECT scope_secret FROM Coordinator")
payload=$(dba "SELECT HEX(payload) FROM Data WHERE job_id=1 AND task_index=1 AND kind=1")
wrapped=$(dba "SELECT HEX(wrapped_key) FROM Jobs WHERE job_id=1")
zeros=$(printf '%064d' 0)
open="unseal(5, x'$payload', x'$wrapped', %s, 2000, 1, 1, 2, 0, 0, 0)"
equal 'the payload opens for its own scope (so that the next ones mean something)' \
        "$(dba "SELECT CONVERT(${open//%s/"seal_scope('2000,', '$secret')"} USING utf8mb4)")" '{"x":1,"of":"alice-secret"}'
for scope in "'2000,'" "'2000,.'" "'2000,.$zeros'" "'2000,.$secret'" "''" "NULL" "seal_scope('2000,', '$zeros')" "seal_scope('2000,', '')" "seal_scope('2000,', NULL)"; do
        equal "no scope by guessing: $scope" "$(sql_as bob "SELECT ${open//%s/$scope}, scoped($scope, 2000, 7), scoped_text($scope, 2000, 'x')")" $'NULL\tNULL\tNULL'
done
equal 'no scope without the secret' "$(sql_as bob "SELECT seal_scope('2000,', '$zeros'), seal_scope('20003,', ''), seal_scope('', '')")" $'NULL\tNULL\tNULL'
equal 'a list that is none gets no scope' "$(dba "SELECT seal_scope('2000', '$secret'), seal_scope('2000,x', '$secret'), seal_scope(',', '$secret'), seal_scope('99999999999,', '$secret')")" $'NULL\tNULL\tNULL\tNULL'
equal 'a genuine scope of bob opens nothing of alice' "$(dba "SELECT ${open//%s/"seal_scope('20003,', '$secret')"}")" NULL
matches 'wrong calls are refused by name' "$(sql_as bob "SELECT unseal(1)")" 'unseal needs 11 arguments, not 1'
matches '… also wrong types' "$(sql_as bob "SELECT unseal('a','b','c','d',1,1,1,1,1,1,1)")" 'argument 1 \(kind\) must be a whole number'
matches '… of each function' "$(sql_as bob "SELECT scoped('a','b',1)")" 'scoped: argument 2 \(owner\) must be a whole number'

denied='(1142|1370|1345|1044|1227|denied|lack privileges)'
for query in 'SELECT * FROM Tasks' 'SELECT * FROM Data' 'SELECT scope_secret FROM Coordinator' 'SELECT name FROM Principals' \
        'SELECT * FROM asker' 'SELECT s FROM asker_jobs' 'DESCRIBE asker_both' 'SHOW CREATE VIEW v_results' 'SHOW CREATE VIEW asker_jobs' 'EXPLAIN SELECT * FROM v_results' 'ANALYZE SELECT * FROM v_results' \
        'EXPLAIN EXTENDED SELECT * FROM v_jobs' 'UPDATE v_jobs SET priority = 1' 'DELETE FROM v_jobs' 'CREATE TABLE t (a INT)' \
        'CREATE TEMPORARY TABLE t AS SELECT * FROM v_results' "SELECT result FROM v_results INTO OUTFILE '$T/out'" "SELECT LOAD_FILE('$JOBMILL_KEYRING') IS NULL OR 1/0" \
        'CREATE VIEW w AS SELECT * FROM v_results' 'SELECT * FROM mysql.global_priv' "SET GLOBAL general_log=1" 'HANDLER v_jobs OPEN' 'LOCK TABLES v_jobs WRITE'; do
        case $query in
        *LOAD_FILE*) equal 'the key ring cannot be read as a file' "$(sql_as bob "$query")" 1 ;;
        *HANDLER*) matches "refused: $query" "$(sql_as bob "$query")" "$denied|1347|is not of type" ;;
        *) matches "refused: ${query:0:60}" "$(sql_as bob "$query")" "$denied" ;;
        esac
done
equal 'there is no stored function to call' "$(dba "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema='$DB'")" 0
hidden=$(sql_as bob "SELECT view_definition FROM information_schema.views; SHOW CREATE TABLE v_jobs; SHOW TABLE STATUS; SHOW FIELDS FROM v_jobs")
lacks 'the text of views is hidden' "$hidden" '(scope_secret|seal_scope|Visible|unseal)'
sql_as bob "SET optimizer_trace='enabled=on', optimizer_trace_max_mem_size=16777216; SELECT COUNT(*) FROM v_results WHERE result LIKE '%x%'; SELECT * FROM information_schema.optimizer_trace" >"$T/trace"
lacks 'the optimizer trace has no secret' "$(cat "$T/trace")" "($secret|alice|20003,\\.|wrapped_key)"
lacks 'the query profile has no secret' "$(sql_as bob "SET profiling=1; SELECT COUNT(*) FROM v_results; SHOW PROFILES; SHOW FULL PROCESSLIST; SHOW STATUS LIKE 'Last%'")" "($secret|alice)"
equal 'PREPARE sees no more' "$(sql_as bob "PREPARE s FROM 'SELECT COUNT(*) FROM v_results WHERE job_id = ?'; SET @j=1; EXECUTE s USING @j")" 0
lacks 'PROCEDURE ANALYSE sees no more' "$(sql_as bob "SELECT result, entry FROM v_results PROCEDURE ANALYSE(100)")" 'alice'

# --- damage -----------------------------------------------------------------------------------------------------
# spoiled SENTENCE UPDATE: afterwards alice's result 1.1 is NULL and 1.2 as it was; then all is as before
spoiled() {
        dba "CREATE TABLE keep_data AS SELECT * FROM Data; CREATE TABLE keep_jobs AS SELECT * FROM Jobs; $2"
        equal "$1" "$(sql_as alice "SELECT task_index, result FROM v_results WHERE job_id=1 AND task_index IN (1,2) ORDER BY 1")" $'1\tNULL\n2\t{"x":2,"of":"alice-secret"}'
        dba "REPLACE INTO Data SELECT * FROM keep_data; REPLACE INTO Jobs SELECT * FROM keep_jobs; DROP TABLE keep_data, keep_jobs"
}
row='job_id=1 AND task_index=1 AND kind=1'
spoiled 'an envelope moved from another task does not open' "UPDATE Data d JOIN (SELECT payload FROM Data WHERE job_id=1 AND task_index=3 AND kind=1) o SET d.payload=o.payload WHERE $row"
spoiled '… from another kind' "UPDATE Data d JOIN (SELECT payload FROM Data WHERE job_id=1 AND task_index=1 AND kind=2) o SET d.payload=o.payload WHERE $row"
spoiled 'one flipped bit does not open' "UPDATE Data SET payload=INSERT(payload, 20, 1, CHAR(ASCII(SUBSTR(payload, 20, 1)) ^ 1)) WHERE $row"
spoiled '… nor in the tag' "UPDATE Data SET payload=INSERT(payload, LENGTH(payload), 1, CHAR(ASCII(RIGHT(payload, 1)) ^ 128)) WHERE $row"
spoiled 'a cut envelope does not open' "UPDATE Data SET payload=LEFT(payload, LENGTH(payload) - 1) WHERE $row"
spoiled 'an empty payload does not open' "UPDATE Data SET payload='' WHERE $row"
dba "UPDATE Data SET owner=20003 WHERE job_id=1; UPDATE Jobs SET owner=20003 WHERE job_id=1"
lacks 'a row given to another owner in the tables does not open for him' "$(sql_as bob "SELECT name, comment FROM v_jobs WHERE job_id=1; SELECT result, entry FROM v_results WHERE job_id=1; SELECT text FROM v_output WHERE job_id=1")" 'alice'
dba "UPDATE Data SET owner=2000 WHERE job_id=1; UPDATE Jobs SET owner=2000 WHERE job_id=1"
dba "UPDATE Jobs j JOIN (SELECT wrapped_key FROM Jobs WHERE job_id=3) o SET j.wrapped_key=o.wrapped_key WHERE job_id=1"
equal "a data key moved from another job opens nothing" "$(sql_as alice "SELECT COUNT(*), COUNT(result), COUNT(entry) FROM v_results WHERE job_id=1")" $'5\t0\t0'

# --- the key ring -----------------------------------------------------------------------------------------------
must load 5 udf
equal 'a new key ring is taken up while the server runs' "$(sql_as alice "SELECT COUNT(result) FROM v_results")" 10
chmod 644 "$JOBMILL_KEYRING"
equal 'a key ring that others can read is not used' "$(sql_as alice "SELECT COUNT(*), COUNT(status), COUNT(name) FROM v_jobs")" $'2\t0\t0'
check '… and the error log says what to run' grep -q "chmod 600 $JOBMILL_KEYRING" "$SRV/log"
chmod 600 "$JOBMILL_KEYRING"
equal '… until that was done' "$(sql_as alice "SELECT COUNT(*), COUNT(status), COUNT(name) FROM v_jobs")" $'2\t2\t2'

# --- many rows: other plans ---------------------------------------------------------------------------------------
must load 400 udf
dba 'ANALYZE TABLE Tasks, Data, Attempts, Files, Jobs, Events, Visible' >/dev/null
MODES=("${MODES[0]}" "${MODES[3]}")
probe_everything 'no predicate, sort, group or join sees a value of somebody else (many rows)'
feed -e "INSERT INTO $DB.Principals (principal, name, is_worker, active, has_sql, made_us) VALUES (99, 'jobmill', 0, 1, 1, 0); INSERT INTO $DB.Visible SELECT 99, what, owner FROM $DB.Visible WHERE principal = 2000"
for view in v_tasks v_results v_output v_data; do
        plan=$(dba "EXPLAIN SELECT * FROM $view WHERE job_id = 1" | awk -F '\t' '$3 ~ /^[tdf]$/ { print $3, $4, $6 }' | head -n 1)
        matches "$view finds a job by the primary key" "$plan" '^[tdf] (ref|range) PRIMARY$'
done

# --- without the library ------------------------------------------------------------------------------------------
must feed mysql <"$ROOT/sql/udf/uninstall.sql"
must load 5 no-udf
equal 'without the library jobs and tasks are listed' "$(sql_as alice "SELECT COUNT(*), COUNT(status), COUNT(started_at), COUNT(owner) FROM v_tasks")" $'10\t10\t10\t10'
equal '… and sealed values stay sealed' "$(sql_as alice "SELECT COUNT(*), COUNT(result), COUNT(entry), COUNT(job_name) FROM v_results")" $'10\t0\t0\t0'
MODES=("${MODES[0]}" "SET join_cache_level=8" "SET group_concat_max_len=4")
probe_everything 'no predicate, sort, group or join sees a value of somebody else (without the library)'
finish
