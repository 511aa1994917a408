#!/bin/bash
# A throw-away MariaDB for tests: durable, unix socket only, one folder, ended by process id.
#   server.sh start DIR [mariadbd option …]   makes DIR if needed, waits until it answers; DIR/db.cnf is for [jobmill]
#   server.sh stop DIR | kill DIR             orderly | kill -9
set -eu
PATH=$PATH:/usr/sbin

what=$1 dir=$2
shift 2

as_user() { [ "$(id -u)" != 0 ] || echo --user=root; }

# mariadb-install-db fails on paths with blanks: the system tables come through --bootstrap.
make_data() {
        mkdir -p "$dir/data" "$dir/plugin"
        chmod 700 "$dir"
        {
                printf '%s\n' 'CREATE DATABASE IF NOT EXISTS mysql;' 'USE mysql;'
                cat /usr/share/mysql/mysql_system_tables.sql /usr/share/mysql/mysql_system_tables_data.sql
                echo "DELETE FROM global_priv;"
                echo "INSERT INTO global_priv VALUES ('localhost', 'jobmill', '{\"access\":18446744073709551615,\"plugin\":\"mysql_native_password\",\"authentication_string\":\"\"}');"
        } | mariadbd --no-defaults $(as_user) --datadir="$dir/data" --tmpdir="$dir" --bootstrap --skip-networking \
                --default-storage-engine=InnoDB 2>"$dir/bootstrap.log" || { cat "$dir/bootstrap.log" >&2; exit 1; }
}

start() {
        [ -d "$dir/data/mysql" ] || make_data
        local socket=$dir/s
        [ ${#socket} -le 107 ] || { echo "server.sh: the socket's path is too long: $socket" >&2; exit 1; }
        mariadbd --no-defaults $(as_user) --datadir="$dir/data" --socket="$socket" --skip-networking \
                --pid-file="$dir/pid" --tmpdir="$dir" --innodb-flush-log-at-trx-commit=1 --innodb-flush-method=O_DIRECT \
                --innodb-buffer-pool-size="${SERVER_POOL:-256M}" --innodb-log-file-size="${SERVER_LOG:-128M}" \
                --max-allowed-packet=64M --skip-name-resolve --performance-schema=OFF "$@" >"$dir/log" 2>&1 &
        echo $! >"$dir/server-pid"
        for _ in $(seq 300); do
                if mariadb --no-defaults --socket="$socket" --user=jobmill -e 'DO 0' 2>/dev/null; then break; fi
                kill -0 "$(cat "$dir/server-pid")" 2>/dev/null || { tail -20 "$dir/log" >&2; exit 1; }
                sleep 0.1
        done
        (umask 077 && printf '[jobmill]\nsocket = %s\nuser = jobmill\n' "$socket" >"$dir/db.cnf")
}

finish() {
        local pid
        [ -f "$dir/server-pid" ] || return 0
        pid=$(cat "$dir/server-pid")
        kill "$1" "$pid" 2>/dev/null || true
        while kill -0 "$pid" 2>/dev/null && [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ]; do sleep 0.05; done
        rm -f "$dir/server-pid"
}

case $what in
start) start "$@" ;;
stop) finish -TERM ;;
kill) finish -KILL ;;
*) exit 64 ;;
esac
