#!/usr/bin/env bash
# One variant of each policy with one processor for all threads: whoever waits must let others run.
# Run from the project's root, after a build.
set -u
status=0
for policy in fifo lifo priority fair adaptive life; do
    variant=$(sed -n 's|^build $b/tests/parts/\('$policy'-[^:]*\):.*|\1|p' sample.ninja life.ninja | head -n 1)
    echo "$variant"
    taskset -c 0 "build/release/tests/parts/$variant" 2>&1 || status=1
done
exit $status
