#!/usr/bin/env bash
# Checks a server that this script starts, in any CI: deploy/check.sh http://127.0.0.1:8080/v1 ./my-server --port 8080
# The key is read from MIMO_API_KEY. The exit code is that of the run; the run folder is RUN_DIR (default: conformance-run).
set -euo pipefail

endpoint=$1
shift
"$@" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT

status=0
conformance run "$endpoint" --wait 60 --run-dir "${RUN_DIR:-conformance-run}" --overwrite || status=$?
exit "$status"
