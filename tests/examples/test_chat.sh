#!/usr/bin/env bash
# The chat example, with clients of another make: everybody hears everything in one order; who is slow is told what it has missed, and
# nobody waits for it; guests vanish, and the room closes.
# Usage, from the project's root: tests/examples/test_chat.sh [BUILD DIRECTORY]
# Last line: "N passed, N failed".
set -u
export LC_ALL=C

build=${1:-build/release}
program=$build/examples/chat
page=examples/chat/README.md
temp=$(mktemp -d) || exit 1
server=
trap '[[ -n $server ]] && kill -9 $server 2>/dev/null; rm -rf "$temp"' EXIT
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

# -- the server and its guests ------------------------------------------------------------------------

start() { # ARGUMENT...: $server, $port and $out are its process, port and output
    exec {out}< <(exec "$program" "$@" 127.0.0.1:0 2>"$temp/stderr")
    server=$!
    read -r line <&"$out"
    port=${line##*:}
}

finish() { # NAME: it ends well
    kill $server
    same "$1: output" "the room is closed" "$(cat <&"$out")"
    wait $server
    same "$1: status" 0 $?
    same "$1: stderr" "" "$(cat "$temp/stderr")"
    exec {out}<&-
    server=
}

await() { # COMMAND...: until it succeeds
    until "$@"; do :; done
}

join() { # NAME: a guest of the shell's own, which has heard that it has joined: $guest
    exec {guest}<>"/dev/tcp/127.0.0.1/$port"
    echo "$1" >&"$guest"
    hear_until "$guest" "* $1 joins" >/dev/null
}

hear_until() { # GUEST LINE: all that it hears before
    while read -r line <&"$1" && [[ $line != "$2" ]]; do echo "$line"; done
}

# -- the tests --------------------------------------------------------------------------------------

# Guests by socat: what each of them hears, from its own joining on, is the end of what the first one hears.
test_everybody() {
    local i all lines
    start
    for i in $(seq 10); do
        mkfifo "$temp/in$i"
        socat -t60 - "TCP:127.0.0.1:$port" <"$temp/in$i" >"$temp/out$i" &
        exec {in[i]}>"$temp/in$i"
        echo "guest$i" >&"${in[i]}"
        await grep -q "guest$i joins" "$temp/out$i"
    done
    for i in $(seq 10); do seq -f "%g of 20" 20 >&"${in[i]}"; done
    for i in $(seq 10); do
        heard() { [[ $(grep -c ' of 20$' "$temp/out$i") == 200 ]]; }
        await heard
    done
    finish "everybody"
    for i in $(seq 10); do exec {in[i]}>&-; done
    wait
    same "the first hears all" 212 "$(wc -l <"$temp/out1")" # with the question, ten who join, and the end
    for i in $(seq 10); do
        lines=$(sed -n "/guest$i joins/,\$p" "$temp/out$i")
        all=$(sed -n "/guest$i joins/,\$p" "$temp/out1")
        same "guest $i hears the same" "$all" "$lines"
        same "guest $i in order" "$(seq -f "guest$i: %g of 20" 20)" "$(grep "^guest$i:" "$temp/out1")"
        same "guest $i: the end" "* the room closes" "$(tail -n 1 "$temp/out$i")"
    done
}

# A hundred guests, each of whom says something in each of three rounds, and hears all.
test_hundred() {
    local guests=() round i g first
    start
    for i in $(seq 100); do
        join "guest$i"
        guests+=("$guest")
    done
    for round in 1 2 3; do
        for ((i = 0; i < 100; i++)); do echo "round $round" >&"${guests[i]}"; done
        first=
        for g in "${guests[@]}"; do
            heard=$(for ((i = 0; i < 100;)); do
                read -r line <&"$g" || break
                if [[ $line == *": round $round" ]]; then echo "$line" && i=$((i + 1)); fi
            done)
            first=${first:-$heard}
            if [[ $heard != "$first" ]]; then break; fi
        done
        same "round $round: the same for all" "$first" "$heard"
        same "round $round: from everybody" "$(seq -f "guest%g: round $round" 100 | sort)" "$(sort <<<"$first")"
    done
    finish "a hundred"
    for g in "${guests[@]}"; do exec {g}<&-; done
}

memory() { # of the server, in KiB
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"
}

# One guest hears nothing while another one says more than the system's buffers hold.
test_slow() {
    local slow before n_missed
    start -q 1000
    join slow
    slow=$guest
    before=$(memory)
    { echo fast && seq -f "%0200.0f" 60000; } | socat -t1000 - "TCP:127.0.0.1:$port" >/dev/null
    if [[ $build == build/release ]]; then
        same "memory does not grow" yes "$([[ $(memory) -lt $((before + 1024)) ]] && echo yes || echo "from $before to $(memory)")"
    fi
    echo "and now?" >&"$slow"
    sed '/^slow: and now?$/Q' <&"$slow" >"$temp/slow"
    n_missed=$(($(sed -n 's/^\* you were too slow for \([0-9]*\) lines$/\1 +/p' "$temp/slow") 0))
    same "some were missed" yes "$([[ $n_missed -gt 0 ]] && echo yes || echo no)"
    same "heard or missed" 60002 $(($(grep -vc 'too slow' "$temp/slow") + n_missed))
    exec {slow}<&-
    finish "slow"
}

n_descriptors() { # of the server
    local all=("/proc/$server/fd/"*)
    echo ${#all[@]}
}

# Who takes nothing is sent away in the end.
test_too_slow() {
    local n
    start -q 1
    join slow
    n=$(n_descriptors)
    is_away() {
        { echo fast && seq -f "%0200.0f" 20000; } | socat -t1000 - "TCP:127.0.0.1:$port" >/dev/null
        [[ $(n_descriptors) == $((n - 1)) ]]
    }
    await is_away
    exec {guest}<&-
    finish "too slow"
}

# Half of them vanish with something unread: their connections are reset.
test_vanishing() {
    local guests=() i n=0
    start
    join watcher
    watcher=$guest
    for i in $(seq 20); do
        join "guest$i"
        guests+=("$guest")
    done
    echo "something" >&"$watcher"
    for ((i = 0; i < 20; i++)); do
        [[ $((i % 2)) == 0 ]] || hear_until "${guests[i]}" "watcher: something" >/dev/null
        exec {guests[i]}<&-
    done
    while [[ $n -lt 20 ]] && read -r line <&"$watcher"; do [[ $line != *leaves ]] || n=$((n + 1)); done
    same "all are seen to leave" 20 $n
    exec {watcher}<&-
    for i in $(seq 20); do echo "name$i" | socat -u - "TCP:127.0.0.1:$port"; done # in and out
    finish "vanishing"
}

test_lines() {
    start
    join reader
    { printf 'a very long name indeed\nx\033[31my\r\n%0300d\n\nno end' 0; } | socat -t60 - "TCP:127.0.0.1:$port" >"$temp/own"
    same "lines" "* a very long nam joins
a very long nam: e indeed
a very long nam: x?[31my?
a very long nam: $(printf '%0235d' 0)
a very long nam: $(printf '%065d' 0)
a very long nam: $(:)
* a very long nam leaves" "$(sed 1d "$temp/own")"
    exec {guest}<&-
    finish "lines"
}

test_options() {
    same "help: status" 0 "$("$program" --help >"$temp/report"; echo $?)"
    same "help" "usage: chat [-q SECONDS] [ADDRESS]" "$(head -n 1 "$temp/report")"
    "$program" -q x 2>"$temp/stderr"
    same "not a number" 2 $?
    "$program" 127.0.0.1:0 there 2>"$temp/stderr"
    same "two rooms" 2 $?
    "$program" there 2>"$temp/stderr"
    same "no address" "chat: there: an argument is out of its documented range" "$(cat "$temp/stderr")"
}

# -- ------------------------------------------------------------------------------------------------

if [[ ! -x $program ]]; then
    echo "$program is missing: build it first"
    echo "0 passed, 1 failed"
    exit 1
fi
test_everybody
test_hundred
test_slow
test_too_slow
test_vanishing
test_lines
test_options

# The page's own commands, once: they do not depend on the flavour.
if [[ $build == build/release ]]; then
    rm -f build/chat.socket
    same "built by hand" "$(blocks "What is to be seen")" "$(bash -e -c "$(blocks "Build it by hand")")"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
