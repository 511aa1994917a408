#!/usr/bin/env bash
# time-out: 180
# deploy/local: up twice, down and up, parts stopped and started, supervision, bad use.
. "${BASH_SOURCE%/*}/lib.sh"

DIR="$T/a cluster with blanks"
cluster_up --workers 2 --slots 1
matches "status --json has one row a part" "$(local_ status --json)" \
        '^\{"rows":\[\{"part":"mariadb","name":"[^"]*","pid":[0-9]+,"state":"running"\},\{"part":"coordinator","name":"[^"]*","pid":[0-9]+,"state":"running"\},\{"part":"worker","name":"w1","pid":[0-9]+,"state":"running"\},\{"part":"worker","name":"w2","pid":[0-9]+,"state":"running"\}\]\}$'
for part in mariadb:mariadbd coordinator:jobcoordinator worker:jobworker; do
        equal "the pid of ${part%:*} is the daemon itself" "$(basename "$(readlink "/proc/$(pid_of "${part%:*}")/exe")")" "${part#*:}"
done
equal "everything in the folder is the user's alone" "$(find "$DIR" -maxdepth 1 -perm /077 ! -type s)" ""
equal "so are the keys" "$(find "$DIR/keys" "$DIR/db.cnf" -type f ! -perm 600)" ""
exits "a job runs in a path with blanks" 0 jobsubmit --wait echo hello
kept=$out

before=$(local_ status)
exits "up on a live cluster" 0 local_ up
equal "changes nothing" "$(local_ status)" "$before"
local_ up --workers 3 >/dev/null 2>&1
equal "but what is asked" "$(local_ status | grep -v w3)" "$before"
equal "here a third worker" "$(local_ status | grep -c '^worker.*running')" 3

(local_ up >"$T/up1" 2>&1) &
(local_ up >"$T/up2" 2>&1) &
wait
equal "two at once do no harm" "$(local_ status | grep -v w3)" "$before"

exits "stop coordinator" 0 local_ stop coordinator
matches "it is stopped" "$(local_ status --json)" '"part":"coordinator","name":"[^"]*","pid":null,"state":"stopped"'
exits "jobsubmit says that nobody is there" 69 jobsubmit --connect-timeout 1 echo hello
exits "start coordinator" 0 local_ start coordinator
exits "it serves" 0 jobsubmit --wait echo hello
exits "stop worker w2" 0 local_ stop worker w2
matches "it is stopped" "$(local_ status --json)" '"name":"w2","pid":null,"state":"stopped"'
exits "start worker w2" 0 local_ start worker w2
matches "it runs" "$(local_ status --json)" '"name":"w2","pid":[0-9]+,"state":"running"'
kill9 worker w1
sleep 1.2
matches "without --supervise nothing is restarted" "$(local_ status --json)" '"name":"w1","pid":null,"state":"stopped"'

exits "down" 0 local_ down
refute "stops everything" grep -q running <(local_ status)
cluster_up --supervise
equal "up starts as many workers as there were" "$(local_ status | grep -c '^worker.*running')" 3
equal "and the data is there" "$(jobctl logs "$kept")" hello
# When a process began, in hundredths of a second since the machine did.
born() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; }
now() { awk '{ printf "%d\n", $1 * 100 }' /proc/uptime; }
# restart_cs PART [NAME]: kills it; how long until the next one began
restart_cs() {
        local old new killed
        old=$(pid_of "$@")
        kill -9 "$old"
        killed=$(now)
        for _ in {1..300}; do
                new=$(pid_of "$@")
                [ -z "$new" ] || [ "$new" = "$old" ] || break
                sleep 0.1
        done
        echo $(($(born "$new") - killed))
}
for part in mariadb coordinator "worker w3"; do
        # The best of some: a machine with other things to do may be late, a supervisor that sleeps too long always is.
        for _ in {1..5}; do
                # shellcheck disable=SC2086 # two words
                cs=$(restart_cs $part)
                [ "$cs" -gt 100 ] || break
        done
        check "--supervise starts $part again within a second (${cs}0 ms)" test "$cs" -le 100
done
exits "and it serves" 0 jobsubmit --connect-timeout 30 --wait echo hello

# --- what refuses to start is given up, with its own last word
local_ stop coordinator
chmod 644 "$DIR/keys/coordinator.key"
began=$SECONDS
exits "a coordinator that refuses to start" 70 local_ start coordinator
matches "is given up with the reason" "$err" 'coordinator ended at its start .*chmod 600'
check "at once, not after minutes" test $((SECONDS - began)) -le $((12 * PATIENCE))
exits "so it is with up" 70 local_ up
matches "which says the same" "$err" 'chmod 600'
chmod 600 "$DIR/keys/coordinator.key"
exits "mended, it starts" 0 local_ start coordinator
exits "sql opens the database" 0 bash -c 'echo "SELECT COUNT(*) > 0 FROM Jobs" | "$0" --dir "$1" sql' "$ROOT/deploy/local" "$DIR"

exits "a folder with other things is refused" 73 "$ROOT/deploy/local" --dir "$T" up
exits "an unknown command is wrong use" 64 local_ sideways
exits "so is a bad number" 64 local_ scale many
exits "--help" 0 "$ROOT/deploy/local" --help
matches "starts with examples" "$out" '^Examples:'
exits "destroy" 0 local_ destroy
refute "removes the folder" test -e "$DIR"
exits "a second time it has nothing to do" 0 local_ destroy
finish
