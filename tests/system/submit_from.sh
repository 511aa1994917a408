#!/usr/bin/env bash
# time-out: 300
# --from: jobs as lines of JSON, all of them in one transaction, whatever is killed in between.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 2
cd -- "$T" || exit 1
jobs_named() { ask "SELECT COUNT(*) FROM v_jobs WHERE name='$1'"; }
rows() { sql "SELECT COUNT(*) FROM Jobs"; }

# --- what a line says
cat >jobs <<'END'
{"command": ["echo", "it is", "$HOME"], "name": "one", "tag": {"kind": "first"}}

{"command": ["sh", "-c", "echo \"$A-$JOB_INDEX\""], "array": "1-5:2", "env": {"A": "x y", "B": 2}, "max_running": 1}
{"type": "echo", "command": ["typed"], "comment": "äö \u00e9"}
{"command": ["sh", "-c", "exit 3"], "ok_codes": [3], "cpus": 2}
END
printf '{"command": ["echo", "{}"], "each_line": "%s"}' "$T/lines" >>jobs # and no newline at the end
printf 'a\nb\n' >lines
exits "five jobs by five lines" 0 jobsubmit --wait --timeout 60 --from - <jobs
mapfile -t ids <<<"$out"
equal "an id a line" "${#ids[@]}" 5
equal "words are words" "$(jobctl logs "${ids[0]}")" 'it is $HOME'
equal "tags as an object" "$(jobctl ls tag:kind=first --json | grep -o '"job_id":[0-9]*')" "\"job_id\":${ids[0]}"
equal "environment and array" "$(jobctl logs "${ids[1]}")" $'x y-1\nx y-3\nx y-5'
equal "another type" "$(jobctl logs "${ids[2]}")" typed
equal "native lists and numbers" "$(job_status "${ids[3]}")" succeeded
equal "entries of a file" "$(jobctl logs "${ids[4]}")" $'a\nb'
run jobsubmit --json --from jobs --key again
matches "--json is one object" "$out" '^\{"schema":"jobsubmit.from/1","rows":\[\{"job_id":[0-9]+,"tasks":1,"key":"again:1","existing":false\},\{.*"key":"again:3",.*\]\}$'
first=$out
run jobsubmit --json --from jobs --key again
equal "the same again: the same jobs" "$out" "${first//\"existing\":false/\"existing\":true}"
exits "the same key with other lines" 73 jobsubmit --from <(sed 's/one/two/' jobs) --key again
exits "the command line's options hold for each line" 0 jobsubmit --from - --comment common --hold <<<'{"type":"noop","hold":false}
{"type":"noop"}'
equal "unless it says otherwise" "$(ask "SELECT comment, held FROM v_jobs WHERE job_id IN (${out//$'\n'/,}) ORDER BY job_id")" $'common,0\ncommon,1'
printf '#!/bin/sh\n#JOB --name headed -a 1-2\necho "$1 $JOB_INDEX"\n' >headed.sh
exits "a script has its #JOB lines" 0 jobsubmit --wait --timeout 60 --from - <<<'{"command":["./headed.sh","word"]}'
equal "and its words" "$(jobctl logs @headed)" $'word 1\nword 2'
run jobsubmit --from - <<<'{"type":"noop","mem":"1M,x2"}'
equal "a note is said once" "$(grep -c 'needs --retries' <<<"$err")" 1
exits "--dry-run submits nothing" 0 jobsubmit --dry-run --from jobs
matches "and shows each job" "$out" 'commands:.*x y.*commands:'

# --- what is wrong
before=$(rows)
refused() { # CODE TEXT SECOND-LINE
        exits "refused: $3" "$1" jobsubmit --from - <<<'{"command":["true"]}
'"$3"
        matches "and says where" "$err" "line 2: $2"
}
refused 65 'unknown key "comand"; did you mean "command"\?' '{"comand":["true"]}'
refused 65 'unknown key "max-running"' '{"max-running":3}'
refused 65 "time: .*example: \"time\": \"1h\"" '{"command":["true"],"time":"5x"}'
refused 65 "cpus: .*example: \"cpus\"" '{"command":["true"],"cpus":0}'
refused 65 "hold: true or false" '{"command":["true"],"hold":"yes"}'
refused 65 "no command" '{"name":"x"}'
refused 65 "command: a list of words" '{"command":"true"}'
refused 65 "\"wait\" is for the whole command" '{"command":["true"],"wait":true}'
refused 65 "no object" '["true"]'
refused 65 "the text ends" '{"command":["true"]'
refused 65 "" '{"command":["true"],"name":"a","name":"b"}'
refused 65 "--stdin: stdin holds the jobs" '{"command":["cat"],"stdin":"-"}'
refused 66 "--in: /nowhere" '{"command":["true"],"in":"/nowhere"}'
refused 65 "--each-line: stdin holds the jobs" '{"command":["true"],"each_line":"-"}'
exits "no jobs" 65 jobsubmit --from - </dev/null
exits "no file" 66 jobsubmit --from nowhere
exits "a command beside it" 64 jobsubmit --from jobs true
equal "nothing was submitted" "$(rows)" "$before"

# --- thousands, in one transaction
N=12000
seq $N | sed 's/.*/{"type":"noop","name":"many","comment":"number &"}/' >many
exits "$N jobs" 0 jobsubmit --from many --key many
equal "as many ids" "$(sort -u <<<"$out" | wc -l)" $N
equal "of as many jobs" "$(jobs_named many)" $N
ran() { [ "$(ask "SELECT COUNT(*) FROM v_jobs WHERE name='many' AND status='succeeded'")" = $N ]; }
await "which run" 120 ran
ids=$out
exits "the same again" 0 jobsubmit --from many --key many
equal "gives the same ids" "$out" "$ids"
equal "and no further job" "$(jobs_named many)" $N

# A bad line behind thousands of good ones: nothing was even sent.
before=$(rows)
sed 's/many/bad/' many >bad && echo '{"command":1}' >>bad
exits "a mistake in the last line" 65 jobsubmit --from bad
matches "is named" "$err" "line $((N + 1)):"
equal "and nothing was stored" "$(rows)" "$before"

# The client dies in the middle: nobody sees anything; the same command again submits each job once.
sed 's/many/cut/' many >cut
jobsubmit --from cut --key cut >cut.ids 2>cut.err &
client=$!
loaded() { [ "$(sql 'SELECT COUNT(*) FROM JobSets')" -ge 1000 ]; }
await "jobs are being loaded" 60 loaded
kill -9 $client
wait $client 2>/dev/null
check "the client was cut off" test ! -s cut.ids
equal "nothing of it is visible" "$(jobs_named cut)" 0
equal "not by its id either" "$(jobctl ls @cut --json | grep -o job_id | wc -l)" 0
kill9 coordinator
gone() { [ -z "$(pid_of coordinator)" ]; }
await "the coordinator is gone" 20 gone
must local_ start coordinator 2>/dev/null
equal "nor after a restart" "$(jobs_named cut)" 0

# The coordinator dies in the middle: the client goes on.
jobsubmit --connect-timeout 60 --from cut --key cut >cut.ids 2>cut.err &
client=$!
most() { [ "$(sql 'SELECT COUNT(*) FROM JobSets')" -ge 9000 ]; }
await "most jobs are loaded" 60 most
kill9 coordinator
await "the coordinator is gone again" 20 gone
must local_ start coordinator 2>/dev/null
check "the client ends well" wait $client
equal "every job is there" "$(sort -u cut.ids | wc -l)" $N
equal "once" "$(jobs_named cut)" $N
equal "and nothing is left loading" "$(sql 'SELECT COUNT(*) FROM JobSets')$(sql 'SELECT COUNT(*) FROM Jobs WHERE loading')" 00
done_() { [ "$(ask "SELECT COUNT(*) FROM v_jobs WHERE name='cut' AND status='succeeded'")" = $N ]; }
await "all of them run" 120 done_
finish
