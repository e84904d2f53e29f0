#!/usr/bin/env bash
# The echo example, with clients of another make: what comes back, and what becomes of connections that are too many, quiet, broken
# off, or there when the server ends.
# Usage, from the project's root: tests/examples/test_echo.sh [BUILD DIRECTORY]
# Last line: "N passed, N failed".
set -u
export LC_ALL=C

build=${1:-build/release}
program=$build/examples/echo
page=examples/echo/README.md
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

same_files() { # NAME EXPECTED ACTUAL
    if cmp -s "$2" "$3"; then passed=$((passed + 1)); else
        failed=$((failed + 1))
        echo "FAILED: $1"
        cmp "$2" "$3"
    fi
}

blocks() { # HEADING: what stands between ``` below it, up to the next heading
    # shellcheck disable=SC2016 # the quotes of Markdown
    sed -n "/^## $1/,/^## [^$(printf %.1s "$1")]/p" "$page" | sed -n '/^```/,/^```/{/^```/d;p}'
}

# -- the server -------------------------------------------------------------------------------------

start() { # ARGUMENT...: the first address is one of TCP; $server, $port and $out are its process, port and output
    exec {out}< <(exec "$program" "$@" 2>"$temp/stderr")
    server=$!
    read -r line <&"$out"
    port=${line##*:}
}

finish() { # NAME [SIGNAL]: it ends well; $report is what it has said
    kill "-${2:-TERM}" $server
    report=$(cat <&"$out")
    wait $server
    same "$1: status" 0 $?
    same "$1: stderr" "" "$(cat "$temp/stderr")"
    exec {out}<&-
    server=
}

await() { # COMMAND...: until it succeeds
    until "$@"; do :; done
}

n_descriptors() { # of the server
    local all=("/proc/$server/fd/"*)
    echo ${#all[@]}
}

connect() { # a client of the shell's own: $client
    exec {client}<>"/dev/tcp/127.0.0.1/$port"
}

ask() { # CLIENT TEXT: what comes back
    echo "$2" >&"$1"
    read -r answer <&"$1"
    echo "$answer"
}

told() { # NAME: a number of the pool of guests, as Prometheus would be told it at "$temp/hatch"
    curl -sS --unix-socket "$temp/hatch" http://echo/metrics | sed -n "s/^tidepool_pool_$1{pool=\"guest\",instance=\"[0-9]*\"} //p"
}

# -- the tests --------------------------------------------------------------------------------------

test_clients() {
    start 127.0.0.1:0 "unix:$temp/socket"
    head -c 20000000 /dev/urandom >"$temp/large"
    socat -t60 - "TCP:127.0.0.1:$port" <"$temp/large" >"$temp/back" &
    local i
    for i in $(seq 20); do
        seq $((i * 1000)) >"$temp/in$i"
        socat -t60 - "TCP:127.0.0.1:$port" <"$temp/in$i" >"$temp/tcp$i" &
        socat -t60 - "UNIX:$temp/socket" <"$temp/in$i" >"$temp/unix$i" &
    done
    wait $(jobs -pr | grep -vx $server)
    same_files "a large transfer" "$temp/large" "$temp/back"
    for i in $(seq 20); do
        same_files "client $i of 20" "$temp/in$i" "$temp/tcp$i"
        same_files "client $i of 20, Unix" "$temp/in$i" "$temp/unix$i"
    done
    finish "clients"
    same "clients" "41 served, 0 of them broken off; 0 turned away" "${report##*$'\n'}"
    same "the socket is gone" no "$([[ -e $temp/socket ]] && echo yes || echo no)"
}

# What is under way when the server is asked to end comes back, then the stream ends.
test_end() {
    local clients=() readers=() i
    start 127.0.0.1:0
    seq 30000 >"$temp/sent"
    for i in 1 2 3 4 5; do
        connect
        clients+=("$client")
        same "connected" "hello $i" "$(ask "$client" "hello $i")"
        cat <&"$client" >"$temp/end$i" &
        readers+=($!)
    done
    kill -STOP $server # so that it finds much to read, and that it should end
    for client in "${clients[@]}"; do cat "$temp/sent" >&"$client"; done
    kill -INT $server
    kill -CONT $server
    finish "the end" INT
    wait "${readers[@]}"
    for i in 1 2 3 4 5; do same_files "nothing is lost: $i" "$temp/sent" "$temp/end$i"; done
    for client in "${clients[@]}"; do exec {client}<&-; done
    same "the end" "5 served, 0 of them broken off; 0 turned away" "$report"
}

# Killed while there are connections, it can be started again at the same address.
test_restart() {
    start 127.0.0.1:0 "unix:$temp/socket"
    connect
    same "before" "hello" "$(ask "$client" "hello")"
    kill -9 $server
    wait $server 2>/dev/null
    start "127.0.0.1:$port" "unix:$temp/socket"
    exec {client}<&-
    connect
    same "after" "hello" "$(ask "$client" "hello")"
    same "after, Unix" "hello" "$(echo hello | socat -t60 - "UNIX:$temp/socket")"
    exec {client}<&-
    finish "restart"
}

test_too_many() {
    local first second n
    start -n 2 127.0.0.1:0
    connect
    first=$client
    connect
    second=$client
    same "first" 1 "$(ask "$first" 1)"
    same "second" 2 "$(ask "$second" 2)"
    for n in 1 2 3; do
        same "one too many" "echo: too many connections, try again later" "$(socat -u "TCP:127.0.0.1:$port" -)"
    done
    same "the others go on" 3 "$(ask "$first" 3)"
    exec {first}<&-
    is_room() { [[ $(echo hello | socat -t60 - "TCP:127.0.0.1:$port" 2>/dev/null) == hello ]]; }
    await is_room
    exec {second}<&-
    finish "too many"
}

test_quiet() {
    start -q 1 127.0.0.1:0
    same "quiet" "" "$(socat -u "TCP:127.0.0.1:$port" -)"
    finish "quiet"
    same "a quiet one" "1 served, 1 of them broken off; 0 turned away" "$report"
}

# Peers that vanish, some with an answer unread, leave nothing behind.
test_vanishing() {
    local n i
    start -m "unix:$temp/hatch" 127.0.0.1:0
    connect
    same "connected" "hello" "$(ask "$client" "hello")"
    n=$(n_descriptors)
    exec {client}<&-
    for i in $(seq 50); do
        connect
        echo "$i" >&"$client"
        exec {client}<&-
    done
    all_over() { [[ $(told over_tasks_total) == 51 ]]; } # also those that waited to be accepted
    await all_over
    settled() { [[ $(n_descriptors) == $((n - 1)) ]]; }
    await settled
    finish "vanishing"
    same "vanishing" "51 served" "${report%%,*}"
}

# More connections than descriptors: they wait until there is room, and all are served.
test_few_descriptors() {
    local clients=() i answers=
    ulimit -S -n 24
    start 127.0.0.1:0
    ulimit -S -n 256
    for i in $(seq 40); do
        connect
        clients+=("$client")
        echo "client $i" >&"$client"
    done
    await test -e "/proc/$server/fd/23" # the last one it can have
    for client in "${clients[@]}"; do
        read -r line <&"$client"
        answers+="$line"$'\n'
        exec {client}<&-
    done
    same "few descriptors" "$(seq -f 'client %g' 40)" "${answers%$'\n'}"
    finish "few descriptors"
    same "all were served" "40 served" "${report%%,*}"
}

# What Prometheus would be told.
test_told() {
    start -m "unix:$temp/hatch" 127.0.0.1:0
    connect
    same "hello" "hello" "$(ask "$client" "hello")"
    same "accepted" 1 "$(told accepted_tasks_total)"
    is_asleep() { [[ $(told suspended_tasks) == 1 ]]; }
    await is_asleep
    exec {client}<&-
    is_over() { [[ $(told over_tasks_total) == 1 ]]; }
    await is_over
    same "nobody any more" 0 "$(told suspended_tasks)"
    finish "told"
    same "the hatch is gone" no "$([[ -e $temp/hatch ]] && echo yes || echo no)"
}

refused() { # NAME STATUS MESSAGE ARGUMENT...
    local name=$1 status=$2 message=$3
    shift 3
    "$program" "$@" >"$temp/report" 2>"$temp/stderr"
    same "$name: status" "$status" $?
    same "$name: no output" "" "$(cat "$temp/report")"
    same "$name" "$message" "$(cat "$temp/stderr")"
}

test_options() {
    same "help: status" 0 "$("$program" --help >"$temp/report"; echo $?)"
    same "help" "usage: echo [-m ADDRESS] [-n CONNECTIONS] [-q SECONDS] [ADDRESS]..." "$(head -n 1 "$temp/report")"
    refused "not a number" 2 "echo: -n takes a number from 1 to 1000000, not 'x'
Try 'echo --help'." -n x
    refused "not for all" 1 "echo: 1.2.3.4:9: an argument is out of its documented range" -m 1.2.3.4:9
    refused "no address" 1 "echo: here: an argument is out of its documented range" here
    : >"$temp/taken"
    refused "taken" 1 "echo: unix:$temp/taken: the address is in use" "unix:$temp/taken"
}

# -- ------------------------------------------------------------------------------------------------

if [[ ! -x $program ]]; then
    echo "$program is missing: build it first"
    echo "0 passed, 1 failed"
    exit 1
fi
test_clients
test_end
test_restart
test_too_many
test_quiet
test_vanishing
test_few_descriptors
test_told
test_options

# The page's own commands, once: they do not depend on the flavour.
if [[ $build == build/release ]]; then
    rm -f build/echo/socket
    same "built by hand" "$(blocks "What is printed")" "$(bash -e -c "$(blocks "Build it by hand")" | grep -v -e '^wrote' -e '^unchanged')"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
