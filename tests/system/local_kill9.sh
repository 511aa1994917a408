#!/usr/bin/env bash
# time-out: 240
# deploy/local: kill -9 of `up` at any moment, then `up`: serves, nothing lost, every part once. Two clusters side by side.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1 --slots 1
exits "a job before" 0 jobsubmit --wait echo precious
precious=$out
local_ down

killed_up() { # SECONDS: up, its whole session killed after that time
        setsid "$ROOT/deploy/local" --dir "$1" up --workers 2 >/dev/null 2>&1 &
        local up=$!
        sleep "$2"
        kill -9 -- "-$up" 2>/dev/null
        wait "$up" 2>/dev/null
}
# An existing cluster.
for delay in 0.01 0.1 0.3 0.6 1.0; do killed_up "$DIR" $delay; done
cluster_up --workers 2
equal "every part runs once" "$(local_ status | grep -c running)" 4
equal "and there are no others" "$(grep -lsazF -- "$DIR" /proc/[0-9]*/cmdline | xargs -n 1 -d '\n' dirname | while read -r p; do basename "$(readlink "$p/exe")"; done | grep -cE '^(mariadbd|jobcoordinator|jobworker)$')" 4
equal "nothing is lost" "$(jobctl logs "$precious")" precious
exits "it serves" 0 jobsubmit --wait echo hello

# A new one, killed while it is made.
first=$DIR
DIR=$T/second
for delay in 0.05 0.2 0.35 0.5 0.7 0.9 1.2; do killed_up "$DIR" $delay; done
cluster_up --workers 2
exits "a cluster whose making was killed again and again serves" 0 jobsubmit --wait echo hello
equal "every part runs once" "$(local_ status | grep -c running)" 4

# Side by side.
equal "the second knows nothing of the first one's jobs" "$(sql 'SELECT COUNT(*) FROM Jobs')" 1
refute "they listen on different ports" cmp -s "$first/state/port" "$DIR/state/port"
exits "a profile of one is no key of the other" 78 env JOBMILL_PROFILE=<(:) jobctl ls
sed "s|^endpoint.*|$(grep '^endpoint' "$first/keys/admin.profile")|" "$DIR/keys/admin.profile" >"$T/mixed.profile"
chmod 600 "$T/mixed.profile"
exits "the other's endpoint with the wrong server key" 78 as mixed jobctl --connect-timeout 30 ls
DIR=$first
exits "the first is alive beside it" 0 env JOBMILL_PROFILE="$first/keys/admin.profile" jobsubmit --wait echo hello
finish
