#!/usr/bin/env bash
# Who may include what (a folder is a link line). Prints each breach; 1 if there is one.
set -u -o pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 70

# FOLDER: the folders it may include from, and the outside libraries that it may use. `core` and `adapters` are the
# folder's own side's. The two cores decide and do nothing else: they may not even see a clock or a stream.
rules() {
        cat <<'END'
common/base           base                                  -
common/proto          base,proto                            json
common/crypt          base,crypt                            openssl
common/net            base,proto,net                        czmq
common/cli            base,proto,crypt,net,cli              json,zlib,ncurses
coordinator/core      base,proto,core                       -                          pure
coordinator/adapters  base,proto,crypt,net,core,adapters    one:czmq,mariadb,json,openssl
coordinator           base,proto,crypt,net,core,adapters,coordinator  czmq
worker/core           base,proto,core                       -                          pure
worker/adapters       base,proto,net,crypt,core,adapters    one:czmq,json
worker/exec           base,proto,crypt,core,exec            -
worker/tasks          base,proto,core,exec,tasks            -
worker                base,proto,crypt,net,core,adapters,exec,tasks,worker  -
sql/udf               base,crypt,udf                        mariadb,openssl
END
}

mapfile -t files < <(find common coordinator worker sql -name '*.[ch]' | sort)
rules | awk '
BEGIN {
        library["czmq.h"] = library["zmq.h"] = "czmq"
        library["mysql.h"] = library["errmsg.h"] = library["mysqld_error.h"] = "mariadb"
        library["zlib.h"] = "zlib"
        library["ncurses.h"] = library["curses.h"] = "ncurses"
}
function breach(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0; bad = 1 }
function allowed(list, word) { return index("," list ",", "," word ",") > 0 }
FILENAME == "-" {
        folders[$1] = $2
        libs[$1] = $3
        pure[$1] = $4
        next
}
FNR == 1 {
        folder = FILENAME
        sub("/[^/]*$", "", folder)
        if (!(folder in folders)) breach("a folder without a rule in layers.sh")
        used = ""
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, q, "\"")
        name = q[2]
        if (name !~ "/") {
                if (system("test -e \"" folder "/" name "\"") != 0 && name !~ /_gen\.h$/) breach("include it by its folder")
                next
        }
        from = name
        sub("/.*", "", from)
        if (!allowed(folders[folder], from)) breach(folder " may not use " from)
}
/^[ \t]*#[ \t]*include[ \t]*</ {
        split($0, q, /[<>]/)
        name = q[2]
        lib = name ~ "^json-c/" ? "json" : name ~ "^openssl/" ? "openssl" : name ~ "^mysql/|^mariadb/" ? "mariadb" : library[name]
        if (pure[folder] != "" && (name == "time.h" || name == "stdio.h" || name ~ "^sys/" || name == "unistd.h" || name == "pthread.h"))
                breach("the core is pure")
        if (lib == "") next
        may = libs[folder]
        one = sub("^one:", "", may)
        if (!allowed(may, lib)) breach(folder " may not use " lib)
        else if (one && used != "" && used != lib) breach("one outside library a file: " used " and " lib)
        used = lib
}
END { exit bad }' - "${files[@]}"
