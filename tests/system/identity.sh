#!/usr/bin/env bash
# Who may speak: unknown and revoked keys, loose files, roles without the permission.
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1
new_user alice submitter
new_user rita reader
events() { jobctl --json events | grep -c "\"kind\": *\"$1\""; }

exits "alice's key works" 0 as alice jobsubmit --wait echo hello

# An unknown key: a profile that nobody made.
jobctl key add --user alice --out "$T/spare.profile" >/dev/null
{
        grep -E '^(endpoint|server-key)' "$T/spare.profile"
        read -r public secret < <("$ROOT/tests/system/new_keys.py")
        printf 'public-key = %s\nsecret-key = %s\n' "$public" "$secret"
} >"$T/stranger.profile" && chmod 600 "$T/stranger.profile"
exits "an unknown key is refused" 77 as stranger jobsubmit echo hello
await "and that is an event" 10 eval '[ "$(events refused)" -ge 1 ] || [ "$(jobctl --json events | grep -c refuse)" -ge 1 ]'

# A revoked one.
exits "the second key of alice works" 0 as spare jobctl ls
key=$(sql "SELECT MAX(key_id) FROM Nodes n JOIN Principals p USING (principal) WHERE p.name='alice'")
exits "a key is revoked" 0 jobctl key revoke "$key"
exits "from then on it is refused" 77 as spare jobctl ls
exits "for submitting too" 77 as spare jobsubmit echo hello
exits "the other key of the same person works on" 0 as alice jobctl ls
check "the revocation is an event" grep -q 'key' <(jobctl --json events)

# Somebody listens with a key that is revoked meanwhile.
jobctl key add --user alice --out "$T/ear.profile" >/dev/null
long=$(as alice jobsubmit -q --hold echo later)
as ear jobctl wait "$long" --timeout 300 2>"$T/ear.err" &
ear=$!
key=$(sql "SELECT MAX(key_id) FROM Nodes n JOIN Principals p USING (principal) WHERE p.name='alice'")
sleep 1 # usually long enough to be listening; else his first question is refused, the same
check "his key is revoked" jobctl key revoke "$key"
wait $ear
equal "his wait ends: not allowed" "$?" 77
check "cancel the job" as alice jobctl cancel "$long"

# A worker's key.
jobctl key add --worker extra --out "$T/extra.profile" >/dev/null
exits "a worker's key cannot submit" 77 as extra jobsubmit echo hello
exits "nor list" 77 as extra jobctl ls
exits "a person's key cannot work" 77 timeout 30 jobworker --profile "$T/alice.profile" --slots 1 --scratch "$T/scratch"
revoked=$(sql "SELECT key_id FROM Nodes n JOIN Principals p USING (principal) WHERE p.name='extra'")
jobctl key revoke "$revoked" >/dev/null
exits "a worker with a revoked key ends" 77 timeout 60 jobworker --profile "$T/extra.profile" --slots 1 --scratch "$T/scratch"

# A role without the permission.
exits "a reader cannot submit" 77 as rita jobsubmit echo hello
exits "nor make users" 77 as rita jobctl user add mallory --role admin --profile-out "$T/mallory.profile"
exits "a submitter cannot make users" 77 as alice jobctl user add mallory --role admin --profile-out "$T/mallory.profile"
exits "nor grant" 77 as alice jobctl role grant submitter user.admin any
exits "nor drain workers" 77 as alice jobctl worker drain w1
exits "nor take a role" 77 as alice jobctl user set alice --role +admin

# Files that others can read.
chmod 640 "$T/alice.profile"
exits "a profile that others can read is refused" 78 as alice jobctl ls
matches "with the chmod to run" "$err" "chmod 600 .*alice.profile"
chmod 600 "$T/alice.profile"
ln -s "$T/alice.profile" "$T/link.profile"
exits "so is a link" 78 as link jobctl ls
local_ stop coordinator
chmod 644 "$DIR/keys/keyring"
exits "the coordinator refuses a key ring that others can read" 78 timeout 20 jobcoordinator --config "$DIR/coordinator.conf"
matches "with the chmod to run" "$err$out" "chmod 600 .*keyring"
chmod 600 "$DIR/keys/keyring"
chmod 644 "$DIR/keys/coordinator.key"
exits "and a key file" 78 timeout 20 jobcoordinator --config "$DIR/coordinator.conf"
chmod 600 "$DIR/keys/coordinator.key"
check "and serves again" local_ start coordinator
exits "alice works on" 0 as alice jobctl ls
refute "no secret is an argument of a process" grep -qsF "$(sed -n 's/^password=//p;T;q' "$DIR/db.cnf")" /proc/[0-9]*/cmdline
finish
