#!/usr/bin/env bash
# The sheet example says what its README says it does, each time, and refuses what it does not know.
# Usage, from the project's root: tests/examples/test_sheet.sh [BUILD DIRECTORY]
# Last line: "N passed, N failed".
set -u
export LC_ALL=C

build=${1:-build/release}
program=$build/examples/sheet
page=examples/sheet/README.md
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
Try 'sheet --help'." "$(cat "$temp/stderr")"
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
same "one row" 1 "$(answer -n 1 | grep -c 'waits for what it needs: .* plain     24   pooled     40$')"
same "the same values each time" 1 "$(answer -n $((times * 60)) | sed -n 's/^.*: *\([0-9]*\)   plain.*$/\1/p' | sort -u | wc -l)"

same "help: status" 0 "$("$program" --help >"$temp/report"; echo $?)"
same "help" "usage: sheet [-n N]" "$(head -n 1 "$temp/report")"
refused "not a number" "sheet: -n takes a number from 1 to 2000, not 'x'" -n x
refused "none" "sheet: -n takes a number from 1 to 2000, not '0'" -n 0
refused "a file" "sheet: 'file' is too much: there are no files to name" file
"$program" -n 1 >/dev/full 2>"$temp/stderr"
same "a full disk: status" 1 $?
same "a full disk" "sheet: cannot write the result: No space left on device" "$(cat "$temp/stderr")"

# The page's own commands, once: they do not depend on the flavour.
if [[ $build == build/release ]]; then
    same "built by hand" "$(blocks "What is printed")" "$(bash -e -c "$(blocks "Build it by hand")" | grep -v -e '^#' -e '^wrote' -e '^unchanged')"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
