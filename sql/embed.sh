#!/bin/bash
# Prints a C file with the text of the SQL files named as arguments, so that the coordinator carries its own schema.
# usage: embed.sh sql/migrations/0001_base.sql …        (see coordinator/adapters/sql_files.h)
set -eu
echo '/* Made by sql/embed.sh. */'
echo '#include "adapters/sql_files.h"'
echo
echo 'const struct sql_file sql_files[] = {'
for file in "$@"; do
        printf '        { "%s",\n' "${file#sql/}"
        LC_ALL=C awk '{ gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); printf "          \"%s\\n\"\n", $0 } END { print "          \"\" }," }' "$file"
done
echo '        { NULL, NULL },'
echo '};'
