#!/bin/sh
# Run all tests: those that keep to themselves in WORKERS processes, then those that start servers in as many, then those
# that keep real time as well, one by one. Of the latter two, one that fails is tried once more when the others are done,
# and the log says so: a busy machine is late for a conversation. Usage: scripts/test.sh BIN [PYTEST FLAGS]
set -u
BIN="$1"
shift
WORKERS="${WORKERS:-2}"
FAILED=1
NONE=5 # the flags chose none of these tests

# Servers are started over and over: compile the source once, also where Python is told to keep no bytecode.
"$BIN/python" -m compileall -q src

"$BIN/python" -m pytest -n "$WORKERS" --dist loadscope --ignore tests/servers --ignore tests/e2e "$@"
apart=$?
"$BIN/python" -m pytest -n "$WORKERS" --dist worksteal tests/servers "$@"
servers=$?
"$BIN/python" -m pytest tests/e2e "$@"
alone=$?
if [ "$servers" -eq "$FAILED" ] || [ "$alone" -eq "$FAILED" ]; then
    echo "test.sh: the tests above failed once; they are tried once more"
    "$BIN/python" -m pytest tests/servers tests/e2e --last-failed --last-failed-no-failures none "$@"
    again=$?
    [ "$servers" -eq "$FAILED" ] && servers=$again
    [ "$alone" -eq "$FAILED" ] && alone=$again
fi

status=$NONE
for each in "$apart" "$servers" "$alone"; do
    if [ "$status" -eq "$NONE" ] || { [ "$status" -eq 0 ] && [ "$each" -ne "$NONE" ]; }; then
        status=$each
    fi
done
exit "$status"
