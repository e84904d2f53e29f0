#!/usr/bin/env bash
# ./tidepool calibrate runs, prints figures and keeps them; how large they are is the machine's affair.
# Run from the project's root, after a build. Last line: "N passed, N failed".
set -u
export LC_ALL=C
temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
passed=0
failed=0

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$temp/said" 2>&1; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $name"
        head -n 20 "$temp/said" "$temp/out" "$temp/err"
    fi
}

ninja calibrate >"$temp/build" 2>&1 || { cat "$temp/build" && echo "0 passed, 1 failed" && exit 1; }
program=build/release/calibrate/calibrate

"$program" --short --report -o "$temp/figures.json" >"$temp/out" 2>"$temp/err"
check "status" test $? = 0
check "nothing is wrong" test ! -s "$temp/err"
check "the file is JSON with figures above 0" lua5.4 - "$temp/figures.json" <<'END'
local file <close> = assert(io.open(arg[1]))
local text, n = file:read "a", 0
assert(text:find "^{\n.*\n}\n$")
for key, value in text:gmatch '"([%l_]+)": ([%d.]+)' do
  n = n + 1
  assert(tonumber(value) > 0, key .. " is " .. value)
end
assert(n >= 2 + 4 and (n - 2) % 4 == 0, n)
END
check "a row for one worker" grep -q '^1  *[0-9.]*[1-9][0-9.]*  *[0-9.]*[1-9][0-9.]*  *[0-9.]*[1-9][0-9.]*$' "$temp/out"
check "where it is kept" grep -qxF "kept in $temp/figures.json" "$temp/out"
check "throughput is compared" grep -q '^median error of throughput: [0-9]* %$' "$temp/out"
check "latency is compared" grep -q -e '^median error of latency: [0-9]* %$' -e '^latency: not measured' "$temp/out"
check "nothing else is left" test "$(ls "$temp" | sort | xargs)" = "build err figures.json out said"

"$program" -o "$temp/no/such/file" --short >"$temp/out" 2>"$temp/err"
check "a file that cannot be written: status" test $? = 1
check "a file that cannot be written" grep -qxF "calibrate: cannot write $temp/no/such/file: No such file or directory" "$temp/err"
"$program" -o "$temp/" --short >"$temp/out" 2>"$temp/err"
check "a folder: status" test $? = 1
check "a folder" grep -qxF "calibrate: cannot write $temp/: Is a directory" "$temp/err"
check "nothing was measured" test ! -s "$temp/out"
check "nothing else is left but that" test "$(ls -A "$temp" | sort | xargs)" = "build err figures.json out said"
"$program" -o '' --short >"$temp/out" 2>"$temp/err"
check "an empty name: status" test $? = 2
check "an empty name" grep -qxF "calibrate: -o needs the name of a file; try: ./tidepool calibrate --help" "$temp/err"
"$program" --help 2>"$temp/err" >/dev/full
check "an output that is full: status" test $? = 1
check "an output that is full" grep -qxF "calibrate: cannot write the output: No space left on device" "$temp/err"
"$program" --often >"$temp/out" 2>"$temp/err"
check "usage: status" test $? = 2
check "usage" grep -qxF "calibrate: unknown argument --often; try: ./tidepool calibrate --help" "$temp/err"
"$program" -o >"$temp/out" 2>"$temp/err"
check "no name: status" test $? = 2
"$program" --help >"$temp/out" 2>"$temp/err"
check "help" grep -qF "usage: ./tidepool calibrate" "$temp/out"

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
