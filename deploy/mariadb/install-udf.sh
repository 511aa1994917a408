#!/usr/bin/env bash
# install-udf.sh LIBRARY: puts jobmill_udf.so into the plugin folder of the MariaDB server of this machine and makes its
# functions known. Run as root, or as whoever may write there.
#
#   PLUGIN_DIR      the server's plugin folder; else the server itself is asked, else mariadb_config
#   MARIADB         how to reach the server as an account that may write to mysql.func (default: mariadb, by socket)
set -eu -o pipefail

say() { printf 'install-udf: %s\n' "$*" >&2; }
die() {
        say "${@:2}"
        exit "$1"
}
[ $# -eq 1 ] && [ "${1#-}" = "$1" ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 64; }
library=$1
[ -r "$library" ] || die 66 "$library: cannot be read; run make first"
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
sql=
for candidate in "$here/../../sql/udf" "$here"; do
        [ -n "$sql" ] || { [ -r "$candidate/install.sql" ] && sql=$candidate; }
done
read -r -a client <<<"${MARIADB:-mariadb}"
ask() { "${client[@]}" --batch --skip-column-names "$@" 2>/dev/null; }

folder=${PLUGIN_DIR:-$(ask -e 'SELECT @@plugin_dir' || mariadb_config --plugindir 2>/dev/null || true)}
[ -n "$folder" ] || die 78 "no server answers and there is no mariadb_config; set PLUGIN_DIR to the server's plugin_dir"
[ -d "$folder" ] || die 78 "$folder: no such folder; set PLUGIN_DIR to the server's plugin_dir"

# A new file in its place, never other bytes in a file that the server has mapped.
target=$folder/jobmill_udf.so
known=$([ -e "$target" ] && ! cmp -s -- "$library" "$target" && echo older || true)
install -m 644 -- "$library" "$target.new" 2>/dev/null || die 77 "cannot write to $folder; run this as root"
mv -f -- "$target.new" "$target"
say "$target is in place"

[ -n "$sql" ] || die 66 "install.sql is not beside this script; its statements are in sql/udf/install.sql"
if ! ask -e 'DO 1'; then
        say "no server answers; when it runs: ${client[*]} mysql < $sql/install.sql"
        exit 0
fi
# The server keeps a library for as long as it knows one of its functions: only then does it read the new one.
if [ -n "$known" ]; then "${client[@]}" mysql <"$sql/uninstall.sql"; fi
"${client[@]}" mysql <"$sql/install.sql"
say "the functions are known; put the key ring beside the data (deploy/mariadb/README.md), then start jobcoordinator again"
