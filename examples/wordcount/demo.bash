#!/usr/bin/env bash
# The demo: the wordcount example from its config to two equal answers. `./tidepool demo` sets up,
# builds and calls this. Invariant: each command shown is the command that is run, and a user could
# type it in the checkout's root. Exit status: 0 only if C and Lua agree on every count.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

example=examples/wordcount
out=build/demo
mkdir -p "$out"

bold='' dim='' plain=''
if [[ -t 1 && ${TERM:-dumb} != dumb && -z ${NO_COLOR:-} ]]; then
    bold=$'\033[1m' dim=$'\033[2m' plain=$'\033[0m'
fi

chapter() { printf '\n%s%s%s\n\n' "$bold" "$1" "$plain"; }

quote() { # cut to the terminal's usual width
    while IFS= read -r line; do
        if [[ ${#line} -gt 80 ]]; then line="${line:0:77}..."; fi
        printf '%s%s%s\n' "$dim" "$line" "$plain"
    done
}

function_in() { # FILE NAME: its text
    sed -n "/^static .* $2(/,/^}/p" "$1"
}

run() { # COMMAND [FILE]: show it and run it, the output going to the file
    printf '%s$ %s%s\n' "$bold" "$1" "$plain"
    # What cflags and libs print is escaped for a shell: filled in here, it may contain blanks.
    # shellcheck disable=SC2016 # these are the words to replace
    local command=${1//'$(./tidepool cflags)'/$(./tidepool cflags)}
    # shellcheck disable=SC2016
    command=${command//'$(./tidepool libs)'/$(./tidepool libs)}
    local started=${EPOCHREALTIME/[^0-9]/}
    if [[ $# == 2 ]]; then eval "$command" >"$2"; else eval "$command"; fi
    taken_us=$((${EPOCHREALTIME/[^0-9]/} - started))
}

seconds() { printf '%d.%03d s' $((taken_us / 1000000)) $((taken_us / 1000 % 1000)); }

lines() { wc -l <"$1" | tr -d ' '; }

answer() { grep -v '^#' "$1"; } # without the lines that differ from run to run

same() { # FILE FILE
    if cmp -s <(answer "$1") <(answer "$2"); then return; fi
    echo "C and Lua do not agree:"
    diff <(answer "$1") <(answer "$2") || true
    exit 1
}

chapter "1. A pool is described in a config: $example/wordcount.pool"
quote <$example/wordcount.pool

chapter "2. From it comes C, for this pool and no other"
run "./tidepool gen $example/wordcount.pool -o $out"
for file in words_pool.h words_pool.c; do
    printf '%-30s %4d lines\n' "$out/$file" "$(lines "$out/$file")"
done
echo
echo "It begins with what was decided, and what was left out:"
echo
sed '/\*\//q' $out/words_pool.c | quote
echo
echo "What a worker does, in its own words:"
echo
function_in $out/words_pool.c words_next | quote
echo
function_in $out/words_pool.c words_worker_main | quote

chapter "3. It is compiled into a program, as any C"
run "cc -std=c11 -O2 \$(./tidepool cflags) -I$example -I$out \\
    $example/*.c $out/words_pool.c \\
    \$(./tidepool libs) -o $out/wordcount"
printf '%s: %d KB, compiled in %s\n' "$out/wordcount" $(($(wc -c <$out/wordcount) / 1024)) "$(seconds)"

chapter "4. It counts the words of some files, on all cores"
run "$out/wordcount" "$out/c.txt"
quote <$out/c.txt
c_us=$taken_us

chapter "5. The same in Lua: functions run in parallel, each worker with its own state"
run "./tidepool run $example/wordcount.lua" "$out/lua.txt"
quote <$out/lua.txt
lua_us=$taken_us
same $out/c.txt $out/lua.txt

chapter "6. More text: the headers of Linux"
more=/usr/include/linux # comes with the C library's headers
run "$out/wordcount --all $more" "$out/c-all.txt"
more_c=$(seconds)
run "./tidepool run $example/wordcount.lua --all $more" "$out/lua-all.txt"
more_lua=$(seconds)
same $out/c-all.txt $out/lua-all.txt
value() { sed -n "s/^$1 //p" "$2"; }
cat <<END

  $(printf '%-26s %12s %12s' '' 'the files' 'more text')
  $(printf '%-26s %12d %12d' 'words' "$(value words $out/c.txt)" "$(value words $out/c-all.txt)")
  $(printf '%-26s %12d %12d' 'distinct words' "$(value distinct $out/c.txt)" "$(value distinct $out/c-all.txt)")
  $(printf '%-26s %12s %12s' 'C, whole program' "$(taken_us=$c_us seconds)" "$more_c")
  $(printf '%-26s %12s %12s' 'Lua, whole program' "$(taken_us=$lua_us seconds)" "$more_lua")

${bold}C and Lua agree on every word.${plain}
Read on in README.md, or in $out/words_pool.c.
END
