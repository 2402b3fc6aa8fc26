#!/bin/bash
# rounds.sh FIRST LAST: interleaved rounds beside the peers, by their own harness, whose servers run (README.md).
# Lines go to $PERF_ROOT/results/results.jsonl; `python -m tests.bench.ratios` makes the table of them.
set -e
: "${COUNTERSIGN_PEERS:?expected the folder of the harness of the peers}"
here=$(cd "$(dirname "$0")/../.." && pwd)
. "$COUNTERSIGN_PEERS/env.sh"
# Both processes of SpiffWorkflow create their table as they start, and the second fails: it is there before them.
psql -q spiff -c 'CREATE TABLE IF NOT EXISTS inst(id text PRIMARY KEY, state text, completed bool DEFAULT false)' 2>/dev/null
export COUNTERSIGN_BENCH="cd '$here' && ${PYTHON:-.venv/bin/python} -m tests.bench.peers"
exec "$COUNTERSIGN_PEERS/rounds.sh" "$@"
