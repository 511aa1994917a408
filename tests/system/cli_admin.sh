#!/usr/bin/env bash
# time-out: 180
# People, keys, roles, and the SQL door by the commands: what they make, refuse and leave behind.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1

# --- people
exits "user add" 0 jobctl user add ann --role submitter --profile-out ann.profile --sql
equal "the profile is the user's alone" "$(stat -c %a ann.profile)" 600
equal "so is the SQL option file" "$(stat -c %a ann.profile.cnf)" 600
exits "the profile works" 0 as ann jobsubmit --wait -n mine -- sh -c 'echo "{\"a\":1}" >$JOB_RESULT'
exits "over a file that exists: refused" 78 jobctl user add bob --role submitter --profile-out ann.profile
exits "a name that exists" 65 jobctl user add ann --role submitter --profile-out again.profile --sql
matches "is told what to do instead" "$err" 'jobctl key add'
refute "leaves no profile behind" test -e again.profile
refute "and no option file" test -e again.profile.cnf
for name in root mariadb.sys PUBLIC; do
        exits "no account is made in the server's own name: $name" 65 jobctl user add "$name" --role submitter --profile-out own.profile --sql
        refute "and nothing is left" test -e own.profile
done
exits "an unknown role" 66 jobctl user add cy --role nonsense --profile-out cy.profile
refute "leaves nothing either" test -e cy.profile
exits "a name that is none" 64 jobctl user add 'a b' --role submitter --profile-out ab.profile
exits "no role" 64 jobctl user add dan --profile-out dan.profile
exits "people cannot add people" 77 as ann jobctl user add eve --role admin --profile-out eve.profile
refute "and nothing is left" test -e eve.profile
exits "user set" 0 jobctl user set ann --role +auditor
matches "is seen" "$(jobctl user ls --csv)" 'ann,"submitter,auditor"'
exits "user set takes away" 0 jobctl user set ann --role=-auditor
equal "only that" "$(jobctl user ls --csv -q | grep ^ann)" 'ann,submitter,1,1,1'
exits "secrets do not travel: none is printed" 0 jobctl --json user add fay --role submitter --profile-out fay.profile
lacks "not even in JSON" "$out" "$(sed -n 's/^secret-key = //p' fay.profile | tr -c 'A-Za-z0-9\n' .)"

# --- keys
exits "a second key" 0 jobctl key add --user ann --out ann2.profile
exits "works as well" 0 as ann2 jobctl ls
key=$(jobctl key ls --csv | grep -F -e "$(sed -n 's/^public-key = //p' ann2.profile | head -c 20)" | cut -d, -f1)
exits "key revoke" 0 jobctl key revoke "$key"
exits "a revoked key is refused" 77 as ann2 jobctl ls
exits "the first one works on" 0 as ann jobctl ls
exits "a key for a new worker" 0 jobctl key add --worker w9 --out w9.profile --expires 30d
exits "cannot submit" 77 env JOBMILL_PROFILE=w9.profile jobsubmit echo hello
exits "whose key?" 64 jobctl key add --out x.profile
exits "no such key" 66 jobctl key revoke 999999
chmod 644 ann.profile
exits "a profile that others can read is refused" 78 as ann jobctl ls
matches "with the command that mends it" "$err" 'chmod 600'
chmod 600 ann.profile
exits "no profile at all" 78 env -u JOBMILL_PROFILE HOME=/nonexistent jobctl ls
matches "says how to get one" "$err" 'user add'

# --- roles
exits "role add" 0 jobctl role add peek
exits "role grant" 0 jobctl role grant peek job.read any
exits "with a type" 0 jobctl role grant peek job.submit own echo
matches "role ls shows it" "$(jobctl role ls --csv)" 'peek,job.submit,own,echo'
exits "role ungrant" 0 jobctl role ungrant peek job.read any
lacks "takes it away" "$(jobctl role ls --csv)" 'peek,job.read'
exits "an unknown permission" 64 jobctl role grant peek job.fly any
matches "is told which there are" "$err" 'job.submit'
exits "role rm" 0 jobctl role rm peek

# --- SQL
table='SELECT NULL AS a, "NULL" AS b, "" AS c, "x,y" AS d, "q""q" AS e, "l1
l2" AS f, 36.10 AS g, "36.10" AS h, 007 AS i'
equal "--csv: NULL is empty, text NULL is not" "$(as ann jobctl sql --csv "$table")" $'a,b,c,d,e,f,g,h,i\n,NULL,,"x,y","q""q","l1\nl2",36.10,36.10,7'
equal "--json: numbers and texts differ" "$(as ann jobctl sql --json "$table")" \
        $'{"schema":"jobctl.sql/1","rows":[\n{"a":null,"b":"NULL","c":"","d":"x,y","e":"q\\"q","f":"l1\\nl2","g":36.10,"h":"36.10","i":7}]}'
equal "--json: times are ISO 8601, texts that look so are texts" \
        "$(as ann jobctl sql --json 'SELECT CAST("2026-11-25 19:00:19.72" AS DATETIME(6)) AS a, "2026-11-25 19:00:19" AS b, CAST(NULL AS DATETIME) AS c')" \
        $'{"schema":"jobctl.sql/1","rows":[\n{"a":"2026-11-25T19:00:19.720000Z","b":"2026-11-25 19:00:19","c":null}]}'
equal "an empty result has its header" "$(as ann jobctl sql --csv 'SELECT job_id, name FROM v_jobs WHERE job_id<0')" job_id,name
equal "without a terminal: tabs" "$(as ann jobctl sql 'SELECT 1 AS x, 2 AS y')" $'x\ty\n1\t2'
chmod 640 ann.profile.cnf
exits "an option file that others may read" 78 as ann jobctl sql 'SELECT 1'
matches "is told how to mend it" "$err" 'chmod 600 .*ann\.profile\.cnf'
chmod 600 ann.profile.cnf
equal "on stdin" "$(echo 'SELECT 1 AS x' | as ann jobctl sql --csv)" $'x\n1'
matches "on a terminal: a table" "$(as ann script -qec "jobctl sql 'SELECT 1 AS x'" /dev/null)" '\| x \|'
lacks "where nothing moves the cursor" "$(as ann script -qec "jobctl sql 'SELECT CHAR(27) AS x'" /dev/null)" $'\e'
equal "one's own results, in clear" "$(as ann jobctl sql --csv 'SELECT name, result FROM v_results JOIN v_jobs USING (job_id)')" $'name,result\nmine,"{""a"":1}"'
exits "a mistake is bad data" 65 as ann jobctl sql 'SELECT nonsense'
matches "with MariaDB's own words" "$err" "^jobctl: SQL: ERROR 1054 .*Unknown column 'nonsense'"
exits "in every form" 65 as ann jobctl sql --json 'SELECT nonsense'
exits "tables are closed" 77 as ann jobctl sql 'SELECT * FROM Tasks'
exits "a view that is not there is a mistake" 65 as ann jobctl sql 'SELECT * FROM v_jbs'
matches "which is told where the views are" "$err" 'ERROR 1142 .*v_jbs.*jobctl sql --schema'
exits "tables of the server are closed, too" 77 as ann jobctl sql 'SELECT * FROM mysql.global_priv'
exits "a view can be described" 0 as ann jobctl sql --csv 'SELECT column_name FROM information_schema.columns WHERE table_name="v_queues" LIMIT 1'
equal "by its columns" "$out" $'column_name\nqueue'
exits "nothing can be written" 77 as ann jobctl sql --csv 'DELETE FROM v_jobs'
equal "a heading is quoted like any field" "$(as ann jobctl sql --csv 'SELECT 1 AS `a,b`, 2 AS `c"d`')" $'"a,b","c""d"\n1,2'
matches "in JSON, too" "$(as ann jobctl sql --json 'SELECT 2 AS `c"d`')" '\{"c\\"d":2\}'
exits "an empty query" 64 as ann jobctl sql ' '
exits "one query at a time" 65 as ann jobctl sql --csv 'SELECT 1; SELECT 2'
exits "who has no account" 78 as fay jobctl sql 'SELECT 1'
matches "is told what to ask for" "$err" 'jobctl user add NAME .*--sql'

# --- the end
exits "user rm" 0 jobctl user rm ann
exits "the key is dead" 77 as ann jobctl ls
check "and the SQL account gone" eval '! mariadb --defaults-file=ann.profile.cnf -e "SELECT 1" >/dev/null 2>&1'
finish
