#!/usr/bin/env bash
# time-out: 400
# Each fuzz target replays its kept corpus and goes on for two seconds.
set -eu
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
exec bash tests/fuzz/run.sh 2
