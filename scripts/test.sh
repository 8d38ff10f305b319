#!/bin/sh
# Run all tests: those that keep to themselves in WORKERS processes, then those that start servers and keep real time,
# one by one. Usage: scripts/test.sh BIN [PYTEST FLAGS]
set -u
BIN="$1"
shift

"$BIN/python" -m pytest -n "${WORKERS:-2}" --dist loadscope --ignore tests/e2e "$@"
apart=$?
"$BIN/python" -m pytest tests/e2e "$@"
alone=$?

NONE=5 # the flags chose none of these tests
if [ "$apart" -eq 0 ] || [ "$apart" -eq "$NONE" ]; then
    [ "$apart" -eq 0 ] && [ "$alone" -eq "$NONE" ] && exit 0
    exit "$alone"
fi
exit "$apart"
