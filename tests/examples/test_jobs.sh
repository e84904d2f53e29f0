#!/usr/bin/env bash
# The jobs example: a rehearsal to the line, then real runs: what takes too long, overlaps, or fails; the status by curl, another plan, and
# the end. It waits for what is printed, never for a time.
# Usage, from the project's root: tests/examples/test_jobs.sh [BUILD DIRECTORY]
# Last line: "N passed, N failed".
set -u
export LC_ALL=C

build=${1:-build/release}
program=$build/examples/jobs
page=examples/jobs/README.md
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

# -- running it ---------------------------------------------------------------------------------------

start() { # ARGUMENT...: $server; what it prints goes to $temp/report
    : >"$temp/report"
    "$program" "$@" "$temp/conf" >"$temp/report" 2>"$temp/stderr" &
    server=$!
}

finish() { # NAME: it ends well
    kill $server
    wait $server
    same "$1: status" 0 $?
    same "$1: stderr" "" "$(cat "$temp/stderr")"
    server=
}

await() { # COMMAND...: until it succeeds
    until "$@"; do :; done
}

says() { # LINE, without its time
    grep -q " $1\$" "$temp/report"
}

all_over() { # GROUP: is no process of it left that runs?
    ! cat /proc/[0-9]*/stat 2>/dev/null | sed 's/.*) //' | awk -v group="$1" '$3 == group && $1 != "Z" {found = 1} END {exit !found}'
}

rehearse() { # DURATION: the file from the input
    cat >"$temp/conf"
    "$program" -r "$1" "$temp/conf" 2>&1
}

refused() { # NAME STATUS MESSAGE ARGUMENT...
    local name=$1 status=$2 message=$3
    shift 3
    "$program" "$@" >"$temp/report" 2>"$temp/stderr"
    same "$name: status" "$status" $?
    same "$name: no output" "" "$(cat "$temp/report")"
    same "$name" "$message" "$(cat "$temp/stderr")"
}

# -- the tests --------------------------------------------------------------------------------------

test_rehearsal() {
    local i
    for i in 1 2 3; do
        same "what the page says" "$(blocks "What is printed" | head -n 19)" "$("$program" -r 15s examples/jobs/jobs.conf)"
    done
    same "a queue that is full" "    1.000 long: begins
    3.000 long: refused, the run before is not over
    4.000 long: refused, the run before is not over
    4.500 long: done
    4.500 long: begins
    8.000 long: done" "$(rehearse 4s <<<'long 1s 1h 1 sleep 3500ms')"
    echo 'often 1ms 1s 0 sleep 1ms' >"$temp/conf"
    "$program" -r 100000h "$temp/conf" >"$temp/report" 2>&1 &
    server=$!
    await says "often: done"
    kill $server
    wait $server 2>/dev/null
    same "a rehearsal can be ended" 143 $?
    server=
    same "a day" 1440 "$(rehearse 24h <<<'minute 1min 1s 0 sleep 500ms' | grep -c done)"
}

test_runs() {
    mkfifo "$temp/fifo"
    cat >"$temp/conf" <<END
good     50ms   100s   0  exec   echo of the job >>"$temp/good"
bad      50ms   100s   0  exec   exit 3
space    50ms   100s   0  space  /
nowhere  50ms   100s   0  space  /nowhere
endless  50ms   200ms  0  exec   sleep 1000 & echo \$\$ >"$temp/group"; wait
waiting  50ms   100s   1  exec   read line <"$temp/fifo"; echo "\$line" >>"$temp/lines"
END
    start -s "unix:$temp/socket"
    for line in "good: done" "bad: the system reported .*" "nowhere: there is no such file or name" "space: [dt].*" \
        "endless: took too long" "waiting: refused, the run before is not over"; do
        await says "$line"
    done
    same "the job has run" "of the job" "$(head -n 1 "$temp/good")"
    status=$(curl --silent --show-error --unix-socket "$temp/socket" http://jobs/)
    same "the status" "job done failed late refused queued now" "$(head -n 1 <<<"$status" | xargs)"
    same "what waits" "waiting 0 0 0 1 runs" "$(awk '$1 == "waiting" {print $1, $2, $3, $4, $6, $7}' <<<"$status")"
    same "what is late" yes "$(awk '$1 == "endless" && $2 == 0 && $4 > 0 {print "yes"}' <<<"$status")"
    same "what fails" yes "$(awk '$1 == "bad" && $2 == 0 && $3 > 0 {print "yes"}' <<<"$status")"
    same "each kind has a line" 7 "$(wc -l <<<"$status")"
    seq 20 | while read -r _; do curl --silent --unix-socket "$temp/socket" http://jobs/ | head -n 1; done | sort -u >"$temp/heads"
    same "as often as one likes" 1 "$(wc -l <"$temp/heads")"
    kill $server
    await says "jobs: ends what is under way"
    exec {fifo}<>"$temp/fifo" # open for all that follows, so that no run finds its end
    echo "first" >&"$fifo" # the run under way, and the one that is queued, are done
    await grep -qs first "$temp/lines"
    echo "second" >&"$fifo"
    wait $server
    same "runs: status" 0 $?
    exec {fifo}>&-
    server=
    same "what was due is done" "first second" "$(xargs <"$temp/lines")"
    await all_over "$(cat "$temp/group")"
    same "the socket is gone" no "$([[ -e $temp/socket ]] && echo yes || echo no)"
    same "runs: stderr" "" "$(cat "$temp/stderr")"
}

test_reload() {
    echo "first 20ms 100s 0 exec :" >"$temp/conf"
    start
    await says "first: done"
    echo "second 20ms" >"$temp/conf"
    kill -HUP $server
    await says "jobs: the file is not good, and the plan stays"
    same "the mistake is named" "jobs: $temp/conf:1: a job is: NAME EVERY WITHIN QUEUE KIND WHAT" "$(cat "$temp/stderr")"
    : >"$temp/stderr"
    echo "second 20ms 100s 0 exec :" >"$temp/conf"
    kill -HUP $server
    await says "second: done"
    sed '1,/a new plan/d' "$temp/report" >"$temp/after"
    same "the one before is over" 0 "$(grep -c first "$temp/after")"
    finish "reload"
}

test_options() {
    same "help: status" 0 "$("$program" --help >"$temp/report"; echo $?)"
    same "help" "usage: jobs [-s ADDRESS] [-r DURATION] FILE" "$(head -n 1 "$temp/report")"
    refused "no file" 2 "jobs: one file is needed
Try 'jobs --help'."
    refused "no duration" 2 "jobs: -r takes a duration, not '5'
Try 'jobs --help'." -r 5 "$temp/conf"
    refused "a file that is not there" 1 "$temp/absent: No such file or directory" "$temp/absent"
    printf '%s\n' "$(printf 'n%031d' 0) 5s 5s 0 exec true" "$(printf 'b 5s 5s 0 exec true %0251d' 0)" "$(printf 'c 5s 5s 0 exec true %02000d' 0)" 'd 5s' >"$temp/conf"
    refused "long ones" 1 "jobs: $temp/conf:1: a name has at most 31 bytes, and what is to be done 255
jobs: $temp/conf:2: a name has at most 31 bytes, and what is to be done 255
jobs: $temp/conf:3: a name has at most 31 bytes, and what is to be done 255
jobs: $temp/conf:4: a job is: NAME EVERY WITHIN QUEUE KIND WHAT" "$temp/conf"
    printf '%s\n' '# all wrong' 'a 5s 5s 0 exec' 'b 5 5s 0 exec true' 'c 5s 5s 101 exec true' 'd 5s 5s 0 call true' 'e 5s 5s 0 sleep long' >"$temp/conf"
    refused "mistakes" 1 "jobs: $temp/conf:2: a job is: NAME EVERY WITHIN QUEUE KIND WHAT
jobs: $temp/conf:3: a duration is like 500ms, 5s, 10min or 1h
jobs: $temp/conf:4: that is too long a queue
jobs: $temp/conf:5: a job can exec, space or sleep
jobs: $temp/conf:6: to sleep takes a duration" "$temp/conf"
}

# -- ------------------------------------------------------------------------------------------------

if [[ ! -x $program ]]; then
    echo "$program is missing: build it first"
    echo "0 passed, 1 failed"
    exit 1
fi
test_rehearsal
test_runs
test_reload
test_options

# The page's own commands, once: they do not depend on the flavour.
if [[ $build == build/release ]]; then
    same "built by hand" "$(blocks "What is printed" | head -n 19)" "$(bash -e -c "$(blocks "Build it by hand")")"
fi
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
