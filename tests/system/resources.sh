#!/usr/bin/env bash
# time-out: 240
# What workers have and what tasks need: placing, limits, and what is said when nobody could ever run a task.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 0
export W=$T/witness
mkdir -p "$W"
pids=()
worker() { # NAME OPTION…: one in the background; waits until it is ready
        must jobctl key add --worker "$1" --out "$T/$1.profile" >/dev/null
        "$JOBMILL_BIN/jobworker" --profile "$T/$1.profile" --scratch "$T/scratch.$1" "${@:2}" >"$T/$1.out" 2>"$T/$1.err" &
        pids+=($!)
        await "worker $1 says ready" 20 grep -qx ready "$T/$1.out"
}
where() { ask "SELECT DISTINCT worker FROM v_tasks WHERE job_id=$1"; }
done_all() { [ "$(job_status "$1")" = succeeded ]; }

# --- bad values name the option, the value and an example
for bad in '--mem 4Q' '--mem 0' '--gpus 0' '--res licence' '--res licence=0' '--require =x' '--avoid a=' '-c 0'; do
        # shellcheck disable=SC2086
        exits "refused: $bad" 64 jobsubmit $bad --type noop
        matches "and it says which and how: $bad" "$err" "${bad%% *}|--cpus.*example"
done
exits "the same resource twice" 64 jobsubmit --res a=1 --res a=2 --type noop
exits "nonsense for the worker's memory" 64 jobworker --profile "$T/x" --mem much
exits "nonsense for its resources" 64 jobworker --profile "$T/x" --res licence

# --- nobody could run it
exits "with no worker at all it is queued" 0 jobsubmit --gpus 1 --type noop
nobody=$out
matches "and stderr says so" "$err" 'no connected worker can run job'
worker small --slots 2 --mem 2G --label disk=hdd
worker large --slots 4 --mem 8G --gpus 2 --res licence=1 --label disk=ssd --label zone=a --label fast
await "then one comes that can" 20 done_all "$nobody"
exits "more cpus than anybody has" 0 jobsubmit -c 16 --mem 3G --require disk=ssd --avoid zone --type noop
wide=$out
matches "each test that fails, with numbers" "$err" '2 of 2 have fewer than 16 slots, 1 of 2 have less than 3221225472 bytes of memory for tasks, 1 of 2 lack label disk=ssd, 1 of 2 have label zone'
run jobctl why "$wide"
matches "why says the same" "$out" 'none of 2 workers could ever run it: 2 of 2 have fewer than 16 slots'
exits "it is cancelled" 0 jobctl cancel "$wide"

# --- placing
id=$(jobsubmit -q -a 1-20 --require disk=hdd -- true) && must jobctl wait "$id" --timeout 60
equal "a label is honoured" "$(where "$id")" small
id=$(jobsubmit -q -a 1-4 --require fast -- true) && must jobctl wait "$id" --timeout 60
equal "one without a value, too" "$(where "$id")" large
id=$(jobsubmit -q -a 1-20 --avoid disk=hdd -- true) && must jobctl wait "$id" --timeout 60
equal "and avoided" "$(where "$id")" large
id=$(jobsubmit -q -a 1-8 --mem 3G -- true) && must jobctl wait "$id" --timeout 60
equal "memory goes where it is" "$(where "$id")" large
id=$(jobsubmit -q -c 2 --mem 1G --gpus 1 -- sh -c 'echo "$JOB_CPUS $JOB_MEM $JOB_GPUS ${CUDA_VISIBLE_DEVICES}"') && must jobctl wait "$id" --timeout 60
equal "the task sees what it has" "$(jobctl logs "$id")" "2 1073741824 0 0"
id=$(jobsubmit -q --require zone -- sh -c 'echo "${JOB_MEM-none} ${JOB_GPUS-none} ${CUDA_VISIBLE_DEVICES-unset}"') && must jobctl wait "$id" --timeout 60
equal "and no gpu that it did not ask for" "$(jobctl logs "$id")" "none none "

# --- never more at once than there is: each task meets the others in a folder
together() { # NAME OPTION…: the most that ran at once
        local id
        mkdir "$W/$1"
        id=$(jobsubmit -q -e W -a 1-12 "${@:2}" -- sh -c 'mkdir $W/'"$1"'/$JOB_INDEX; ls $W/'"$1"' | grep -v log | wc -l >>$W/'"$1"'/log; sleep 0.1; rmdir $W/'"$1"'/$JOB_INDEX')
        must jobctl wait "$id" --timeout 60
        sort -n "$W/$1/log" | tail -n 1
}
equal "one licence, one task" "$(together licence --res licence=1)" 1
check "two gpus, at most two tasks" test "$(together gpus --gpus 1)" -le 2
check "8G, at most two of 4G" test "$(together memory --mem 4G)" -le 2
id=$(jobsubmit -q -a 1-6 --gpus 1 -- sh -c 'echo $JOB_GPUS; sleep 0.3') && must jobctl wait "$id" --timeout 60
equal "gpus by number" "$(jobctl logs "$id" | sort -u | tr '\n' ' ')" "0 1 "

# --- limits
run jobctl worker show large
matches "what the machine enforces is said" "$out" 'mem-(cgroup1|cgroup2|rlimit)'
mode=$(grep -o 'mem-[a-z0-9]*' <<<"$out" | head -n 1)
eat='b = bytearray(300 << 20); print(len(b))'
id=$(jobsubmit -q --mem 100M -- /usr/bin/python3 -c "$eat")
run jobctl wait "$id" --timeout 60
equal "over the limit it does not succeed" "$status" 1
if [ "$mode" != mem-rlimit ]; then
        equal "and ends as oom, for that reason" "$(ask "SELECT status, reason FROM v_tasks WHERE job_id=$id")" oom,oom
        id=$(jobsubmit -q --mem 100M -- sh -c "/usr/bin/python3 -c '$eat'")
        run jobctl wait "$id" --timeout 60
        equal "also when a child of it did that" "$(ask "SELECT status FROM v_tasks WHERE job_id=$id")" oom
        id=$(jobsubmit -q --mem 100M -- sh -c "/usr/bin/python3 -c '$eat' || echo coped")
        run jobctl wait "$id" --timeout 60
        equal "unless it copes" "$(ask "SELECT status FROM v_tasks WHERE job_id=$id")" succeeded
fi
quota() { # OPTION…: of a task's own group, as the task sees it
        local id
        id=$(jobsubmit -q "$@" -- sh -c 'for f in /sys/fs/cgroup/*/$(sed -n "s/^[0-9]*:[a-z,]*\<cpu\>[^:]*://p" /proc/self/cgroup)/cpu.cfs_quota_us /sys/fs/cgroup/$(sed -n "s/^0:://p" /proc/self/cgroup)/cpu.max; do test -e $f && cut -d " " -f 1 $f; done | head -n 1')
        must jobctl wait "$id" --timeout 60
        jobctl logs "$id"
}
case $(jobctl worker show large) in
*cpu-cgroup*)
        equal "a task that says its cpus gets no more" "$(quota -c 2)" 200000
        equal "each its own" "$(quota -c 1)" 100000
        lacks "one that does not is not held to one" "$(quota)" '^[0-9]'
        ;;
*) lacks "what cannot be done is not said" "$(quota -c 2)" '^[0-9]' ;;
esac
id=$(jobsubmit -q --mem 1G -- /usr/bin/python3 -c "$eat") && must jobctl wait "$id" --timeout 60
check "within the limit it runs, and its memory is measured" test "$(ask "SELECT max_rss_bytes FROM v_tasks WHERE job_id=$id")" -gt $((300 << 20))
id=$(jobsubmit -q -- sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done & wait') && must jobctl wait "$id" --timeout 60
check "processor time is that of the whole tree" test "$(ask "SELECT cpu_seconds > 0.05 FROM v_tasks WHERE job_id=$id")" = 1

# --- a coordinator that comes back remembers what is held
touch "$W/hold"
id=$(jobsubmit -q -e W -a 1-3 --gpus 1 -- sh -c 'echo $JOB_GPUS >>$W/gpus.log; while [ -e $W/hold ]; do sleep 0.05; done')
two_run() { [ "$(ask "SELECT COUNT(*) FROM v_tasks WHERE job_id=$id AND status='running'")" = 2 ]; }
await "two of three run" 20 two_run
kill9 coordinator
must local_ start coordinator >/dev/null 2>&1
await "they still do" 60 two_run
equal "and the third waits for a gpu" "$(wc -l <"$W/gpus.log")" 2
rm "$W/hold"
must jobctl wait "$id" --timeout 60
equal "then it runs, once" "$(wc -l <"$W/gpus.log")" 3

for pid in "${pids[@]}"; do kill -TERM "$pid"; done
for pid in "${pids[@]}"; do wait "$pid"; done
finish
