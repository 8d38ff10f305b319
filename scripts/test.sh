#!/bin/sh
# Run all tests: those that keep to themselves in WORKERS processes, then those that start servers and keep real time,
# one by one. Of the latter, one that fails is tried once more when the others are done, and the log says so: a busy
# machine is late for a conversation in real time. Usage: scripts/test.sh BIN [PYTEST FLAGS]
set -u
BIN="$1"
shift

# Servers are started over and over: compile the source once, also where Python is told to keep no bytecode.
"$BIN/python" -m compileall -q src

"$BIN/python" -m pytest -n "${WORKERS:-2}" --dist loadscope --ignore tests/e2e "$@"
apart=$?
"$BIN/python" -m pytest tests/e2e "$@"
alone=$?
if [ "$alone" -eq 1 ]; then
    echo "test.sh: the tests above failed once; they are tried once more"
    "$BIN/python" -m pytest tests/e2e --last-failed --last-failed-no-failures none "$@"
    alone=$?
fi

NONE=5 # the flags chose none of these tests
if [ "$apart" -eq 0 ] || [ "$apart" -eq "$NONE" ]; then
    [ "$apart" -eq 0 ] && [ "$alone" -eq "$NONE" ] && exit 0
    exit "$alone"
fi
exit "$apart"
