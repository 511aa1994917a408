# shellcheck shell=bash disable=SC2154
# For tests that hurt the system: check_invariants.sql with what clients and tasks wrote down themselves.

# check_invariants WITNESS [ACKED…]: WITNESS has lines "job index attempt sha256", ACKED "job …". Passes or fails once for each.
# AT_MOST_ONCE: ids of jobs submitted with --at-most-once.
check_invariants() {
        local witness=$1 line name=''
        shift
        {
                echo 'CREATE TEMPORARY TABLE Acked (job_id BIGINT UNSIGNED NOT NULL, KEY (job_id)) ENGINE=InnoDB;'
                echo 'CREATE TEMPORARY TABLE AtMostOnce (job_id BIGINT UNSIGNED NOT NULL, KEY (job_id)) ENGINE=InnoDB;'
                for line in Witness Output; do
                        echo "CREATE TEMPORARY TABLE $line (job_id BIGINT UNSIGNED NOT NULL, task_index INT UNSIGNED NOT NULL,"
                        echo '  attempt SMALLINT UNSIGNED NOT NULL, sha256 CHAR(64) CHARACTER SET ascii NOT NULL,'
                        echo '  KEY (job_id, task_index, attempt)) ENGINE=InnoDB;'
                done
                cat -- "$@" | awk '{ print "INSERT INTO Acked VALUES (" $1 ");" }'
                for line in ${AT_MOST_ONCE:-}; do echo "INSERT INTO AtMostOnce VALUES ($line);"; done
                awk 'NF == 4 { printf "INSERT INTO Witness VALUES (%d,%d,%d,\"%s\");\n", $1, $2, $3, $4 }' "$witness"
                jobctl sql --csv "SELECT job_id, task_index, attempt, SHA2(GROUP_CONCAT(text ORDER BY seq SEPARATOR ''), 256)
                        FROM v_output WHERE stream = 'stdout' GROUP BY job_id, task_index, attempt" |
                        awk -F, 'NR > 1 { printf "INSERT INTO Output VALUES (%d,%d,%d,\"%s\");\n", $1, $2, $3, $4 }'
                awk '/^-- [0-9]/ { sub("^-- ", ""); gsub("\047", ""); printf "SELECT \047§%s\047;\n", $0; next } /^--/ { next } { print }' \
                        "$ROOT/tests/system/check_invariants.sql"
                echo "SELECT '§end';"
        } >"$T/invariants.sql"
        mariadb --defaults-file="$DIR/db.cnf" --batch --skip-column-names jobmill <"$T/invariants.sql" >"$T/invariants" 2>&1
        while IFS= read -r line; do
                if [[ $line == §* ]]; then
                        [ -z "$name" ] || pass "invariant: $name"
                        name=${line#§}
                elif [ -n "$name" ]; then
                        fail "invariant: $name" "$(grep -A5 -F -- "§$name" "$T/invariants" | tail -n +2)"
                        name=
                elif [[ $line == ERROR* ]]; then
                        fail "the invariants can be asked" "$line"
                fi
        done <"$T/invariants"
        # 10, which SQL cannot ask: every envelope opens where it belongs and nowhere else, no nonce serves twice.
        mariadb --defaults-file="$DIR/db.cnf" --batch --skip-column-names jobmill <"$ROOT/tests/system/envelopes.sql" >"$T/envelopes"
        run "${JOBMILL_BIN%/bin}/tests/system/check_envelopes" "$DIR/keys/keyring" <"$T/envelopes"
        equal "invariant: 10 every envelope opens in its place alone" "$status" 0
        equal "every invariant was asked" "$(tail -n 1 "$T/invariants")" "§end"
}
