#!/usr/bin/env bash
# The shards example says what its README says it does, each time, and refuses what it does not know.
# Usage, from the project's root: tests/examples/test_shards.sh [BUILD DIRECTORY]
# Last line: "N passed, N failed".
set -u
export LC_ALL=C

build=${1:-build/release}
program=$build/examples/shards
page=examples/shards/README.md
temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT
passed=0
failed=0

same() { # NAME EXPECTED ACTUAL
    if [[ $2 == "$3" ]]; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $1"
        diff <(echo "$2") <(echo "$3") | head -n 20
    fi
}

blocks() { # HEADING: what stands between ``` below it, up to the next heading
    # shellcheck disable=SC2016 # the quotes of Markdown
    sed -n "/^## $1/,/^## [^$(printf %.1s "$1")]/p" "$page" | sed -n '/^```/,/^```/{/^```/d;p}'
}

answer() { # ARGUMENT...: what the program prints but for what differs from run to run
    "$program" "$@" 2>"$temp/stderr" | grep -v '^#'
}

refused() { # NAME MESSAGE ARGUMENT...
    local name=$1 message=$2
    shift 2
    "$program" "$@" >"$temp/report" 2>"$temp/stderr"
    same "$name: status" 2 $?
    same "$name: no output" "" "$(cat "$temp/report")"
    same "$name" "$message
Try 'shards --help'." "$(cat "$temp/stderr")"
}

if [[ ! -x $program ]]; then
    echo "$program is missing: build it first"
    echo "0 passed, 1 failed"
    exit 1
fi

times=5 # a sanitizer sees at once what others see seldom, and takes ten times as long
[[ $build == build/release ]] || times=1
for ((i = 0; i < times; i++)); do
    same "what the page says" "$(blocks "What is printed")" "$(answer)"
    same "nothing is wrong" "" "$(cat "$temp/stderr")"
done
same "one request of each" 3 "$(answer -n 1 | grep -c 'round: *3 requests, 70699 bytes to 31796$')"
same "an odd number" "3 rounds" "$(answer -n 41 | grep -c 'round: *123 requests, ') rounds"

same "help: status" 0 "$("$program" --help >"$temp/report"; echo $?)"
same "help" "usage: shards [-n N]" "$(head -n 1 "$temp/report")"
refused "not a number" "shards: -n takes a number from 1 to 100000, not 'x'" -n x
refused "none" "shards: -n takes a number from 1 to 100000, not '0'" -n 0
refused "a file" "shards: 'file' is too much: there are no files to name" file
"$program" -n 1 >/dev/full 2>"$temp/stderr"
same "a full disk: status" 1 $?
same "a full disk" "shards: cannot write the result: No space left on device" "$(cat "$temp/stderr")"

# The page's own commands, once: they do not depend on the flavour.
if [[ $build == build/release ]]; then
    same "built by hand" "$(blocks "What is printed")" "$(bash -e -c "$(blocks "Build it by hand")" | grep -v -e '^#' -e '^wrote' -e '^unchanged')"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
