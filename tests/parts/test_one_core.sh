#!/usr/bin/env bash
# The behaviour suite with one processor for all threads: whoever waits must let others run.
# Run from the project's root, after a build.
set -u
status=0
for variant in fifo-half-block lifo-one-reject fifo-private-unlimited; do
    taskset -c 0 "build/release/tests/parts/$variant" 2>&1 || status=1
done
exit $status
