#!/usr/bin/env bash
# What strangers and dishonest peers can do to the port: nothing that others notice.
# time-out: 240
. "${BASH_SOURCE%/*}/lib.sh"

cluster_up --workers 1
new_user alice submitter
peer() { timeout 90 /usr/bin/python3 "$ROOT/tests/system/hostile_peer.py" "${@}" 2>&1 | tail -n 1; }
alice=$T/alice.profile
coordinator=$(pid_of coordinator)
descriptors() { find "/proc/$coordinator/fd" -mindepth 1 | wc -l; }
before=$(descriptors)

equal "bytes that are no ZMTP: the connection is closed" "$(peer "$alice" garbage)" "closed closed closed closed closed closed"
matches "a greeting byte by byte is closed at the handshake limit" "$(peer "$alice" slow)" "^closed after ([0-9]|1[0-9]) s$"
equal "huge metadata in a handshake is closed" "$(peer "$alice" huge-metadata)" closed
equal "no CURVE, no connection" "$(peer "$alice" null)" broken
equal "a key that nobody knows is refused" "$(peer "$alice" stranger)" refused
equal "another server key breaks the handshake" "$(peer "$alice" wrong-server)" broken
equal "a known key comes in" "$(peer "$alice" known)" in
await "a refusal becomes an event" 10 eval 'grep -q refuse < <(jobctl --json events)'

equal "other numbers of frames are BAD_FRAME, the next good one is served" "$(peer "$alice" frames)" \
        "BAD_FRAME BAD_FRAME BAD_FRAME BAD_FRAME BAD_FRAME rows"
equal "a length that is not the frame's is refused" "$(peer "$alice" lengths)" "BAD_FRAME BAD_FRAME BAD_FRAME BAD_FRAME BAD_FIELD"
equal "a frame over the limit ends its own connection only" "$(peer "$alice" too-large)" "rows silence rows"
equal "600 frames of 1 MiB are refused whole" "$(peer "$alice" endless)" BAD_FRAME
check "the offender is named once" grep -q "too many frames: key=" "$DIR/log/coordinator.log"
equal "a routing id of one's own is not served, a second of the same name not heard" "$(peer "$alice" named)" "BAD_FRAME silence"
equal "a name or role in a header, other versions, doubled fields are refused" "$(peer "$alice" claims)" \
        "BAD_FIELD BAD_FIELD BAD_FIELD BAD_FIELD BAD_FIELD BAD_JSON"
matches "a person's key may not speak as a worker" "$(peer "$alice" other-role)" "^FORBIDDEN FORBIDDEN "
must jobctl key add --worker extra --out "$T/extra.profile" >/dev/null
matches "nor a worker's as a person" "$(peer "$T/extra.profile" other-role)" " FORBIDDEN FORBIDDEN$"
equal "a crowd that comes and goes is served" "$(peer "$alice" many)" rows
equal "a peer that never reads stalls nobody" "$(peer "$alice" deaf)" served

equal "a submission a hundred times is one job, another under its key a conflict" "$(peer "$alice" replay)" "1 job, then CONFLICT"

# A worker that reports what another one runs, down to the right nonce.
printf 'for one worker only' >"$T/private"
must as alice jobctl secret add TOKEN <<<sesame >/dev/null
job=$(as alice jobsubmit --in "$T/private" --secret TOKEN -- sh -c "until [ -e '$T/reported' ]; do sleep 0.05; done; echo mine")
await "a task runs" 20 eval '[ "$(sql "SELECT COUNT(*) FROM Tasks WHERE job_id='"$job"' AND status=4 AND nonce>0")" = 1 ]'
lease=$(sql "SELECT nonce FROM Tasks WHERE job_id=$job")
equal "another worker cannot report its end" \
        "$(peer "$T/extra.profile" foreign-lease "$job" "$lease" "$(sql 'SELECT epoch FROM Coordinator')")" "resume, then not recorded"
matches "nor fetch its input or its secret, nor give it output or a file" \
        "$(peer "$T/extra.profile" foreign-data "$job" "$lease")" "^resume( stale| refused)+$"
touch "$T/reported"
exits "the task ends by its own worker" 0 as alice jobctl wait "$job" --timeout 60s
equal "with its own output" "$(as alice jobctl logs "$job")" mine

# What they hold of its memory comes back: another cluster, of the optimised programs.
small() { JOBMILL_BIN=$(plain_bin jobcoordinator) "$ROOT/deploy/local" --dir "$T/small" "$@"; }
check "a cluster for the memory" small up --workers 0
small=$(small status | awk '$1 == "coordinator" { print $3 }')
most_kb=$(($(resident_kb "$small") + 65536))
equal "600 frames of 1 MiB are refused there, too" "$(peer "$T/small/keys/admin.profile" endless)" BAD_FRAME
await "and their memory comes back" 10 eval '[ "$(resident_kb $small)" -lt $most_kb ]'
equal "nor does it add up" "$(peer "$T/small/keys/admin.profile" endless)" BAD_FRAME
await "as is seen the second time" 10 eval '[ "$(resident_kb $small)" -lt $most_kb ]'
equal "by the same process" "$(small status | awk '$1 == "coordinator" { print $3 }')" "$small"
small destroy 2>/dev/null

# A key that is revoked while its connection stands.
mkfifo "$T/line"
/usr/bin/python3 "$ROOT/tests/system/hostile_peer.py" "$alice" held <"$T/line" >"$T/held.out" 2>&1 &
held=$!
exec 9>"$T/line"
await "a connection is open and served" 10 grep -qx rows "$T/held.out"
key=$(sql "SELECT key_id FROM Nodes n JOIN Principals p USING (principal) WHERE p.name='alice'")
check "its key is revoked" jobctl key revoke "$key"
echo >&9
exec 9>&-
wait "$held"
equal "the next message on the standing connection is refused" "$(tail -n 1 "$T/held.out")" UNAUTHENTICATED
equal "a new connection too" "$(peer "$alice" known)" refused

equal "the coordinator is the same process as before" "$(pid_of coordinator)" "$coordinator"
await "its descriptors are back" 20 eval '[ "$(descriptors)" -le $((before + 4)) ]'
exits "and it serves" 0 jobsubmit --wait --timeout 30s echo fine
finish
