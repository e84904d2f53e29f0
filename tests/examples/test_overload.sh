#!/usr/bin/env bash
# The overload example says what its README says it does, each time, and refuses what it does not know.
# Usage, from the project's root: tests/examples/test_overload.sh [BUILD DIRECTORY]
# Last line: "N passed, N failed".
set -u
export LC_ALL=C

build=${1:-build/release}
program=$build/examples/overload
page=examples/overload/README.md
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
Try 'overload --help'." "$(cat "$temp/stderr")"
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
level() { # NAME ARGUMENT...: accepted, refused, first, last
    local name=$1
    shift
    answer "$@" | awk -v name="$name" '$1 == name { print $2, $3, $4, $5 }'
}
same "one of each: normal" "1 0 3 3" "$(level normal -n 1)"
same "one of each: high" "1 0 2 2" "$(level high -n 1)"
same "one of each: low" "1 0 4 4" "$(level low -n 1)"
same "hardly any room: normal" "1 0 3 3" "$(level normal -n 1 -c 2)"
same "no room for normal ones: normal" "1 99 4 4" "$(level normal -n 100 -c 2)"
same "no room for normal ones: high" "2 98 2 3" "$(level high -n 100 -c 2)"
same "many: normal" "999 1 4 1003" "$(level normal -n 1000 -c 1000)" # the low one has its turn among them
same "many: low" "1 999" "$(level low -n 1000 -c 1000 | cut -d " " -f 1,2)"

same "help: status" 0 "$("$program" --help >"$temp/report"; echo $?)"
same "help" "usage: overload [-n N] [-c N]" "$(head -n 1 "$temp/report")"
refused "not a number" "overload: -n takes a number from 1 to 1000, not 'x'" -n x
refused "a negative number" "overload: -c takes a number from 2 to 1000, not '-2'" -c -2
refused "too many" "overload: -n takes a number from 1 to 1000, not '1001'" -n 1001
refused "no room at all" "overload: -c takes a number from 2 to 1000, not '1'" -c 1
refused "a file" "overload: 'file' is too much: there are no files to name" file
"$program" >/dev/full 2>"$temp/stderr"
same "a full disk: status" 1 $?
same "a full disk" "overload: cannot write the result: No space left on device" "$(cat "$temp/stderr")"

# The page's own commands, once: they do not depend on the flavour.
if [[ $build == build/release ]]; then
    same "built by hand" "$(blocks "What is printed")" "$(bash -e -c "$(blocks "Build it by hand")" | grep -v -e '^#' -e '^wrote' -e '^unchanged')"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
