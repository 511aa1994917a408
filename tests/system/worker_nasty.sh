#!/usr/bin/env bash
# time-out: 240
# Tasks that nobody would want, through the whole system: each ends in its documented class, harms nobody else and leaves
# nothing behind.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 4
worker=$(pid_of worker)
pipes() { find "/proc/$worker/fd" -lname 'pipe:*' | wc -l; }
pipes=$(pipes)
end() { ask "SELECT CONCAT_WS(' ', status, reason, exit_code, exit_signal) FROM v_tasks WHERE job_id=$1 ORDER BY task_index"; }
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:blank:]]*Z' "/proc/$1/status" 2>/dev/null; }
dead() { ! alive "$1"; }
gone() { # FILE: every process whose number stands in it is gone
        local pid
        while read -r pid; do ! alive "$pid" || return 1; done <"$1"
}
# shellcheck disable=SC2034
export W=$T/witness
mkdir -p "$W"
submit() { jobsubmit --wait -q -e W "$@"; }

# --- stopping
run submit -t 1 --grace 1 -- sh -c 'trap "" TERM; echo $$ >$W/deaf; sleep 300 & echo $! >>$W/deaf; while :; do sleep 1; done'
equal "a task that ignores TERM is killed after its grace" "$(end "$out")" "timeout time-limit 9"
check "with what it started" gone "$W/deaf"
run submit -t 1 --grace 20 -- sh -c 'trap "echo cleaned; exit 3" TERM; while :; do sleep 0.1; done'
equal "one that listens has its grace" "$(end "$out")" "timeout time-limit 3"
equal "and its last words" "$(jobctl logs "$out")" "cleaned"
id=$(jobsubmit -q -e W -- sh -c 'echo $$ >$W/cancel; setsid sleep 300 & echo $! >>$W/cancel; wait')
await "a long task runs" 20 test -s "$W/cancel"
check "it can be cancelled" jobctl cancel "$id" --yes
await "it ends cancelled" 20 test "$(end "$id" | cut -d' ' -f1)" != running
await "cancelled, in fact" 20 eval "[[ \$(end $id) == cancelled* ]]"
await "and nothing of it lives" 10 gone "$W/cancel"

# --- leaving things behind
run submit -- sh -c 'echo $$ >$W/left; for i in 1 2 3; do setsid sh -c "echo \$\$ >>\$W/left; exec sleep 300 >/dev/null 2>&1 <&-" & done; until [ $(wc -l <$W/left) -eq 4 ]; do sleep 0.05; done; echo done'
equal "daemons do not hold the result up" "$(end "$out")" "succeeded 0"
check "and do not outlive it" gone "$W/left"
run submit -- sh -c '(setsid sh -c "echo \$\$ >$W/pipe; sleep 300" & ); until [ -s $W/pipe ]; do sleep 0.05; done; echo out'
equal "nor does one that keeps the pipe" "$(end "$out")" "succeeded 0"
check "it is gone, too" gone "$W/pipe"
run submit -- sh -c 'setsid env -i /bin/sh -c "echo \$\$ >'"$W"'/mark; exec /bin/sleep 300 >/dev/null 2>&1" & until [ -s $W/mark ]; do sleep 0.05; done'
equal "nor one that threw its marks away" "$(end "$out")" "succeeded 0"
check "gone as well" gone "$W/mark"
run submit -- sh -c 'sh -c "sleep 0 & exec sleep 0.3" & sleep 0.1; echo zombies'
equal "zombies of a task are nobody's trouble" "$(end "$out")" "succeeded 0"

# --- output
run submit --out-max 100K -- sh -c 'head -c 1000000000 /dev/zero; echo end >&2'
equal "a gigabyte of output does not stop a task" "$(end "$out")" "succeeded 0"
equal "what is over the cap is cut" "$(jobctl logs "$out" | wc -c)" 102400
matches "and that is said" "$(jobctl logs --stderr "$out")" 'output cut at 102400 bytes'
run submit -- sh -c 'i=0; while [ $i -lt 300 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done'
equal "order holds within stdout" "$(jobctl logs "$out" | md5sum)" "$(seq -f 'out%.0f' 0 299 | md5sum)"
equal "and within stderr" "$(jobctl logs --stderr "$out" | md5sum)" "$(seq -f 'err%.0f' 0 299 | md5sum)"
head -c 3000000 /dev/urandom >"$W/random"
run submit -- sh -c 'cat $W/random'
check "megabytes of any bytes come back exact" cmp "$W/random" <(jobctl logs "$out")

# Its memory, in a worker of the optimised programs.
must jobctl key add --worker plain --out "$T/plain.profile" >/dev/null
must local_ stop worker w1 2>/dev/null
"$(plain_bin jobworker)/jobworker" --profile "$T/plain.profile" --slots 1 --scratch "$T/plain" >"$T/plain.out" 2>&1 &
plain=$!
run submit --out-max 100K -- sh -c 'head -c 1000000000 /dev/zero'
equal "a worker by itself takes a gigabyte of output" "$(ask "SELECT status, worker FROM v_tasks WHERE job_id=$out")" "succeeded,plain"
check "and stays small" test "$(resident_kb $plain)" -lt 60000
kill -TERM "$plain" && wait "$plain"
equal "it leaves in order" "$?" 0
must local_ start worker w1 2>/dev/null
worker=$(pid_of worker)

# --- its folder
run submit --out '*' -- sh -c 'ln -s /etc/passwd link; mkfifo fifo; mkdir dir; echo real >file; ln file hard; echo x >"$(printf "new\nline")"'
equal "links, fifos and odd names in its folder" "$(end "$out")" "succeeded 0"
equal "only regular files are recorded" "$(ask "SELECT COUNT(*) FROM v_data WHERE job_id=$out")" 3
for way in ../../etc a/.. /etc/passwd; do
        exits "no way out of the folder: $way" 64 jobsubmit --out "$way" true
        matches "is said with an example" "$err" "--out: '$way' is not below the task's folder; example: "
done
run submit --out link -- ln -s /etc/passwd link
equal "no file by a link" "$(end "$out")" "failed output-files 0"
run submit -- sh -c 'ln -s /etc/passwd $JOB_RESULT'
equal "no result by a link" "$(end "$out")" "failed bad-result 0"
equal "links were not followed when cleaning up" "$(head -c 5 /etc/passwd)" "root:"

# --- how it ends
printf 'junk' >"$W/enoexec" && chmod 755 "$W/enoexec"
run jobsubmit --wait -q -a 0-255 -- sh -c 'exit $JOB_INDEX'
equal "exit codes 0 to 255, each as it was" \
        "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$out AND exit_code=task_index AND status=IF(task_index=0,'succeeded','failed')")" 256
run jobsubmit --wait -q -a 1,2,3,4,6,7,8,9,11,13,14,15,31 -- sh -c 'kill -$JOB_INDEX $$; sleep 5'
equal "signals, each as it was" \
        "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$out AND exit_signal=task_index AND status='failed' AND reason='signal'")" 13
run submit -- "$W/enoexec"
equal "no program" "$(end "$out")" "failed not-executable"
run submit -- "$W"
equal "a folder is no program" "$(end "$out")" "failed not-executable"
run submit -- no-such-program-anywhere
equal "command not found" "$(end "$out")" "failed command-not-found"
run jobsubmit --wait -q -- sh -c ': "$0"' "$(head -c 100000 /dev/zero | tr '\0' x)"
equal "a long argument is fine" "$(end "$out")" "succeeded 0"

# --- the worker and its neighbours
check "it is the same worker all along" alive "$worker"
run submit -- sh -c 'ls /proc/self/fd | tr "\n" " "'
equal "a task has three descriptors and the one it opened" "$(jobctl logs "$out")" "0 1 2 3 "
run submit -- sh -c 'env | sed "s/=.*//" | sort | tr "\n" " "'
equal "and a clean environment" "$(jobctl logs "$out" | tr ' ' '\n' | grep -v ^JOB_ | tr '\n' ' ')" "HOME LANG PATH PWD TMPDIR USER W "
equal "descriptors of the worker are back at the base" "$(pipes)" "$pipes"
# The worker's own: its socket, and verified inputs under c1/1, c1/2 … in its folder.
swept() { [ -z "$(find "$DIR/scratch" ! -type d ! -type s ! -path '*/c[0-9]*/[0-9]*')" ]; }
await "nothing that a task made is left in the scratch folder" 10 swept
finish
